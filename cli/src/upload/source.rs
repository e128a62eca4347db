//! A file that is sent: read at any place, and noticed when it changes.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::upload::positioned::read_exact_at;

/// What tells one content of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fingerprint {
    pub(crate) bytes: u64,
    modified_ns: u128,
    file_number: u64,
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified_ns = modified.map_or(0, |since| since.as_nanos());
        Self { bytes: metadata.len(), modified_ns, file_number: file_number(metadata) }
    }
}

/// An open file. It stays readable when its name is taken away.
pub(crate) struct Source {
    file: File,
    pub(crate) path: PathBuf,
    pub(crate) fingerprint: Fingerprint,
}

impl Source {
    /// Opens a file, and nothing that is none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        // Asked first: opening a pipe waits for whoever writes to it.
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if let Some(what) = what_else(&metadata) {
            return Err(Failure::usage(format!("{shown} is {what}, not a file. A stream is sent by `quay put -`.")));
        }
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
        Ok(Self { file, path: path.to_owned(), fingerprint: Fingerprint::of(&metadata) })
    }

    /// All of the buffer, from this place.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, buffer, offset)
    }

    /// Fails where the file is not what it was when it was opened.
    pub(crate) fn must_be_unchanged(&self) -> Result<()> {
        let metadata = self.file.metadata().map_err(|error| unreadable(&self.path, &error))?;
        if Fingerprint::of(&metadata) == self.fingerprint {
            return Ok(());
        }
        Err(self.has_changed())
    }

    /// What is said of a file that changes while it is sent.
    pub(crate) fn has_changed(&self) -> Failure {
        Failure::resumable(format!(
            "{} has changed while it was being sent, so what has arrived is of no use and was taken back. Run the command again once the \
             file is finished; of a file that grows, `tail -c +1 -f FILE | quay put --live -` sends what comes.",
            self.path.display()
        ))
    }
}

/// What a path is that is not a file that can be sent.
pub(crate) fn what_else(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("a folder");
    }
    Some(special(kind))
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Failure::resumable(format!("{shown} is not there (any more).")),
        io::ErrorKind::PermissionDenied => Failure::resumable(format!("{shown} may not be read by this user.")),
        _ => Failure::resumable(format!("{shown} cannot be read: {error}.")),
    }
}

#[cfg(unix)]
fn special(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        _ if kind.is_socket() => "a socket",
        _ if kind.is_fifo() => "a pipe",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn special(_: std::fs::FileType) -> &'static str {
    "something else"
}

#[cfg(unix)]
fn file_number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_number(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[test]
    fn a_file_that_has_grown_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let source = Source::open(&path).unwrap();
        assert!(source.must_be_unchanged().is_ok());
        std::fs::write(&path, "abcd").unwrap();
        assert!(source.must_be_unchanged().unwrap_err().message.contains("has changed"));
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Source::open(folder.path()).err().unwrap();
        assert_eq!(refused.kind, Kind::Usage);
        assert!(refused.message.contains("a folder"), "{refused}");
        assert!(Source::open(&folder.path().join("b")).err().unwrap().message.contains("not there"));
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(Source::open(&path).err().unwrap().message.contains("a socket"));
    }
}
