//! A file that nobody gets before somebody has looked at it: the upload is complete, and *held*, until it is released or rejected.
//!
//! ```text
//!  all bytes right ► Completed, held ─┬─ released ► Completed            `upload.released`, then `upload.completed`
//!      `upload.held`                  ├─ rejected ► Failed, no object    `upload.rejected`
//!                                     └─ its client deletes it ► Deleted `upload.deleted`
//! ```
//!
//! What is held has no object for anybody ([`Session::stored_object`]) but the scanner, whose event has a link of its own, and whoever runs
//! the service, who asks for one. Nobody is told that it is complete, it is a duplicate of nothing, and it is not forgotten, however long it
//! takes. Its ledger lists it: its bytes count. Why it was left held is kept as the reason of an ending is, which it has not got yet.
//!
//! A verdict and the acknowledgement of the event that asked for it are one change. Crash here, before that: the scanner is asked again.
//! There is no release whose event is asked about again, and no event that is done with whose verdict is lost.

use super::{Backoff, Decision, Phase, Session, StateChange, UploadSpec, UploadState};
use crate::{
    event::{Delivery, DeliveryId, EventKind},
    held_verdict::HeldVerdict,
    outbox::Outbox,
    receivers::SCANNER_NAME,
};
use upload_types::{
    admin::Noted,
    api_error::ApiError,
    units::UnixMs,
    upload::{DeliveryState, ObjectFacts, Purpose},
};

/// What the register of all owners has to hear of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisteredHold {
    /// It is held.
    Held(Noted),
    /// It may have been, and is not any more.
    Over(Noted),
}

impl Session {
    /// What the register has to hear whenever the owner's ledger does; nothing of what never was held.
    pub fn registered_hold(&self) -> Option<RegisteredHold> {
        let may_have_been = self.progress.held || matches!(self.progress.phase, Phase::Completed | Phase::Deleted);
        if !self.spec.hold || self.spec.purpose == Purpose::Partial || !may_have_been {
            return None;
        }
        let UploadSpec { id, owner, created_at, .. } = &self.spec;
        let noted = Noted { upload_id: *id, owner: owner.clone(), at: *created_at };
        Some(if self.is_held() { RegisteredHold::Held(noted) } else { RegisteredHold::Over(noted) })
    }

    /// Whether it is complete, and nobody has released it yet.
    pub fn is_held(&self) -> bool {
        self.progress.held && self.progress.phase == Phase::Completed
    }

    /// R2 has the whole object, and it is right: complete, or held where that was asked for. A piece is no file that anybody gets; what it
    /// becomes part of is held.
    pub(super) fn whole(&self, now: UnixMs) -> StateChange {
        if !self.spec.hold || self.spec.purpose == Purpose::Partial {
            return self.end(now, Phase::Completed, EventKind::Completed, None);
        }
        let mut change = self.end(now, Phase::Completed, EventKind::Held, None);
        if let Some(progress) = &mut change.progress {
            progress.held = true;
        }
        change
    }

    /// Somebody who may has looked at it, and says this. Said again, nothing changes.
    pub fn judge(&self, now: UnixMs, said: &HeldVerdict) -> Decision<()> {
        let (phase, was_held) = (self.progress.phase, self.progress.held);
        match said {
            _ if self.is_held() => Decision::yes((), self.as_said(now, said, &self.outbox).unwrap_or_default()),
            // It was released, or never held: either way it is handed out.
            HeldVerdict::Release if phase == Phase::Completed => Decision::yes((), StateChange::none()),
            HeldVerdict::Delete(_) if phase == Phase::Failed && was_held => Decision::yes((), StateChange::none()),
            _ => Decision::no(ApiError::NotHeld { phase }),
        }
    }

    /// The object of what is held, for whoever is to look at it; or of what was released since.
    pub fn find_for_scanner(&self) -> Result<ObjectFacts, ApiError> {
        self.object().filter(|_| self.is_held()).map_or_else(|| self.find_object(), Ok)
    }

    /// Whether this is the scanner's own event.
    pub(super) fn asks_scanner(&self, id: DeliveryId) -> bool {
        id.kind == EventKind::Held && self.spec.receivers.name_of(id.receiver) == SCANNER_NAME
    }

    /// Whether there is nothing to ask any more with this: it is not held, or the scanner has left it to a person.
    pub(super) fn is_decided(&self, asked: &Delivery) -> bool {
        let has_spoken = self.asks_scanner(asked.id()) && asked.state == DeliveryState::Delivered;
        asked.kind == EventKind::Held && (has_spoken || !self.is_held())
    }

    /// The receiver of this event has acknowledged it, which is `change`, and has said this of the upload. It counts where it is that of
    /// the scanner or the origin, the upload is still held, and they have not spoken before.
    pub(super) fn judged(
        &self,
        now: UnixMs,
        id: DeliveryId,
        said: Option<&HeldVerdict>,
        mut change: StateChange,
    ) -> StateChange {
        let may_judge = self.is_held() && (self.asks_scanner(id) || id == DeliveryId::from(EventKind::Held));
        let is_first = self.outbox.find(id).is_some_and(|delivery| delivery.state != DeliveryState::Delivered);
        let Some(said) = said.filter(|_| may_judge && is_first) else { return change };
        if let HeldVerdict::HoldFor(reason) = said {
            let reason = [self.spec.receivers.name_of(id.receiver), ": ", reason].concat();
            change.progress.get_or_insert_with(|| self.progress.clone()).reason = Some(reason);
            return change;
        }
        let outbox = change.outbox.as_ref().unwrap_or(&self.outbox);
        self.as_said(now, said, outbox).unwrap_or(change)
    }

    fn as_said(&self, now: UnixMs, said: &HeldVerdict, outbox: &Outbox) -> Option<StateChange> {
        match said {
            HeldVerdict::Release => Some(self.released(now, outbox)),
            HeldVerdict::Delete(reason) => Some(self.rejected(now, outbox, reason)),
            HeldVerdict::Hold | HeldVerdict::HoldFor(_) => None,
        }
    }

    /// The ledger hears once more: only now others may share the object. It is remembered for as long as if it had ended now.
    fn released(&self, now: UnixMs, outbox: &Outbox) -> StateChange {
        let progress = UploadState {
            held: false,
            reason: None,
            ended_at: Some(now),
            owes_ledger: true,
            ledger_backoff: Backoff::default(),
            ..self.progress.clone()
        };
        let outbox = self.held_no_more(now, outbox, &[EventKind::Released, EventKind::Completed]);
        StateChange { progress: Some(progress), outbox: Some(outbox), ..StateChange::none() }
    }

    fn rejected(&self, now: UnixMs, outbox: &Outbox, reason: &str) -> StateChange {
        let reason =
            if reason.is_empty() { "It was rejected.".to_owned() } else { format!("It was rejected: {reason}") };
        let change = self.end(now, Phase::Failed, EventKind::Rejected, Some(reason));
        let outbox = self.held_no_more(now, outbox, &[EventKind::Rejected]);
        StateChange { outbox: Some(outbox), ..change }
    }

    /// Whoever has not heard that it was held is told what came of it instead.
    fn held_no_more(&self, now: UnixMs, outbox: &Outbox, kinds: &[EventKind]) -> Outbox {
        let new = kinds.iter().flat_map(|&kind| self.hearing(kind).into_iter().map(move |to| (to, kind).into()));
        outbox.instead_of(|kind| kind == EventKind::Held, new, now)
    }
}
