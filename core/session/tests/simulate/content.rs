//! Bytes that say where they belong in the file, so that what is doubled, left out, swapped or brought by the wrong writer never equals it.

use std::hash::{DefaultHasher, Hash, Hasher};

use upload_types::units::ByteCount;

/// Where garbage claims to be in the file.
const NOWHERE: u64 = 1 << 60;

/// Runs of bytes of the file, from and to. Neighbours are one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Content(Vec<(u64, u64)>);

impl Content {
    /// The file from here to there.
    pub(crate) fn of_file(from: u64, to: u64) -> Self {
        Self(if from < to { vec![(from, to)] } else { Vec::new() })
    }

    /// As many bytes that belong nowhere.
    pub(crate) fn garbage(&self) -> Self {
        Self::of_file(NOWHERE, NOWHERE + self.bytes())
    }

    /// How many bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// These, and others behind them.
    pub(crate) fn then(mut self, next: &Self) -> Self {
        for &(from, to) in &next.0 {
            match self.0.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => self.0.push((from, to)),
            }
        }
        self
    }

    /// What R2 calls them.
    pub(crate) fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        format!("{:x}", hasher.finish())
    }
}

/// So many bytes as the rules count them.
pub(crate) fn count(bytes: u64) -> ByteCount {
    ByteCount::new(bytes).unwrap_or(ByteCount::MAX)
}
