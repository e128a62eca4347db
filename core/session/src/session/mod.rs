//! The session: what is true of one upload, and the rules by which that changes.
//!
//! Every rule is a function that looks at the session and *decides*: it returns an answer and a [`StateChange`], and alters
//! nothing. The caller stores the change in one transaction and then [`Session::apply`]s it. So a decision that was not
//! stored was never taken, and what a restart reads back is what was there before it.
//!
//! ```text
//!             ┌── reopened: parts are not as they were counted ──┐
//!             ▼                                                  │
//!  create ► Open ───────── all bytes are there ──────────► Completing ── R2 has the object ──► Verifying
//!             ▲                                                  │ the digest is wrong              │
//!             └── repair ── Damaged ◄────────────────────────────┴──────────────────────────────────┤
//!                                                                                 the digest is right
//!                                          Deleted ◄── it is not wanted any more ── Completed ◄─────┘
//!
//!  create of a duplicate ► Completed
//!
//!  Where somebody is to look at the file first, Completed is held, and nobody gets the file, until it is released. Or it is rejected: Failed.
//!
//!  Open, Damaged                        ── its client gives it up ──────────────► Aborted
//!  Open                                 ── its time is over ────────────────────► Expired
//!  Open, Completing, Verifying, Damaged ── lost, refused for good, or not right ► Failed
//! ```
//!
//! What need not be read back is Completed from Completing; what was put as one object, from Open.
//!
//! Every ending goes through `end`. The `Completed` that its origin has taken over stays `Completed`, without its bytes.
//!
//! How bytes come in:
//! * `append`: begin, commit, release; `messages`: what is asked and answered then.
//! * `sequence`: from the front, one attempt at a time, the newest first; takeover; the tail. `part_numbers`: which of them its attempts have.
//! * `parallel`: any missing chunk at any time, several attempts at once. `writers`: who may still be writing to R2.
//! * `presigned`: chunks that the client stores itself. `concatenation`: bytes from other uploads.
//! * `live`: what is still being recorded can be read, and ends by itself. `charging`: what an upload of unknown length counts for. `describing`: what is said of the file behind its bytes.
//!
//! How they lie in R2:
//! * `storage`: in which way, and what is left there to clean up. `single_object`: a file that is put as one object.
//!   `deferred_multipart`: one that may be, or else has its multipart upload opened late.
//! * `assembling`: R2 puts the object together, or does not. `verifying`: it is read back, slice by slice.
//! * `damage`: the file does not have its declared digest, and is kept for a while. `repairing`: it is put together anew.
//! * `duplicate`: a file that is there already, as another upload's, of which the origin is only told.
//!
//! How it ends:
//! * `change`: what a rule decides. `lifetime`: how long an unfinished upload lives. `lifecycle`: complete, cancel, delete, expire, and what follows.
//! * `delivery`: the receivers are told. `progressed`: on the way, too. `schedule`: what is to be done next, and when. `backoff`: how long what failed is put off.
//! * `holding`: nobody gets the file before somebody has looked at it.
//! * `history`: what of all this is recorded. `showing`: what anybody may know. `records`: what is stored of it.
//!
//! A session is its [`UploadSpec`] (fixed), its [`UploadState`] (small, rewritten), its [`Content`] (where the counted bytes end, or
//! which chunks are there), and the [`Outbox`] of its events.

mod concatenation;
mod deferred_multipart;
mod delivery;
mod describing;
mod duplicate;
mod history;
mod holding;
mod lifecycle;
mod parallel;
mod presigned;
mod progressed;
mod single_object;
mod storage;

mod append;
mod assembling;
mod backoff;
mod change;
mod charging;
mod damage;
mod lifetime;
mod live;
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

pub(crate) use backoff::Backoff;
pub use change::{Decision, Heard, StateChange, Uncount};
pub use charging::Growth;
pub use concatenation::{CopyBatch, PartSource, PartialObject, PartialStatus, PartialUpload, SourceRange, Wanted};
pub(crate) use damage::Damage;
pub use duplicate::{RepeatableIds, may_be_shared, was_repeated_in_time};
pub use holding::RegisteredHold;
pub use lifecycle::DeleteRight;
pub(crate) use lifecycle::ToldOfObject;
pub use lifetime::LATEST_END_MS;
pub use live::{Growing, GrowingParts};
pub use messages::{
    BeginAppend, Commit, Committed, Continuation, Receipt, Release, ReleaseReason, Remainder, RemainderSource, Renew,
    WriteLease,
};
pub use parallel::ParallelChunk;
pub(crate) use parallel::ParallelChunks;
pub use part_numbers::PARTS_IN_FLIGHT;
pub use presigned::{Found, Signed, Slot};
pub use records::{
    CountedRows, MAX_ROW_SEGMENT_BYTES, Policy, Segment, SegmentPlace, StoredPart, UploadSpec, UploadState,
};
pub use repairing::OpenedForRepair;
pub(crate) use repairing::Repair;
pub use schedule::Job;
pub(crate) use sequence::{Lease, LeaseState, Sequence};
pub use single_object::{is_put, put_prefix};
pub(crate) use storage::{Cleanup, Leftovers, Storage};
pub use verifying::{Hashed, Slice, Verified};
pub(crate) use writers::Writers;
pub use writers::{RENEW_EVERY_MS, WRITER_SILENCE_MS, WRITER_STOPS_AFTER_MS};

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
pub(crate) enum Content {
    /// Of a sequential upload.
    Sequence(Sequence),
    /// Of a parallel upload.
    Parallel(ParallelChunks),
}

/// Everything that matters for the next decision about an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What is fixed.
    spec: UploadSpec,
    /// What changes.
    progress: UploadState,
    /// What has been counted.
    content: Content,
    /// What its receivers are told.
    outbox: Outbox,
}

impl Session {
    /// A new upload. An empty file has all its bytes already. `multipart_id` is R2's id of the multipart upload that was opened for it;
    /// none where it does without ([`UploadSpec::needs_multipart`]).
    pub fn create(spec: UploadSpec, multipart_id: Option<String>) -> Result<Self, ApiError> {
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
            leftovers: Leftovers::None,
            storage: Storage::of_new(&spec, multipart_id),
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
            verified: None,
            cost: Cost::NONE,
            writers: Writers::default(),
            charged_bytes: ByteCount::ZERO,
            damage: Damage::default(),
            metadata: None,
            truncated_at: None,
            doubted_at: None,
            held: false,
        };
        let mut session = Self { progress, content, outbox: Outbox::default(), spec };
        session.outbox = session.told_of(EventKind::Created, session.spec.created_at).unwrap_or_default();
        if session.plan().declared_bytes().is_some_and(ByteCount::is_zero) {
            if let Some(actual) = session.sha256_mismatch(None) {
                return Err(ApiError::FileDigestMismatch { actual, kept: false });
            }
            session.progress.phase = Phase::Completing;
        }
        Ok(session)
    }

    /// Takes up what is stored. When its writers were last heard of is not known any more.
    pub fn restore(now: UnixMs, spec: UploadSpec, state: UploadState, outbox: Outbox, counted: CountedRows) -> Self {
        let mut progress = state;
        let content = match counted {
            CountedRows::Sequence { last_part, last_segment } => {
                Content::Sequence(Sequence { last_part, last_segment })
            }
            CountedRows::Parallel { begun, counted } => {
                let (begun, counted) = (begun.into_iter(), counted.into_iter());
                let parallel_chunks = ParallelChunks::of_upload(&spec, &progress, begun, counted);
                if progress.mode(&spec) == Mode::Parallel {
                    // Their rows have no place for it.
                    progress.cost = progress.cost.at_least(parallel_chunks.cost());
                }
                Content::Parallel(parallel_chunks)
            }
        };
        let mut session = Self { spec, progress, content, outbox };
        session.wake(now);
        session
    }

    /// What is fixed.
    pub fn spec(&self) -> &UploadSpec {
        &self.spec
    }

    /// What changes, to be stored.
    pub fn state(&self) -> &UploadState {
        &self.progress
    }

    /// What its receivers are told.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.progress.phase
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<UnixMs> {
        self.progress.ended_at
    }

    /// Counts what something costs. It is stored with the next row that says how far the upload is.
    pub fn charge(&mut self, cost: Cost) {
        self.progress.cost += cost;
    }

    /// The sizes: as they were fixed at creation, or as they were when the length was declared.
    pub fn plan(&self) -> Plan {
        self.progress.plan.unwrap_or(self.spec.plan)
    }

    /// How many bytes count.
    pub fn uploaded_bytes(&self) -> ByteCount {
        match &self.content {
            Content::Sequence(_) if self.shares_object() => self.plan().file_bytes,
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
    pub(super) fn missing_bytes(&self) -> ByteCount {
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
            self.content = Content::Parallel(self.chunks_anew());
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

    /// After a restart: when its writers were last heard of is not known any more.
    pub(super) fn wake(&mut self, now: UnixMs) {
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
            leftovers: self.progress.leftovers.or_unswept_if(self.may_have_stray_objects()),
            job_failures: 0,
            job_not_before: now,
            damage: self.progress.damage.without_source(),
            ..self.progress.clone()
        };
        let outbox = self.told_of(kind, now);
        StateChange { progress: Some(progress), outbox, ..StateChange::none() }
    }
}
