//! The log: one JSON object per line on stdout, one line per thing that happened.
//!
//! Callers name the upload or the event and give counts and reasons. They never hand over a secret, a signature or the
//! query of a download URL; the types that hold those cannot be serialized.

use std::io::Write;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::clock;

/// Something went as it should.
pub(crate) fn info(step: &str, fields: Value) {
    write("info", step, fields);
}

/// Something did not, and somebody may want to look.
pub(crate) fn warn(step: &str, fields: Value) {
    write("warn", step, fields);
}

/// For a field `durationMs`.
pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    level: &'a str,
    step: &'a str,
    #[serde(flatten)]
    fields: Value,
}

fn write(level: &str, step: &str, fields: Value) {
    if let Ok(mut line) = serde_json::to_vec(&Line { at: clock::now(), level, step, fields }) {
        line.push(b'\n');
        // Whoever read our stdout may be gone; that is no reason to stop taking uploads in.
        let _ = std::io::stdout().lock().write_all(&line);
    }
}
