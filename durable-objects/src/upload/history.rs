//! The trail of an upload, beside its session in memory: what is noted goes into the next row that can hold it.

use std::cell::RefCell;

use upload_core::{
    refusal::Refusal,
    session::{Change, Decision, Session},
    trail::Trail,
    units::UnixMs,
};

/// The trail; empty until the session has been read.
#[derive(Default)]
pub(crate) struct Notes(RefCell<Trail>);

impl Notes {
    /// What was stored, or the beginning.
    pub(crate) fn restore(&self, trail: Trail) {
        self.0.replace(trail);
    }

    /// Notes a change that is about to be stored, and returns the trail to store with it.
    pub(crate) fn changed(&self, now: UnixMs, before: &Session, change: &Change, after: &Session) -> Trail {
        let mut trail = self.0.borrow_mut();
        before.note_change(&mut trail, now, change, after);
        trail.clone()
    }

    /// Notes a refusal. It is stored with the next change.
    pub(crate) fn refused(&self, now: UnixMs, session: Option<&Session>, refusal: &Refusal) {
        if let Some(session) = session {
            session.note_refusal(&mut self.0.borrow_mut(), now, refusal);
        }
    }

    /// All that is known, as an answer. Asking changes nothing.
    pub(crate) fn show(&self) -> Decision<Trail> {
        Decision { answer: Ok(self.0.borrow().clone()), change: Change::none() }
    }
}
