//! Several receivers: each is told by itself, in order, and whatever one of them does is nothing to the others.

use super::*;
use crate::{
    event::{DeliveryId, DeliveryOutcome, RetryPolicy, Verdict},
    receivers::{Receiver, ReceiverIndex},
};

const ONCE: RetryPolicy = RetryPolicy { first_delay_seconds: 1, max_attempts: 1 };
const SEARCH: &str = "search";
const ORIGIN: &str = "origin";

fn listed(kinds: &[EventKind]) -> Receivers {
    Receivers::new(vec![Receiver { name: SEARCH.to_owned(), kinds: kinds.to_vec() }])
}

fn upload(kinds: &[EventKind]) -> Session {
    create(UploadSpec { receivers: listed(kinds), ..spec(Mode::Sequential, 0) }).unwrap()
}

fn completed(kinds: &[EventKind]) -> Session {
    let mut s = upload(kinds);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    s
}

/// An attempt at telling this receiver of this, and how it ends.
fn tell(s: &mut Session, now: UnixMs, name: &str, kind: EventKind, outcome: &DeliveryOutcome) -> Verdict {
    let event_id = kind.id(s.spec.id);
    let begun = s.begin_delivery(now, name, &event_id, 60_000, 1_000);
    assert!(take(s, begun).unwrap().is_some(), "{name} is to be told of {kind:?}");
    let ended = s.delivery_ended(now, name, &event_id, outcome);
    take(s, ended).unwrap()
}

fn yes(discard: bool) -> DeliveryOutcome {
    DeliveryOutcome::Acknowledged { discard, result: Some("7".to_owned()), verdict: None }
}

fn no(policy: RetryPolicy) -> DeliveryOutcome {
    DeliveryOutcome::Refused { policy, asked_seconds: None, error: Some("it answered 500".to_owned()) }
}

fn told(s: &Session, name: &str) -> Vec<(EventKind, DeliveryState)> {
    let index = s.spec.receivers.named(name).unwrap();
    s.outbox.to(index).map(|delivery| (delivery.kind, delivery.state)).collect()
}

#[test]
fn one_that_is_down_is_told_again_while_the_origin_goes_on() {
    let mut s = completed(&[EventKind::Completed, EventKind::Deleted]);
    let patient = RetryPolicy { first_delay_seconds: 100, max_attempts: 9 };
    let retry = Verdict::RetryAfter { delay_seconds: 100 };
    assert_eq!(tell(&mut s, NOW, SEARCH, EventKind::Completed, &no(patient)), retry);
    assert_eq!(s.next_job(), Some((NOW, Job::EnqueueEvent)), "the origin is due still");
    assert!(s.outbox.next().unwrap().receiver.is_origin());
    tell(&mut s, NOW, ORIGIN, EventKind::Completed, &yes(false));
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    tell(&mut s, NOW, ORIGIN, EventKind::Deleted, &yes(false));
    assert_eq!(told(&s, SEARCH), [(EventKind::Deleted, DeliveryState::Queued)], "of what it never took it is not told");
    tell(&mut s, NOW, SEARCH, EventKind::Deleted, &yes(false));
    assert_eq!(s.outbox.next(), None);
}

#[test]
fn each_has_its_turn_in_one_ring() {
    let mut s = completed(&[EventKind::Completed]);
    for expected in [ReceiverIndex::ORIGIN, s.spec.receivers.named(SEARCH).unwrap()] {
        let next = s.outbox.next().unwrap();
        assert_eq!((next.receiver, next.next_send_at), (expected, NOW));
        let change = s.event_sent(NOW, next.id());
        s.apply(change);
    }
    assert!(s.outbox.next().unwrap().next_send_at > NOW);
}

#[test]
fn a_creation_is_told_first_and_to_nobody_who_has_not_asked() {
    assert!(upload(&[EventKind::Completed]).outbox.is_empty(), "and costs nothing then");
    let mut s = upload(&[EventKind::Created, EventKind::Completed]);
    assert_eq!((told(&s, SEARCH).len(), told(&s, ORIGIN).len()), (1, 0));
    assert_eq!(s.snapshot().delivery, None);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    let too_early = s.begin_delivery(NOW, SEARCH, &EventKind::Completed.id(s.spec.id), 1, 1);
    assert_eq!(too_early.answer, Ok(None));
    tell(&mut s, NOW, SEARCH, EventKind::Created, &yes(false));
    tell(&mut s, NOW, SEARCH, EventKind::Completed, &yes(false));
}

#[test]
fn a_creation_that_was_not_told_is_told_still_of_what_was_deleted() {
    let mut s = completed(&[EventKind::Created, EventKind::Completed, EventKind::Deleted]);
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    let queued = |kind| (kind, DeliveryState::Queued);
    assert_eq!(told(&s, SEARCH), [queued(EventKind::Created), queued(EventKind::Deleted)]);
}

#[test]
fn what_the_origin_wants_deleted_is_there_until_all_have_heard() {
    let all = [yes(false), no(ONCE)];
    for last in &all {
        let mut s = completed(&[EventKind::Completed]);
        tell(&mut s, NOW, ORIGIN, EventKind::Completed, &yes(true));
        assert!(s.stored_object().is_some() && s.is_about_to_be_taken());
        let late = s.delivered(NOW, EventKind::Completed, false, None);
        s.apply(late);
        assert!(s.is_about_to_be_taken(), "a late copy takes nothing back");
        tell(&mut s, NOW, SEARCH, EventKind::Completed, last);
        assert!(s.stored_object().is_none() && s.progress.deleted_at.is_some());
        assert_eq!((s.phase(), s.next_job().unwrap().0), (Phase::Completed, NOW));
    }
}

#[test]
fn a_wish_stays_where_the_origin_is_told_again_meanwhile() {
    for again in [yes(false), no(ONCE)] {
        let mut s = completed(&[EventKind::Completed]);
        tell(&mut s, NOW, ORIGIN, EventKind::Completed, &yes(true));
        let decision = s.redeliver(NOW, None);
        take(&mut s, decision).unwrap();
        tell(&mut s, NOW, ORIGIN, EventKind::Completed, &again);
        assert!(s.is_about_to_be_taken());
        tell(&mut s, NOW, SEARCH, EventKind::Completed, &yes(false));
        assert!(s.stored_object().is_none() && s.progress.deleted_at.is_some());
    }
}

#[test]
fn what_was_given_up_is_told_again_while_what_follows_it_waits() {
    let mut s = completed(&[EventKind::Created, EventKind::Completed]);
    tell(&mut s, NOW, SEARCH, EventKind::Created, &no(ONCE));
    let decision = s.redeliver(NOW, Some(SEARCH));
    take(&mut s, decision).unwrap();
    let queued = |kind| (kind, DeliveryState::Queued);
    assert_eq!(told(&s, SEARCH), [queued(EventKind::Created), queued(EventKind::Completed)]);
}

#[test]
fn a_queue_that_answers_late_undoes_no_attempt() {
    let mut s = completed(&[EventKind::Completed]);
    let begun = s.begin_delivery(NOW, SEARCH, &EventKind::Completed.id(s.spec.id), 60_000, 1_000);
    let begun = take(&mut s, begun).unwrap().unwrap();
    let change = s.event_sent(NOW, begun.id());
    s.apply(change);
    let after = s.outbox.find(begun.id()).unwrap();
    assert_eq!((after.attempt_until, after.next_send_at), (begun.attempt_until, begun.next_send_at));
}

#[test]
fn only_the_origin_takes_the_object_or_speaks_to_the_client() {
    let mut s = completed(&[EventKind::Completed]);
    tell(&mut s, NOW, SEARCH, EventKind::Completed, &yes(true));
    assert!(s.stored_object().is_some_and(|object| object.result.is_none()) && !s.is_about_to_be_taken());
    assert!(s.awaits_result(NOW, 1_000), "which the origin may still do");
    tell(&mut s, NOW, ORIGIN, EventKind::Completed, &yes(false));
    assert_eq!(s.stored_object().and_then(|object| object.result).as_deref(), Some("7"));
}

#[test]
fn one_is_told_again_or_all_are() {
    let mut s = completed(&[EventKind::Created, EventKind::Completed]);
    tell(&mut s, NOW, ORIGIN, EventKind::Completed, &yes(false));
    tell(&mut s, NOW, SEARCH, EventKind::Created, &no(ONCE));
    tell(&mut s, NOW, SEARCH, EventKind::Completed, &no(ONCE));
    let decision = s.redeliver(NOW, Some(SEARCH));
    take(&mut s, decision).unwrap();
    let queued = |kind| (kind, DeliveryState::Queued);
    assert_eq!(told(&s, SEARCH), [queued(EventKind::Created), queued(EventKind::Completed)], "all that it never took");
    assert_eq!(told(&s, ORIGIN), [(EventKind::Completed, DeliveryState::Delivered)]);
    assert!(matches!(s.redeliver(NOW, Some(SEARCH)).answer, Err(ApiError::RedeliveredRecently { .. })));
    let decision = s.redeliver(NOW, None);
    take(&mut s, decision).unwrap();
    assert_eq!(
        told(&s, ORIGIN),
        [queued(EventKind::Completed)],
        "one that was told a moment ago keeps no other from it"
    );
    assert!(matches!(s.redeliver(NOW, Some("nobody")).answer, Err(ApiError::BadRequest { .. })));
}

#[test]
fn how_it_stands_with_each_is_shown_and_of_a_link_it_is_not() {
    let mut s = completed(&[EventKind::Completed]);
    let shown = |s: &Session| s.snapshot().receivers;
    assert_eq!((shown(&s)[0].state, shown(&s)[0].attempts), (Some(DeliveryState::Queued), 0));
    tell(&mut s, NOW, SEARCH, EventKind::Completed, &no(ONCE));
    let [status] = &shown(&s)[..] else { panic!("one") };
    assert_eq!((status.state, status.last_error.as_deref()), (Some(DeliveryState::Failed), Some("it answered 500")));
    assert_eq!(s.snapshot().delivery, Some(DeliveryState::Queued), "which is the origin's");
    assert!(completed(&[]).snapshot().receivers[0].state.is_none(), "it has not asked for anything that has happened");
}

#[test]
fn what_is_kept_of_a_receiver_is_short() {
    let mut s = completed(&[EventKind::Completed]);
    let long = DeliveryOutcome::Refused { policy: ONCE, asked_seconds: None, error: Some("x".repeat(5_000)) };
    tell(&mut s, NOW, SEARCH, EventKind::Completed, &long);
    let id: DeliveryId = (s.spec.receivers.named(SEARCH).unwrap(), EventKind::Completed).into();
    assert!(serde_json::to_string(s.outbox.find(id).unwrap()).unwrap().len() < 400);
}
