//! The origin is told: the outbox's next event goes to the queue, an attempt begins and ends, an operator wants an event again.

use super::{Decision, Phase, Session, StateChange};
use crate::{
    event::{Delivery, DeliveryOutcome, EventKind, RetryPolicy, Verdict},
    outbox::Outbox,
};
use upload_types::{api_error::ApiError, units::UnixMs, upload::DeliveryState};

impl Session {
    /// The event has been handed to the queue, or could not be: either way, look again later.
    pub(crate) fn event_sent(&self, now: UnixMs, event: EventKind) -> StateChange {
        self.outbox_changed(event, |delivery| delivery.sent(now, self.spec.policy.resend_ms))
    }

    /// An attempt at telling of the event with this id begins: the delivery as it is then. `None`: as with
    /// [`delivery_begun`](Self::delivery_begun).
    pub fn begin_delivery(
        &self,
        now: UnixMs,
        event_id: &str,
        attempt_ms: u64,
        link_ms: u64,
    ) -> Decision<Option<Delivery>> {
        let event = self.outbox.with_id(self.spec.id, event_id);
        let change = event.and_then(|event| self.delivery_begun(now, event, attempt_ms, link_ms)).unwrap_or_default();
        let delivery = event.and_then(|event| change.outbox.as_ref()?.find(event).cloned());
        Decision::yes(delivery, change)
    }

    /// An attempt at telling of this begins that lasts at most `attempt_ms`, and hands out a link that is good for `link_ms`. `None`:
    /// it is not to be told, or not now. A completion or a duplicate is told only while the link leads somewhere.
    pub(crate) fn delivery_begun(
        &self,
        now: UnixMs,
        event: EventKind,
        attempt_ms: u64,
        link_ms: u64,
    ) -> Option<StateChange> {
        self.outbox.next().filter(|next| next.kind == event)?;
        let has_link = event.has_link();
        if has_link && self.stored_object().is_none() {
            return None;
        }
        let link_until = has_link.then(|| now.plus_ms(link_ms));
        let resend_ms = self.spec.policy.resend_ms;
        Some(self.outbox_changed(event, |delivery| delivery.begun(now, attempt_ms, resend_ms, link_until)))
    }

    /// An attempt at telling of this event has ended so: what becomes of its message.
    pub fn delivery_ended(&self, now: UnixMs, event_id: &str, outcome: &DeliveryOutcome) -> Decision<Verdict> {
        let (verdict, change) = match (self.outbox.with_id(self.spec.id, event_id), outcome) {
            // Withdrawn while it was being told.
            (None, _) => (Verdict::Settled, self.withdrawn_attempt_ended(now)),
            (Some(event), DeliveryOutcome::Acknowledged { discard, result }) => {
                (Verdict::Settled, self.delivered(now, event, *discard, result.as_ref()))
            }
            (Some(event), DeliveryOutcome::Refused { policy, asked_seconds }) => {
                self.undelivered(now, event, *policy, *asked_seconds)
            }
        };
        Decision::yes(verdict, change)
    }

    /// The origin has acknowledged the event, and may have taken the object over. That of a duplicate is not its to take.
    pub(crate) fn delivered(
        &self,
        now: UnixMs,
        event: EventKind,
        discard: bool,
        result: Option<&String>,
    ) -> StateChange {
        let mut change = self.outbox_changed(event, |delivery| delivery.acknowledged(result));
        if discard && event == EventKind::Completed && self.stored_object().is_some() {
            change.progress = self.taken(now).progress;
        }
        change
    }

    /// The origin did not acknowledge the event.
    pub(crate) fn undelivered(
        &self,
        now: UnixMs,
        event: EventKind,
        policy: RetryPolicy,
        asked_seconds: Option<u32>,
    ) -> (Verdict, StateChange) {
        let resend_ms = self.spec.policy.resend_ms;
        let refused = |delivery: &Delivery| delivery.refused(now, policy, asked_seconds, resend_ms);
        let verdict = self.outbox.find(event).map_or(Verdict::Settled, |delivery| refused(delivery).1);
        (verdict, self.outbox_changed(event, |delivery| refused(delivery).0))
    }

    /// An operator wants the newest event sent again. Once the object is gone, its completion is not told any more; of a deletion
    /// that the origin never took, it can still be told.
    pub fn redeliver(&self, now: UnixMs) -> Decision<()> {
        let Some(last) = self.outbox.last() else { return Decision::no(ApiError::NothingToRedeliver) };
        let is_untold_deletion = last.kind == EventKind::Deleted && last.state == DeliveryState::Failed;
        let is_deleted = self.progress.phase == Phase::Deleted || self.progress.deleted_at.is_some();
        if is_deleted && !is_untold_deletion {
            return Decision::no(self.gone());
        }
        match last.again(now) {
            Ok(again) => Decision::yes((), self.outbox_changed(last.kind, |_| again.clone())),
            Err(refusal) => Decision::no(refusal),
        }
    }

    /// An attempt is over at telling of something that was withdrawn meanwhile: what follows it need not wait any longer.
    pub(crate) fn withdrawn_attempt_ended(&self, now: UnixMs) -> StateChange {
        self.with_outbox(self.outbox.withdrawn_attempt_ended(now))
    }

    fn outbox_changed(&self, event: EventKind, to: impl Fn(&Delivery) -> Delivery) -> StateChange {
        self.with_outbox(self.outbox.changed(event, to))
    }

    fn with_outbox(&self, outbox: Outbox) -> StateChange {
        StateChange { outbox: (outbox != self.outbox).then_some(outbox), ..StateChange::none() }
    }
}
