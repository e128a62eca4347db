//! What a rule decides: an answer, and what becomes true before it is given.

use super::{ParallelChunk, Segment, Storage, StoredPart, UploadState};
use crate::outbox::Outbox;
use upload_types::{api_error::ApiError, units::UnixMs};

/// What a decision changes. To be stored in one transaction, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive] // only a rule makes one
#[must_use]
pub struct StateChange {
    /// The new progress, where it is another. One row, together with the outbox.
    pub progress: Option<UploadState>,
    /// New parts, in order. One row each. A part takes with it the segments that lie before its end.
    pub parts: Vec<StoredPart>,
    /// A new segment. One row.
    pub segment: Option<Segment>,
    /// Chunks of a parallel upload that were begun, or of which a writer has ended. One row each.
    pub parallel_chunks: Vec<(u32, ParallelChunk)>,
    /// Which parts do not count any more. Their rows go.
    pub uncount: Uncount,
    /// An attempt that has said that it is there. Kept in memory only.
    pub heard: Option<Heard>,
    /// The new outbox, where it is another. One row, together with the progress.
    pub outbox: Option<Outbox>,
}

/// Which parts do not count any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Uncount {
    /// All that counted still count.
    #[default]
    Nothing,
    /// None counts.
    All,
    /// Those of these chunks.
    Chunks(Vec<u32>),
    /// None, and nothing of how they came: the file is put together anew, from chunks in any order.
    Anew,
}

/// An attempt was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which.
    pub attempt: u64,
    /// When.
    pub at: UnixMs,
}

impl StateChange {
    /// Nothing changes.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nothing changes.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The part of a file that was put in one go, where this counts it. It is kept with the progress, and makes no row of its own.
    pub fn only_part(&self) -> Option<&StoredPart> {
        match (self.progress.as_ref().map(|progress| &progress.storage), &self.parts[..]) {
            (Some(Storage::SingleObject { counted: Some(_) }), [part]) => Some(part),
            _ => None,
        }
    }

    /// Whether nothing of it is to be stored: it is only about what is kept in memory.
    pub fn is_only_in_memory(&self) -> bool {
        *self == Self { heard: self.heard, ..Self::default() }
    }
}

impl From<UploadState> for StateChange {
    fn from(progress: UploadState) -> Self {
        Self { progress: Some(progress), ..Self::default() }
    }
}

/// An answer, and what must be stored before it is given. A refusal can change something too: it may have noticed the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision<T> {
    /// What the caller is told.
    pub answer: Result<T, ApiError>,
    /// What becomes true first.
    pub change: StateChange,
}

impl<T> Decision<T> {
    pub(super) fn yes(answer: T, change: impl Into<StateChange>) -> Self {
        Self { answer: Ok(answer), change: change.into() }
    }

    pub(super) fn no(refusal: ApiError) -> Self {
        Self { answer: Err(refusal), change: StateChange::none() }
    }
}
