//! The receivers are told: the outbox's next event goes to the queue, an attempt begins and ends, an operator wants an event again.

use super::{Decision, Phase, Session, StateChange};
use crate::{
    event::{Delivery, DeliveryId, DeliveryOutcome, EventKind, RetryPolicy, Verdict},
    outbox::Outbox,
    receivers::ReceiverIndex,
};
use upload_types::{
    api_error::ApiError,
    units::UnixMs,
    upload::{DeliveryState, ReceiverStatus},
};

impl Session {
    /// Who hears of this. The origin hears of no creation and of no release: nobody but who has asked for that is told of it. On the way it does:
    /// the upload has asked.
    pub(super) fn hearing(&self, kind: EventKind) -> Vec<ReceiverIndex> {
        let is_asked_for = matches!(kind, EventKind::Created | EventKind::Released);
        let is_told = self.spec.policy.tell_origin && !is_asked_for;
        let origin = is_told.then_some(ReceiverIndex::ORIGIN);
        origin.into_iter().chain(self.spec.receivers.hearing(kind)).collect()
    }

    /// The outbox once this has happened, where anybody hears of it.
    pub(super) fn told_of(&self, kind: EventKind, now: UnixMs) -> Option<Outbox> {
        let outbox = self.outbox.with(kind, &self.hearing(kind), now);
        (outbox != self.outbox).then_some(outbox)
    }

    /// How far the telling of each receiver beside the origin is.
    pub fn receiver_statuses(&self) -> Vec<ReceiverStatus> {
        let status = |(index, receiver): (ReceiverIndex, &crate::receivers::Receiver)| {
            let current = self.outbox.next_to(index).or_else(|| self.outbox.to(index).next_back());
            ReceiverStatus {
                name: receiver.name.clone(),
                state: self.outbox.state_of(index),
                attempts: current.map_or(0, |delivery| delivery.attempts),
                last_error: current.and_then(|delivery| delivery.last_error.clone()),
            }
        };
        self.spec.receivers.iter().map(status).collect()
    }

    /// The event has been handed to the queue, or could not be: either way, look again later.
    pub(crate) fn event_sent(&self, now: UnixMs, id: impl Into<DeliveryId>) -> StateChange {
        self.outbox_changed(id.into(), |delivery| delivery.sent(now, self.spec.policy.resend_ms))
    }

    /// An attempt at telling the receiver of this name of the event with this id begins: the delivery as it is then. `None`: as with
    /// [`delivery_begun`](Self::delivery_begun).
    pub fn begin_delivery(
        &self,
        now: UnixMs,
        receiver: &str,
        event_id: &str,
        attempt_ms: u64,
        link_ms: u64,
    ) -> Decision<Option<Delivery>> {
        let id = self.delivery_named(receiver, event_id);
        let change = id.and_then(|id| self.delivery_begun(now, id, attempt_ms, link_ms)).unwrap_or_default();
        let delivery = id.and_then(|id| change.outbox.as_ref()?.find(id).cloned());
        Decision::yes(delivery, change)
    }

    fn delivery_named(&self, receiver: &str, event_id: &str) -> Option<DeliveryId> {
        self.outbox.with_event(self.spec.receivers.named(receiver)?, self.spec.id, event_id)
    }

    /// An attempt at telling of this begins that lasts at most `attempt_ms`, and hands out a link that is good for `link_ms`. `None`:
    /// it is not to be told, or not now. A completion or a duplicate is told only while the link leads somewhere, and that something is held
    /// only while it is. The link of what is told on the way leads somewhere as long as that is to be told.
    pub(crate) fn delivery_begun(
        &self,
        now: UnixMs,
        id: impl Into<DeliveryId>,
        attempt_ms: u64,
        link_ms: u64,
    ) -> Option<StateChange> {
        let id = id.into();
        self.outbox.next_to(id.receiver).filter(|next| next.id() == id)?;
        let has_link = id.kind.has_link();
        if (has_link && self.stored_object().is_none()) || (id.kind == EventKind::Held && !self.is_held()) {
            return None;
        }
        let link_until =
            (has_link || id.kind == EventKind::Progressed || self.asks_scanner(id)).then(|| now.plus_ms(link_ms));
        let resend_ms = self.spec.policy.resend_ms;
        Some(self.outbox_changed(id, |delivery| delivery.begun(now, attempt_ms, resend_ms, link_until)))
    }

    /// An attempt at telling this receiver of this event has ended so: what becomes of its message.
    pub fn delivery_ended(
        &self,
        now: UnixMs,
        receiver: &str,
        event_id: &str,
        outcome: &DeliveryOutcome,
    ) -> Decision<Verdict> {
        let (verdict, change) = match (self.delivery_named(receiver, event_id), outcome) {
            // Withdrawn while it was being told.
            (None, _) => {
                let receiver = self.spec.receivers.named(receiver);
                let ended = receiver.map(|receiver| self.withdrawn_attempt_ended(now, receiver));
                (Verdict::Settled, ended.unwrap_or_default())
            }
            (Some(id), DeliveryOutcome::Acknowledged { discard, result, verdict }) => {
                let change = self.delivered(now, id, *discard, result.as_ref());
                (Verdict::Settled, self.judged(now, id, verdict.as_ref(), change))
            }
            (Some(id), DeliveryOutcome::Refused { policy, asked_seconds, error }) => {
                self.undelivered(now, id, *policy, *asked_seconds, error.as_deref())
            }
        };
        Decision::yes(verdict, change)
    }

    /// The receiver has acknowledged the event. The origin, and no other, may have something to say to the client, and take the object
    /// over. That of a duplicate is not its to take.
    pub(crate) fn delivered(
        &self,
        now: UnixMs,
        id: impl Into<DeliveryId>,
        discard: bool,
        result: Option<&String>,
    ) -> StateChange {
        let id = id.into();
        let is_origin = id.receiver.is_origin();
        let discard = discard && is_origin && id.kind == EventKind::Completed;
        let result = result.filter(|_| is_origin);
        let change = self.outbox_changed(id, |delivery| {
            // An acknowledgement of a late copy, or of an event that is told again, takes no wish back.
            Delivery { discard: discard || delivery.discard, ..delivery.acknowledged(result) }
        });
        let change = self.taken_once_all_know(now, change);
        self.with_progress_told(now, change)
    }

    /// The receiver did not acknowledge the event, for this reason.
    pub(crate) fn undelivered(
        &self,
        now: UnixMs,
        id: impl Into<DeliveryId>,
        policy: RetryPolicy,
        asked_seconds: Option<u32>,
        error: Option<&str>,
    ) -> (Verdict, StateChange) {
        let (id, resend_ms) = (id.into(), self.spec.policy.resend_ms);
        let refused = |delivery: &Delivery| delivery.refused(now, policy, asked_seconds, resend_ms);
        let verdict = self.outbox.find(id).map_or(Verdict::Settled, |delivery| refused(delivery).1);
        let change = self.outbox_changed(id, |delivery| refused(delivery).0.with_error(error));
        (verdict, self.taken_once_all_know(now, change))
    }

    /// The object that the origin wants deleted goes with the last event that has a link to it: once every receiver has acknowledged that, or
    /// was given up.
    ///
    /// Crash here, before that: the wish is stored with the origin's acknowledgement, and whatever ends the last delivery carries it out.
    fn taken_once_all_know(&self, now: UnixMs, mut change: StateChange) -> StateChange {
        let outbox = change.outbox.as_ref().unwrap_or(&self.outbox);
        if outbox.is_to_be_discarded() && !outbox.needs_object() && self.stored_object().is_some() {
            change.progress = self.taken(now).progress;
        }
        change
    }

    /// Whether its object is about to go, since the origin has taken it over and others are still to be told.
    pub fn is_about_to_be_taken(&self) -> bool {
        self.outbox.is_to_be_discarded() && self.stored_object().is_some()
    }

    /// An operator wants the events sent again: to the receiver of this name, or to each. A receiver is told of its newest event, and of what
    /// it never took. Once the object is gone, its completion is not told any more; of a deletion that a receiver never took, it can
    /// still be told. Where there are several receivers, one that cannot be told now keeps no other from it.
    pub fn redeliver(&self, now: UnixMs, receiver: Option<&str>) -> Decision<()> {
        let wanted = match receiver.map(|name| self.spec.receivers.named(name)) {
            Some(Some(index)) => vec![index],
            Some(None) => return Decision::no(self.no_such_receiver()),
            None => [ReceiverIndex::ORIGIN].into_iter().chain(self.spec.receivers.iter().map(|(at, _)| at)).collect(),
        };
        let (mut outbox, mut refusal) = (self.outbox.clone(), None);
        for receiver in wanted {
            match self.again(now, receiver) {
                Ok(again) => {
                    for one in again {
                        outbox = outbox.changed(one.id(), |_| one.clone());
                    }
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal.filter(|_| outbox == self.outbox) {
            Some(refusal) => Decision::no(refusal),
            None => Decision::yes((), self.with_outbox(outbox)),
        }
    }

    /// What this receiver is told again.
    fn again(&self, now: UnixMs, receiver: ReceiverIndex) -> Result<Vec<Delivery>, ApiError> {
        let Some(last) = self.outbox.to(receiver).next_back() else { return Err(ApiError::NothingToRedeliver) };
        let is_deleted = self.progress.phase == Phase::Deleted || self.progress.deleted_at.is_some();
        let is_untold = |delivery: &Delivery| !delivery.kind.has_link() && delivery.state == DeliveryState::Failed;
        let newest = if is_deleted && !is_untold(last) {
            Err(self.gone())
        } else if self.is_decided(last) {
            Err(ApiError::NothingToRedeliver)
        } else {
            last.again(now)
        };
        let untold = self.outbox.to(receiver).filter(|delivery| delivery.kind != last.kind && is_untold(delivery));
        let untold: Vec<_> = untold.filter_map(|delivery| delivery.again(now).ok()).collect();
        match newest {
            Err(refusal) if untold.is_empty() => Err(refusal),
            newest => Ok(untold.into_iter().chain(newest.ok()).collect()),
        }
    }

    fn no_such_receiver(&self) -> ApiError {
        let names: Vec<_> = self.spec.receivers.iter().map(|(_, receiver)| receiver.name.as_str()).collect();
        let all = [&[crate::receivers::ORIGIN_NAME], &names[..]].concat().join(", ");
        ApiError::bad_request("receiver", format!("is none of this upload's, which are {all}"))
    }

    /// An attempt is over at telling this receiver of something that was withdrawn meanwhile: what follows it need not wait any longer.
    pub(crate) fn withdrawn_attempt_ended(&self, now: UnixMs, receiver: ReceiverIndex) -> StateChange {
        self.with_outbox(self.outbox.withdrawn_attempt_ended(receiver, now))
    }

    fn outbox_changed(&self, id: DeliveryId, to: impl Fn(&Delivery) -> Delivery) -> StateChange {
        self.with_outbox(self.outbox.changed(id, to))
    }

    fn with_outbox(&self, outbox: Outbox) -> StateChange {
        StateChange { outbox: (outbox != self.outbox).then_some(outbox), ..StateChange::none() }
    }
}
