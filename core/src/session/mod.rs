//! The session: what is true of one upload, and the rules by which that changes.
//!
//! Every rule is a function that looks at the session and *decides*: it returns an answer and a [`Change`], and alters
//! nothing. The caller stores the change in one transaction and then [`Session::apply`]s it. So a decision that was not
//! stored was never taken, and what a restart reads back is what was there before it.
//!
//! * `append`: what is asked and answered when bytes come in, and which of the two ways below applies.
//! * `sequence`: bytes from the front, one attempt at a time, the newest first; takeover; the tail.
//! * `lanes`: any missing chunk at any time, several attempts at once.
//! * `ending`: complete, cancel, expire, and what follows: assembling, freeing, telling.
//! * `schedule`: what is to be done next, and when.
//!
//! A session is its [`Birth`] (fixed), its [`Progress`] (small, rewritten), its [`Content`] (where the counted bytes end, or
//! which chunks are there), and the [`Delivery`] of its event.

mod append;
mod ending;
mod lanes;
mod schedule;
mod sequence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use append::{Begin, Commit, Committed, Grant, Receipt, Release, ReleaseReason, Rest, TailPiece};
pub use lanes::{Lane, Lanes};
pub use schedule::Job;
pub use sequence::{Lease, LeaseState, Sequence};

use crate::{
    event::{Delivery, DeliveryState, EventKind},
    integrity::{Crc64Nvme, RunningSha256, Sha256Digest, Sha256State},
    plan::{Mode, Plan},
    refusal::Refusal,
    units::{ByteCount, UnixMs, UploadId},
};

/// What the client said about the file. All of it is metadata: nothing here is ever a path or a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// The file's name as the client gave it, checked for control characters and length.
    pub name: String,
    /// Its media type, if given.
    pub content_type: Option<String>,
    /// Whatever else the client wants the origin to know.
    pub metadata: BTreeMap<String, String>,
    /// The SHA-256 that the whole file must have.
    pub sha256: Option<Sha256Digest>,
    /// The CRC-64/NVME that the whole file must have.
    pub crc64nvme: Option<Crc64Nvme>,
}

/// What the deployment promises for the life of this upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How long an ended upload is remembered, in milliseconds.
    pub tombstone_ms: u64,
    /// How long after an expected delivery attempt the event is handed to the queue again, in milliseconds.
    pub resend_ms: u64,
    /// Whether there is an origin to tell.
    pub tell_origin: bool,
}

/// What is fixed when the upload is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Birth {
    /// The upload.
    pub id: UploadId,
    /// Whose it is.
    pub owner: String,
    /// Where the object will be. Made of the id alone, so no two uploads ever meet.
    pub key: String,
    /// What the client said of the file.
    pub file: FileInfo,
    /// The sizes.
    pub plan: Plan,
    /// R2's id of the multipart upload; none for an empty file, which has no parts.
    pub multipart_id: Option<String>,
    /// Scheme and host for the URLs in events.
    pub public_url: String,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it ends unless it is complete by then.
    pub expires_at: UnixMs,
    /// What the deployment promised.
    pub policy: Policy,
}

/// Where an upload is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Bytes are missing.
    Open,
    /// All bytes are there; the object is being put together.
    Completing,
    /// The object is there, whole and verified.
    Completed,
    /// It cannot become whole.
    Failed,
    /// The client cancelled it.
    Aborted,
    /// Its time was over.
    Expired,
}

impl Phase {
    /// The name in answers and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completing => "completing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
        }
    }
}

/// What changes: small, and rewritten whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where the upload is in its life.
    pub phase: Phase,
    /// Why it ended, unless it is complete.
    pub reason: Option<String>,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// Who may commit in a sequential upload, or who was the last who might.
    pub lease: Option<Lease>,
    /// The object's ETag, once it is there.
    pub etag: Option<String>,
    /// The CRC of the whole file, once it has been combined.
    pub crc64nvme: Option<Crc64Nvme>,
    /// Whether R2 may still hold something for this upload: parts, or the object.
    pub holds_storage: bool,
    /// Whether there may be segments in R2. Said before the first one is written.
    pub holds_segments: bool,
    /// Whether they have been deleted once since the upload ended. Those that arrive later go when it is forgotten.
    pub segments_swept: bool,
    /// Whether the owner's ledger has yet to hear how the upload ended, or that its object is gone.
    pub owes_ledger: bool,
    /// Whether the object is to be deleted, by the client's or the origin's wish.
    pub discard: bool,
    /// How often in a row the current duty in R2 has failed.
    pub job_failures: u32,
    /// Not before this is it tried again.
    pub job_not_before: UnixMs,
}

/// A part that is counted: R2 has it, and completion will list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// Its number in R2.
    pub number: u16,
    /// Where it ends in the file.
    pub end: ByteCount,
    /// Its ETag, exactly as R2 returned it.
    pub etag: String,
    /// The CRC of its bytes.
    pub crc64nvme: Crc64Nvme,
    /// The SHA-256 of the file up to the end of this part, to go on from; only where the file's was declared.
    pub sha256_so_far: Option<Sha256State>,
}

/// Accepted bytes that do not fill a part yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it begins in the file: where the segment or the part before it ended.
    pub start: ByteCount,
    /// Where it ends.
    pub end: ByteCount,
    /// Which attempt brought it.
    pub attempt: u64,
    /// Where its bytes are.
    pub place: SegmentPlace,
    /// The SHA-256 of the file up to its end; only where the file's was declared.
    pub sha256_so_far: Option<Sha256State>,
}

/// Where the bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentPlace {
    /// In the segment's own row.
    Row,
    /// In R2, under [`Birth::segment_key`] of the attempt.
    Object,
}

/// The most bytes that a segment in a row may have: 128 KiB, far below the 2 MB that a row may have
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>), and small enough to pass through an object.
pub const MAX_ROW_SEGMENT_BYTES: u64 = 128 * 1024;

impl Birth {
    /// What the keys of this upload's segments begin with.
    pub fn segment_prefix(&self) -> String {
        format!("segments/{}/", self.id)
    }

    /// Where the segment of an attempt is in R2. No two attempts ever share a key.
    pub fn segment_key(&self, attempt: u64) -> String {
        format!("{}{attempt}", self.segment_prefix())
    }
}

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
    /// The new progress, where it is another. One row.
    pub progress: Option<Progress>,
    /// New parts, in order. One row each. A part takes with it the segments that lie before its end.
    pub parts: Vec<StoredPart>,
    /// A new segment. One row.
    pub segment: Option<Segment>,
    /// A chunk of a parallel upload that is tried once more. One row.
    pub lane: Option<(u32, Lane)>,
    /// The new state of the delivery. One row.
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

/// What anybody may know about an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The upload.
    pub id: UploadId,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why it ended, unless it is complete.
    pub reason: Option<String>,
    /// How many bytes count.
    pub uploaded_bytes: ByteCount,
    /// Up to here they count without a gap.
    pub offset: ByteCount,
    /// Which are missing, from (inclusive) and to (exclusive), in order.
    pub missing: Vec<(ByteCount, ByteCount)>,
    /// Which chunks of a parallel upload are there: one bit each, the first chunk in the highest bit of the first byte; base64.
    pub chunks: Option<String>,
    /// The sizes.
    pub plan: Plan,
    /// What the client said of the file.
    pub file: FileInfo,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it ends unless it is complete by then.
    pub expires_at: UnixMs,
    /// How far the telling of the origin is; none where there is nothing to tell.
    pub delivery: Option<DeliveryState>,
    /// The object, while there is one.
    pub object: Option<ObjectFacts>,
}

/// A completed object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFacts {
    /// Where it is in the bucket.
    pub key: String,
    /// Its ETag.
    pub etag: String,
    /// The CRC of all its bytes.
    pub crc64nvme: Crc64Nvme,
    /// Its SHA-256, where it was declared and so verified.
    pub sha256: Option<Sha256Digest>,
}

impl Session {
    /// A new upload. An empty file has all its bytes already.
    pub fn create(birth: Birth) -> Result<Self, Refusal> {
        let content = match birth.plan.mode {
            Mode::Sequential => Content::Sequence(Sequence::default()),
            Mode::Parallel => Content::Lanes(Lanes::new(birth.plan)),
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
        };
        let mut session = Self { progress, content, delivery: None, birth };
        if session.birth.plan.file_bytes.is_zero() {
            if let Some(actual) = session.sha256_mismatch(None) {
                return Err(Refusal::FileDigestMismatch { actual });
            }
            session.progress.phase = Phase::Completing;
        }
        Ok(session)
    }

    /// How many bytes count.
    pub fn uploaded_bytes(&self) -> ByteCount {
        match &self.content {
            Content::Sequence(sequence) => sequence.offset(),
            Content::Lanes(lanes) => lanes.stored_bytes(),
        }
    }

    /// How many do not yet.
    pub fn missing_bytes(&self) -> ByteCount {
        self.birth.plan.file_bytes.saturating_sub(self.uploaded_bytes())
    }

    /// Takes a stored change into memory.
    pub fn apply(&mut self, change: Change) {
        if let Some(progress) = change.progress {
            self.progress = progress;
        }
        match &mut self.content {
            Content::Sequence(sequence) => sequence.apply(change.parts, change.segment),
            Content::Lanes(lanes) => lanes.apply(&change.parts, change.lane),
        }
        if let Some(delivery) = change.delivery {
            self.delivery = Some(delivery);
        }
    }

    /// What anybody may know.
    pub fn snapshot(&self) -> Snapshot {
        let file_bytes = self.birth.plan.file_bytes;
        let (missing, chunks) = match &self.content {
            Content::Sequence(sequence) if sequence.offset() == file_bytes => (Vec::new(), None),
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
            plan: self.birth.plan,
            file: self.birth.file.clone(),
            created_at: self.birth.created_at,
            expires_at: self.birth.expires_at,
            delivery: self.delivery.as_ref().map(|delivery| delivery.state),
            object: self.object(),
        }
    }

    /// The object, while there is one.
    pub fn object(&self) -> Option<ObjectFacts> {
        let progress = &self.progress;
        let (etag, crc64nvme) = progress.etag.clone().zip(progress.crc64nvme)?;
        (progress.phase == Phase::Completed && !progress.discard).then(|| ObjectFacts {
            key: self.birth.key.clone(),
            etag,
            crc64nvme,
            sha256: self.birth.file.sha256,
        })
    }

    /// The answer to whoever asks for the object where there is none: not yet, or not any more.
    pub fn no_object(&self) -> Refusal {
        match self.progress.phase {
            Phase::Open => {
                Refusal::Incomplete { missing_bytes: self.missing_bytes(), uploaded_bytes: self.uploaded_bytes() }
            }
            Phase::Completing => Refusal::Completing,
            Phase::Completed | Phase::Failed | Phase::Aborted | Phase::Expired => self.gone(),
        }
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
            job_failures: 0,
            job_not_before: now,
            ..self.progress.clone()
        };
        let delivery = self.birth.policy.tell_origin.then(|| Delivery::new(kind, now));
        Change { progress: Some(progress), delivery, ..Change::none() }
    }
}
