//! Reading the object back. A file whose chunks came in any order has no running SHA-256; where one was declared, the
//! assembled object is read once, front to back, in slices small enough for one Worker's time. The hasher's state is stored
//! with every slice, so that a crash costs one slice. Until the last one is right, nobody is told that the upload is complete.

use serde::{Deserialize, Serialize};

use super::{Change, Content, Phase, Progress, Session};
use crate::{
    event::EventKind,
    integrity::Sha256State,
    refusal::Refusal,
    units::{ByteCount, MIB, UnixMs},
};

/// How much is read back at once: 256 MiB. Hashing that in wasm takes one to two seconds of the 30 s of CPU time that a
/// queue consumer has.
const SLICE_BYTES: u64 = 256 * MIB;

/// How much of the object has been read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Up to here.
    pub to: ByteCount,
    /// The SHA-256 of the bytes up to there.
    pub sha256_so_far: Sha256State,
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
    /// The SHA-256 of the bytes before; none before the first.
    pub sha256_so_far: Option<Sha256State>,
}

/// What came of reading a slice back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hashed {
    /// It was read.
    Slice {
        /// From here.
        from: ByteCount,
        /// What is verified with it.
        verified: Verified,
    },
    /// The object is not there any more.
    ObjectGone,
}

impl Session {
    /// Whether the object's SHA-256 is known only once it has been read back.
    pub(super) fn must_be_read_back(&self) -> bool {
        let is_unhashed = matches!(self.content, Content::Lanes(_));
        is_unhashed && self.birth.file.sha256.is_some() && !self.plan().file_bytes.is_zero()
    }

    /// The next slice; `None` where there is nothing to read back.
    pub fn next_slice(&self) -> Option<Slice> {
        let etag = self.progress.etag.clone().filter(|_| self.progress.phase == Phase::Verifying)?;
        let verified = self.progress.verified.as_ref();
        let from = verified.map_or(ByteCount::ZERO, |verified| verified.to);
        let to = ByteCount::new(from.get() + SLICE_BYTES)?.min(self.plan().file_bytes);
        let sha256_so_far = verified.map(|verified| verified.sha256_so_far.clone());
        Some(Slice { key: self.birth.key.clone(), etag, from, to, sha256_so_far })
    }

    /// Somebody has been asked to read the next slice back, or could not be asked: either way, look again later, as with an
    /// event that the queue may have lost. A slice that is read twice counts once.
    pub fn slice_asked_for(&self, now: UnixMs) -> Change {
        Progress { job_not_before: now.plus_ms(self.birth.policy.resend_ms), ..self.progress.clone() }.into()
    }

    /// A slice has been read back. One that was read twice changes nothing the second time; the last one ends the upload.
    pub fn hashed(&self, now: UnixMs, hashed: &Hashed) -> Change {
        let Some(slice) = self.next_slice() else { return Change::none() };
        let verified = match hashed {
            Hashed::ObjectGone => {
                let reason = "Storage has lost the object before it was verified.".to_owned();
                return self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
            }
            Hashed::Slice { from, verified } if *from == slice.from && verified.to == slice.to => verified,
            Hashed::Slice { .. } => return Change::none(),
        };
        if verified.to < self.plan().file_bytes {
            let verified = Some(verified.clone());
            return Progress { verified, job_failures: 0, job_not_before: now, ..self.progress.clone() }.into();
        }
        match self.sha256_mismatch(Some(&verified.sha256_so_far)) {
            None => self.end(now, Phase::Completed, EventKind::Completed, None),
            Some(actual) => {
                let reason = Refusal::FileDigestMismatch { actual }.to_string();
                self.end(now, Phase::Failed, EventKind::Failed, Some(reason))
            }
        }
    }
}
