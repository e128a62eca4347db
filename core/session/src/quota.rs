//! What one owner may use, and whether another upload fits into it.

use serde::{Deserialize, Serialize};

use upload_types::{
    api_error::ApiError,
    ledger::{EntryKind, OwnerUsage, Used},
    units::{ByteCount, UnixMs},
};

const MS_PER_DAY: u64 = 86_400_000;

/// How many entries a page of the list has: each costs a question to its upload's object.
pub const PAGE_ENTRIES: usize = 100;

/// So many partial uploads count as one upload, since so many may be put together into one.
const PARTIALS_PER_UPLOAD: u64 = 100;

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
    /// Partial uploads of uploads that are put together: until they are gone, and named by no upload yet.
    pub open_partials: u64,
    /// The bytes of both.
    pub open_bytes: u64,
    /// Bytes counted today.
    pub bytes_today: u64,
}

impl Usage {
    /// The same with one more.
    #[must_use]
    pub fn with(self, kind: EntryKind) -> Self {
        match kind {
            EntryKind::File => Self { open_uploads: self.open_uploads.saturating_add(1), ..self },
            EntryKind::Partial => Self { open_partials: self.open_partials.saturating_add(1), ..self },
        }
    }

    /// The same beside what may be used.
    pub fn beside(self, quota: Quota) -> OwnerUsage {
        let bytes_today = |limit| Used { used: self.bytes_today, limit: Some(limit) };
        OwnerUsage {
            open_uploads: Used { used: self.uploads(), limit: quota.open_uploads },
            open_bytes: Used { used: self.open_bytes, limit: quota.open_bytes },
            bytes_today: quota.bytes_per_day.map(bytes_today),
        }
    }

    /// How many uploads these count as.
    fn uploads(self) -> u64 {
        self.open_uploads.saturating_add(self.open_partials.div_ceil(PARTIALS_PER_UPLOAD))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_what_would_be() {
        let quota = Quota { open_uploads: Some(2), open_bytes: Some(100), bytes_per_day: Some(150) };
        let usage =
            |open_uploads, open_bytes, bytes_today| Usage { open_uploads, open_partials: 0, open_bytes, bytes_today };
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
    fn a_hundred_partials_count_as_one_upload() {
        let quota = Quota { open_uploads: Some(3), ..Quota::default() };
        let usage = |open_uploads, open_partials| Usage { open_uploads, open_partials, ..Usage::default() };
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
}
