//! Everything that is printed: lines, and steps with their duration.
//!
//! On a terminal a running step shows a spinner with its newest detail; elsewhere it prints plain lines. Several may run at the same
//! time. Printing never fails the work: whoever closes our standard output early (`… | head -1`) only stops seeing lines.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, MultiProgress, ProgressBar, ProgressStyle};

/// The steps that run. Not drawn where standard error is no terminal.
static STEPS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// One line on standard output.
pub(crate) fn line(text: impl Display) {
    STEPS.suspend(|| {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    });
}

/// The error that ends the command, with its causes, on standard error.
pub(crate) fn failure(error: &anyhow::Error) {
    STEPS.suspend(|| drop(writeln!(std::io::stderr(), "error: {error:#}")));
}

/// `812.30 KiB`.
pub(crate) fn size(bytes: usize) -> String {
    BinaryBytes(bytes as u64).to_string()
}

/// `0.4 s`, `185.2 s`.
pub(crate) fn duration(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// A piece of work that takes long enough to be named.
pub(crate) struct Step {
    title: String,
    started: Instant,
    spinner: ProgressBar,
}

impl Step {
    /// Says that it starts.
    pub(crate) fn begin(title: impl Into<String>) -> Self {
        let title = title.into();
        if !std::io::stderr().is_terminal() {
            line(format_args!("- {title} …"));
        }
        let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg:.dim}");
        let spinner = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
            .with_prefix(title.clone());
        let spinner = STEPS.add(spinner);
        spinner.enable_steady_tick(Duration::from_millis(120));
        Self { title, started: Instant::now(), spinner }
    }

    /// What it is doing now. Seen on a terminal only.
    pub(crate) fn detail(&self, text: &str) {
        self.spinner.set_message(text.trim().to_owned());
    }

    /// Says how it ended, and how long it took.
    pub(crate) fn end(self, succeeded: bool) {
        self.spinner.finish_and_clear();
        STEPS.remove(&self.spinner);
        let verdict = if succeeded { "ok" } else { "FAILED" };
        line(format_args!("{verdict} {} ({})", self.title, duration(self.started.elapsed())));
    }
}
