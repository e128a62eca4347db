//! What is kept between two runs, in the user's state folder: how to go on with a file, and which files of a folder are there already.
//! Files are written by appending lines, so that whatever cuts a run short, at worst the last line is lost; what it said is asked for or
//! computed again. Tokens of single uploads are among it, so nobody else may read it.

pub(crate) mod finished;
pub(crate) mod journal;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The folder, or that there is none and why.
pub(crate) struct StateFolder {
    folder: Option<PathBuf>,
}

impl StateFolder {
    /// Opens it. Where it cannot be written to, `complain` is told: everything works without it but going on.
    pub(crate) fn open(folder: &Path, complain: impl FnOnce(String)) -> Self {
        match try_writing(folder) {
            Ok(()) => Self { folder: Some(folder.to_owned()) },
            Err(error) => {
                let shown = folder.display();
                complain(format!(
                    "Nothing can be kept in {shown} ({error}), so an upload that is interrupted now begins again. \
                     QUAY_STATE_DIR names another folder."
                ));
                Self { folder: None }
            }
        }
    }

    /// Where files without a name can be made.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Where something of this name is kept.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    /// The right to send what has this name, until it is dropped. `None` where another process has it.
    pub(crate) fn lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let Some(path) = self.path(&format!("{name}.lock")) else { return Ok(Some(Lock(None))) };
        loop {
            let file = private().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                // Whoever had it before may have removed the file since it was opened here.
                Ok(()) if is_same(&file, &path) => return Ok(Some(Lock(Some((file, path))))),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

/// The right to send a file.
pub(crate) struct Lock(Option<(File, PathBuf)>);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.0 {
            // Where it stays, it is empty and in nobody's way.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether a file that is open is the one of this name.
#[cfg(unix)]
pub(crate) fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Not known here: names of open files cannot be taken.
#[cfg(not(unix))]
pub(crate) fn is_same(_: &File, _: &Path) -> bool {
    true
}

/// A name for what is told apart by all of these.
pub(crate) fn name_of(parts: &[&[u8]]) -> String {
    let mut sha256 = Sha256::new();
    for part in parts {
        sha256.update((part.len() as u64).to_le_bytes());
        sha256.update(part);
    }
    hex::encode(&sha256.finalize()[..16])
}

/// Where a path leads, in bytes: also of one that is no UTF-8.
pub(crate) fn absolute_bytes(path: &Path) -> Vec<u8> {
    let absolute = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    absolute.unwrap_or_else(|_| path.to_owned()).into_os_string().into_encoded_bytes()
}

/// A file that nobody else may read.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "elsewhere nothing is said of it"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A folder that nobody else may look into.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn try_writing(folder: &Path) -> io::Result<()> {
    make_private_folder(folder)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let written = private().create(true).truncate(true).write(true).open(&probe).and_then(|mut file| {
        file.write_all(b"quay")?;
        file.sync_all()
    });
    let _ = std::fs::remove_file(&probe);
    written
}

/// What is said where something cannot be kept in the middle of a run.
pub(crate) fn not_kept(path: &Path, error: &io::Error) -> Failure {
    Failure::resumable(format!("{} cannot be written: {error}.", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_has_the_right_to_send_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path(), |complaint| panic!("{complaint}"));
        let first = state.lock("a").unwrap();
        assert!(first.is_some());
        assert!(state.lock("a").unwrap().is_none());
        assert!(state.lock("b").unwrap().is_some());
        drop(first);
        assert!(state.lock("a").unwrap().is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_complained_of_and_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut said = String::new();
        let state = StateFolder::open(&file.join("below"), |complaint| said = complaint);
        assert!(said.contains("begins again"), "{said}");
        assert!(state.lock("a").unwrap().is_some());
    }

    #[test]
    fn names_do_not_depend_on_where_one_part_ends() {
        assert_ne!(name_of(&[b"ab", b"c"]), name_of(&[b"a", b"bc"]));
        assert_eq!(name_of(&[b"ab", b"c"]).len(), 32);
    }
}
