//! Results, on standard output. Whoever reads them may have had enough and close it: nothing ends for that. That they cannot be written for
//! another reason, such as a full disk, is told once, and the command has not done all that it was asked to.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use crate::failure::Kind;
use crate::outlet::Outlet;
use crate::tell::tell;

/// From here on it is told that somebody is waited for.
const NOTABLE: Duration = Duration::from_secs(5);
/// What was stopped waits no longer for whoever reads.
const FAREWELL: Duration = Duration::from_millis(500);

static IS_LOST: AtomicBool = AtomicBool::new(false);
/// None where it is a terminal: what stands there must stand in its place among the bars.
static OUTLET: LazyLock<Option<Outlet>> = LazyLock::new(|| (!io::stdout().is_terminal()).then(Outlet::new));

/// A line.
pub(crate) fn print(text: impl Display) {
    write(format!("{text}\n").as_bytes());
}

/// More than a line, as it is.
pub(crate) fn write(bytes: &[u8]) {
    match &*OUTLET {
        Some(outlet) if outlet.take(bytes, write_now) => {}
        Some(_) => is_lost("nobody reads it"),
        None => write_now(bytes),
    }
}

fn write_now(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    if is_lost_by(&written) {
        is_lost(&written.err().map(|error| error.to_string()).unwrap_or_default());
    }
}

fn is_lost_by(written: &io::Result<()>) -> bool {
    written.as_ref().is_err_and(|error| error.kind() != ErrorKind::BrokenPipe)
}

fn is_lost(why: &str) {
    if !IS_LOST.swap(true, Ordering::Relaxed) {
        tell(format_args!("quay: standard output cannot be written: {why}. What it would say is lost."));
    }
}

/// Whether whoever reads is so far behind that what will be stale soon is better left out.
pub(crate) fn is_behind() -> bool {
    OUTLET.as_ref().is_some_and(Outlet::is_behind)
}

/// Waits while there is no room for more, for as long as whoever reads takes something now and then.
pub(crate) async fn has_room() {
    if let Some(outlet) = &*OUTLET {
        outlet.has_room().await;
    }
}

/// Waits until all of it is written, for as long as that takes.
pub(crate) async fn are_written() {
    if let Some(outlet) = &*OUTLET
        && timeout(NOTABLE, outlet.is_empty()).await.is_err()
    {
        tell(format_args!("quay: what it says waits for whoever reads standard output."));
        outlet.is_empty().await;
    }
}

/// The same, and not for long.
pub(crate) async fn are_written_soon() {
    if let Some(outlet) = &*OUTLET {
        let _ = timeout(FAREWELL, outlet.is_empty()).await;
    }
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
