//! Where log lines go: one JSON object per line on the console, which `wrangler tail` and Workers Logs read.

use upload_core::log_line::LogLine;
use worker::{Date, console_error, console_log};

/// A step that went as it should, or was refused.
pub(crate) fn info(line: &LogLine<'_>) {
    console_log!("{}", line.json());
}

/// A fault: somebody should look.
pub(crate) fn error(line: &LogLine<'_>) {
    console_error!("{}", line.json());
}

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

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    Date::now().as_millis()
}
