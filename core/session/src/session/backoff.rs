//! How long a duty that has failed is put off: the pause doubles with every failure in a row, from one second up to an hour.

use serde::{Deserialize, Serialize};

use upload_types::units::UnixMs;

/// The longest pause: an hour.
const LONGEST_PAUSE_SECONDS: u64 = 3_600;

/// When a duty that has failed is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Backoff {
    /// How often in a row it has failed.
    failures: u32,
    /// Not before this is it tried again.
    pub not_before: UnixMs,
}

impl Backoff {
    /// Whether it has not failed since it was done last.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// It has failed once more.
    #[must_use]
    pub(super) fn after_failure(self, now: UnixMs) -> Self {
        Self { failures: self.failures.saturating_add(1), not_before: now.plus_ms(pause_ms(self.failures)) }
    }
}

/// The pause after a failure that so many in a row came before.
pub(super) fn pause_ms(failures_before: u32) -> u64 {
    (1_u64 << failures_before.min(12)).min(LONGEST_PAUSE_SECONDS) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_a_second_up_to_an_hour() {
        let mut backoff = Backoff::default();
        assert!(backoff.is_none());
        let mut pauses = Vec::new();
        for _ in 0..14 {
            backoff = backoff.after_failure(UnixMs(0));
            pauses.push(backoff.not_before.0 / 1000);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
        assert_eq!(pause_ms(u32::MAX), 3_600_000);
    }
}
