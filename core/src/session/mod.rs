//! The session: what is true of one upload, and the rules by which that changes.
//!
//! Every rule is a function that looks at the session and *decides*: it returns an answer and a [`Change`], and alters
//! nothing. The caller stores the change in one transaction and then [`Session::apply`]s it. So a decision that was not
//! stored was never taken, and what a restart reads back is what was there before it.
//!
//! * `append`: begin, commit, release, probe: how bytes come in, and who may count them.
//! * `ending`: complete, cancel, expire, and what follows: assembling, freeing, telling.
//! * `schedule`: what is to be done next, and when.
//!
//! A session is its [`Birth`] (fixed), its [`Progress`] (small, rewritten), the last stored part (its *frontier*), and the
//! [`Delivery`] of its event. Nothing in it grows with the number of parts.

mod append;
mod ending;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use append::{Begin, Commit, Committed, Grant, Receipt, Release};
pub use schedule::Job;

use crate::{
    event::{Delivery, DeliveryState, EventKind},
    integrity::{Crc64Nvme, Sha256Digest, Sha256State},
    plan::Plan,
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

/// The right to commit: who writes which bytes under which part numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The attempt that holds it. Only the newest attempt of a session can.
    pub attempt: u64,
    /// The attempt's first part number.
    pub first_number: u16,
    /// How many numbers it was given at once. One where it commits part by part and is given the next number with each
    /// commit; all it needs where it commits everything at the end.
    pub reserved: u16,
    /// The attempt's bytes begin here.
    pub from: ByteCount,
    /// And end here.
    pub to: ByteCount,
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
    /// The newest attempt's number; 0 before the first.
    pub attempt: u64,
    /// Who may commit.
    pub lease: Option<Lease>,
    /// No part number above this was handed out before the lease was.
    pub numbers_used: u16,
    /// The object's ETag, once it is there.
    pub etag: Option<String>,
    /// Whether R2 may still hold something for this upload: parts, or the object.
    pub holds_storage: bool,
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
    /// The CRC of the file from its first byte to the end of this part.
    pub crc64nvme_so_far: Crc64Nvme,
    /// The SHA-256 of the same bytes, to go on from; only where the file's was declared.
    pub sha256_so_far: Option<Sha256State>,
}

/// Everything an upload's object remembers, but for the parts before the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What is fixed.
    pub birth: Birth,
    /// What changes.
    pub progress: Progress,
    /// The last counted part: the frontier between what is there and what is missing.
    pub last_part: Option<StoredPart>,
    /// What the origin is told, once the upload has ended.
    pub delivery: Option<Delivery>,
}

/// What a decision changes. To be stored in one transaction, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Change {
    /// The new progress, where it is another. One row.
    pub progress: Option<Progress>,
    /// New parts, in order. One row each.
    pub parts: Vec<StoredPart>,
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
        self.progress.is_none() && self.parts.is_empty() && self.delivery.is_none()
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
        let mut session = Self {
            progress: Progress {
                phase: Phase::Open,
                reason: None,
                ended_at: None,
                attempt: 0,
                lease: None,
                numbers_used: 0,
                etag: None,
                holds_storage: true,
                discard: false,
                job_failures: 0,
                job_not_before: birth.created_at,
            },
            last_part: None,
            delivery: None,
            birth,
        };
        if session.birth.plan.file_bytes.is_zero() {
            if let Some(actual) = session.digest_mismatch(Crc64Nvme::default(), None) {
                return Err(Refusal::FileDigestMismatch { actual });
            }
            session.progress.phase = Phase::Completing;
        }
        Ok(session)
    }

    /// How many bytes count.
    pub fn uploaded_bytes(&self) -> ByteCount {
        self.last_part.as_ref().map_or(ByteCount::ZERO, |part| part.end)
    }

    /// How many do not yet.
    pub fn missing_bytes(&self) -> ByteCount {
        self.birth.plan.file_bytes.saturating_sub(self.uploaded_bytes())
    }

    /// The CRC of the bytes that count.
    pub fn crc64nvme_so_far(&self) -> Crc64Nvme {
        self.last_part.as_ref().map_or_else(Crc64Nvme::default, |part| part.crc64nvme_so_far)
    }

    /// Takes a stored change into memory.
    pub fn apply(&mut self, change: Change) {
        if let Some(progress) = change.progress {
            self.progress = progress;
        }
        if let Some(part) = change.parts.into_iter().next_back() {
            self.last_part = Some(part);
        }
        if let Some(delivery) = change.delivery {
            self.delivery = Some(delivery);
        }
    }

    /// What anybody may know.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            id: self.birth.id,
            phase: self.progress.phase,
            reason: self.progress.reason.clone(),
            uploaded_bytes: self.uploaded_bytes(),
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
        let etag = self.progress.etag.clone().filter(|_| self.progress.phase == Phase::Completed)?;
        (!self.progress.discard).then(|| ObjectFacts {
            key: self.birth.key.clone(),
            etag,
            crc64nvme: self.crc64nvme_so_far(),
            sha256: self.birth.file.sha256,
        })
    }

    /// The answer to whoever asks for the object where there is none: not yet, or not any more.
    pub fn no_object(&self) -> Refusal {
        match self.progress.phase {
            Phase::Open => Refusal::Incomplete {
                missing_bytes: self.missing_bytes(),
                uploaded_bytes: self.uploaded_bytes(),
            },
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

    /// The digest that the whole file has instead of the declared one; `None` where all that was declared is right.
    fn digest_mismatch(&self, crc64nvme: Crc64Nvme, sha256: Option<&Sha256State>) -> Option<String> {
        let file = &self.birth.file;
        if file.crc64nvme.is_some_and(|declared| declared != crc64nvme) {
            return Some(format!("crc64nvme {crc64nvme}"));
        }
        let declared = file.sha256?;
        // No saved state is the state before the first byte. One that cannot be read back matches nothing.
        let actual = match sha256 {
            Some(state) => state.digest(),
            None => crate::integrity::RunningSha256::resume(None).and_then(|empty| empty.save().digest()),
        };
        (actual != Some(declared)).then(|| format!("sha256 {}", actual.map_or_else(String::new, |digest| digest.to_string())))
    }

    /// Every ending goes through here: the phase, the reason, the time, and the event, in one change.
    fn end(&self, now: UnixMs, phase: Phase, kind: EventKind, reason: Option<String>) -> Change {
        let progress = Progress {
            phase,
            reason,
            ended_at: Some(now),
            lease: None,
            numbers_used: self.highest_number(),
            job_failures: 0,
            job_not_before: now,
            ..self.progress.clone()
        };
        let delivery = self.birth.policy.tell_origin.then(|| Delivery::new(kind, now));
        Change { progress: Some(progress), parts: Vec::new(), delivery }
    }
}
