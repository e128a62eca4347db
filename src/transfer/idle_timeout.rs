//! How long a body may bring too little: [`Pace`] says how long, and here it is waited. One timer serves all reads of a chunk: setting
//! one for each would cost more than the read, of which there are thousands in a gigabyte.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::future::{Either, select};
use upload_session::read_size::Pace;
use worker::Delay;

use crate::log::Stopwatch;

/// How waiting for bytes came out.
pub(crate) enum Waited<T> {
    /// Something came.
    Came(T),
    /// Nothing did, for as long as a pause may be. It may still come.
    Paused,
    /// Too little has come for too long.
    Stalled,
}

/// Waits for what may never come.
pub(crate) struct IdleTimeout {
    pace: Pace,
    /// After so long without anything, whoever waits wants to know; never, where none.
    pause: Option<Duration>,
    /// Rings when the time is over, or earlier: it may have been set before the last bytes came.
    timer: Pin<Box<Delay>>,
}

impl IdleTimeout {
    /// So long for what a body must bring.
    pub(crate) fn new(allowed: Duration) -> Self {
        let pace = Pace::new(u64::try_from(allowed.as_millis()).unwrap_or(u64::MAX));
        Self { pace, pause: None, timer: Box::pin(Delay::from(allowed)) }
    }

    /// The same, and a pause of this length is told.
    pub(crate) fn telling_pauses(allowed: Duration, pause: Duration) -> Self {
        Self { pause: Some(pause), timer: Box::pin(Delay::from(pause.min(allowed))), ..Self::new(allowed) }
    }

    /// What comes in time. Where it does not, it is dropped: it must be something that can be waited for again.
    pub(crate) async fn wait_for<T>(&mut self, coming: impl Future<Output = T>) -> Waited<T> {
        let watch = Stopwatch::start();
        let mut coming = pin!(coming);
        let waited = loop {
            if let Either::Left((came, _)) = select(coming.as_mut(), self.timer.as_mut()).await {
                break Waited::Came(came);
            }
            let spent = Duration::from_millis(watch.elapsed_ms());
            let left = Duration::from_millis(self.pace.left_ms()).saturating_sub(spent);
            if left.is_zero() {
                break Waited::Stalled;
            }
            let until_pause = self.pause.map(|pause| pause.saturating_sub(spent));
            let is_pause = until_pause.is_some_and(|until| until.is_zero());
            // The next pause begins with the next wait.
            let next = if is_pause { self.pause } else { until_pause };
            self.timer = Box::pin(Delay::from(next.map_or(left, |next| next.min(left))));
            if is_pause {
                break Waited::Paused;
            }
        };
        self.pace.waited(watch.elapsed_ms());
        waited
    }

    /// So many bytes came.
    pub(crate) fn brought(&mut self, bytes: u32) {
        self.pace.brought(bytes);
    }
}
