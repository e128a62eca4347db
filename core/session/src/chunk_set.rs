//! Some of the chunks of an upload, as bits: one per chunk, the first in the highest bit of the first byte. Five thousand chunks are
//! 625 bytes, however they are scattered.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// A set of chunks, each named by its number from 0. Written in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChunkSet(Vec<u8>);

impl ChunkSet {
    /// None of so many chunks.
    pub fn none_of(chunks: u64) -> Self {
        Self(vec![0; usize::try_from(chunks.div_ceil(8)).unwrap_or(0)])
    }

    /// Adds a chunk; one that is not among those that the set was made for is left out.
    pub fn insert(&mut self, chunk: u32) {
        if let Some(byte) = usize::try_from(chunk / 8).ok().and_then(|index| self.0.get_mut(index)) {
            *byte |= 0x80 >> (chunk % 8);
        }
    }

    /// Whether the chunk is in it.
    pub fn contains(&self, chunk: u32) -> bool {
        let byte = usize::try_from(chunk / 8).ok().and_then(|index| self.0.get(index));
        byte.is_some_and(|byte| byte & (0x80 >> (chunk % 8)) != 0)
    }

    /// In base64.
    pub fn encoded(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl From<ChunkSet> for String {
    fn from(set: ChunkSet) -> Self {
        set.encoded()
    }
}

impl TryFrom<String> for ChunkSet {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self).map_err(|_| "a set of chunks that is no base64")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it_and_is_read_back() {
        let mut set = ChunkSet::none_of(10);
        for chunk in [0, 3, 9, 16, 4_000_000_000] {
            set.insert(chunk);
        }
        let all: Vec<u32> = (0..20).filter(|chunk| set.contains(*chunk)).collect();
        assert_eq!(all, [0, 3, 9], "a chunk that does not exist is in no set");
        let written = serde_json::to_string(&set).unwrap();
        assert_eq!(written, "\"kEA=\"");
        assert_eq!(serde_json::from_str::<ChunkSet>(&written).unwrap(), set);
        assert!(serde_json::from_str::<ChunkSet>("\"~\"").is_err());
    }
}
