//! The history of an upload, beside its session in memory: what is noted goes into the next row that can hold it.

use std::cell::RefCell;

use upload_session::session::{Decision, Session, StateChange};
use upload_types::{api_error::ApiError, history::History, units::UnixMs};

/// The history; empty until the session has been read.
#[derive(Default)]
pub(crate) struct HistoryRecorder(RefCell<History>);

impl HistoryRecorder {
    /// What was stored, or the beginning.
    pub(crate) fn restore(&self, history: History) {
        self.0.replace(history);
    }

    /// Notes a change that is about to be stored, and returns the history to store with it.
    pub(crate) fn changed(&self, now: UnixMs, before: &Session, change: &StateChange, after: &Session) -> History {
        let mut history = self.0.borrow_mut();
        before.record_change(&mut history, now, change, after);
        history.clone()
    }

    /// Notes a refusal. It is stored with the next change.
    pub(crate) fn refused(&self, now: UnixMs, session: Option<&Session>, refusal: &ApiError) {
        if let Some(session) = session {
            session.record_refusal(&mut self.0.borrow_mut(), now, refusal);
        }
    }

    /// All that is known, as an answer. Asking changes nothing.
    pub(crate) fn show(&self) -> Decision<History> {
        Decision { answer: Ok(self.0.borrow().clone()), change: StateChange::none() }
    }
}
