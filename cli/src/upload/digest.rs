//! The digests of the whole file, carried along as it is read from its front, and of each chunk. Where they stand is kept with the state, so
//! that no byte is hashed twice, whatever interrupted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use upload_types::integrity::{Crc64Nvme, RunningSha256, Sha256Digest, Sha256State};
use upload_types::units::ByteCount;

use crate::aside::aside;
use crate::failure::{Failure, Result};
use crate::upload::{
    chunk_queue::ChunkRange,
    source::{Source, unreadable},
};

/// How much is read at a time: as much as stays in the processor's cache.
const BLOCK_BYTES: usize = 256 * 1024;

/// So far the file has been hashed, and to this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hashed {
    pub(crate) bytes: u64,
    sha256: Option<Sha256State>,
    crc64nvme: Crc64Nvme,
}

impl Hashed {
    /// The SHA-256 of all that was hashed.
    pub(crate) fn sha256(&self) -> Result<Sha256Digest> {
        match &self.sha256 {
            None => Ok(Sha256Digest::of(&[])),
            Some(state) => state.digest().ok_or_else(spoiled),
        }
    }

    /// The CRC-64/NVME of all that was hashed.
    pub(crate) fn crc64nvme(&self) -> Crc64Nvme {
        self.crc64nvme
    }

    /// Reads a chunk, and what lies between the last one and it where that was not read yet. The CRC of the chunk.
    pub(crate) async fn read(self, source: Arc<Source>, chunk: ChunkRange) -> Result<(Self, Crc64Nvme)> {
        aside(move || self.read_now(&source, chunk)).await
    }

    fn read_now(mut self, source: &Source, chunk: ChunkRange) -> Result<(Self, Crc64Nvme)> {
        if self.bytes < chunk.from {
            let gap = ChunkRange { from: self.bytes, to: chunk.from };
            self.follow(source, gap)?;
        }
        if self.bytes == chunk.from {
            let crc = self.follow(source, chunk)?;
            return Ok((self, crc));
        }
        // Sent before, and to be sent again.
        let mut crc = Crc64Nvme::default();
        each_block(source, chunk, |block| crc = followed(crc, block))?;
        Ok((self, crc))
    }

    /// The bytes that come next.
    fn follow(&mut self, source: &Source, chunk: ChunkRange) -> Result<Crc64Nvme> {
        let mut sha256 = RunningSha256::resume(self.sha256.as_ref()).ok_or_else(spoiled)?;
        let mut crc = Crc64Nvme::default();
        each_block(source, chunk, |block| {
            sha256.update(block);
            crc = followed(crc, block);
        })?;
        self.sha256 = Some(sha256.save());
        self.crc64nvme = self.crc64nvme.followed_by(crc, count(chunk.bytes()));
        self.bytes = chunk.to;
        Ok(crc)
    }
}

fn each_block(source: &Source, chunk: ChunkRange, mut take: impl FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut at = chunk.from;
    while at < chunk.to {
        let length = BLOCK_BYTES.min(usize::try_from(chunk.to - at).unwrap_or(BLOCK_BYTES));
        let block = &mut buffer[..length];
        source.read_at(at, block).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => source.has_changed(),
            _ => unreadable(&source.path, &error),
        })?;
        take(block);
        at += length as u64;
    }
    Ok(())
}

fn followed(crc: Crc64Nvme, block: &[u8]) -> Crc64Nvme {
    crc.followed_by(Crc64Nvme::of(block), count(block.len() as u64))
}

fn count(bytes: u64) -> ByteCount {
    ByteCount::new(bytes).unwrap_or(ByteCount::MAX)
}

fn spoiled() -> Failure {
    Failure::resumable("The kept state is spoiled. Run the command again with --restart.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_whole_whatever_was_read_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        std::fs::write(&path, &bytes).unwrap();
        let source = Source::open(&path).unwrap();
        let chunk = |from, to| ChunkRange { from, to };
        let (first, _) = Hashed::default().read_now(&source, chunk(0, 100_000)).unwrap();
        // Put down and taken up again; a chunk of before is read once more; a gap is read before what is behind it.
        let kept: Hashed = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        let (again, crc) = kept.read_now(&source, chunk(50_000, 60_000)).unwrap();
        assert_eq!(crc, Crc64Nvme::of(&bytes[50_000..60_000]));
        assert_eq!(again, first);
        let (all, crc) = again.read_now(&source, chunk(400_000, 700_000)).unwrap();
        assert_eq!(crc, Crc64Nvme::of(&bytes[400_000..]));
        assert_eq!(all.sha256().unwrap(), Sha256Digest::of(&bytes));
        assert_eq!(all.crc64nvme(), Crc64Nvme::of(&bytes));
    }

    #[test]
    fn a_file_that_has_become_shorter_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, [7; 100]).unwrap();
        let source = Source::open(&path).unwrap();
        std::fs::write(&path, [7; 10]).unwrap();
        let changed = Hashed::default().read_now(&source, ChunkRange { from: 0, to: 100 }).unwrap_err();
        assert!(changed.message.contains("has changed"), "{changed}");
    }
}
