//! What of a session's life goes into its history: derived from what a change has made of it, never from what was meant.

use super::{Content, Phase, Session, StateChange, Uncount};
use crate::{event::EventKind, receivers::ORIGIN_NAME};
use upload_types::{
    api_error::ApiError,
    history::{DELIVERY_ATTEMPT, History, RECORDED, SIGNED},
    units::{ByteCount, UnixMs},
    upload::DeliveryState,
};

impl Session {
    /// The history of a new upload.
    pub fn begin_history(&self) -> History {
        let mut history = History::default();
        history.note(self.spec.created_at, "created", ByteCount::ZERO, None);
        if let Some(original) = self.spec.duplicate_of {
            history.note(self.spec.created_at, "duplicate", self.uploaded_bytes(), Some(original.to_string()));
        }
        history
    }

    /// Notes what a change makes of this session; `after` is what it will be.
    pub fn record_change(&self, history: &mut History, now: UnixMs, change: &StateChange, after: &Self) {
        let bytes = after.uploaded_bytes();
        let (was, is) = (&self.progress, &after.progress);
        let attempt_of = |session: &Self| session.progress.lease.as_ref().map(|lease| lease.attempt);
        if self.is_direct() {
            change.parallel_chunks.iter().for_each(|_| history.note(now, SIGNED, bytes, None));
            change.parts.iter().for_each(|_| history.note(now, RECORDED, bytes, None));
        } else if is_begun(self, change) {
            history.note(now, "attempt", bytes, None);
        } else if attempt_of(after).is_some() && attempt_of(self) != attempt_of(after) {
            history.note(now, if self.is_appending() { "takeover" } else { "attempt" }, bytes, None);
        }
        if self.plan().open_ended && !after.plan().open_ended {
            history.note(now, "declared", bytes, None);
        }
        if was.phase != is.phase {
            let event = match change.uncount {
                Uncount::Nothing => is.phase.name(),
                Uncount::Anew => "repair",
                Uncount::All | Uncount::Chunks(_) => "reopened",
            };
            history.note(now, event, bytes, is.reason.clone());
        }
        if was.held != is.held {
            history.note(now, if is.held { "held" } else { "released" }, bytes, None);
        }
        if is.phase == Phase::Completed && was.deleted_at != is.deleted_at {
            history.note(now, "taken", bytes, None);
        }
        for is in after.outbox.iter() {
            let Some(was) = self.outbox.find(is.id()) else { continue };
            // What is told on the way would push out all else, so only what goes wrong of it is noted.
            if is.kind == EventKind::Progressed && [was, is].iter().all(|one| one.state != DeliveryState::Failed) {
                continue;
            }
            let told = match self.spec.receivers.name_of(is.receiver) {
                ORIGIN_NAME => is.kind.name().to_owned(),
                other => format!("{} to {other}", is.kind.name()),
            };
            let mut note = |event| history.note(now, event, bytes, Some(told.clone()));
            if is.attempts > was.attempts {
                note(DELIVERY_ATTEMPT);
            }
            match is.state {
                state if state == was.state => {}
                DeliveryState::Queued => note("redelivery"),
                DeliveryState::Delivered => note("delivered"),
                DeliveryState::Failed => note("delivery_failed"),
            }
        }
    }

    /// Notes that somebody was told no.
    pub fn record_refusal(&self, history: &mut History, now: UnixMs, refusal: &ApiError) {
        history.note(now, "refused", self.uploaded_bytes(), Some(refusal.code().to_owned()));
    }
}

/// Whether a chunk of a parallel upload was begun, not only ended.
fn is_begun(session: &Session, change: &StateChange) -> bool {
    let Content::Parallel(parallel_chunks) = &session.content else { return false };
    change.parallel_chunks.iter().any(|(chunk, state)| state.attempts > parallel_chunks.state_of(*chunk).attempts)
}
