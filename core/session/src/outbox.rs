//! The outbox of an upload: what the origin is still to be told, and what it has been told. One event for the upload's ending, and
//! one for the deletion of what was completed; told one after the other, each until the origin has acknowledged it.
//!
//! It lies in the same row as the facts that the events are about, so an event is there if and only if what it tells is true.

use serde::{Deserialize, Serialize};

use crate::event::{Delivery, EventKind};
use upload_types::{
    units::{UnixMs, UploadId},
    upload::DeliveryState,
};

/// All events, in the order in which they happened: at most one of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outbox(Vec<Delivery>);

impl Outbox {
    /// With one event.
    pub fn of(kind: EventKind, now: UnixMs) -> Self {
        Self(vec![Delivery::new(kind, now)])
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.0.iter()
    }

    /// Whether there is nothing to tell, and never was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of this kind.
    pub fn find(&self, kind: EventKind) -> Option<&Delivery> {
        self.iter().find(|delivery| delivery.kind == kind)
    }

    /// The one with this id, of this upload.
    pub fn with_id(&self, upload: UploadId, event_id: &str) -> Option<EventKind> {
        self.iter().map(|delivery| delivery.kind).find(|kind| kind.id(upload) == event_id)
    }

    /// The one that is to be told next. Those behind it wait until the origin has it, or it has been given up.
    pub fn next(&self) -> Option<&Delivery> {
        self.iter().find(|delivery| delivery.state == DeliveryState::Queued)
    }

    /// The newest.
    pub fn last(&self) -> Option<&Delivery> {
        self.0.last()
    }

    /// How far the telling is, of all of them together; none where there is nothing to tell.
    pub fn state(&self) -> Option<DeliveryState> {
        let has = |state| self.iter().any(|delivery| delivery.state == state);
        let unfinished = [DeliveryState::Queued, DeliveryState::Failed].into_iter().find(|state| has(*state));
        unfinished.or_else(|| self.last().map(|delivery| delivery.state))
    }

    /// What the origin had to say to the client when it heard of the object.
    pub fn result(&self) -> Option<&String> {
        self.iter().find(|delivery| delivery.kind.has_link())?.result.as_ref()
    }

    /// Whether the origin may still have something to say to a client that waits for that, `longest_ms` from when the object was there.
    pub fn may_bring_result(&self, now: UnixMs, longest_ms: u64) -> bool {
        let is_awaited = |delivery: &Delivery| {
            let is_untold = delivery.kind.has_link() && delivery.state == DeliveryState::Queued;
            is_untold && now.ms_since(delivery.occurred_at) < longest_ms
        };
        self.iter().any(is_awaited)
    }

    /// Until when the last link that was handed out is good.
    pub fn linked_until(&self) -> Option<UnixMs> {
        self.iter().filter_map(|delivery| delivery.link_until).max()
    }

    /// The same, with the event of this kind changed.
    #[must_use]
    pub fn changed(&self, kind: EventKind, to: impl Fn(&Delivery) -> Delivery) -> Self {
        let change = |delivery: &Delivery| if delivery.kind == kind { to(delivery) } else { delivery.clone() };
        Self(self.iter().map(change).collect())
    }

    /// What was completed has been deleted. An event that the origin has not acknowledged is withdrawn: the link in it would lead
    /// nowhere. An attempt at telling it that is under way cannot be called back; the deletion is told when that is over, so that
    /// the origin does not hear of it first.
    #[must_use]
    pub fn deleted(&self, now: UnixMs) -> Self {
        let attempt_until =
            self.iter().filter_map(|delivery| delivery.attempt_until).max().filter(|until| *until > now);
        let known = self.iter().filter(|delivery| delivery.state == DeliveryState::Delivered).cloned();
        let next_send_at = attempt_until.unwrap_or(now);
        let deletion = Delivery { next_send_at, attempt_until, ..Delivery::new(EventKind::Deleted, now) };
        Self(known.chain([deletion]).collect())
    }

    /// An attempt is over at telling of something that was withdrawn meanwhile: what waits for that need not wait any longer.
    #[must_use]
    pub fn withdrawn_attempt_ended(&self, now: UnixMs) -> Self {
        let go_on = |delivery: &Delivery| match delivery.attempt_until {
            Some(until) if delivery.attempts == 0 && until > now => {
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

    #[test]
    fn the_deletion_of_what_nobody_was_told_of_is_all_that_is_told() {
        let outbox = Outbox::of(EventKind::Completed, NOW).deleted(UnixMs(2_000));
        let kinds: Vec<_> = outbox.iter().map(|delivery| (delivery.kind, delivery.next_send_at)).collect();
        assert_eq!(kinds, [(EventKind::Deleted, UnixMs(2_000))]);
    }

    #[test]
    fn the_deletion_waits_for_an_attempt_that_is_under_way() {
        let outbox = Outbox::of(EventKind::Completed, NOW);
        let begun = outbox.changed(EventKind::Completed, |delivery| delivery.begun(NOW, 60_000, 1_000, None));
        assert_eq!(begun.deleted(UnixMs(2_000)).next().map(|next| next.next_send_at), Some(UnixMs(61_000)));
        let ended = begun.changed(EventKind::Completed, |delivery| delivery.acknowledged(None)).deleted(UnixMs(2_000));
        assert_eq!(ended.next().map(|next| (next.kind, next.next_send_at)), Some((EventKind::Deleted, UnixMs(2_000))));
        assert_eq!(ended.iter().count(), 2, "what the origin has acknowledged stays");
    }

    #[test]
    fn the_state_is_that_of_what_is_not_done_yet() {
        let outbox =
            Outbox::of(EventKind::Completed, NOW).changed(EventKind::Completed, |delivery| delivery.acknowledged(None));
        assert_eq!((outbox.state(), Outbox::default().state()), (Some(DeliveryState::Delivered), None));
        let deleted = outbox.deleted(NOW);
        assert_eq!(deleted.state(), Some(DeliveryState::Queued));
        assert_eq!(
            deleted.changed(EventKind::Deleted, |delivery| delivery.acknowledged(None)).state(),
            Some(DeliveryState::Delivered)
        );
    }

    #[test]
    fn what_the_origin_may_have_to_say_is_awaited_for_a_while_and_until_it_has_spoken() {
        let outbox = Outbox::of(EventKind::Completed, NOW);
        assert!(outbox.may_bring_result(UnixMs(2_999), 2_000) && !outbox.may_bring_result(UnixMs(3_000), 2_000));
        assert!(!outbox.may_bring_result(NOW, 0) && !Outbox::default().may_bring_result(NOW, 2_000));
        assert!(!Outbox::of(EventKind::Aborted, NOW).may_bring_result(NOW, 2_000), "there is no object");
        let told = outbox.changed(EventKind::Completed, |delivery| delivery.acknowledged(None));
        assert!(!told.may_bring_result(NOW, 2_000) && told.result().is_none());
    }
}
