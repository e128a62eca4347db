//! What the object of an upload writes to the log.

use upload_core::{log_line::LogLine, session::Session, upload::Phase};
use worker::console_log;

use crate::clock::now;

/// Something of ours went wrong at this place.
pub(crate) fn fault(at: &str) -> LogLine<'_> {
    LogLine { event: "fault", code: Some(at), ..LogLine::default() }
}

/// An upload has entered another phase of its life.
pub(crate) fn log_phase(session: &Session) {
    let progress = &session.progress;
    let name = match progress.phase {
        Phase::Open => "created",
        phase => phase.name(),
    };
    let line = LogLine {
        bytes: Some(session.uploaded_bytes()),
        duration_ms: Some(now().ms_since(session.birth.created_at)),
        detail: progress.reason.clone(),
        ..LogLine::of(name, session.birth.id)
    };
    console_log!("{}", line.json());
}
