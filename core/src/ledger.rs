//! What one owner has open, has stored and may use: the words of the owner's ledger, and its rules.
//!
//! The ledger says whether another upload may be opened, and remembers two things for a while: which creation belongs to
//! which `Idempotency-Key`, and which verified bytes are stored already. It never crosses owners. An entry is given back by
//! the upload's ending; where that message is lost for good, by the latest end that the upload can have, which the ledger knows.
//!
//! How an upload stands, its own object knows, and nobody else: the ledger has no names, no lengths and no times that could change.
//! Whoever lists what is open asks the objects.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    api_error::ApiError,
    integrity::{Crc64Nvme, Sha256Digest},
    units::{ByteCount, UnixMs, UploadId},
};

const MS_PER_DAY: u64 = 86_400_000;

/// How long a creation is remembered under its `Idempotency-Key`: a day. No ended upload may be forgotten sooner, or the same
/// creation would store the same file again.
pub const IDEMPOTENCY_MS: u64 = 86_400_000;

/// How long after its upload's latest end an entry is taken out of the ledger by the ledger itself: an hour, in which the upload's own
/// ending has had every chance to do it.
pub const ENTRY_GRACE_MS: u64 = 3_600_000;

/// So old an entry is whose upload was never created, where there is none: five minutes. What is younger may be on its way.
pub const CREATION_MS: u64 = 300_000;

/// How many entries a page of the list has: each costs a question to its upload's object.
pub const PAGE_ENTRIES: usize = 100;

/// So many pieces count as one upload, since so many may be put together into one.
const PIECES_PER_UPLOAD: u64 = 100;

/// How long the ledger waits between two sweeps, at least: an hour. What is over counts for nothing before it is swept.
const SWEEP_PAUSE_MS: u64 = 3_600_000;

/// What an owner may use. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Uploads open at the same time.
    pub open_uploads: Option<u64>,
    /// Bytes of all open uploads together: declared, or arrived where the length is to be declared later.
    pub open_bytes: Option<u64>,
    /// Bytes of all uploads, counted on the day (UTC) on which they were declared, or arrived.
    pub bytes_per_day: Option<u64>,
}

/// What an owner uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Uploads open now.
    pub open_uploads: u64,
    /// Pieces of uploads that are put together: until they are gone, and named by no upload yet.
    pub open_pieces: u64,
    /// The bytes of both.
    pub open_bytes: u64,
    /// Bytes counted today.
    pub bytes_today: u64,
}

/// What an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// An upload.
    File,
    /// A piece that others are put together from. It is no upload that anybody lists.
    Partial,
}

/// What an entry is found by: newer ones come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryName {
    /// When the upload was created.
    pub created_at: UnixMs,
    /// The upload.
    pub upload_id: UploadId,
}

/// An open upload, as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which upload.
    pub name: EntryName,
    /// What it is.
    pub kind: EntryKind,
    /// What it is charged with: its declared length, or what has arrived of it.
    pub bytes: ByteCount,
    /// When the ledger takes the entry out by itself.
    pub drop_at: UnixMs,
}

/// A page of what is open, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The entries.
    pub entries: Vec<EntryName>,
    /// Where the next page goes on, if there is one.
    pub next: Option<EntryName>,
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

/// A stored object whose SHA-256 has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredObject {
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
    /// Go ahead: there is an entry of this name. It is another than was asked for where an earlier creation under the same
    /// `Idempotency-Key` died before its upload was there.
    Opened(EntryName),
    /// The same creation has been asked before: this is its upload.
    Repeated(UploadId),
    /// These bytes are stored already, if the object is still there.
    Known(StoredObject),
}

impl EntryName {
    /// What [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (created_at, upload_id) = text.split_once('.')?;
        let created_at = UnixMs(created_at.parse().ok().filter(|ms| *ms <= ByteCount::MAX.get())?);
        Some(Self { created_at, upload_id: UploadId::parse(upload_id)? })
    }
}

/// As a client holds it, to ask for the next page.
impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.0, self.upload_id)
    }
}

impl Usage {
    /// The same with one more.
    #[must_use]
    pub fn with(self, kind: EntryKind) -> Self {
        match kind {
            EntryKind::File => Self { open_uploads: self.open_uploads.saturating_add(1), ..self },
            EntryKind::Partial => Self { open_pieces: self.open_pieces.saturating_add(1), ..self },
        }
    }

    /// How many uploads these count as.
    fn uploads(self) -> u64 {
        self.open_uploads.saturating_add(self.open_pieces.div_ceil(PIECES_PER_UPLOAD))
    }
}

impl Quota {
    /// Whether another upload of so many bytes fits.
    pub fn admit(self, usage: Usage, kind: EntryKind, bytes: ByteCount, now: UnixMs) -> Result<(), ApiError> {
        if self.open_uploads.is_some_and(|bound| usage.with(kind).uploads() > bound) {
            return Err(ApiError::QuotaExceeded { quota: "open uploads".to_owned(), retry_after_seconds: None });
        }
        self.take(usage, bytes, now)
    }

    /// Whether so many bytes more fit.
    pub fn take(self, usage: Usage, bytes: ByteCount, now: UnixMs) -> Result<(), ApiError> {
        let exceeds =
            |bound: Option<u64>, used: u64| bound.is_some_and(|bound| used.saturating_add(bytes.get()) > bound);
        if exceeds(self.open_bytes, usage.open_bytes) {
            return Err(ApiError::QuotaExceeded {
                quota: "bytes of open uploads".to_owned(),
                retry_after_seconds: None,
            });
        }
        if exceeds(self.bytes_per_day, usage.bytes_today) {
            let until_tomorrow_ms = MS_PER_DAY - now.0 % MS_PER_DAY;
            let retry_after_seconds = u32::try_from(until_tomorrow_ms.div_ceil(1000)).ok();
            return Err(ApiError::QuotaExceeded { quota: "bytes per day".to_owned(), retry_after_seconds });
        }
        Ok(())
    }

    /// Whether what is open is bounded at all.
    pub fn bounds_what_is_open(self) -> bool {
        self.open_uploads.is_some() || self.open_bytes.is_some()
    }

    /// Whether bytes are bounded at all.
    pub fn bounds_bytes(self) -> bool {
        self.open_bytes.is_some() || self.bytes_per_day.is_some()
    }
}

/// What is remembered for a while, and forgotten in bulk. Each period of time has a place of its own: what is new goes into that of
/// the current one, what is looked for is looked for in that and in the one before, and every older one goes as a whole. So
/// something is remembered for one period at least, and for two at most, and forgetting it costs nothing for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    period_ms: u64,
}

/// Which creation belongs to which `Idempotency-Key`.
pub const CREATIONS: Memory = Memory { period_ms: IDEMPOTENCY_MS };

/// Which verified bytes are stored. A file that is uploaded again within thirty days is found, and remembered for as long again.
pub const STORED_FILES: Memory = Memory { period_ms: 30 * MS_PER_DAY };

impl Memory {
    /// The number of the current period.
    pub fn period(self, now: UnixMs) -> u64 {
        now.0 / self.period_ms
    }

    /// Whether what was remembered in this period still is.
    pub fn is_kept(self, period: u64, now: UnixMs) -> bool {
        now < self.over_at(period)
    }

    /// When what was remembered in this period is forgotten.
    pub fn over_at(self, period: u64) -> UnixMs {
        UnixMs(period.saturating_add(2).saturating_mul(self.period_ms))
    }
}

/// The number of the day, in UTC.
pub fn day(now: UnixMs) -> u64 {
    now.0 / MS_PER_DAY
}

/// When the ledger sweeps next after it has been written in a new period: when all that was remembered by then may be forgotten, if
/// nothing is written until then. An owner who comes every day has the sweep put off every day, and swept by coming.
pub fn sweep_after_writing(now: UnixMs) -> UnixMs {
    now.plus_ms(2 * MS_PER_DAY)
}

/// When the ledger sweeps again after a sweep, where `due` is when the first of what is left may go.
pub fn sweep_again(now: UnixMs, due: Option<UnixMs>) -> Option<UnixMs> {
    due.map(|due| due.max(now.plus_ms(SWEEP_PAUSE_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_what_would_be() {
        let quota = Quota { open_uploads: Some(2), open_bytes: Some(100), bytes_per_day: Some(150) };
        let usage =
            |open_uploads, open_bytes, bytes_today| Usage { open_uploads, open_pieces: 0, open_bytes, bytes_today };
        let now = UnixMs(86_400_000 * 3 + 1_000 * 86_000);
        for (usage, bytes, expected) in [
            (usage(0, 0, 0), 100, None),
            (usage(1, 99, 100), 1, None),
            (usage(2, 0, 0), 0, Some(("open uploads", None))),
            (usage(0, 0, 0), 101, Some(("bytes of open uploads", None))),
            (usage(1, 50, 120), 40, Some(("bytes per day", Some(400)))),
            (usage(0, u64::MAX, 0), 1, Some(("bytes of open uploads", None))),
        ] {
            let answer = quota.admit(usage, EntryKind::File, ByteCount::new(bytes).unwrap(), now);
            let expected = expected.map_or(Ok(()), |(quota, retry_after_seconds)| {
                Err(ApiError::QuotaExceeded { quota: quota.to_owned(), retry_after_seconds })
            });
            assert_eq!(answer, expected, "{usage:?} + {bytes}");
        }
        let unbounded = Quota::default().admit(usage(u64::MAX - 1, 0, 0), EntryKind::File, 1.into(), now);
        assert_eq!(unbounded, Ok(()));
    }

    #[test]
    fn a_hundred_pieces_count_as_one_upload() {
        let quota = Quota { open_uploads: Some(3), ..Quota::default() };
        let usage = |open_uploads, open_pieces| Usage { open_uploads, open_pieces, ..Usage::default() };
        for (usage, kind, fits) in [
            (usage(0, 0), EntryKind::Partial, true),
            (usage(2, 99), EntryKind::Partial, true),
            (usage(2, 100), EntryKind::Partial, false),
            (usage(2, 1), EntryKind::File, false),
            (usage(1, 100), EntryKind::File, true),
            (usage(0, 300), EntryKind::Partial, false),
        ] {
            assert_eq!(quota.admit(usage, kind, 0.into(), UnixMs(0)).is_ok(), fits, "{usage:?} and {kind:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_remembered_for_one_period_and_gone_after_two() {
        let at = |day: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small, and not negative
            UnixMs((day * 86_400_000.0) as u64)
        };
        for written in [10.0, 10.5, 10.999] {
            let period = CREATIONS.period(at(written));
            assert!(CREATIONS.is_kept(period, at(written)) && CREATIONS.is_kept(period, at(written + 1.0)));
            assert!(!CREATIONS.is_kept(period, at(written + 2.0)), "{written}");
            assert!(CREATIONS.over_at(period) <= sweep_after_writing(at(written)), "one sweep is enough");
        }
        assert!(STORED_FILES.is_kept(STORED_FILES.period(at(29.9)), at(59.9)));
    }

    #[test]
    fn sweeps_are_an_hour_apart_at_least() {
        assert_eq!(sweep_again(UnixMs(0), None), None);
        assert_eq!(sweep_again(UnixMs(1_000), Some(UnixMs(5))), Some(UnixMs(3_601_000)));
        assert_eq!(sweep_again(UnixMs(0), Some(UnixMs(MS_PER_DAY))), Some(UnixMs(MS_PER_DAY)));
    }

    #[test]
    fn a_place_in_the_list_is_read_back_as_it_was_written() {
        let upload_id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        let name = EntryName { created_at: UnixMs(1_795_251_600_123), upload_id };
        assert_eq!(name.to_string(), "1795251600123.067e6162-3b6f-4ae2-a171-2470b63dff00");
        assert_eq!(EntryName::parse(&name.to_string()), Some(name));
        for bad in ["", ".", "1", "1.", "-1.067e6162-3b6f-4ae2-a171-2470b63dff00", "99999999999999999.x", "1.x"] {
            assert_eq!(EntryName::parse(bad), None, "{bad}");
        }
    }
}
