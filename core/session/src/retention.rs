//! How long the owner's ledger remembers something, and when it sweeps out what is over.

use upload_types::units::UnixMs;

const MS_PER_DAY: u64 = 86_400_000;

/// How long a creation is remembered under its `Idempotency-Key`: a day. No ended upload may be forgotten sooner, or the same
/// creation would store the same file again.
pub const IDEMPOTENCY_MS: u64 = 86_400_000;

/// How long after its upload's latest end an entry is taken out of the ledger by the ledger itself: an hour, in which the upload's own
/// ending has had every chance to do it.
pub const ENTRY_GRACE_MS: u64 = 3_600_000;

/// So old an entry is whose upload was never created, where there is none: five minutes. What is younger may be on its way.
pub const CREATION_MS: u64 = 300_000;

/// How long the ledger waits between two sweeps, at least: an hour. What is over counts for nothing before it is swept.
const SWEEP_PAUSE_MS: u64 = 3_600_000;

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
}
