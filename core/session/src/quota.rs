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
    /// Bytes of all files that are stored, together with those of all open uploads, which are to be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// From so many of these on an upload is created with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes_soft: Option<u64>,
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
    /// Bytes of the files that are stored.
    pub stored_bytes: u64,
    /// How many these are.
    pub stored_objects: u64,
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
        let of = |used, limit| Used { used, limit, soft_limit: None };
        OwnerUsage {
            open_uploads: of(self.uploads(), quota.open_uploads),
            open_bytes: of(self.open_bytes, quota.open_bytes),
            bytes_today: quota.bytes_per_day.map(|limit| of(self.bytes_today, Some(limit))),
            stored_bytes: quota.of_stored(self.stored_bytes),
            stored_objects: self.stored_objects,
        }
    }

    /// What is stored, and what is to be.
    fn to_be_stored(self) -> u64 {
        self.stored_bytes.saturating_add(self.open_bytes)
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
        if exceeds(self.stored_bytes, usage.to_be_stored()) {
            return Err(ApiError::QuotaExceeded { quota: "bytes stored".to_owned(), retry_after_seconds: None });
        }
        if exceeds(self.bytes_per_day, usage.bytes_today) {
            let until_tomorrow_ms = MS_PER_DAY - now.0 % MS_PER_DAY;
            let retry_after_seconds = u32::try_from(until_tomorrow_ms.div_ceil(1000)).ok();
            return Err(ApiError::QuotaExceeded { quota: "bytes per day".to_owned(), retry_after_seconds });
        }
        Ok(())
    }

    /// So much is stored.
    fn of_stored(self, used: u64) -> Used {
        Used { used, limit: self.stored_bytes, soft_limit: self.stored_bytes_soft }
    }

    /// What the owner stores with an upload of so many bytes that is admitted, where that is more than is stored without a warning.
    pub fn warning(self, usage: Usage, bytes: ByteCount) -> Option<Used> {
        let used = usage.to_be_stored().saturating_add(bytes.get());
        Some(self.of_stored(used)).filter(|stored| stored.soft_limit.is_some_and(|most| used > most))
    }

    /// Whether what is open is bounded at all.
    pub fn bounds_what_is_open(self) -> bool {
        self.open_uploads.is_some() || self.open_bytes.is_some() || self.bounds_what_is_stored()
    }

    /// Whether what is stored is bounded, or warned of.
    pub fn bounds_what_is_stored(self) -> bool {
        self.stored_bytes.is_some() || self.stored_bytes_soft.is_some()
    }

    /// Whether bytes are bounded at all.
    pub fn bounds_bytes(self) -> bool {
        self.open_bytes.is_some() || self.bytes_per_day.is_some() || self.stored_bytes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_what_would_be() {
        let quota =
            Quota { open_uploads: Some(2), open_bytes: Some(100), bytes_per_day: Some(150), ..Quota::default() };
        let usage =
            |open_uploads, open_bytes, bytes_today| Usage { open_uploads, open_bytes, bytes_today, ..Usage::default() };
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
    fn what_is_open_is_to_be_stored_and_a_soft_limit_refuses_nobody() {
        let quota = Quota { stored_bytes: Some(100), stored_bytes_soft: Some(80), ..Quota::default() };
        let usage = |stored_bytes, open_bytes| Usage { open_bytes, stored_bytes, ..Usage::default() };
        for (usage, bytes, used_bytes, fits) in [
            (usage(0, 0), 80, None, true),
            (usage(50, 20), 11, Some(81), true),
            (usage(50, 20), 30, Some(100), true),
            (usage(50, 20), 31, Some(101), false),
            (usage(u64::MAX, 1), 1, Some(u64::MAX), false),
            // Less may have been allowed than there is.
            (usage(200, 0), 0, Some(200), false),
        ] {
            assert_eq!(quota.take(usage, bytes.into(), UnixMs(0)).is_ok(), fits, "{usage:?} + {bytes}");
            let warning = quota.warning(usage, bytes.into());
            assert_eq!(warning.map(|warning| warning.used), used_bytes, "{usage:?} + {bytes}");
        }
        assert_eq!(Quota::default().warning(usage(u64::MAX, 0), 1.into()), None);
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
