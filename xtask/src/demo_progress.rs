//! How far the demo's upload has come, in bytes that the server has confirmed: a bar on a terminal, lines elsewhere.

use std::cell::Cell;

use indicatif::{ProgressBar, ProgressStyle};

use crate::say;

/// Where there is no bar, a line is printed each time so much more has been confirmed.
const PERCENT_PER_LINE: u64 = 10;

/// The bar, or what was printed last.
pub(crate) struct Progress {
    size_bytes: u64,
    bar: Option<ProgressBar>,
    printed_percent: Cell<u64>,
}

impl Progress {
    /// At zero bytes.
    pub(crate) fn new(size_bytes: u64) -> Self {
        let bar = say::on_terminal().then(|| {
            let template =
                "{bar:40} {percent:>3} %  {binary_bytes} of {binary_total_bytes} confirmed  {binary_bytes_per_sec}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(size_bytes).with_style(style)
        });
        Self { size_bytes, bar, printed_percent: Cell::new(0) }
    }

    /// So many bytes are safe now.
    pub(crate) fn confirmed(&self, bytes: u64) {
        let percent = percent(bytes, self.size_bytes);
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        } else if percent >= self.printed_percent.get() + PERCENT_PER_LINE || percent == 100 {
            self.printed_percent.set(percent);
            self.print_line(bytes);
        }
    }

    /// Something worth a line of its own.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say::line(text)),
            None => say::line(text),
        }
    }

    /// Replaces the bar by a line that stays.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            self.print_line(bar.position());
        }
    }

    fn print_line(&self, bytes: u64) {
        let percent = percent(bytes, self.size_bytes);
        say::line(format_args!("{percent:>3} %  {} of {} confirmed", say::size(bytes), say::size(self.size_bytes)));
    }
}

/// Nothing is all of nothing.
pub(crate) fn percent(bytes: u64, of_bytes: u64) -> u64 {
    (bytes * 100).checked_div(of_bytes).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_nothing_is_all_of_it() {
        assert_eq!((percent(0, 0), percent(1, 3), percent(3, 3)), (100, 33, 100));
    }
}
