//! Putting an upload together from others. Its bytes are those of *partial uploads*, uploads that were created for that, one after the
//! other; they are copied front to back, a batch at a time, each in a queue message of its own. To the rules it is a
//! sequential upload that only this way of writing may add to: an attempt with a lease, fresh part numbers, equal parts, every
//! part counted by itself. So a crash costs the part that was on its way, and what comes of it is an object like any other.
//!
//! A batch ends where a part does, so nothing ever lies in the tail. Where the next partial upload is not there yet, somebody looks
//! again after a while. A partial upload that ends without an object, or has another length than before, fails the concatenation.
//!
//! Decided here, too: a partial upload that somebody composes from, and not one that somebody only asks about, is *kept* until the concatenation's own time is over, so none is let go
//! of while it is needed; and a concatenation that outlives its time expires like any upload.

use serde::{Deserialize, Serialize};

use super::{
    BeginAppend, Content, Continuation, Decision, LeaseState, Phase, Session, StateChange, UploadState, WriteLease,
};
use crate::event::EventKind;
use upload_types::{
    api_error::ApiError,
    bucket,
    chunk::{Completion, Named},
    ledger::EntryName,
    plan::Plan,
    units::{ByteCount, MIB, UnixMs, UploadId},
    upload::Purpose,
};

/// How much is copied at once: 256 MiB, 32 parts of 8 MiB. At 10 MB/s that is half a minute of the 15 that a queue consumer
/// has, and a second or two of its 30 s of CPU time.
pub(super) const BATCH_BYTES: u64 = 256 * MIB;

/// The longest pause before it is looked again whether the next partial upload is there: a minute.
const LONGEST_PAUSE_SECONDS: u64 = 60;

/// Whose partial uploads a concatenation asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Whose they must be.
    pub owner: String,
    /// Which, in order; one may be there several times.
    pub partials: Vec<UploadId>,
    /// How long they are needed. `None`: they are only asked about, and not kept.
    pub until: Option<UnixMs>,
}

/// A partial upload, as whoever composes from it must know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialUpload {
    /// What its entry in the owner's ledger is found by.
    pub entry: EntryName,
    /// How long it is, where that has been declared.
    pub bytes: Option<ByteCount>,
    /// Its object, once it is there.
    pub object: Option<PartialObject>,
    /// Whether what is put together from it is held, too.
    #[serde(default)]
    pub hold: bool,
    /// The bucket that it lies in; empty where none was named.
    #[serde(default)]
    pub bucket: String,
}

/// The object of a partial upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartialObject {
    /// Where it is in the bucket.
    pub key: String,
    /// Its ETag.
    pub etag: String,
}

/// What asking for a partial upload came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartialStatus {
    /// It is there, or may come to be.
    Alive(PartialUpload),
    /// It never will be, for this reason.
    Lost(String),
}

/// A batch to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyBatch {
    /// The right to store it.
    pub lease: WriteLease,
    /// What each part is made of, in order.
    pub parts: Vec<PartSource>,
}

/// What a part is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSource {
    /// How long it is.
    pub bytes: ByteCount,
    /// The runs of bytes that make it, in order.
    pub runs: Vec<SourceRange>,
}

/// A run of bytes in the object of a partial upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRange {
    /// Which object.
    pub object: PartialObject,
    /// Where the run begins in it.
    pub from: ByteCount,
    /// How long it is.
    pub bytes: ByteCount,
}

impl Session {
    /// Somebody of this owner composes from this upload, and needs it until then; or would, and only asks. Whose it is not does not
    /// learn that it is.
    pub fn as_partial(&self, owner: &str, until: Option<UnixMs>) -> Decision<PartialUpload> {
        let upload = self.spec.id;
        if self.spec.owner != owner {
            return Decision::no(ApiError::UploadNotFound);
        }
        if self.spec.purpose != Purpose::Partial {
            let reason = "It was not created to be put together with others.".to_owned();
            return Decision::no(ApiError::InvalidPartial { upload, reason });
        }
        if self.is_unwanted() {
            let reason = self.progress.reason.clone().unwrap_or_else(|| "Its object has been deleted.".to_owned());
            return Decision::no(ApiError::InvalidPartial { upload, reason });
        }
        let object = self.object().map(|object| PartialObject { key: object.key, etag: object.etag });
        let (bytes, hold) = (self.plan().declared_bytes(), self.spec.hold);
        let bucket = bucket::split(&self.spec.key).0.to_owned();
        let partial = PartialUpload { entry: self.spec.entry(), bytes, object, hold, bucket };
        if self.progress.kept_until >= until {
            return Decision::yes(partial, StateChange::none());
        }
        Decision::yes(partial, UploadState { kept_until: until, ..self.progress.clone() })
    }

    /// When a partial upload that is complete is let go of. `None` for anything else, and where it has been.
    pub(super) fn partial_ends_at(&self) -> Option<UnixMs> {
        let is_held =
            self.spec.purpose == Purpose::Partial && self.progress.phase == Phase::Completed && !self.is_unwanted();
        let until = self.progress.kept_until.unwrap_or_default();
        is_held.then(|| self.expires_at().max(until))
    }

    /// Whether bytes are still to be copied, and so no client may add to it.
    pub(super) fn is_composing(&self) -> bool {
        self.is_concatenation() && self.progress.phase == Phase::Open
    }

    pub(super) fn is_concatenation(&self) -> bool {
        matches!(self.spec.purpose, Purpose::Composition(_))
    }

    /// Whose objects the next batch would come from; `None` where nothing is to be copied, or somebody is at it.
    pub fn wanted(&self, now: UnixMs) -> Option<Wanted> {
        let Purpose::Composition(partials) = &self.spec.purpose else { return None };
        let is_due = self.is_composing() && !self.is_being_copied(now);
        let (owner, until) = (self.spec.owner.clone(), Some(self.expires_at_if_seen(now)));
        is_due.then(|| Wanted { owner, partials: partials.clone(), until })
    }

    /// Somebody has asked for all partial uploads, and would copy. `None`: there is nothing to copy just now, or not any more.
    pub fn begin_batch(&self, now: UnixMs, statuses: &[PartialStatus]) -> Decision<Option<CopyBatch>> {
        if self.wanted(now).is_none_or(|wanted| wanted.partials.len() != statuses.len()) {
            return Decision::yes(None, StateChange::none());
        }
        let partials: Result<Vec<&PartialUpload>, &String> = statuses.iter().map(alive).collect();
        let partials = match partials {
            Ok(partials) => partials,
            Err(reason) => {
                return Decision::yes(
                    None,
                    self.concatenation_failed(now, format!("A partial upload of it cannot be had: {reason}")),
                );
            }
        };
        let plan = match self.plan_for(&partials) {
            Ok(plan) => plan,
            Err(refusal) => return Decision::yes(None, self.concatenation_failed(now, refusal.to_string())),
        };
        let from = self.uploaded_bytes();
        let longest = ByteCount::new(from.get() + BATCH_BYTES).unwrap_or(ByteCount::MAX);
        let to = plan.whole_parts_end(
            runs_of(&partials).fold(ByteCount::ZERO, |sum, run| saturating(sum, run.bytes)).min(longest),
        );
        if to <= from {
            return Decision::yes(None, self.waiting(now, plan));
        }
        let (length, continuation) = (to.saturating_sub(from), Continuation::default());
        let (file_bytes, named) = (plan.declared_bytes(), Named::ByOffset);
        let completes = Completion::WhenWhole;
        let begin =
            BeginAppend { offset: from, length, file_bytes, all_or_nothing: false, named, completes, continuation };
        let Decision { answer, mut change } = self.begin_as_writer(now, begin);
        let Ok(lease) = answer else { return Decision { answer: Ok(None), change } };
        if let Some(progress) = &mut change.progress {
            progress.job_not_before = now.plus_ms(self.spec.policy.resend_ms);
        }
        let parts = parts_of(&partials, &plan, from, to);
        Decision::yes(Some(CopyBatch { lease, parts }), change)
    }

    /// Somebody is asked to copy the next batch. Whoever was at it has said nothing for so long that nobody believes in it
    /// any more; if it does live, its next commit is refused.
    pub(crate) fn batch_asked_for(&self, now: UnixMs) -> StateChange {
        let mut progress = self.progress.clone();
        progress.job_not_before = now.plus_ms(self.spec.policy.resend_ms);
        if let Some(lease) = progress.lease.as_mut().filter(|lease| lease.state == LeaseState::Held) {
            lease.state = LeaseState::Fenced;
        }
        progress.into()
    }

    /// What a counted part means for a concatenation: whoever copies is alive, and has done its batch or not.
    pub(super) fn copied(&self, now: UnixMs, change: &mut StateChange) {
        if !self.is_composing() {
            return;
        }
        let reached = change.parts.last().map(|part| part.end);
        let is_done = self.progress.lease.is_some_and(|lease| reached == Some(lease.to));
        let job_not_before = if is_done { now } else { now.plus_ms(self.spec.policy.resend_ms) };
        change.progress = Some(UploadState { job_failures: 0, job_not_before, ..self.progress.clone() });
    }

    /// What giving up means for a concatenation: it is tried again after a pause.
    pub(super) fn copy_given_up(&self, now: UnixMs, change: StateChange) -> StateChange {
        match change.progress {
            Some(progress) if self.is_composing() => self.again_later(now, progress).into(),
            _ => change,
        }
    }

    /// Whether somebody copies at this moment, as far as can be known.
    fn is_being_copied(&self, now: UnixMs) -> bool {
        let Content::Sequence(sequence) = &self.content else { return false };
        self.running_lease(sequence).is_some() && now < self.progress.job_not_before
    }

    /// The sizes, where the partial uploads say how long the file is. It cannot be longer than what was planned for.
    fn plan_for(&self, partials: &[&PartialUpload]) -> Result<Plan, ApiError> {
        let known = partials.iter().filter_map(|partial| partial.bytes).fold(ByteCount::ZERO, saturating);
        let total = partials.iter().all(|partial| partial.bytes.is_some()).then_some(known);
        let plan = self.plan();
        if plan.open_ended && known > plan.file_bytes {
            return Err(ApiError::UploadTooLarge { limit_bytes: plan.file_bytes });
        }
        self.plan_with(total, Some(self.uploaded_bytes()))
    }

    /// The next partial upload is not there yet, and all of them are alive: as long as they are, this one is. The length may be known by now;
    /// and it may be nothing, and that is all of it.
    fn waiting(&self, now: UnixMs, plan: Plan) -> StateChange {
        let plan = (plan != self.spec.plan).then_some(plan);
        let mut change = self.again_later(now, UploadState { plan, ..self.seen(now) }).into();
        self.complete_if_whole(now, &mut change);
        change
    }

    pub(super) fn again_later(&self, now: UnixMs, progress: UploadState) -> UploadState {
        let seconds = (1_u64 << self.progress.job_failures.min(6)).min(LONGEST_PAUSE_SECONDS);
        let job_failures = self.progress.job_failures.saturating_add(1);
        UploadState { job_failures, job_not_before: now.plus_ms(seconds * 1000), ..progress }
    }

    fn concatenation_failed(&self, now: UnixMs, reason: String) -> StateChange {
        self.end(now, Phase::Failed, EventKind::Failed, Some(reason))
    }
}

fn alive(standing: &PartialStatus) -> Result<&PartialUpload, &String> {
    match standing {
        PartialStatus::Alive(partial) => Ok(partial),
        PartialStatus::Lost(reason) => Err(reason),
    }
}

fn saturating(sum: ByteCount, bytes: ByteCount) -> ByteCount {
    sum.checked_add(bytes).unwrap_or(ByteCount::MAX)
}

/// The partial uploads that are there, as far as none before them is missing.
fn runs_of<'a>(partials: &'a [&'a PartialUpload]) -> impl Iterator<Item = SourceRange> + 'a {
    partials.iter().map_while(|partial| {
        let (object, bytes) = partial.object.clone().zip(partial.bytes)?;
        Some(SourceRange { object, from: ByteCount::ZERO, bytes })
    })
}

/// What the parts between two boundaries are made of.
fn parts_of(partials: &[&PartialUpload], plan: &Plan, from: ByteCount, to: ByteCount) -> Vec<PartSource> {
    let mut start = ByteCount::ZERO;
    // Each partial upload with the place where it begins in the file.
    let place = |run: SourceRange| {
        let end = saturating(start, run.bytes);
        (std::mem::replace(&mut start, end), run)
    };
    let placed: Vec<(ByteCount, SourceRange)> = runs_of(partials).map(place).collect();
    let part = |offset: ByteCount, bytes: ByteCount| {
        let end = saturating(offset, bytes);
        let runs = placed.iter().filter_map(|(start, run)| {
            let (first, last) = (offset.max(*start), end.min(saturating(*start, run.bytes)));
            let run =
                SourceRange { from: first.saturating_sub(*start), bytes: last.saturating_sub(first), ..run.clone() };
            (!run.bytes.is_zero()).then_some(run)
        });
        PartSource { bytes, runs: runs.collect() }
    };
    plan.spans(from, to).map(|span| part(span.offset, span.bytes)).collect()
}
