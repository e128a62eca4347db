//! Results, on standard output. Whoever reads them may have had enough and close it: nothing ends for that. That they cannot be written for
//! another reason, such as a full disk, is told once, and the command has not done all that it was asked to.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Kind;
use crate::tell::tell;

static IS_LOST: AtomicBool = AtomicBool::new(false);

/// A line.
pub(crate) fn print(text: impl Display) {
    write(format!("{text}\n").as_bytes());
}

/// More than a line, as it is.
pub(crate) fn write(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    if is_lost_by(&written) && !IS_LOST.swap(true, Ordering::Relaxed) {
        let error = written.err().map(|error| error.to_string()).unwrap_or_default();
        tell(format_args!("quay: standard output cannot be written: {error}. What it would say is lost."));
    }
}

fn is_lost_by(written: &io::Result<()>) -> bool {
    written.as_ref().is_err_and(|error| error.kind() != ErrorKind::BrokenPipe)
}

/// The exit code, where it is known what was lost.
pub(crate) fn exit_code(otherwise: u8) -> u8 {
    let is_lost = IS_LOST.load(Ordering::Relaxed);
    if otherwise == 0 && is_lost { Kind::Resumable.exit_code() } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_had_enough_loses_nothing() {
        assert!(!is_lost_by(&Ok(())));
        assert!(!is_lost_by(&Err(ErrorKind::BrokenPipe.into())));
        assert!(is_lost_by(&Err(ErrorKind::StorageFull.into())));
    }
}
