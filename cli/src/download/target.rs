//! Where a download goes: a file that is not whole yet has another name, beside it lies which version of the object it is of, and an
//! interrupted one is gone on with. It gets its name once it is compared, and is on the disk.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::{ETAG, HeaderMap};
use tokio::io::{AsyncWriteExt, Stdout};
use upload_types::integrity::{Crc64Nvme, RunningSha256, Sha256Digest};
use upload_types::units::ByteCount;

use crate::aside::aside;
use crate::download::names::{PART, VERSION, beside, safe_name};
use crate::failure::{Failure, Result};
use crate::state::is_same;

/// How much of a part that is here is read at a time.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// What is known of a file before it comes, by whoever has sent it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) crc64nvme: Option<Crc64Nvme>,
    pub(crate) sha256: Option<Sha256Digest>,
}

/// What has come.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// As it is shown; `-` is standard output.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) crc64nvme: Crc64Nvme,
}

/// What is done about a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Kept,
    WrittenOver,
}

/// Where the bytes go, and how far they are.
pub(crate) struct Target {
    /// None until the server has said the name; standard output never has one.
    path: Option<PathBuf>,
    /// Where it goes there.
    stdout: Option<Stdout>,
    existing: Existing,
    expected: Expected,
    file: Option<File>,
    offset: u64,
    begun_at: u64,
    crc: Crc64Nvme,
    /// Only where there is something to compare it with.
    sha256: Option<RunningSha256>,
    etag: Option<String>,
    declared: Option<Crc64Nvme>,
}

impl Target {
    /// Where it was asked for, with what an earlier run has left there, all of which is read.
    pub(crate) async fn of(output: Option<&Path>, existing: Existing, expected: Expected) -> Result<Self> {
        let output = output.map(Path::to_owned);
        aside(move || Self::of_now(output, existing, expected)).await
    }

    fn of_now(output: Option<PathBuf>, existing: Existing, expected: Expected) -> Result<Self> {
        let is_stdout = output.as_ref().is_some_and(|path| path.as_os_str() == "-");
        let path = output.filter(|_| !is_stdout);
        let mut target = Self {
            path,
            stdout: is_stdout.then(tokio::io::stdout),
            existing,
            expected,
            file: None,
            offset: 0,
            begun_at: 0,
            crc: Crc64Nvme::default(),
            sha256: expected.sha256.and_then(|_| RunningSha256::resume(None)),
            etag: None,
            declared: None,
        };
        if let Some(path) = target.path.clone() {
            target.may_become(&path)?;
            target.take_up(&path)?;
        }
        Ok(target)
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The version of which a part is here.
    pub(super) fn etag(&self) -> Option<&str> {
        self.etag.as_deref().filter(|_| self.offset > 0)
    }

    pub(super) fn has_moved(&mut self) -> bool {
        let has_moved = self.offset > self.begun_at;
        self.begun_at = self.offset;
        has_moved
    }

    fn may_become(&self, path: &Path) -> Result<()> {
        if path.is_dir() {
            return Err(Failure::usage(format!("{} is a folder: name a file in it.", path.display())));
        }
        // Also where it is a link that leads to nothing.
        if path.symlink_metadata().is_ok() && self.existing == Existing::Kept {
            return Err(Failure::usage(format!("{} is there already: --force writes over it.", path.display())));
        }
        Ok(())
    }

    /// Goes on with what an earlier run has left, where it is known of which version that is.
    fn take_up(&mut self, path: &Path) -> Result<()> {
        let Ok(etag) = std::fs::read_to_string(beside(path, VERSION)) else { return Ok(()) };
        let part = beside(path, PART);
        let Ok(mut file) = File::options().read(true).write(true).open(&part) else { return Ok(()) };
        claim(&file, &part)?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = file.read(&mut buffer).map_err(|error| not_written(&part, &error))?;
            if read == 0 {
                break;
            }
            self.count(&buffer[..read]);
        }
        // What has come before now is no sign that the line works.
        self.begun_at = self.offset;
        self.etag = Some(etag).filter(|etag| !etag.is_empty());
        self.file = Some(file);
        Ok(())
    }

    /// An answer has begun: the rest of it, or the whole.
    pub(super) fn open(&mut self, headers: &HeaderMap, is_rest: bool) -> Result<()> {
        self.declared = declared(headers);
        if self.stdout.is_some() && !is_rest && self.offset > 0 {
            return Err(Failure::refused("The object has changed in the middle of it."));
        }
        if self.stdout.is_some() {
            self.etag = text(headers, ETAG.as_str());
            return Ok(());
        }
        if !is_rest && self.offset > 0 {
            self.begin_again()?;
        }
        if self.file.is_none() {
            let path = match self.path.take() {
                Some(path) => path,
                None => PathBuf::from(safe_name(headers)),
            };
            self.may_become(&path)?;
            let part = beside(&path, PART);
            let version = text(headers, ETAG.as_str()).unwrap_or_default();
            let made = File::options().read(true).write(true).create(true).truncate(false).open(&part);
            let made = made.map_err(|error| not_written(&part, &error))?;
            claim(&made, &part)?;
            made.set_len(0).map_err(|error| not_written(&part, &error))?;
            self.file = Some(made);
            let kept = std::fs::write(beside(&path, VERSION), &version);
            kept.map_err(|error| not_written(&path, &error))?;
            self.etag = Some(version).filter(|version| !version.is_empty());
            self.path = Some(path);
        }
        Ok(())
    }

    pub(super) fn begin_again(&mut self) -> Result<()> {
        if let (Some(file), Some(path)) = (&mut self.file, &self.path) {
            let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
            emptied.map_err(|error| not_written(path, &error))?;
        }
        self.file = None;
        self.offset = 0;
        self.crc = Crc64Nvme::default();
        self.sha256 = self.expected.sha256.and_then(|_| RunningSha256::resume(None));
        self.etag = None;
        Ok(())
    }

    pub(super) async fn write(&mut self, block: &[u8]) -> Result<()> {
        let written = match (&mut self.file, &mut self.stdout) {
            (Some(file), _) => file.write_all(block),
            // Whoever reads it may take its time.
            (None, Some(stdout)) => stdout.write_all(block).await,
            (None, None) => Ok(()),
        };
        let shown = self.path.clone().unwrap_or_else(|| PathBuf::from("standard output"));
        written.map_err(|error| not_written(&shown, &error))?;
        self.count(block);
        Ok(())
    }

    fn count(&mut self, block: &[u8]) {
        let length = block.len() as u64;
        self.crc = self.crc.followed_by(Crc64Nvme::of(block), ByteCount::new(length).unwrap_or(ByteCount::MAX));
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(block);
        }
        self.offset += length;
    }

    /// Compares the whole, and gives it its name.
    pub(super) async fn finish(mut self) -> Result<Got> {
        if let Some(stdout) = &mut self.stdout {
            stdout.flush().await.map_err(|error| not_written(Path::new("standard output"), &error))?;
        }
        // To be on the disk takes as long as the disk does.
        aside(move || self.finish_now()).await
    }

    fn finish_now(mut self) -> Result<Got> {
        let declared = self.declared.ok_or_else(|| {
            Failure::refused("The server has given no digest, so nobody knows whether this is the whole. It is kept.")
        })?;
        if declared != self.crc {
            self.begin_again()?;
            return Err(Failure::resumable(
                "What has come does not have the object's digest, and was dropped: run the command again.",
            ));
        }
        let Expected { crc64nvme, sha256 } = self.expected;
        let is_other_sha256 = self.sha256.as_ref().is_some_and(|running| running.save().digest() != sha256);
        if crc64nvme.is_some_and(|expected| expected != self.crc) || is_other_sha256 {
            self.begin_again()?;
            return Err(Failure::refused("What the server has is not what was sent: its digest is another."));
        }
        let (bytes, crc64nvme) = (self.offset, self.crc);
        let Some(path) = self.path.clone() else {
            return Ok(Got { path: "-".to_owned(), bytes, crc64nvme });
        };
        if let Some(file) = &self.file {
            file.sync_all().map_err(|error| not_written(&path, &error))?;
        }
        // Somebody may have put something there meanwhile.
        self.may_become(&path)?;
        std::fs::rename(beside(&path, PART), &path).map_err(|error| not_written(&path, &error))?;
        // Where it stays, it belongs to nothing.
        let _ = std::fs::remove_file(beside(&path, VERSION));
        Ok(Got { path: path.display().to_string(), bytes, crc64nvme })
    }
}

/// Takes a part for this process alone, as long as it is open: what two write is neither's.
fn claim(file: &File, part: &Path) -> Result<()> {
    match file.try_lock() {
        // The other one may have finished meanwhile, and given it its name.
        Ok(()) if is_same(file, part) => Ok(()),
        // There are no locks here.
        Err(TryLockError::Error(_)) => Ok(()),
        Ok(()) | Err(TryLockError::WouldBlock) => {
            Err(Failure::resumable(format!("{} is being got by another `quay get` just now.", part.display())))
        }
    }
}

pub(super) fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::resumable(format!("{} cannot be written: {error}.", path.display()))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `Repr-Digest: crc64nvme=:<base64>:` (RFC 9530).
pub(super) fn declared(headers: &HeaderMap) -> Option<Crc64Nvme> {
    let digest = text(headers, "repr-digest")?;
    let (_, rest) = digest.split_once("crc64nvme=:")?;
    Crc64Nvme::from_digest(&STANDARD.decode(rest.split_once(':')?.0).ok()?)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn the_digest_is_read_from_its_header() {
        let crc = Crc64Nvme::of(b"abc");
        let value = format!("sha-256=:AAAA:, crc64nvme=:{}:", STANDARD.encode(crc.0.to_be_bytes()));
        assert_eq!(declared(&headers("repr-digest", &value)), Some(crc));
        assert_eq!(declared(&headers("repr-digest", "crc64nvme=:AAA")), None);
    }
}
