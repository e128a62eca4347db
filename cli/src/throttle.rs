//! `--limit-rate`: bytes leave no faster than that, whoever sends them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How much may be made up for after a pause.
const BURST: Duration = Duration::from_millis(250);

/// What is sent by all requests together.
pub(crate) struct Throttle {
    bytes_per_second: Option<u64>,
    /// When all that was let through until now has left, at that rate.
    free_at: Mutex<Instant>,
}

impl Throttle {
    /// No limit where there is no rate.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// How many bytes to send at a time, of so many: what leaves within a second, so that a slow rate is no standstill.
    pub(crate) fn block_bytes(&self, most: u64) -> u64 {
        self.bytes_per_second.map_or(most, |rate| most.min(rate.max(1)))
    }

    /// Returns when so many bytes may leave.
    pub(crate) async fn wait_for(&self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else { return };
        let from = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let from = (*free_at).max(now.checked_sub(BURST).unwrap_or(now));
            *free_at = from + Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1));
            from
        };
        sleep_until(from).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_leave_at_the_rate_whoever_sends_them() {
        let throttle = Throttle::new(Some(1_000));
        let began = Instant::now();
        for _ in 0..10 {
            throttle.wait_for(500).await;
        }
        let took = began.elapsed();
        assert!((4_000..=4_600).contains(&took.as_millis()), "{took:?}");
    }

    #[test]
    fn a_block_leaves_within_a_second() {
        assert_eq!(Throttle::new(Some(1_000)).block_bytes(5_000), 1_000);
        assert_eq!(Throttle::new(Some(1_000)).block_bytes(500), 500);
        assert_eq!(Throttle::new(None).block_bytes(5_000), 5_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let throttle = Throttle::new(Some(1_000));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let began = Instant::now();
        for _ in 0..5 {
            throttle.wait_for(1_000).await;
        }
        assert!(began.elapsed() >= Duration::from_millis(3_700), "{:?}", began.elapsed());
    }
}
