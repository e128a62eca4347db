//! When a receiver that has not acknowledged is told again, and how often.

use serde::{Deserialize, Serialize};

/// The longest pause between two attempts: an hour.
const LONGEST_DELAY_SECONDS: u64 = 3_600;

/// How patient to be with a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The pause after the first attempt; each further one doubles it, up to an hour.
    pub first_delay_seconds: u32,
    /// After so many attempts the event counts as undeliverable.
    pub max_attempts: u32,
}

impl RetryPolicy {
    /// The pause after attempt number `attempt` (from 1), and no shorter than what the origin asked for.
    pub(crate) fn delay_seconds(self, attempt: u32, asked_seconds: Option<u32>) -> u32 {
        let doublings = attempt.saturating_sub(1).min(20);
        let delay = (u64::from(self.first_delay_seconds) << doublings).min(LONGEST_DELAY_SECONDS);
        let asked = u64::from(asked_seconds.unwrap_or(0)).min(LONGEST_DELAY_SECONDS);
        u32::try_from(delay.max(asked)).unwrap_or(u32::MAX)
    }
}
