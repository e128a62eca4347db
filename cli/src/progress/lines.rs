//! Plain lines, for logs: a file begins, goes on, ends. Of many files, only what is notable and how far all of them are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use upload_types::units::UploadId;

use crate::failure::Failure;
use crate::progress::report::{Report, Shown, Summary, result_of};
use crate::progress::words::{duration, files, plain, rate, size};
use crate::results::print;
use crate::upload::sent::Sent;

/// So often it is said how far a file is.
const PAUSE: Duration = Duration::from_secs(10);
/// Of more files, none is told of by itself.
const FEW: usize = 20;

pub(super) struct Lines {
    /// Whether more is said than what has failed.
    is_talkative: bool,
    state: Mutex<State>,
}

struct State {
    files: usize,
    finished: usize,
    told: Instant,
}

impl Lines {
    pub(super) fn new(is_talkative: bool) -> Self {
        Self { is_talkative, state: Mutex::new(State { files: 0, finished: 0, told: Instant::now() }) }
    }

    fn say(&self, text: &str) {
        if self.is_talkative {
            crate::tell::tell(format_args!("{text}"));
        }
    }

    /// Whether it is time to say something again.
    fn is_due(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = state.told.elapsed() >= PAUSE;
        if is_due {
            state.told = Instant::now();
        }
        is_due
    }

    fn is_few(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).files <= FEW
    }
}

impl Report for Lines {
    fn begin(&self, files: usize, bytes: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).files = files;
        if files > 1 {
            self.say(&format!("{files} files, {}", size(bytes)));
        }
    }

    fn started(&self, file: &Shown, upload: UploadId, resumed_from_bytes: u64) {
        if self.is_few() {
            let whole = file.bytes.map_or_else(|| "of unknown length".to_owned(), size);
            let from =
                if resumed_from_bytes > 0 { format!(", going on at {resumed_from_bytes}") } else { String::new() };
            self.say(&format!("{}: {whole}, upload {upload}{from}", file.name));
        }
    }

    fn confirmed(&self, file: &Shown, bytes: u64) {
        if self.is_few() && self.is_due() {
            let of = file.bytes.map(|whole| format!(" of {}", size(whole))).unwrap_or_default();
            self.say(&format!("{}: {}{of}", file.name, size(bytes)));
        }
    }

    fn note(&self, file: Option<&Shown>, text: &str) {
        let name = file.map(|file| format!("{}: ", file.name)).unwrap_or_default();
        self.say(&plain(&format!("{name}{text}")));
    }

    fn finished(&self, file: &Shown, sent: &Sent) {
        print(result_of(file, sent));
        let (finished, files) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.finished += 1;
            (state.finished, state.files)
        };
        if files > FEW && self.is_due() {
            self.say(&format!("{finished} of {files} files"));
        }
    }

    fn failed(&self, file: &Shown, failure: &Failure) {
        crate::tell::tell(format_args!("{}: {failure}", file.name));
    }

    fn end(&self, summary: &Summary) {
        self.say(&told(summary));
    }
}

/// The last line.
pub(super) fn told(summary: &Summary) -> String {
    let Summary { sent_files, earlier_files, failed_files, resumable_files, bytes, sent_bytes, took_ms } = *summary;
    let mut told = vec![format!(
        "{} sent, {} in {} ({})",
        files(sent_files),
        size(bytes),
        duration(Duration::from_millis(took_ms)),
        rate(sent_bytes, took_ms)
    )];
    if earlier_files > 0 {
        told.push(format!("{} sent before", files(earlier_files)));
    }
    if failed_files > 0 {
        let next = if resumable_files > 0 { ": the same command goes on" } else { "" };
        told.push(format!("{} not sent{next}", files(failed_files)));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_all_came_to() {
        let all = Summary { sent_files: 1, bytes: 2048, sent_bytes: 2048, took_ms: 1_000, ..Summary::default() };
        assert_eq!(told(&all), "1 file sent, 2.0 KiB in 1.0 s (2.0 KiB/s)");
        let some = Summary { earlier_files: 2, failed_files: 3, resumable_files: 1, ..all };
        assert!(told(&some).ends_with("; 2 files sent before; 3 files not sent: the same command goes on"));
        let none = Summary { sent_files: 0, failed_files: 1, ..all };
        assert!(told(&none).ends_with("; 1 file not sent"), "it would be refused again");
    }
}
