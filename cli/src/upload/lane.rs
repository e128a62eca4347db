//! How many requests at once, over all files, and whose turn it is. The limit climbs as long as that makes the whole faster, steps back when it does not, and is
//! halved when a request fails. It is judged once per round: as many chunks as were allowed at once.

use std::collections::VecDeque;
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
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    concurrency: Concurrency,
    /// Seats that want a turn, in the order in which they came.
    queue: VecDeque<Ticket>,
    seats: u64,
}

/// A seat's place in the queue. It is kept while the seat looks after something else, and holds nobody up then.
struct Ticket {
    seat: u64,
    is_waiting: bool,
}

/// What one file has of the lane: one turn after the other, each in its order, so that no file has more of them than another that wants
/// some, too.
pub(crate) struct Seat<'a> {
    lane: &'a Lane,
    number: u64,
}

/// The right to have a request under way. Dropped unused, it says nothing of the line.
pub(crate) struct Permit<'a>(&'a Lane);

impl Lane {
    /// `most` requests at once, at most.
    pub(crate) fn new(most: usize) -> Self {
        let concurrency = Concurrency::new(most, Instant::now());
        let state = State { concurrency, queue: VecDeque::new(), seats: 0 };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    /// For one file.
    pub(crate) fn seat(&self) -> Seat<'_> {
        let mut state = self.lock();
        state.seats += 1;
        Seat { lane: self, number: state.seats }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Seat<'a> {
    /// Waits until it is this file's turn, and another request may begin. Given up and asked for again, it is where it was in the queue.
    pub(crate) async fn enter(&self) -> Permit<'a> {
        let lane = self.lane;
        lane.lock().wait(self.number);
        let _waiting = Waiting(self);
        loop {
            let freed = lane.freed.notified();
            let is_admitted = lane.lock().admit(self.number);
            if is_admitted {
                // There may be room for the next one, too.
                lane.freed.notify_waiters();
                return Permit(lane);
            }
            freed.await;
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.lane.lock().queue.retain(|ticket| ticket.seat != self.number);
        self.lane.freed.notify_waiters();
    }
}

/// A seat that waits, for as long as it does.
struct Waiting<'a>(&'a Seat<'a>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Seat { lane, number } = self.0;
        let mut state = lane.lock();
        // There is none any more of whoever was admitted.
        if let Some(ticket) = state.queue.iter_mut().find(|ticket| ticket.seat == *number) {
            ticket.is_waiting = false;
            lane.freed.notify_waiters();
        }
    }
}

impl State {
    /// A seat has one place at most.
    fn wait(&mut self, seat: u64) {
        match self.queue.iter_mut().find(|ticket| ticket.seat == seat) {
            Some(ticket) => ticket.is_waiting = true,
            None => self.queue.push_back(Ticket { seat, is_waiting: true }),
        }
    }

    /// Whether it is this seat's turn, which is then had.
    fn admit(&mut self, seat: u64) -> bool {
        let first = self.queue.iter().position(|ticket| ticket.is_waiting);
        let is_first = first.is_some_and(|first| self.queue[first].seat == seat);
        let is_admitted = is_first && self.concurrency.running < self.concurrency.limit;
        if is_admitted {
            self.queue.retain(|ticket| ticket.seat != seat);
            self.concurrency.running += 1;
        }
        is_admitted
    }
}

impl Permit<'_> {
    /// So many bytes have arrived.
    pub(crate) fn confirmed(self, bytes: u64) {
        self.0.lock().concurrency.confirmed(Instant::now(), bytes);
    }

    /// The request has failed in a way that fewer of them may mend.
    ///
    /// Kept while it is waited for the next try, it lets nobody else try the same: a line that is down is not tried by all.
    pub(crate) fn failed(&self) {
        self.0.lock().concurrency.failed(Instant::now());
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().concurrency.running -= 1;
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

    use futures_util::FutureExt;

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
        let (one, other) = (lane.seat(), lane.seat());
        let first = one.enter().await;
        let second = tokio::time::timeout(Duration::from_millis(20), other.enter()).await;
        assert!(second.is_err(), "the second waits");
        drop(first);
        other.enter().await.confirmed(1);
    }

    #[test]
    fn a_large_file_has_no_more_turns_than_others_that_want_some() {
        let lane = Lane::new(1);
        let (large, small, newcomer) = (lane.seat(), lane.seat(), lane.seat());
        let first = large.enter().now_or_never().unwrap();
        // The large one asks first each time, and gives up in between, as it does when a chunk of it has arrived.
        let mut small_waits = Box::pin(small.enter());
        assert!(small_waits.as_mut().now_or_never().is_none());
        assert!(large.enter().now_or_never().is_none());
        let mut newcomer_waits = Box::pin(newcomer.enter());
        assert!(newcomer_waits.as_mut().now_or_never().is_none());
        drop(first);
        assert!(large.enter().now_or_never().is_none(), "the small one came before");
        let second = small_waits.as_mut().now_or_never().unwrap();
        drop(second);
        let mut large_waits = Box::pin(large.enter());
        let third = large_waits.as_mut().now_or_never().expect("its place was kept, before the one that came later");
        drop((third, large_waits));
        assert!(newcomer_waits.as_mut().now_or_never().is_some());
    }

    #[test]
    fn whoever_looks_after_something_else_holds_nobody_up() {
        let lane = Lane::new(1);
        let (busy, other) = (lane.seat(), lane.seat());
        let first = other.enter().now_or_never().unwrap();
        assert!(busy.enter().now_or_never().is_none());
        drop(first);
        assert!(other.enter().now_or_never().is_some());
        drop(busy);
        assert!(lane.lock().queue.is_empty(), "a seat that is given up leaves nothing");
    }

    #[tokio::test]
    async fn all_for_whom_there_is_room_get_in() {
        let lane = Lane::new(2);
        let seats = [lane.seat(), lane.seat(), lane.seat(), lane.seat()];
        let (one, two) = (seats[0].enter().await, seats[1].enter().await);
        let both = async { tokio::join!(seats[3].enter(), seats[2].enter()) };
        let freeing = async {
            tokio::task::yield_now().await;
            drop((one, two));
        };
        let all = async { tokio::join!(both, freeing) };
        assert!(tokio::time::timeout(Duration::from_secs(10), all).await.is_ok());
    }
}
