//! Who shows it: bars on a terminal, plain lines elsewhere, or events in JSON.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::progress::{bars::Bars, json::Json, lines::Lines, report::Report};

/// How it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Bars on a terminal, lines elsewhere.
    Human,
    /// Only what has failed, and results.
    Quiet,
    /// One JSON document per line, on stdout.
    Json,
}

/// Whoever shows it in this style, here.
pub(crate) fn report(style: Style) -> Arc<dyn Report> {
    match style {
        Style::Json => Arc::new(Json::default()),
        Style::Human if std::io::stderr().is_terminal() => Arc::new(Bars::new()),
        Style::Human => Arc::new(Lines::new(true)),
        Style::Quiet => Arc::new(Lines::new(false)),
    }
}
