//! What is to be written to somebody who may read slowly, or not at all. It waits here, and a thread of its own writes it, so that no upload
//! waits for a pipe. How much may wait is bounded: then files wait, for as long as something is taken now and then.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// So much is written at a time. Less than any pipe holds, so that it is seen when something is taken.
const BLOCK_BYTES: usize = 4 * 1024;
/// From here on whoever reads is behind.
const BEHIND_BYTES: usize = 64 * 1024;
/// From here on nothing more is begun: the results of some 20,000 files.
const FULL_BYTES: usize = 8 * 1024 * 1024;
/// Who takes nothing for so long, while it is full, never will.
const STUCK: Duration = Duration::from_mins(10);

pub(crate) struct Outlet {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    has_bytes: Condvar,
    has_moved: Notify,
}

#[derive(Default)]
struct Waiting {
    bytes: VecDeque<u8>,
    is_begun: bool,
    is_writing: bool,
    is_given_up: bool,
}

impl Outlet {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// Has it written. `false` once it was given up.
    pub(crate) fn take(&self, bytes: &[u8], write: impl Fn(&[u8]) + Send + 'static) -> bool {
        let mut waiting = self.shared.lock();
        if waiting.is_given_up {
            return false;
        }
        waiting.bytes.extend(bytes);
        if !waiting.is_begun {
            waiting.is_begun = true;
            let shared = Arc::clone(&self.shared);
            std::thread::spawn(move || shared.write_all(write));
        }
        self.shared.has_bytes.notify_one();
        true
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.shared.lock().bytes.len() > BEHIND_BYTES
    }

    /// Returns once there is room, or it is given up.
    pub(crate) async fn has_room(&self) {
        let mut left = usize::MAX;
        let mut until = Instant::now() + STUCK;
        loop {
            let moved = self.shared.has_moved.notified();
            let mut moved = std::pin::pin!(moved);
            moved.as_mut().enable();
            {
                let mut waiting = self.shared.lock();
                if waiting.bytes.len() <= FULL_BYTES {
                    return;
                }
                if waiting.bytes.len() < left {
                    left = waiting.bytes.len();
                    until = Instant::now() + STUCK;
                }
                if Instant::now() >= until {
                    waiting.is_given_up = true;
                    waiting.bytes.clear();
                    return;
                }
            }
            // Whether it moved or not is seen above.
            let _ = timeout_at(until, moved).await;
        }
    }

    /// Returns once all is written, or it was given up.
    pub(crate) async fn is_empty(&self) {
        loop {
            let moved = self.shared.has_moved.notified();
            let mut moved = std::pin::pin!(moved);
            moved.as_mut().enable();
            {
                let waiting = self.shared.lock();
                if waiting.is_given_up || (waiting.bytes.is_empty() && !waiting.is_writing) {
                    return;
                }
            }
            moved.await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn write_all(&self, write: impl Fn(&[u8])) {
        loop {
            let block: Vec<u8> = {
                let waiting = self.lock();
                let has_none = |waiting: &mut Waiting| waiting.bytes.is_empty();
                let waited = self.has_bytes.wait_while(waiting, has_none);
                let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
                waiting.is_writing = true;
                let length = waiting.bytes.len().min(BLOCK_BYTES);
                waiting.bytes.drain(..length).collect()
            };
            write(&block);
            self.lock().is_writing = false;
            self.has_moved.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, SyncSender};

    use super::*;

    /// Whoever reads takes a block when the test does.
    fn reader() -> (impl Fn(&[u8]) + Send + Clone + 'static, Receiver<Vec<u8>>) {
        let (sender, receiver): (SyncSender<Vec<u8>>, _) = mpsc::sync_channel(0);
        (move |block: &[u8]| drop(sender.send(block.to_vec())), receiver)
    }

    #[tokio::test]
    async fn all_of_it_comes_in_its_order_however_late_it_is_read() {
        let (outlet, (write, blocks)) = (Outlet::new(), reader());
        let lines: Vec<String> = (0..20_000).map(|line| format!("line {line}\n")).collect();
        for line in &lines {
            assert!(outlet.take(line.as_bytes(), write.clone()));
        }
        assert!(outlet.is_behind());
        let all = lines.concat();
        let reading = std::thread::spawn(move || {
            let mut read = Vec::new();
            while read.len() < all.len() {
                read.extend(blocks.recv().unwrap());
            }
            (read == all.as_bytes(), blocks)
        });
        outlet.is_empty().await;
        assert!(reading.join().unwrap().0);
        assert!(!outlet.is_behind());
    }

    #[tokio::test]
    async fn whoever_is_slow_is_waited_for() {
        let (outlet, (write, blocks)) = (Outlet::new(), reader());
        assert!(outlet.take(&vec![b'x'; FULL_BYTES + 3 * BLOCK_BYTES], write.clone()));
        let reading = std::thread::spawn(move || (0..3).map(|_| blocks.recv().unwrap().len()).sum::<usize>());
        outlet.has_room().await;
        assert_eq!(reading.join().unwrap(), 3 * BLOCK_BYTES);
        assert!(outlet.take(b"more", write), "it is not given up");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_given_up_once_nothing_fits_any_more() {
        let (outlet, (write, blocks)) = (Outlet::new(), reader());
        assert!(outlet.take(&vec![b'x'; FULL_BYTES], write.clone()));
        outlet.has_room().await;
        assert!(outlet.take(&vec![b'x'; 2 * BLOCK_BYTES], write.clone()), "there was room");
        let began = Instant::now();
        outlet.has_room().await;
        assert!(began.elapsed() >= STUCK);
        assert!(!outlet.take(b"more", write), "it is given up");
        outlet.is_empty().await;
        drop(blocks);
    }
}
