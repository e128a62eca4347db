//! Everything that is printed: lines, and steps with their duration.
//!
//! On a terminal a running step shows a spinner with its newest detail; elsewhere it prints plain lines. Printing never
//! fails the work: whoever closes our standard output early (`… | head -1`) only stops seeing lines.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One line on standard output.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// The error that ends the command, with its causes, on standard error.
pub(crate) fn failure(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
}

/// Whether a spinner or a bar can be drawn.
pub(crate) fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// `0.4 s`, `12 s`, `3 min 05 s`.
pub(crate) fn duration(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// `512 bytes`, `812.3 KiB`, `100 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let in_units = |unit_bytes: u64, name: &str| {
        let tenths = bytes * 10 / unit_bytes;
        if tenths.is_multiple_of(10) {
            format!("{} {name}", tenths / 10)
        } else {
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    };
    match bytes {
        1 => "1 byte".to_owned(),
        0 | 2..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => in_units(1024, "KiB"),
        _ => in_units(1_048_576, "MiB"),
    }
}

/// A piece of work that takes long enough to be named.
pub(crate) struct Step {
    title: String,
    started: Instant,
    spinner: Option<ProgressBar>,
}

impl Step {
    /// Says that it starts.
    pub(crate) fn begin(title: impl Into<String>) -> Self {
        let title = title.into();
        let spinner = on_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg:.dim}");
            let spinner = ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
                .with_prefix(title.clone());
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        if spinner.is_none() {
            line(format_args!("- {title} …"));
        }
        Self { title, started: Instant::now(), spinner }
    }

    /// What it is doing now. Seen on a terminal only.
    pub(crate) fn detail(&self, text: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(text.trim().to_owned());
        }
    }

    /// A line to keep, while the step goes on.
    pub(crate) fn print(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| line(text)),
            None => line(text),
        }
    }

    /// A sign of life where there is no spinner.
    pub(crate) fn milestone(&self, text: impl Display) {
        if self.spinner.is_none() {
            line(format_args!("  {text}"));
        }
    }

    /// Says that it succeeded, how long it took, and `result` when there is something to add.
    pub(crate) fn done(self, result: impl Display) {
        self.end("ok", result);
    }

    /// Says that it failed.
    pub(crate) fn failed(self, result: impl Display) {
        self.end("FAILED", result);
    }

    fn end(self, verdict: &str, result: impl Display) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        let result = result.to_string();
        let separator = if result.is_empty() { "" } else { ": " };
        line(format_args!("{verdict} {} ({}){separator}{result}", self.title, duration(self.started.elapsed())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(420)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(59)), "59 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn sizes_read_well() {
        let cases =
            [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"), (104_857_600, "100 MiB")];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
        }
    }
}
