//! The session: what is true of one upload, and the rules by which that changes.
//!
//! Every rule is a function that looks at the session and *decides*: it returns an answer and a [`Change`], and alters
//! nothing. The caller stores the change in one transaction and then [`Session::apply`]s it. So a decision that was not
//! stored was never taken, and what a restart reads back is what was there before it.
//!
//! * `append`: what is asked and answered when bytes come in, and which of the two ways below applies.
//! * `sequence`: bytes from the front, one attempt at a time, the newest first; takeover; the tail.
//! * `lanes`: any missing chunk at any time, several attempts at once.
//! * `charging`: what an upload of unknown length counts for.
//! * `composing`: bytes from other uploads.
//! * `direct`: chunks that the client stores itself.
//! * `put`: a file of one part, which is an object from the start.
//! * `opening`: a file that may come as a whole, and be put; if not, its multipart upload is opened late.
//! * `verifying`: the object is read back, slice by slice.
//! * `ending`: complete, cancel, expire, and what follows: assembling, freeing, telling.
//! * `noting`: what of all this goes into the trail.
//! * `schedule`: what is to be done next, and when.
//!
//! A session is its [`Birth`] (fixed), its [`Progress`] (small, rewritten), its [`Content`] (where the counted bytes end, or
//! which chunks are there), and the [`Delivery`] of its event.

mod append;
mod charging;
mod composing;
mod direct;
mod ending;
mod lanes;
mod noting;
mod opening;
mod put;
mod records;
mod schedule;
mod sequence;
#[cfg(test)]
mod tests;
mod verifying;

pub use append::{Begin, Commit, Committed, Grant, Link, Receipt, Release, ReleaseReason, Rest, TailPiece};
pub use charging::Growth;
pub use composing::{PartSource, Piece, PieceObject, Run, Standing, Stretch, Wanted};
pub use direct::{Found, Signed, Slot};
pub use lanes::{Lane, Lanes};
pub use records::{Birth, LateMultipart, MAX_ROW_SEGMENT_BYTES, Policy, Progress, Segment, SegmentPlace, StoredPart};
pub use schedule::Job;
pub use sequence::{Lease, LeaseState, Sequence};
pub use verifying::{Hashed, Slice, Verified};

use crate::{
    cost::Cost,
    event::{Delivery, EventKind},
    integrity::{RunningSha256, Sha256State},
    plan::{Mode, Plan},
    refusal::Refusal,
    units::{ByteCount, UnixMs},
    upload::{ObjectFacts, Phase, Snapshot},
};

/// What has been counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of a sequential upload.
    Sequence(Sequence),
    /// Of a parallel upload.
    Lanes(Lanes),
}

/// Everything that matters for the next decision about an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What is fixed.
    pub birth: Birth,
    /// What changes.
    pub progress: Progress,
    /// What has been counted.
    pub content: Content,
    /// What the origin is told, once the upload has ended.
    pub delivery: Option<Delivery>,
}

/// What a decision changes. To be stored in one transaction, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Change {
    /// The new progress, where it is another. One row, together with the delivery.
    pub progress: Option<Progress>,
    /// New parts, in order. One row each. A part takes with it the segments that lie before its end.
    pub parts: Vec<StoredPart>,
    /// A new segment. One row.
    pub segment: Option<Segment>,
    /// A chunk of a parallel upload that is tried once more. One row.
    pub lane: Option<(u32, Lane)>,
    /// Whether no part counts any more. All their rows go.
    pub uncount: bool,
    /// The new state of the delivery. One row, together with the progress.
    pub delivery: Option<Delivery>,
}

impl Change {
    /// Nothing changes.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nothing changes.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Progress> for Change {
    fn from(progress: Progress) -> Self {
        Self { progress: Some(progress), ..Self::default() }
    }
}

/// An answer, and what must be stored before it is given. A refusal can change something too: it may have noticed the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision<T> {
    /// What the caller is told.
    pub answer: Result<T, Refusal>,
    /// What becomes true first.
    pub change: Change,
}

impl<T> Decision<T> {
    fn yes(answer: T, change: impl Into<Change>) -> Self {
        Self { answer: Ok(answer), change: change.into() }
    }

    fn no(refusal: Refusal) -> Self {
        Self { answer: Err(refusal), change: Change::none() }
    }
}

impl Session {
    /// A new upload. An empty file has all its bytes already.
    pub fn create(birth: Birth) -> Result<Self, Refusal> {
        let content = match birth.plan.mode {
            Mode::Sequential => Content::Sequence(Sequence::default()),
            Mode::Parallel | Mode::Direct => Content::Lanes(Lanes::new(birth.plan)),
        };
        let progress = Progress {
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
            discard: false,
            job_failures: 0,
            job_not_before: birth.created_at,
            plan: None,
            kept_until: None,
            multipart: None,
            verified: None,
            cost: Cost::NONE,
            reopenings: 0,
            charged_bytes: ByteCount::ZERO,
        };
        let mut session = Self { progress, content, delivery: None, birth };
        if session.plan().declared_bytes().is_some_and(ByteCount::is_zero) {
            if let Some(actual) = session.sha256_mismatch(None) {
                return Err(Refusal::FileDigestMismatch { actual });
            }
            session.progress.phase = Phase::Completing;
        }
        Ok(session)
    }

    /// The sizes: as they were fixed at creation, or as they were when the length was declared.
    pub fn plan(&self) -> Plan {
        self.progress.plan.unwrap_or(self.birth.plan)
    }

    /// How many bytes count.
    pub fn uploaded_bytes(&self) -> ByteCount {
        match &self.content {
            Content::Sequence(sequence) => sequence.offset(),
            // How long the chunks are is known once the object is there.
            Content::Lanes(_) if self.is_unsized() => ByteCount::ZERO,
            Content::Lanes(lanes) => lanes.stored_bytes(),
        }
    }

    /// Up to here they count without a gap.
    fn first_missing(&self) -> ByteCount {
        match &self.content {
            Content::Sequence(sequence) => sequence.offset(),
            Content::Lanes(lanes) => lanes.missing().first().map_or(self.plan().file_bytes, |(from, _)| *from),
        }
    }

    /// How many do not yet; while the length is not declared, how many more there may be.
    pub fn missing_bytes(&self) -> ByteCount {
        self.plan().file_bytes.saturating_sub(self.uploaded_bytes())
    }

    /// Takes a stored change into memory.
    pub fn apply(&mut self, change: Change) {
        if let Some(progress) = change.progress {
            self.progress = progress;
        }
        match &mut self.content {
            Content::Sequence(sequence) => sequence.apply(change.parts, change.segment),
            Content::Lanes(lanes) => {
                if change.uncount {
                    lanes.uncount();
                }
                if let Some(plan) = self.progress.plan {
                    lanes.resize(plan);
                }
                lanes.apply(&change.parts, change.lane);
            }
        }
        if let Some(delivery) = change.delivery {
            self.delivery = Some(delivery);
        }
    }

    /// What anybody may know.
    pub fn snapshot(&self) -> Snapshot {
        let file_bytes = self.plan().file_bytes;
        let (missing, chunks) = match &self.content {
            Content::Sequence(sequence) if !self.plan().open_ended && sequence.offset() == file_bytes => {
                (Vec::new(), None)
            }
            Content::Sequence(sequence) => (vec![(sequence.offset(), file_bytes)], None),
            Content::Lanes(lanes) => (lanes.missing(), Some(lanes.bitmap())),
        };
        Snapshot {
            id: self.birth.id,
            phase: self.progress.phase,
            reason: self.progress.reason.clone(),
            uploaded_bytes: self.uploaded_bytes(),
            offset: missing.first().map_or(file_bytes, |(from, _)| *from),
            missing,
            chunks,
            plan: self.plan(),
            file: self.birth.file.clone(),
            created_at: self.birth.created_at,
            expires_at: self.birth.expires_at,
            delivery: self.delivery.as_ref().map(|delivery| delivery.state),
            object: self.object(),
            cost: self.progress.cost,
        }
    }

    /// The object, while there is one.
    pub fn object(&self) -> Option<ObjectFacts> {
        let progress = &self.progress;
        let (etag, crc64nvme) = progress.etag.clone().zip(progress.crc64nvme)?;
        (progress.phase == Phase::Completed && !progress.discard).then(|| ObjectFacts {
            key: self.object_key(),
            etag,
            crc64nvme,
            sha256: self.birth.file.sha256,
        })
    }

    /// The answer to whoever asks for the object where there is none: not yet, or not any more.
    pub fn no_object(&self) -> Refusal {
        match self.progress.phase {
            Phase::Open => self.incomplete(),
            Phase::Completing | Phase::Verifying => Refusal::Completing,
            Phase::Completed | Phase::Failed | Phase::Aborted | Phase::Expired => self.gone(),
        }
    }

    /// How many bytes are missing is known where it is known how many there are.
    fn incomplete(&self) -> Refusal {
        let missing_bytes = self.plan().declared_bytes().map(|_| self.missing_bytes());
        Refusal::Incomplete { missing_bytes, uploaded_bytes: self.uploaded_bytes() }
    }

    /// The answer to whoever asks for something that an ended upload no longer has.
    fn gone(&self) -> Refusal {
        let phase = self.progress.phase;
        let reason = self.progress.reason.clone().unwrap_or_else(|| "The object has been deleted.".to_owned());
        Refusal::UploadGone { phase, reason }
    }

    fn superseded(&self) -> Refusal {
        Refusal::Superseded { uploaded_bytes: self.uploaded_bytes() }
    }

    /// The SHA-256 that the whole file has instead of the declared one; `None` where none was declared, or it is right.
    fn sha256_mismatch(&self, state: Option<&Sha256State>) -> Option<String> {
        let declared = self.birth.file.sha256?;
        // No saved state is the state before the first byte. One that cannot be read back matches nothing.
        let actual = match state {
            Some(state) => state.digest(),
            None => RunningSha256::resume(None).and_then(|empty| empty.save().digest()),
        };
        let shown = actual.map_or_else(String::new, |digest| digest.to_string());
        (actual != Some(declared)).then(|| format!("sha256 {shown}"))
    }

    /// Every ending goes through here: the phase, the reason, the time, and the event, in one change.
    fn end(&self, now: UnixMs, phase: Phase, kind: EventKind, reason: Option<String>) -> Change {
        let progress = Progress {
            phase,
            reason,
            ended_at: Some(now),
            owes_ledger: true,
            // Said as long as it is known to be so: an attempt that is putting at this moment may finish later.
            holds_segments: self.progress.holds_segments || self.has_stray_puts(),
            job_failures: 0,
            job_not_before: now,
            ..self.progress.clone()
        };
        let delivery = self.birth.policy.tell_origin.then(|| Delivery::new(kind, now));
        Change { progress: Some(progress), delivery, ..Change::none() }
    }
}
