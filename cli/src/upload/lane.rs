//! How many requests at once, over all files. The limit climbs as long as that makes the whole faster, steps back when it does not, and is
//! halved when a request fails. It is judged once per round: as many chunks as were allowed at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// It begins with so many, and steps back to no fewer.
const FEWEST: usize = 2;
/// After failures, until one round has gone well. One has the whole line for itself: where a proxy cuts every minute, a chunk of a slow line gets
/// through only so.
const ALONE: usize = 1;
/// A change smaller than this is noise: so many per cent.
const NOTABLE_PERCENT: u128 = 10;

/// What all requests share that bring bytes.
pub(crate) struct Lane {
    state: Mutex<Concurrency>,
    freed: Notify,
}

/// The right to have a request under way. Dropped unused, it says nothing of the line.
pub(crate) struct Permit<'a>(&'a Lane);

impl Lane {
    /// `most` requests at once, at most.
    pub(crate) fn new(most: usize) -> Self {
        Self { state: Mutex::new(Concurrency::new(most, Instant::now())), freed: Notify::new() }
    }

    /// Waits until another request may begin.
    pub(crate) async fn enter(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.lock();
                if state.running < state.limit {
                    state.running += 1;
                    return Permit(self);
                }
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Concurrency> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// So many bytes have arrived.
    pub(crate) fn confirmed(self, bytes: u64) {
        self.0.lock().confirmed(Instant::now(), bytes);
    }

    /// The request has failed in a way that fewer of them may mend.
    ///
    /// Kept while it is waited for the next try, it lets nobody else try the same: a line that is down is not tried by all.
    pub(crate) fn failed(&self) {
        self.0.lock().failed(Instant::now());
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.freed.notify_waiters();
    }
}

struct Concurrency {
    running: usize,
    limit: usize,
    most: usize,
    is_climbing: bool,
    /// Bytes in a second, of the round before.
    last_rate: u128,
    round_since: Instant,
    round_bytes: u64,
    round_chunks: usize,
}

impl Concurrency {
    fn new(most: usize, now: Instant) -> Self {
        let most = most.max(1);
        let limit = FEWEST.min(most);
        let (is_climbing, last_rate) = (true, 0);
        Self { running: 0, limit, most, is_climbing, last_rate, round_since: now, round_bytes: 0, round_chunks: 0 }
    }

    fn confirmed(&mut self, now: Instant, bytes: u64) {
        self.round_bytes += bytes;
        self.round_chunks += 1;
        if self.round_chunks < self.limit {
            return;
        }
        let took_us = now.duration_since(self.round_since).as_micros().max(1);
        let rate = u128::from(self.round_bytes) * 1_000_000 / took_us;
        if rate * 100 < self.last_rate * (100 - NOTABLE_PERCENT) {
            // The last step was a mistake: go back, and try again from there later.
            self.is_climbing = !self.is_climbing;
            self.step();
        } else if rate * 100 > self.last_rate * (100 + NOTABLE_PERCENT) {
            self.step();
        }
        self.last_rate = rate;
        self.begin_round(now);
    }

    fn failed(&mut self, now: Instant) {
        self.limit = (self.limit / 2).max(ALONE);
        self.is_climbing = true;
        self.last_rate = 0;
        self.begin_round(now);
    }

    fn step(&mut self) {
        let wanted = if self.is_climbing { self.limit + 1 } else { self.limit.saturating_sub(1) };
        let fewest = FEWEST.min(self.most);
        self.limit = wanted.clamp(fewest, self.most);
        if self.limit == fewest {
            self.is_climbing = true;
        }
    }

    fn begin_round(&mut self, now: Instant) {
        self.round_since = now;
        self.round_bytes = 0;
        self.round_chunks = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_climbs_while_more_at_once_is_faster_and_is_halved_by_a_failure() {
        let mut now = Instant::now();
        let mut line = Concurrency::new(8, now);
        for _ in 0..20 {
            // A line on which every request has the same speed, however many there are.
            now += Duration::from_secs(1);
            for _ in 0..line.limit {
                line.confirmed(now, 1_000);
            }
        }
        assert_eq!(line.limit, 8);
        line.failed(now);
        assert_eq!(line.limit, 4);
        for _ in 0..5 {
            line.failed(now);
        }
        assert_eq!(line.limit, 1);
        now += Duration::from_secs(1);
        line.confirmed(now, 1_000);
        assert_eq!(line.limit, 2, "one that went well is enough");
    }

    #[test]
    fn it_goes_back_where_more_at_once_is_slower() {
        let mut now = Instant::now();
        let mut line = Concurrency::new(8, now);
        for _ in 0..30 {
            now += Duration::from_millis(if line.limit > 3 { 10_000 } else { 1_000 });
            for _ in 0..line.limit {
                line.confirmed(now, 1_000);
            }
            assert!(line.limit <= 5, "{}", line.limit);
        }
    }

    #[tokio::test]
    async fn no_more_are_let_in_than_the_limit_allows() {
        let lane = Lane::new(1);
        let first = lane.enter().await;
        let second = tokio::time::timeout(Duration::from_millis(20), lane.enter()).await;
        assert!(second.is_err(), "the second waits");
        drop(first);
        lane.enter().await.confirmed(1);
    }
}
