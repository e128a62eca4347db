//! The manifest: what came of each file of a command, as `quay put --manifest` writes it and `quay get --manifest` reads it.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use upload_types::integrity::{Crc64Nvme, Sha256Digest};
use upload_types::units::UploadId;

use crate::failure::{Failure, Result};
use crate::upload::sent::Sent;

/// What came of a file that was to be sent.
pub(crate) struct Outcome {
    /// As it is shown.
    pub(crate) path: String,
    /// Its bytes, percent-encoded, where it cannot be shown as it is.
    pub(crate) path_bytes: Option<String>,
    pub(crate) result: Result<Sent>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<&'a str>,
    #[serde(flatten)]
    sent: Option<&'a Sent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenManifest<'a> {
    files: Vec<Written<'a>>,
}

/// Writes it, in place of what is there.
pub(crate) fn write(path: &Path, outcomes: &[Outcome]) -> Result<()> {
    let files = outcomes.iter().map(|Outcome { path, path_bytes, result }| Written {
        path,
        path_bytes: path_bytes.as_deref(),
        sent: result.as_ref().ok(),
        failed: result.as_ref().err().map(|failure| failure.message.as_str()),
    });
    // Texts and numbers, and nothing that could fail.
    let text = serde_json::to_string_pretty(&WrittenManifest { files: files.collect() }).unwrap_or_default();
    // Aside, and put in its place when it is whole: the one before stays until then.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_file = path.symlink_metadata().map_or(true, |found| found.is_file());
    let written = if is_file {
        aside(folder).and_then(|mut aside| {
            aside.write_all(text.as_bytes()).and_then(|()| aside.write_all(b"\n"))?;
            aside.persist(path).map(drop).map_err(|failed| failed.error)
        })
    } else {
        std::fs::write(path, text + "\n")
    };
    written.map_err(|error| Failure::resumable(format!("{} cannot be written: {error}.", path.display())))
}

/// A file that whoever may read this user's other files may read.
fn aside(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "elsewhere nothing is said of it"))]
    let mut made = tempfile::Builder::new();
    #[cfg(unix)]
    made.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    made.tempfile_in(folder)
}

/// Refuses one that could not be written, before anything is sent that it would be of.
pub(crate) fn must_be_writable(path: &Path) -> Result<()> {
    // What is there stays as it is.
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| Failure::usage(format!("{} cannot be written: {error}.", path.display())))
}

/// What is known of a file that is to be got.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) path: String,
    path_bytes: Option<String>,
    /// None of a file that was not sent.
    pub(crate) upload_id: Option<UploadId>,
    pub(crate) bytes: Option<u64>,
    pub(crate) sha256: Option<Sha256Digest>,
    pub(crate) crc64nvme: Option<Crc64Nvme>,
}

#[derive(Deserialize)]
struct Manifest {
    files: Vec<Entry>,
}

impl Entry {
    /// Where it was.
    pub(crate) fn exact_path(&self) -> OsString {
        match &self.path_bytes {
            Some(encoded) => os_string(percent_decode_str(encoded).collect()),
            None => self.path.clone().into(),
        }
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// Elsewhere names are texts.
#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Reads one.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}.")))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("{shown} is no manifest, as `quay put --manifest` writes it: {error}."))
    })?;
    Ok(manifest.files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.json");
        let id = UploadId::from_random_bytes([1; 16]);
        let outcome =
            |path: &str, result| Outcome { path: path.to_owned(), path_bytes: Some("a/%E9".to_owned()), result };
        write(&path, &[outcome("a/b", Ok(Sent::example(id))), outcome("c", Err(Failure::refused("no")))]).unwrap();
        let entries = read(&path).unwrap();
        assert_eq!((entries[0].path.as_str(), entries[0].upload_id, entries[0].bytes), ("a/b", Some(id), Some(3)));
        assert_eq!((entries[1].upload_id, entries[1].exact_path()), (None, os_string(b"a/\xe9".to_vec())));
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"failed\": \"no\""));
        std::fs::write(&path, "[]").unwrap();
        assert!(read(&path).unwrap_err().message.contains("is no manifest"));
    }
}
