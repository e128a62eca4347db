//! Reading the object back. A file whose chunks came in any order has no running SHA-256, and of one whose parts the client
//! stored itself nobody here has seen a byte: where a SHA-256 was declared, and always in the second case, the assembled object
//! is read once, front to back, in slices small enough for one Worker's time. The state of the hashers is stored
//! with every slice, so that a crash costs one slice. Until the last one is right, nobody is told that the upload is complete.

use serde::{Deserialize, Serialize};

use super::{Content, Phase, Session, StateChange, UploadState};
use crate::event::EventKind;
use upload_types::{
    integrity::{Crc64Nvme, Sha256State},
    units::{ByteCount, MIB, UnixMs},
};

/// How much is read back at once: 256 MiB. Hashing that in wasm takes one to two seconds of the 30 s of CPU time that a
/// queue consumer has.
const SLICE_BYTES: u64 = 256 * MIB;

/// After so long without a slice the object is taken for unreadable: a day.
const UNREADABLE_MS: u64 = 86_400_000;

/// How much of the object has been read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Up to here.
    pub to: ByteCount,
    /// The SHA-256 of the bytes up to there; only where the file's was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_so_far: Option<Sha256State>,
    /// Their CRC; only where nobody has seen the bytes before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme_so_far: Option<Crc64Nvme>,
}

/// What is to be read back next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The object's key.
    pub key: String,
    /// Its ETag: another object under this key proves nothing.
    pub etag: String,
    /// From here.
    pub from: ByteCount,
    /// To here.
    pub to: ByteCount,
    /// Whether the SHA-256 is wanted.
    pub with_sha256: bool,
    /// The SHA-256 of the bytes before; none before the first.
    pub sha256_so_far: Option<Sha256State>,
    /// The CRC of the bytes before, where it is wanted.
    pub crc64nvme_so_far: Option<Crc64Nvme>,
}

/// What came of reading a slice back, and of which object: whoever is slow may speak of the one that has been repaired since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hashed {
    /// It was read.
    Slice {
        /// The object's key.
        key: String,
        /// From here.
        from: ByteCount,
        /// What is verified with it.
        verified: Verified,
    },
    /// The object is not there any more.
    ObjectGone {
        /// The object's key.
        key: String,
    },
}

impl Session {
    /// Whether the object's SHA-256 is known only once it has been read back.
    pub(super) fn must_be_read_back(&self) -> bool {
        let is_unhashed = matches!(self.content, Content::Parallel(_)) && self.spec.file.sha256.is_some();
        (is_unhashed || self.is_direct()) && !self.plan().file_bytes.is_zero()
    }

    /// The next slice; `None` where there is nothing to read back.
    pub fn next_slice(&self) -> Option<Slice> {
        let etag = self.progress.etag.clone().filter(|_| self.progress.phase == Phase::Verifying)?;
        let verified = self.progress.verified.as_ref();
        let from = verified.map_or(ByteCount::ZERO, |verified| verified.to);
        let to = ByteCount::new(from.get() + SLICE_BYTES)?.min(self.plan().file_bytes);
        let crc64nvme_so_far = verified.and_then(|verified| verified.crc64nvme_so_far);
        Some(Slice {
            key: self.object_key(),
            etag,
            from,
            to,
            with_sha256: self.spec.file.sha256.is_some(),
            sha256_so_far: verified.and_then(|verified| verified.sha256_so_far.clone()),
            crc64nvme_so_far: self.is_direct().then(|| crc64nvme_so_far.unwrap_or_default()),
        })
    }

    /// Somebody has been asked to read the next slice back, or could not be asked: either way, look again later, as with an
    /// event that the queue may have lost. A slice that is read twice counts once. When none has come for a day, none will.
    pub(crate) fn slice_asked_for(&self, now: UnixMs) -> StateChange {
        let refused_since = self.progress.refused_since.unwrap_or(now);
        if self.progress.phase == Phase::Verifying && now >= refused_since.plus_ms(UNREADABLE_MS) {
            let reason = "Storage has not given the object back for a day, so it could not be verified.".to_owned();
            return self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
        }
        let job_not_before = now.plus_ms(self.spec.policy.resend_ms);
        UploadState { job_not_before, refused_since: Some(refused_since), ..self.progress.clone() }.into()
    }

    /// A slice has been read back. One that was read twice changes nothing the second time, and one of another object nothing at all;
    /// the last one ends the upload.
    pub fn hashed(&self, now: UnixMs, hashed: &Hashed) -> StateChange {
        let Some(slice) = self.next_slice() else { return StateChange::none() };
        let (Hashed::Slice { key, .. } | Hashed::ObjectGone { key }) = hashed;
        if *key != slice.key {
            return StateChange::none();
        }
        let verified = match hashed {
            Hashed::ObjectGone { .. } => {
                let reason = "Storage has lost the object before it was verified.".to_owned();
                return self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
            }
            Hashed::Slice { from, verified, .. } if *from == slice.from && verified.to == slice.to => verified,
            Hashed::Slice { .. } => return StateChange::none(),
        };
        if verified.to < self.plan().file_bytes {
            let verified = Some(verified.clone());
            let progress = self.progress.clone();
            return UploadState { verified, job_failures: 0, job_not_before: now, refused_since: None, ..progress }
                .into();
        }
        let sha256 = self.sha256_mismatch(verified.sha256_so_far.as_ref());
        let wrong = sha256.or_else(|| self.crc64nvme_mismatch(verified.crc64nvme_so_far?));
        let mut change = match wrong {
            None => self.whole(now),
            Some(actual) => self.damaged(now, &actual),
        };
        if let Some(progress) = &mut change.progress {
            progress.crc64nvme = verified.crc64nvme_so_far.or(progress.crc64nvme);
        }
        change
    }
}
