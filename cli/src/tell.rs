//! Words for whoever is at the terminal, on standard error. Who has closed it, or has no room for it, misses them, and nothing ends for that:
//! `eprintln!` would panic.

use std::fmt::Display;
use std::io::Write as _;

/// Says a line.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
