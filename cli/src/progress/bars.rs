//! Bars on a terminal: one for each file that is on its way, and one for all where there are several.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use upload_types::units::UploadId;

use crate::failure::Failure;
use crate::progress::lines::told;
use crate::progress::report::{FileNumber, Report, Shown, Summary, result_of};
use crate::progress::words::plain;
use crate::results::print;
use crate::upload::sent::Sent;

const FILE: &str =
    "{prefix:30!} {bar:28} {binary_bytes:>11} of {binary_total_bytes:11} {binary_bytes_per_sec:>13} {eta:>4} {msg}";
const STREAM: &str = "{prefix:30!} {spinner} {binary_bytes:>11} {binary_bytes_per_sec:>13} {msg}";
const REDRAW: Duration = Duration::from_millis(250);

pub(super) struct Bars {
    area: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: HashMap<FileNumber, ProgressBar>,
    /// Of all bytes, where there are several files.
    all: Option<ProgressBar>,
    finished: usize,
    count: usize,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { area: MultiProgress::new(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, above: Option<&ProgressBar>, bytes: Option<u64>, name: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(if bytes.is_some() { FILE } else { STREAM });
        let bar = bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let bar = match above {
            Some(all) => self.area.insert_before(all, bar),
            None => self.area.add(bar),
        };
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.set_prefix(tail(name));
        bar.enable_steady_tick(REDRAW);
        bar
    }

    /// The file's bar goes; what it had is counted in that for all.
    fn close(&self, file: &Shown, bytes: u64) {
        let mut state = self.lock();
        let counted = match state.files.remove(&file.number) {
            Some(bar) => {
                bar.finish_and_clear();
                bar.position()
            }
            None => 0,
        };
        state.finished += 1;
        if let Some(all) = &state.all {
            all.inc(bytes.saturating_sub(counted));
            all.set_message(format!("{}/{} files", state.finished, state.count));
        }
    }
}

/// The end of a long name says more than its beginning.
fn tail(name: &str) -> String {
    const WIDTH: usize = 30;
    let length = name.chars().count();
    if length <= WIDTH {
        name.to_owned()
    } else {
        format!("…{}", name.chars().skip(length - WIDTH + 1).collect::<String>())
    }
}

impl Report for Bars {
    fn begin(&self, files: usize, bytes: u64) {
        let mut state = self.lock();
        state.count = files;
        if files > 1 {
            state.all = Some(self.make(None, Some(bytes), "all"));
        }
    }

    fn started(&self, file: &Shown, _: UploadId, resumed_from_bytes: u64) {
        let mut state = self.lock();
        let bar = self.make(state.all.as_ref(), file.bytes, &file.name);
        // What was there before is no speed.
        bar.set_position(resumed_from_bytes);
        bar.reset_eta();
        if let Some(all) = &state.all {
            all.inc(resumed_from_bytes);
            all.reset_eta();
        }
        state.files.insert(file.number, bar);
    }

    fn confirmed(&self, file: &Shown, bytes: u64) {
        let state = self.lock();
        if let Some(bar) = state.files.get(&file.number) {
            if let Some(all) = &state.all {
                all.inc(bytes.saturating_sub(bar.position()));
            }
            bar.set_position(bytes);
            bar.set_message("");
        }
    }

    fn note(&self, file: Option<&Shown>, text: &str) {
        let name = file.map(|file| format!("{}: ", file.name)).unwrap_or_default();
        // Where nothing can be drawn, nothing can be said either.
        let _ = self.area.println(plain(&format!("{name}{text}")));
    }

    fn finished(&self, file: &Shown, sent: &Sent) {
        self.close(file, sent.bytes);
        self.area.suspend(|| print(result_of(file, sent)));
    }

    fn failed(&self, file: &Shown, failure: &Failure) {
        self.close(file, 0);
        let _ = self.area.println(format!("{}: {failure}", file.name));
    }

    fn end(&self, summary: &Summary) {
        if let Some(all) = self.lock().all.take() {
            all.finish_and_clear();
        }
        self.area.suspend(|| crate::tell::tell(format_args!("{}", told(summary))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right_and_long_names_show_their_end() {
        assert!(ProgressStyle::with_template(FILE).is_ok() && ProgressStyle::with_template(STREAM).is_ok());
        assert_eq!(tail("short"), "short");
        assert_eq!(tail(&format!("{}/end.txt", "a".repeat(40))), format!("…{}/end.txt", "a".repeat(21)));
    }
}
