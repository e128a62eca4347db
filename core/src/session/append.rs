//! How bytes come in: an attempt begins, commits part by part (or all at once, where a checksum must be right first), and is
//! released. Here stands what is asked and answered; who may do what in which mode stands in `sequence` and `lanes`.

use serde::{Deserialize, Serialize};

use super::{Change, Content, Decision, Phase, Session};
use crate::{
    event::EventKind,
    integrity::{Crc64Nvme, Sha256State},
    plan,
    refusal::Refusal,
    units::{ByteCount, UnixMs},
    upload::ObjectFacts,
};

/// Somebody has a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Where it begins in the file.
    pub offset: ByteCount,
    /// How long it is.
    pub length: ByteCount,
    /// How long its sender says the whole file is, where it does.
    pub file_bytes: Option<ByteCount>,
    /// Whether it counts as a whole or not at all, since its checksum is known only at its end.
    pub whole: bool,
    /// How it hangs together with others, where it is a piece of a longer body.
    #[serde(default)]
    pub link: Link,
}

/// A body of unknown length is stored piece by piece, each an attempt of its own. Nobody may come between two of them: who
/// asks in the meantime where to go on is told an offset that must stay true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The attempt that brought the piece before, and must hold the lease still.
    pub after: Option<u64>,
    /// Whether another piece may follow.
    pub more: bool,
}

/// The right to store a chunk, and all that is needed for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The attempt, to be named in every commit.
    pub attempt: u64,
    /// The object's key; where the file is put as one object, that of this attempt's.
    pub key: String,
    /// R2's id of the multipart upload. None where the one part of the file is put as the object itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipart_id: Option<String>,
    /// The sizes.
    pub plan: plan::Plan,
    /// Where the chunk begins.
    pub offset: ByteCount,
    /// The number of the first part to store.
    pub first_number: u16,
    /// How many numbers from there on are this attempt's. With one, the next comes with each commit; with none, the chunk
    /// fills no part.
    pub reserved: u16,
    /// Accepted bytes to be put in front of the first part, in order. Filled in by whoever knows where they are.
    pub tail: Vec<TailPiece>,
    /// Where to put bytes behind the last whole part, if they are too many for a row.
    pub rest_key: String,
    /// When the upload ends unless it is complete by then.
    pub expires_at: UnixMs,
    /// Whether the file's SHA-256 was declared, so that it must be carried along.
    pub carry_sha256: bool,
    /// Where to take it up; none before the first byte.
    pub sha256_so_far: Option<Sha256State>,
}

/// A run of tail bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TailPiece {
    /// In rows of the upload's object, one behind the other.
    Rows {
        /// Where they begin in the file.
        start: ByteCount,
        /// And end.
        end: ByteCount,
    },
    /// In an R2 object.
    Object {
        /// Under this key.
        key: String,
        /// So many.
        bytes: ByteCount,
    },
}

/// What R2 said about a part it stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its number.
    pub number: u16,
    /// Its length.
    pub bytes: ByteCount,
    /// Its ETag.
    pub etag: String,
    /// The CRC of its bytes.
    pub crc64nvme: Crc64Nvme,
}

/// Parts are stored; count them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// On whose behalf.
    pub attempt: u64,
    /// The parts, in order, directly behind the parts that count already.
    pub receipts: Vec<Receipt>,
    /// The bytes behind the last whole part.
    pub rest: Option<Rest>,
    /// The file's SHA-256 up to the end of the last of them, where it is carried along.
    pub sha256_so_far: Option<Sha256State>,
}

/// Bytes that do not fill a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// How many.
    pub bytes: ByteCount,
    /// Where they are.
    pub place: super::SegmentPlace,
}

/// What counts now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// How many bytes.
    pub uploaded_bytes: ByteCount,
    /// The number for the attempt's next part; none where it has no more whole parts to store.
    pub next_number: Option<u16>,
    /// Where the upload is in its life.
    pub phase: Phase,
    /// The object, where there is one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectFacts>,
}

/// An attempt ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which.
    pub attempt: u64,
    /// Why.
    pub reason: ReleaseReason,
}

/// Why an attempt ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseReason {
    /// Its body ended, or storage did not take it: the next attempt may well succeed.
    GaveUp,
    /// R2 says that the multipart upload is not there any more: nothing can ever be added.
    MultipartGone,
    /// Accepted bytes are not there any more: the file can never become whole. Believed only of the attempt that holds the
    /// lease.
    SegmentLost,
}

impl Session {
    /// Takes the right to store a chunk, from whoever had it, where no multipart upload must be opened for it first.
    pub fn begin(&self, now: UnixMs, begin: Begin) -> Decision<Grant> {
        self.begin_opened(now, begin, None)
    }

    /// The same, for whoever brings the bytes of a composition, too.
    pub(super) fn begin_as_writer(&self, now: UnixMs, begin: Begin) -> Decision<Grant> {
        let uploaded_bytes = self.uploaded_bytes();
        if self.is_unwanted() {
            return Decision::no(self.gone());
        }
        if self.progress.phase != Phase::Open {
            // The client has missed an answer: all its bytes are there already.
            return Decision::no(Refusal::OffsetMismatch { uploaded_bytes });
        }
        if self.is_direct() {
            return Decision::no(Refusal::DirectOnly);
        }
        let plan = match self.plan_with(begin.file_bytes, begin.offset.checked_add(begin.length)) {
            Ok(plan) => self.fitted(plan, begin),
            Err(refusal) => return Decision::no(refusal),
        };
        let Some(end) = begin.offset.checked_add(begin.length).filter(|end| *end <= plan.file_bytes) else {
            return Decision::no(match plan.declared_bytes() {
                Some(file_bytes) => Refusal::BeyondDeclaredLength { file_bytes, uploaded_bytes },
                None => Refusal::UploadTooLarge { limit_bytes: plan.file_bytes },
            });
        };
        // No bytes are a chunk only where all are there and the last of them still lie in the tail.
        if begin.length.is_zero() && (plan.open_ended || uploaded_bytes != plan.file_bytes) {
            return Decision::no(Refusal::bad_request("Content-Length", "a chunk has at least one byte"));
        }
        let grant = |attempt, first_number, reserved| Grant {
            attempt,
            key: if self.is_put() { self.birth.put_key(first_number) } else { self.birth.key.clone() },
            multipart_id: self.multipart_id().map(str::to_owned),
            plan,
            offset: begin.offset,
            first_number,
            reserved,
            tail: Vec::new(),
            rest_key: self.birth.segment_key(attempt),
            expires_at: self.birth.expires_at,
            carry_sha256: false,
            sha256_so_far: None,
        };
        match &self.content {
            Content::Sequence(sequence) => self.begin_in_sequence(sequence, now, begin, end, plan, grant),
            Content::Lanes(lanes) => self.begin_in_lane(lanes, now, begin, grant),
        }
    }

    /// Somebody says how long the file is, or just that nothing is missing before `offset`, and brings no bytes. Where all
    /// bytes are there but some still in the tail, the upload stays open until a chunk without bytes has put them into
    /// the last part.
    pub fn declare(&self, now: UnixMs, offset: ByteCount, file_bytes: Option<ByteCount>) -> Decision<()> {
        let uploaded_bytes = self.uploaded_bytes();
        if self.is_unwanted() {
            return Decision::no(self.gone());
        }
        if self.is_composition() {
            return Decision::no(Refusal::Composed);
        }
        if offset != self.first_missing() {
            return Decision::no(Refusal::OffsetMismatch { uploaded_bytes });
        }
        let plan = match self.plan_with(file_bytes, Some(uploaded_bytes)) {
            Ok(plan) if plan == self.plan() => return Decision::yes((), Change::none()),
            Ok(plan) => plan,
            Err(refusal) => return Decision::no(refusal),
        };
        let mut change = Change::from(super::Progress { plan: Some(plan), ..self.progress.clone() });
        if !self.has_tail()
            && self.complete_if_whole(now, &mut change) == Phase::Completing
            && let Some(actual) = self.sha256_mismatch(self.sha256_so_far())
        {
            let refusal = Refusal::FileDigestMismatch { actual };
            let change = self.end(now, Phase::Failed, EventKind::Failed, Some(refusal.to_string()));
            return Decision { answer: Err(refusal), change };
        }
        Decision::yes((), change)
    }

    /// The sizes, where nothing counts yet: those that fit this chunk. Without a checksum only where they were a guess: the last
    /// chunk of a file says nothing of the others, and a piece of a body nothing of how its sender cuts the file. A file that is
    /// put stays one part, or becomes one.
    ///
    /// Whoever began under other sizes is no danger: this begin takes the lease from it, in the same change.
    pub(super) fn fitted(&self, plan: plan::Plan, begin: Begin) -> plan::Plan {
        let is_first = begin.offset.is_zero() && self.uploaded_bytes().is_zero();
        let may_change = is_first && !begin.link.more && (!self.is_put() || self.is_deferred());
        let is_all = begin.length >= plan.file_bytes;
        match (may_change, begin.whole, is_all) {
            (true, true, _) => plan.with_chunk_as_part(begin.length),
            (true, false, false) => plan.fitted_to(begin.length),
            _ => plan,
        }
    }

    /// The sizes, where somebody says how long the file is, and bytes up to `end` are there or coming.
    pub(super) fn plan_with(&self, said: Option<ByteCount>, end: Option<ByteCount>) -> Result<plan::Plan, Refusal> {
        let (plan, uploaded_bytes) = (self.plan(), self.uploaded_bytes());
        match said {
            Some(file_bytes) if plan.open_ended && file_bytes > plan.file_bytes => {
                Err(Refusal::UploadTooLarge { limit_bytes: plan.file_bytes })
            }
            Some(file_bytes) if plan.open_ended && end.is_none_or(|end| file_bytes < end.max(uploaded_bytes)) => {
                Err(Refusal::BeyondDeclaredLength { file_bytes, uploaded_bytes })
            }
            Some(file_bytes) if plan.open_ended => Ok(plan.declare(file_bytes)),
            Some(file_bytes) if file_bytes != plan.file_bytes => {
                Err(Refusal::InconsistentLength { file_bytes: plan.file_bytes, uploaded_bytes })
            }
            Some(_) | None => Ok(plan),
        }
    }

    /// Counts stored bytes. Saying the same commit twice, since its answer was lost, gets the same answer.
    pub fn commit(&self, now: UnixMs, commit: &Commit) -> Decision<Committed> {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired => return Decision::no(self.gone()),
            Phase::Open | Phase::Completing | Phase::Verifying | Phase::Completed => {}
        }
        let mut decision = match &self.content {
            Content::Sequence(sequence) => self.commit_in_sequence(sequence, now, commit),
            Content::Lanes(lanes) => self.commit_in_lane(lanes, now, commit),
        };
        if let Ok(committed) = &mut decision.answer
            && committed.phase == Phase::Completed
        {
            let mut after = self.clone();
            after.apply(decision.change.clone());
            committed.object = after.object();
        }
        decision
    }

    /// Gives the right back. What has been committed stays, and is the answer: how many bytes count.
    pub fn release(&self, now: UnixMs, release: Release) -> Decision<ByteCount> {
        if self.progress.phase != Phase::Open {
            return Decision::yes(self.uploaded_bytes(), Change::none());
        }
        let fatal = match release.reason {
            ReleaseReason::GaveUp => None,
            ReleaseReason::MultipartGone if self.is_put() => None,
            ReleaseReason::MultipartGone => Some("Storage has dropped the unfinished upload."),
            // Whoever was taken over may look for a tail that has gone into a part since.
            ReleaseReason::SegmentLost if !self.holds_lease(release.attempt) => None,
            ReleaseReason::SegmentLost => Some("Storage has lost accepted bytes of the upload."),
        };
        if let Some(reason) = fatal {
            return Decision::yes(
                self.uploaded_bytes(),
                self.end(now, Phase::Failed, EventKind::Failed, Some(reason.to_owned())),
            );
        }
        match &self.content {
            Content::Sequence(_) => {
                let change = self.copy_given_up(now, self.release_in_sequence(release.attempt));
                Decision::yes(self.uploaded_bytes(), change)
            }
            // A lane belongs to whoever tried it last; there is nothing to give back.
            Content::Lanes(_) => Decision::yes(self.uploaded_bytes(), Change::none()),
        }
    }

    /// Where to go on: the offset that will be accepted. A running append of a sequential upload loses its lease, so that
    /// this stays true until somebody appends.
    pub fn probe(&self, now: UnixMs) -> Decision<()> {
        match (self.progress.phase, &self.content) {
            (Phase::Failed | Phase::Aborted | Phase::Expired, _) => Decision::no(self.gone()),
            // Of a composition nobody is told an offset to go on at.
            (Phase::Open, Content::Sequence(sequence)) if !self.is_composition() => {
                Decision::yes((), self.fence(sequence, now))
            }
            (Phase::Open | Phase::Completing | Phase::Verifying | Phase::Completed, _) => {
                Decision::yes((), Change::none())
            }
        }
    }

    /// How it stands, for whoever may ask at any time. Of what was given up only that it is gone.
    pub fn status(&self) -> Decision<()> {
        match self.progress.phase {
            Phase::Aborted | Phase::Expired => Decision::no(self.gone()),
            Phase::Open | Phase::Completing | Phase::Verifying | Phase::Completed | Phase::Failed => {
                Decision::yes((), Change::none())
            }
        }
    }

    /// Every number that the upload could still be given is needed for something else.
    pub(super) fn exhausted<T>(&self, now: UnixMs) -> Decision<T> {
        let reason = Refusal::AttemptsExhausted.to_string();
        let change = self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
        Decision { answer: Err(Refusal::AttemptsExhausted), change }
    }

    /// The phase behind a change that may have brought the last missing byte.
    pub(super) fn complete_if_whole(&self, now: UnixMs, change: &mut Change) -> Phase {
        let mut after = self.clone();
        after.apply(change.clone());
        let is_whole = after.missing_bytes().is_zero() && !after.plan().open_ended;
        if is_whole && after.progress.phase == Phase::Open {
            after.progress = super::Progress { phase: Phase::Completing, job_not_before: now, ..after.progress };
            change.progress = Some(after.progress.clone());
        }
        after.progress.phase
    }
}
