//! What an upload counts for in its owner's ledger where its length was not declared when it was created: what has arrived of it, and
//! its length once that is declared. Where the owner's bytes are bounded, the ledger is asked *before* more bytes are taken, and where
//! it has no room the chunk is refused and nothing else happens: the upload stays, and goes on when there is room again.
//!
//! So that not every chunk costs a question, it is charged a step ahead; what it was charged too much is given back when it ends. Of
//! an upload whose bytes never pass this service, and of one that is put together from pieces of unknown length, nothing is known
//! before its length is: these are charged when they end.

use super::{BeginAppend, Phase, Session};
use crate::quota::Quota;
use upload_types::{
    chunk::Completion,
    units::{ByteCount, MIB, UnixMs},
};

/// An upload is charged an eighth of itself ahead, and at least this: 64 MiB, which costs far more to store than the question does. So
/// there are some fifty questions on the way to 100 GiB.
const STEP_BYTES: u64 = 64 * MIB;

/// The larger part of an upload that is charged already to what is charged ahead.
const STEP_SHARE: u64 = 8;

/// What the ledger is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// So much is needed now.
    pub bytes: ByteCount,
    /// So much, if there is room for it, for what follows.
    pub ahead: ByteCount,
    /// What the owner may use.
    pub quota: Quota,
}

impl Session {
    /// What the ledger must be asked for before this chunk can begin. `None`: nothing, or it would be refused anyhow.
    pub fn growth_by_chunk(&self, now: UnixMs, begin: BeginAppend) -> Option<Growth> {
        let growth = self.growth(begin.file_bytes, begin.offset.checked_add(begin.length)?)?;
        self.begin(now, begin).answer.is_ok().then_some(growth)
    }

    /// The same before its length can be declared.
    pub fn growth_by_length(&self, now: UnixMs, offset: ByteCount, file_bytes: Option<ByteCount>) -> Option<Growth> {
        let growth = self.growth(file_bytes, offset)?;
        self.declare(now, offset, file_bytes, Completion::WhenWhole).answer.is_ok().then_some(growth)
    }

    pub(super) fn growth(&self, said: Option<ByteCount>, end: ByteCount) -> Option<Growth> {
        let quota = self.spec.byte_quota.filter(|_| self.progress.phase == Phase::Open)?;
        let charged = self.progress.charged_bytes;
        let (bytes, ahead) = if let Some(declared) = self.plan().declared_bytes().or(said) {
            (declared, declared)
        } else {
            let step = (charged.get() / STEP_SHARE).max(STEP_BYTES);
            let ahead = ByteCount::new(charged.get() + step).unwrap_or(ByteCount::MAX);
            (end, ahead.min(self.plan().file_bytes).max(end))
        };
        (bytes > charged).then_some(Growth { bytes, ahead, quota })
    }

    /// The ledger has charged so much. Kept with the next change that is stored: should that be lost, the ledger is asked once more.
    pub fn charged_with(&mut self, bytes: ByteCount) {
        self.progress.charged_bytes = bytes;
    }

    /// How many bytes it had in the end, where that was not known when it was created. Also of one that came by a link and was given up: whoever
    /// has a link may begin as often as they like, and only what they bring is to count.
    pub fn came_to(&self) -> Option<ByteCount> {
        let is_whole = self.progress.phase == Phase::Completed;
        let bytes = if is_whole { self.plan().file_bytes } else { self.uploaded_bytes() };
        let is_given_up = self.spec.link.is_some() && self.progress.phase == Phase::Aborted;
        (self.spec.plan.open_ended || is_given_up).then_some(bytes)
    }
}
