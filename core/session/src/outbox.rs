//! The outbox of an upload: what its receivers are still to be told, and what they have been told. For each of them one event when the
//! upload is created, where it has asked for that, one for the upload's ending, and one for the deletion of what was completed; and, of a live
//! upload that has asked for that, one on the way ([`Outbox::progressed`]). They are told one after the other, each until the receiver has acknowledged it. What one of them does holds up no other.
//!
//! It lies in the same row as the facts that the events are about, so an event is there if and only if what it tells is true.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Delivery, DeliveryId, EventKind, NewBytes},
    receivers::ReceiverIndex,
};
use upload_types::{
    units::{ByteCount, UnixMs, UploadId},
    upload::DeliveryState,
};

/// Whoever has fallen behind is told of so many times what it wants to hear of at a time, and no more: it has one attempt's time to fetch it.
/// What is left is due as soon as it has acknowledged that.
const MOST_AT_ONCE: u64 = 16;

/// All deliveries, in the order in which their events happened: at most one of a kind to each receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outbox(Vec<Delivery>);

impl Outbox {
    /// The same, and something has happened that these shall hear of. What was to be told on the way is told no more: this says it all.
    #[must_use]
    pub fn with(&self, kind: EventKind, receivers: &[ReceiverIndex], now: UnixMs) -> Self {
        let new = receivers.iter().map(|&receiver| (receiver, kind).into());
        self.in_place_of(|delivery| delivery.kind == EventKind::Progressed, new, now)
    }

    /// The same, and so many bytes of a live upload can be read: this receiver is told what is new to it, where that is so much. There is one
    /// such entry for it. While that is not acknowledged it stays as it is, however much comes, so a repetition tells the same under the
    /// same id; and what is told next begins where it ended.
    #[must_use]
    pub fn progressed(&self, receiver: ReceiverIndex, to: ByteCount, every: ByteCount, now: UnixMs) -> Self {
        let is_one = |delivery: &&Delivery| delivery.receiver == receiver && delivery.kind == EventKind::Progressed;
        let before = self.iter().find(is_one);
        let from = before.and_then(|before| before.new_bytes).map_or(ByteCount::ZERO, |told| told.to);
        let is_settled = before.is_none_or(|before| before.state == DeliveryState::Delivered);
        if !is_settled || to.saturating_sub(from) < every {
            return self.clone();
        }
        let most = ByteCount::new(every.get().saturating_mul(MOST_AT_ONCE)).and_then(|most| from.checked_add(most));
        let to = most.map_or(to, |most| to.min(most));
        let new = Delivery {
            new_bytes: Some(NewBytes { from, to }),
            // A link that was handed out stays good.
            link_until: before.and_then(|before| before.link_until),
            ..Delivery::new((receiver, EventKind::Progressed), now)
        };
        Self(self.iter().filter(|delivery| !is_one(delivery)).cloned().chain([new]).collect())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.0.iter()
    }

    /// Those to one receiver, in order.
    pub fn to(&self, receiver: ReceiverIndex) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.0.iter().filter(move |delivery| delivery.receiver == receiver)
    }

    /// Whether there is nothing to tell, and never was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This one.
    pub fn find(&self, id: impl Into<DeliveryId>) -> Option<&Delivery> {
        let id = id.into();
        self.iter().find(|delivery| delivery.id() == id)
    }

    /// That of the event with this id, of this upload, to this receiver.
    pub fn with_event(&self, receiver: ReceiverIndex, upload: UploadId, event_id: &str) -> Option<DeliveryId> {
        self.to(receiver).map(Delivery::id).find(|id| id.event_id(upload) == event_id)
    }

    /// The one that this receiver is to be told next. Those behind it wait until it has that one, or it has been given up.
    pub fn next_to(&self, receiver: ReceiverIndex) -> Option<&Delivery> {
        self.to(receiver).find(|delivery| delivery.state == DeliveryState::Queued)
    }

    /// The one that is handed to the queue next: of those that their receivers are to be told next the one that is due first.
    pub fn next(&self) -> Option<&Delivery> {
        let is_next = |delivery: &&Delivery| self.next_to(delivery.receiver).map(Delivery::id) == Some(delivery.id());
        self.iter().filter(is_next).min_by_key(|delivery| delivery.next_send_at)
    }

    /// The newest that the origin hears of.
    pub fn last(&self) -> Option<&Delivery> {
        self.to(ReceiverIndex::ORIGIN).next_back()
    }

    /// How far the telling of the origin is, of all of its events together; none where there is nothing to tell.
    pub fn state(&self) -> Option<DeliveryState> {
        self.state_of(ReceiverIndex::ORIGIN)
    }

    /// The same of any receiver.
    pub fn state_of(&self, receiver: ReceiverIndex) -> Option<DeliveryState> {
        let has = |state| self.to(receiver).any(|delivery| delivery.state == state);
        let unfinished = [DeliveryState::Queued, DeliveryState::Failed].into_iter().find(|state| has(*state));
        unfinished.or_else(|| self.to(receiver).next_back().map(|delivery| delivery.state))
    }

    /// What the origin had to say to the client when it heard of the object.
    pub fn result(&self) -> Option<&String> {
        self.to(ReceiverIndex::ORIGIN).find(|delivery| delivery.kind.has_link())?.result.as_ref()
    }

    /// Whether the origin may still have something to say to a client that waits for that, `longest_ms` from when the object was there.
    pub fn may_bring_result(&self, now: UnixMs, longest_ms: u64) -> bool {
        let is_awaited =
            |delivery: &Delivery| delivery.needs_object() && now.ms_since(delivery.occurred_at) < longest_ms;
        self.to(ReceiverIndex::ORIGIN).any(is_awaited)
    }

    /// Whether the origin, when it acknowledged the object, wanted it deleted. That it is told again changes nothing in that.
    pub fn is_to_be_discarded(&self) -> bool {
        self.iter().any(|delivery| delivery.discard)
    }

    /// Whether somebody is still to be told of the object, and be handed a link to it.
    pub fn needs_object(&self) -> bool {
        self.iter().any(Delivery::needs_object)
    }

    /// Until when the last link that was handed out is good.
    pub fn linked_until(&self) -> Option<UnixMs> {
        self.iter().filter_map(|delivery| delivery.link_until).max()
    }

    /// The same, with this delivery changed.
    #[must_use]
    pub fn changed(&self, id: impl Into<DeliveryId>, to: impl Fn(&Delivery) -> Delivery) -> Self {
        let id = id.into();
        let change = |delivery: &Delivery| if delivery.id() == id { to(delivery) } else { delivery.clone() };
        Self(self.iter().map(change).collect())
    }

    /// What was completed has been deleted, of which these shall hear. An event with a link that its receiver has not acknowledged is
    /// withdrawn: the link would lead nowhere. So is that of what was held: it is not any more.
    #[must_use]
    pub fn deleted(&self, receivers: &[ReceiverIndex], now: UnixMs) -> Self {
        let new = receivers.iter().map(|&receiver| (receiver, EventKind::Deleted).into());
        self.instead_of(|kind| kind.has_link() || kind == EventKind::Held, new, now)
    }

    /// The same with these events in the place of those of some kinds that their receivers have not acknowledged, which are withdrawn.
    #[must_use]
    pub fn instead_of(
        &self,
        is_over: fn(EventKind) -> bool,
        new: impl Iterator<Item = DeliveryId>,
        now: UnixMs,
    ) -> Self {
        self.in_place_of(|delivery| is_over(delivery.kind) && delivery.state != DeliveryState::Delivered, new, now)
    }

    /// Something has happened that is told in these events, and some of what was to be told is withdrawn. An attempt at telling one of that which is
    /// under way cannot be called back; what is new is told when that is over, so that the receiver does not hear of it first.
    fn in_place_of(
        &self,
        is_withdrawn: impl Fn(&Delivery) -> bool,
        new: impl Iterator<Item = DeliveryId>,
        now: UnixMs,
    ) -> Self {
        let is_withdrawn = |delivery: &&Delivery| is_withdrawn(delivery);
        let mut all: Vec<_> = self.iter().filter(|delivery| !is_withdrawn(delivery)).cloned().collect();
        for id in new {
            let withdrawn = || self.to(id.receiver).filter(is_withdrawn);
            let attempt_until =
                withdrawn().filter_map(|delivery| delivery.attempt_until).max().filter(|until| *until > now);
            let next_send_at = attempt_until.unwrap_or(now);
            // Links that were handed out on the way lead to the object, too.
            let on_the_way = withdrawn().filter(|delivery| delivery.kind == EventKind::Progressed);
            let link_until = on_the_way.filter_map(|delivery| delivery.link_until).max();
            all.push(Delivery { next_send_at, attempt_until, link_until, ..Delivery::new(id, now) });
        }
        Self(all)
    }

    /// An attempt is over at telling this receiver of something that was withdrawn meanwhile: what waits for that need not wait any longer.
    #[must_use]
    pub fn withdrawn_attempt_ended(&self, receiver: ReceiverIndex, now: UnixMs) -> Self {
        let go_on = |delivery: &Delivery| match delivery.attempt_until {
            Some(until) if delivery.receiver == receiver && delivery.attempts == 0 && until > now => {
                Delivery { next_send_at: now, attempt_until: None, ..delivery.clone() }
            }
            _ => delivery.clone(),
        };
        Self(self.iter().map(go_on).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_000);
    const ORIGIN: [ReceiverIndex; 1] = [ReceiverIndex::ORIGIN];

    fn of(kind: EventKind, now: UnixMs) -> Outbox {
        Outbox::default().with(kind, &ORIGIN, now)
    }

    #[test]
    fn the_deletion_of_what_nobody_was_told_of_is_all_that_is_told() {
        let outbox = of(EventKind::Completed, NOW).deleted(&ORIGIN, UnixMs(2_000));
        let kinds: Vec<_> = outbox.iter().map(|delivery| (delivery.kind, delivery.next_send_at)).collect();
        assert_eq!(kinds, [(EventKind::Deleted, UnixMs(2_000))]);
    }

    #[test]
    fn the_deletion_waits_for_an_attempt_that_is_under_way() {
        let outbox = of(EventKind::Completed, NOW);
        let begun = outbox.changed(EventKind::Completed, |delivery| delivery.begun(NOW, 60_000, 1_000, None));
        assert_eq!(begun.deleted(&ORIGIN, UnixMs(2_000)).next().map(|next| next.next_send_at), Some(UnixMs(61_000)));
        let ended =
            begun.changed(EventKind::Completed, |delivery| delivery.acknowledged(None)).deleted(&ORIGIN, UnixMs(2_000));
        assert_eq!(ended.next().map(|next| (next.kind, next.next_send_at)), Some((EventKind::Deleted, UnixMs(2_000))));
        assert_eq!(ended.iter().count(), 2, "what the origin has acknowledged stays");
    }

    #[test]
    fn the_state_is_that_of_what_is_not_done_yet() {
        let outbox =
            of(EventKind::Completed, NOW).changed(EventKind::Completed, |delivery| delivery.acknowledged(None));
        assert_eq!((outbox.state(), Outbox::default().state()), (Some(DeliveryState::Delivered), None));
        let deleted = outbox.deleted(&ORIGIN, NOW);
        assert_eq!(deleted.state(), Some(DeliveryState::Queued));
        assert_eq!(
            deleted.changed(EventKind::Deleted, |delivery| delivery.acknowledged(None)).state(),
            Some(DeliveryState::Delivered)
        );
    }

    #[test]
    fn what_the_origin_may_have_to_say_is_awaited_for_a_while_and_until_it_has_spoken() {
        let outbox = of(EventKind::Completed, NOW);
        assert!(outbox.may_bring_result(UnixMs(2_999), 2_000) && !outbox.may_bring_result(UnixMs(3_000), 2_000));
        assert!(!outbox.may_bring_result(NOW, 0) && !Outbox::default().may_bring_result(NOW, 2_000));
        assert!(!of(EventKind::Aborted, NOW).may_bring_result(NOW, 2_000), "there is no object");
        let told = outbox.changed(EventKind::Completed, |delivery| delivery.acknowledged(None));
        assert!(!told.may_bring_result(NOW, 2_000) && told.result().is_none());
    }
}
