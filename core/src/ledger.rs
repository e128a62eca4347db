//! What one owner has open, has stored and may use: the words of the owner's ledger, and the one rule in it.
//!
//! The ledger says whether another upload may be opened, and remembers two things for a while: which creation belongs to
//! which `Idempotency-Key`, and which verified bytes are stored already. It never crosses owners. An entry is given back by
//! the upload's ending; where that message is lost for good, by the upload's own expiry, which the ledger knows.

use serde::{Deserialize, Serialize};

use crate::{
    integrity::{Crc64Nvme, Sha256Digest},
    refusal::Refusal,
    units::{ByteCount, UnixMs, UploadId},
};

/// How long a creation is remembered under its `Idempotency-Key`: a day.
pub const IDEMPOTENCY_MS: u64 = 86_400_000;

/// How long after its expiry an entry is taken out of the ledger by the ledger itself: an hour, in which the upload's own
/// ending has had every chance to do it.
pub const ENTRY_GRACE_MS: u64 = 3_600_000;

/// What an owner may use. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Uploads open at the same time.
    pub open_uploads: Option<u64>,
    /// Declared bytes of all open uploads together.
    pub open_bytes: Option<u64>,
    /// Declared bytes of all uploads opened on one day (UTC).
    pub bytes_per_day: Option<u64>,
}

/// What an owner uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Uploads open now.
    pub open_uploads: u64,
    /// Their declared bytes.
    pub open_bytes: u64,
    /// Declared bytes of all uploads opened today.
    pub bytes_today: u64,
}

/// The client's own name for a creation, so that repeating it creates nothing new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The `Idempotency-Key`.
    pub key: String,
    /// The SHA-256 of what was asked under it: another question under the same key is a mistake.
    pub request: Sha256Digest,
}

/// What the keys begin with that no client has said. None can: a header is ASCII.
const IMPLIED: &str = "§";

impl Idempotency {
    /// For a request that stands for itself: whoever repeats it asks for the same.
    pub fn implied(request: Sha256Digest) -> Self {
        Self { key: format!("{IMPLIED}{request}"), request }
    }

    /// The same request once more, where what came of it before is gone and nothing keeps the client to it. `None` where it
    /// has said a key itself: what was created under that stays what it is.
    #[must_use]
    pub fn anew(&self) -> Option<Self> {
        self.key.starts_with(IMPLIED).then(|| Self { key: format!("{}+", self.key), request: self.request })
    }
}

/// An open upload, as its owner's list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenUpload {
    /// The upload.
    pub upload_id: UploadId,
    /// The file's name.
    pub file_name: String,
    /// Its declared length; the most it may have while `open_ended`.
    pub file_size: ByteCount,
    /// Whether the length was to be declared later, when it was created.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_ended: bool,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it ends unless it is complete by then.
    pub expires_at: UnixMs,
}

/// A stored object whose SHA-256 has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprint {
    /// The SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// The upload that brought it.
    pub upload_id: UploadId,
    /// Where it is in the bucket.
    pub key: String,
    /// Its ETag.
    pub etag: String,
    /// The CRC of its bytes.
    pub crc64nvme: Crc64Nvme,
    /// How long it is.
    pub file_size: ByteCount,
}

/// What the ledger says to a creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Go ahead: the entry is made.
    Opened,
    /// The same creation has been asked before: this is its upload.
    Repeated(UploadId),
    /// These bytes are stored already, if the object is still there.
    Known(Fingerprint),
}

impl Quota {
    /// Whether another upload of so many bytes fits.
    pub fn admit(self, usage: Usage, bytes: ByteCount, now: UnixMs) -> Result<(), Refusal> {
        const SECONDS_PER_DAY: u64 = 86_400;
        let exceeds = |bound: Option<u64>, would_be: u64| bound.is_some_and(|bound| would_be > bound);
        let refused =
            |quota: &str, retry_after_seconds| Refusal::QuotaExceeded { quota: quota.to_owned(), retry_after_seconds };
        if exceeds(self.open_uploads, usage.open_uploads + 1) {
            return Err(refused("open uploads", None));
        }
        if exceeds(self.open_bytes, usage.open_bytes.saturating_add(bytes.get())) {
            return Err(refused("bytes of open uploads", None));
        }
        if exceeds(self.bytes_per_day, usage.bytes_today.saturating_add(bytes.get())) {
            let until_tomorrow = SECONDS_PER_DAY - now.unix_seconds() % SECONDS_PER_DAY;
            return Err(refused("bytes per day", u32::try_from(until_tomorrow).ok()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_what_would_be() {
        let quota = Quota { open_uploads: Some(2), open_bytes: Some(100), bytes_per_day: Some(150) };
        let usage = |open_uploads, open_bytes, bytes_today| Usage { open_uploads, open_bytes, bytes_today };
        let now = UnixMs(86_400_000 * 3 + 1_000 * 86_000);
        for (usage, bytes, expected) in [
            (usage(0, 0, 0), 100, None),
            (usage(1, 99, 100), 1, None),
            (usage(2, 0, 0), 0, Some(("open uploads", None))),
            (usage(0, 0, 0), 101, Some(("bytes of open uploads", None))),
            (usage(1, 50, 120), 40, Some(("bytes per day", Some(400)))),
            (usage(0, u64::MAX, 0), 1, Some(("bytes of open uploads", None))),
        ] {
            let answer = quota.admit(usage, ByteCount::new(bytes).unwrap(), now);
            let expected = expected.map_or(Ok(()), |(quota, retry_after_seconds)| {
                Err(Refusal::QuotaExceeded { quota: quota.to_owned(), retry_after_seconds })
            });
            assert_eq!(answer, expected, "{usage:?} + {bytes}");
        }
        assert_eq!(Quota::default().admit(usage(u64::MAX - 1, 0, 0), 1.into(), now), Ok(()));
    }
}
