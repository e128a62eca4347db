//! How long a body may bring nothing. One timer serves all reads of a chunk: setting one for each would cost more than the
//! read, of which there are thousands in a gigabyte.

use std::{pin::Pin, time::Duration};

use futures_util::future::{Either, select};
use worker::Delay;

use crate::log::Stopwatch;

/// Waits for what may never come.
pub(crate) struct Patience {
    allowed: Duration,
    /// Rings after `allowed`, or earlier than that after the last wait began.
    timer: Pin<Box<Delay>>,
}

impl Patience {
    /// So long for each wait.
    pub(crate) fn new(allowed: Duration) -> Self {
        Self { allowed, timer: Box::pin(Delay::from(allowed)) }
    }

    /// What comes in time; none where nothing does.
    pub(crate) async fn wait_for<T>(&mut self, coming: impl Future<Output = T>) -> Option<T> {
        let watch = Stopwatch::start();
        let mut coming = Box::pin(coming);
        loop {
            match select(coming, self.timer.as_mut()).await {
                Either::Left((came, _)) => return Some(came),
                Either::Right(((), still_coming)) => coming = still_coming,
            }
            // It was set for an earlier wait.
            let left = self.allowed.saturating_sub(Duration::from_millis(watch.elapsed_ms()));
            self.timer = Box::pin(Delay::from(if left.is_zero() { self.allowed } else { left }));
            if left.is_zero() {
                return None;
            }
        }
    }
}
