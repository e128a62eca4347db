//! The Worker's clock, and log lines, which go where those of the objects go.

pub(crate) use durable_objects::platform::logging::{bind, chunk, error, info};
use worker::Date;

/// Measures how long something takes, in milliseconds of the platform's clock, which stands still between I/O.
pub(crate) struct Stopwatch(u64);

impl Stopwatch {
    /// Starts it.
    pub(crate) fn start() -> Self {
        Self(now_ms())
    }

    /// How long it has run.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        now_ms().saturating_sub(self.0)
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::start()
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    Date::now().as_millis()
}
