//! The session: what is true of one upload, and the rules by which that changes.
//!
//! Every rule is a function that looks at the session and *decides*: it returns an answer and a [`StateChange`], and alters
//! nothing. The caller stores the change in one transaction and then [`Session::apply`]s it. So a decision that was not
//! stored was never taken, and what a restart reads back is what was there before it.
//!
//! * `append`: bytes come in, in one of the two ways below; `messages`: what is asked and answered then.
//! * `sequence`: bytes from the front, one attempt at a time, the newest first; takeover; the tail.
//! * `parallel`: any missing chunk at any time, several attempts at once.
//! * `part_numbers`: which of them the attempts of a sequence have. `writers`: who may still be writing to R2, under which part numbers.
//! * `charging`: what an upload of unknown length counts for.
//! * `composing`: bytes from other uploads.
//! * `direct`: chunks that the client stores itself.
//! * `put`: a file of one part, which is an object from the start.
//! * `opening`: a file that may come as a whole, and be put; if not, its multipart upload is opened late.
//! * `verifying`: the object is read back, slice by slice.
//! * `lifetime`: how long an unfinished upload lives.
//! * `ending`: complete, cancel, delete, expire, and what follows: freeing, settling with the ledger.
//! * `assembling`: R2 puts the object together, or does not.
//! * `damage`: the file does not have its declared digest, and is kept for a while. `repairing`: it is put together anew from what its
//!   client sends again and from what is good of it.
//! * `telling`: the origin is told.
//! * `noting`: what of all this goes into the trail. `showing`: what anybody may know.
//! * `schedule`: what is to be done next, and when. `backoff`: how long what failed is put off.
//!
//! A session is its [`UploadSpec`] (fixed), its [`UploadState`] (small, rewritten), its [`Content`] (where the counted bytes end, or
//! which chunks are there), and the [`Outbox`] of its events.

mod concatenation;
mod deferred_multipart;
mod delivery;
mod history;
mod lifecycle;
mod parallel;
mod presigned;
mod single_object;

mod append;
mod assembling;
mod backoff;
mod charging;
mod damage;
mod lifetime;
mod messages;
mod part_numbers;
mod records;
mod repairing;
mod schedule;
mod sequence;
mod showing;
#[cfg(test)]
pub(crate) mod tests;
mod verifying;
mod writers;

pub use backoff::Backoff;
pub use charging::Growth;
pub use concatenation::{CopyBatch, PartSource, PartialObject, PartialStatus, PartialUpload, SourceRange, Wanted};
pub use damage::Damage;
pub use lifecycle::DeleteRight;
pub use lifetime::LATEST_END_MS;
pub use messages::{
    BeginAppend, Commit, Committed, Continuation, Receipt, Release, ReleaseReason, Remainder, RemainderPiece, Renew,
    WriteLease,
};
pub use parallel::{ParallelChunk, ParallelChunks};
pub use presigned::{Found, Signed, Slot};
pub use records::{
    LateMultipart, MAX_ROW_SEGMENT_BYTES, Policy, Segment, SegmentPlace, StoredPart, UploadSpec, UploadState,
};
pub use repairing::{Copier, OpenedForRepair, Repair};
pub use schedule::Job;
pub use sequence::{Lease, LeaseState, Sequence};
pub use verifying::{Hashed, Slice, Verified};
pub use writers::{RENEW_EVERY_MS, WRITER_SILENCE_MS, WRITER_STOPS_AFTER_MS, Writers};

use crate::{event::EventKind, outbox::Outbox};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    cost::Cost,
    integrity::{RunningSha256, Sha256State},
    plan::{Mode, Plan},
    units::{ByteCount, UnixMs},
    upload::Phase,
};

/// What has been counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of a sequential upload.
    Sequence(Sequence),
    /// Of a parallel upload.
    Parallel(ParallelChunks),
}

/// Everything that matters for the next decision about an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What is fixed.
    pub spec: UploadSpec,
    /// What changes.
    pub progress: UploadState,
    /// What has been counted.
    pub content: Content,
    /// What the origin is told, once the upload has ended.
    pub outbox: Outbox,
}

/// What a decision changes. To be stored in one transaction, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    fn yes(answer: T, change: impl Into<StateChange>) -> Self {
        Self { answer: Ok(answer), change: change.into() }
    }

    fn no(refusal: ApiError) -> Self {
        Self { answer: Err(refusal), change: StateChange::none() }
    }
}

impl Session {
    /// A new upload. An empty file has all its bytes already.
    pub fn create(spec: UploadSpec) -> Result<Self, ApiError> {
        let content = match spec.plan.mode {
            Mode::Sequential => Content::Sequence(Sequence::default()),
            Mode::Parallel | Mode::Direct => Content::Parallel(ParallelChunks::new(spec.plan)),
        };
        let progress = UploadState {
            phase: Phase::Open,
            reason: None,
            ended_at: None,
            lease: None,
            etag: None,
            crc64nvme: None,
            holds_storage: true,
            holds_segments: false,
            segments_swept: false,
            owes_ledger: false,
            deleted_at: None,
            seen_at: spec.created_at,
            job_failures: 0,
            job_not_before: spec.created_at,
            ledger_backoff: Backoff::default(),
            tried_at: None,
            refused_since: None,
            plan: None,
            kept_until: None,
            completes: Completion::WhenWhole,
            multipart: None,
            verified: None,
            cost: Cost::NONE,
            writers: Writers::default(),
            put: None,
            charged_bytes: ByteCount::ZERO,
            damage: Damage::default(),
        };
        let mut session = Self { progress, content, outbox: Outbox::default(), spec };
        if session.plan().declared_bytes().is_some_and(ByteCount::is_zero) {
            if let Some(actual) = session.sha256_mismatch(None) {
                return Err(ApiError::FileDigestMismatch { actual, kept: false });
            }
            session.progress.phase = Phase::Completing;
        }
        Ok(session)
    }

    /// The sizes: as they were fixed at creation, or as they were when the length was declared.
    pub fn plan(&self) -> Plan {
        self.progress.plan.unwrap_or(self.spec.plan)
    }

    /// How many bytes count.
    pub fn uploaded_bytes(&self) -> ByteCount {
        match &self.content {
            Content::Sequence(sequence) => sequence.offset(),
            // How long the chunks are is known once the object is there.
            Content::Parallel(_) if self.is_unsized() => ByteCount::ZERO,
            Content::Parallel(parallel_chunks) => parallel_chunks.stored_bytes(),
        }
    }

    /// Up to here they count without a gap.
    fn first_missing(&self) -> ByteCount {
        match &self.content {
            Content::Sequence(sequence) => sequence.offset(),
            Content::Parallel(parallel_chunks) => {
                self.missing_of_client(parallel_chunks).first().map_or(self.plan().file_bytes, |(from, _)| *from)
            }
        }
    }

    /// How many do not yet; while the length is not declared, how many more there may be.
    pub fn missing_bytes(&self) -> ByteCount {
        self.plan().file_bytes.saturating_sub(self.uploaded_bytes())
    }

    /// Takes a stored change into memory.
    pub fn apply(&mut self, change: StateChange) {
        if let Some(progress) = change.progress {
            self.progress = progress;
        }
        if let Some(Heard { attempt, at }) = change.heard {
            self.hear(attempt, at);
        }
        if change.uncount == Uncount::Anew {
            self.content = Content::Parallel(self.lanes_anew());
        }
        match &mut self.content {
            Content::Sequence(sequence) => sequence.apply(change.parts, change.segment),
            Content::Parallel(parallel_chunks) => {
                parallel_chunks.uncount(&change.uncount);
                if let Some(plan) = self.progress.plan {
                    parallel_chunks.resize(plan);
                }
                parallel_chunks.apply(&change.parts, change.parallel_chunks);
            }
        }
        if let Some(outbox) = change.outbox {
            self.outbox = outbox;
        }
    }

    /// It has been read back after a restart. When its writers were last heard of is not known any more.
    pub fn wake(&mut self, now: UnixMs) {
        if let Some(lease) = &mut self.progress.lease {
            lease.heard_at = now.max(lease.heard_at);
        }
        self.progress.writers.all_heard(now);
        if let Content::Parallel(parallel_chunks) = &mut self.content {
            parallel_chunks.wake(now);
        }
    }

    /// An attempt has said that it is there.
    fn hear(&mut self, attempt: u64, now: UnixMs) {
        if let Some(lease) = self.progress.lease.as_mut().filter(|lease| lease.attempt == attempt) {
            lease.heard_at = now;
        }
        self.progress.writers.heard(attempt, now);
        if let Content::Parallel(parallel_chunks) = &mut self.content {
            parallel_chunks.hear(attempt, now);
        }
    }

    /// How many bytes are missing is known where it is known how many there are.
    fn incomplete(&self) -> ApiError {
        let missing_bytes = self.plan().declared_bytes().map(|_| self.awaited_bytes());
        ApiError::Incomplete { missing_bytes, uploaded_bytes: self.uploaded_bytes() }
    }

    /// The answer to whoever asks for something that an ended upload no longer has.
    fn gone(&self) -> ApiError {
        let phase = self.progress.phase;
        let reason =
            self.progress.reason.clone().unwrap_or_else(|| {
                "The application has taken the file over: its bytes are not here any more.".to_owned()
            });
        ApiError::UploadGone { phase, reason }
    }

    fn superseded(&self) -> ApiError {
        ApiError::Superseded { uploaded_bytes: self.uploaded_bytes() }
    }

    /// The SHA-256 that the whole file has instead of the declared one; `None` where none was declared, or it is right.
    fn sha256_mismatch(&self, state: Option<&Sha256State>) -> Option<String> {
        let declared = self.spec.file.sha256?;
        // No saved state is the state before the first byte. One that cannot be read back matches nothing.
        let actual = match state {
            Some(state) => state.digest(),
            None => RunningSha256::resume(None).and_then(|empty| empty.save().digest()),
        };
        let shown = actual.map_or_else(String::new, |digest| digest.to_string());
        (actual != Some(declared)).then(|| format!("sha256 {shown}"))
    }

    /// Every ending goes through here: the phase, the reason, the time, and the event, in one change.
    fn end(&self, now: UnixMs, phase: Phase, kind: EventKind, reason: Option<String>) -> StateChange {
        let progress = UploadState {
            phase,
            reason,
            ended_at: Some(now),
            owes_ledger: true,
            // Said as long as it is known to be so: an attempt that is putting at this moment may finish later.
            holds_segments: self.progress.holds_segments || self.may_have_stray_objects(),
            job_failures: 0,
            job_not_before: now,
            damage: self.progress.damage.without_source(),
            ..self.progress.clone()
        };
        let outbox = self.spec.policy.tell_origin.then(|| Outbox::of(kind, now));
        StateChange { progress: Some(progress), outbox, ..StateChange::none() }
    }
}
