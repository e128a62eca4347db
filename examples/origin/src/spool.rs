//! The disk's half of a download, on a thread that may block: bytes are counted, hashed and written as they come.
//!
//! Promises: at most [`CHUNKS_AHEAD`] chunks wait in memory, so a slow disk slows the network down; after
//! [`Spool::finish`] nothing writes to the file any more; after [`publish`] the object survives a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::sniff::SNIFF_BYTES;

/// Chunks between network and disk. One being written and a few to hide the jitter of either side.
const CHUNKS_AHEAD: usize = 4;

/// A file being written.
pub(crate) struct Spool {
    chunks: mpsc::Sender<Bytes>,
    writer: JoinHandle<io::Result<Spooled>>,
}

/// What was written, measured on the way.
pub(crate) struct Spooled {
    pub(crate) size_bytes: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) crc64nvme: [u8; 8],
    /// The first bytes, up to [`SNIFF_BYTES`].
    pub(crate) head: Vec<u8>,
    file: File,
}

impl Spool {
    /// Starts over at `path`: what an earlier attempt left there is cut off.
    pub(crate) fn create(path: PathBuf) -> Self {
        Self::writing(move || File::create(path))
    }

    /// Goes on at `path` behind its first `kept_bytes`: what lies behind them is cut off. What is measured is what comes now.
    pub(crate) fn append(path: PathBuf, kept_bytes: u64) -> Self {
        Self::writing(move || {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            file.set_len(kept_bytes)?;
            Ok(file)
        })
    }

    fn writing(open: impl FnOnce() -> io::Result<File> + Send + 'static) -> Self {
        let (chunks, arriving) = mpsc::channel(CHUNKS_AHEAD);
        Self { chunks, writer: spawn_blocking(move || write(open()?, arriving)) }
    }

    /// Hands over the next bytes. False when the writer has given up: [`finish`](Self::finish) tells why.
    pub(crate) async fn push(&self, chunk: Bytes) -> bool {
        self.chunks.send(chunk).await.is_ok()
    }

    /// Waits until the last byte is with the operating system. Also to be called for a download that failed: the next
    /// attempt must not find this one still writing.
    pub(crate) async fn finish(self) -> io::Result<Spooled> {
        drop(self.chunks);
        self.writer.await?
    }
}

fn write(mut file: File, mut arriving: mpsc::Receiver<Bytes>) -> io::Result<Spooled> {
    let mut sha256 = Sha256::new();
    let mut crc64nvme = crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme);
    let mut head = Vec::new();
    let mut size_bytes = 0;
    while let Some(chunk) = arriving.blocking_recv() {
        head.extend(chunk.iter().take(SNIFF_BYTES - head.len()));
        sha256.update(&chunk);
        crc64nvme.update(&chunk);
        file.write_all(&chunk)?;
        size_bytes += chunk.len() as u64;
    }
    let crc64nvme = crc64nvme.finalize().to_be_bytes();
    Ok(Spooled { size_bytes, sha256: sha256.finalize().into(), crc64nvme, head, file })
}

/// Waits until what was written survives a power cut.
pub(crate) async fn sync(spooled: Spooled) -> io::Result<()> {
    spawn_blocking(move || spooled.file.sync_all()).await?
}

/// Turns a checked part into the object, durably. Overwrites an object of that name: it can only be the same one,
/// published by a process that died before it could record so.
pub(crate) async fn publish(spooled: Spooled, part: PathBuf, object: PathBuf, directory: PathBuf) -> io::Result<()> {
    spawn_blocking(move || {
        // Dying here leaves a part whose last bytes may not be on disk. It is still only a part.
        spooled.file.sync_all()?;
        // Dying here leaves a whole part that nobody counts: it is fetched again.
        fs::rename(part, object)?;
        // Dying here leaves part or object, whichever name the disk knew last; both are whole, neither is recorded.
        File::open(directory)?.sync_all()
    })
    .await?
}

/// Removes a part that turned out to be wrong, if one was written at all.
pub(crate) async fn discard(part: PathBuf) -> io::Result<()> {
    spawn_blocking(move || match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests of "123456789": CRC-64/NVME's published check value, SHA-256 from `sha256sum`.
    #[tokio::test]
    async fn measures_what_it_writes_and_starts_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.part");
        fs::write(&path, "left by an attempt that died, and longer").unwrap();
        let spool = Spool::create(path.clone());
        for chunk in ["1234", "", "56789"] {
            assert!(spool.push(Bytes::from(chunk)).await);
        }
        let spooled = spool.finish().await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"123456789");
        assert_eq!((spooled.size_bytes, spooled.head.as_slice()), (9, b"123456789".as_slice()));
        assert_eq!(hex::encode(spooled.crc64nvme), "ae8b14860a799888");
        assert_eq!(hex::encode(spooled.sha256), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    }

    #[tokio::test]
    async fn a_disk_that_refuses_is_told_at_the_end() {
        let spool = Spool::create(PathBuf::from("/nonexistent/x.part"));
        while spool.push(Bytes::from_static(b"x")).await {}
        assert_eq!(spool.finish().await.err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
