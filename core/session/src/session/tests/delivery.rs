//! What the origin is told, and when it is told again.

use super::*;
use crate::{
    event::{RetryPolicy, Verdict},
    receivers::ReceiverIndex,
};

const POLICY: RetryPolicy = RetryPolicy { first_delay_seconds: 1, max_attempts: 1 };

fn completed() -> Session {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    s
}

fn begin_telling(s: &mut Session, now: UnixMs, event: EventKind) {
    let change = s.delivery_begun(now, event, 60_000, 1_000).unwrap();
    s.apply(change);
}

fn acknowledge(s: &mut Session, now: UnixMs, event: EventKind) {
    let change = s.delivered(now, event, false, None);
    s.apply(change);
}

fn give_up(s: &mut Session, now: UnixMs, event: EventKind) {
    begin_telling(s, now, event);
    let (verdict, change) = s.undelivered(now, event, POLICY, None, None);
    s.apply(change);
    assert_eq!(verdict, Verdict::GiveUp);
}

fn delete(s: &mut Session, now: UnixMs) {
    let decision = s.cancel(now, DeleteRight::Completed);
    take(s, decision).unwrap();
}

fn events(s: &Session) -> Vec<(EventKind, DeliveryState)> {
    s.outbox.iter().map(|delivery| (delivery.kind, delivery.state)).collect()
}

#[test]
fn an_event_nobody_takes_waits_for_an_operator() {
    let mut s = completed();
    assert_eq!(s.redeliver(NOW, None).answer, Err(ApiError::NothingToRedeliver));
    give_up(&mut s, NOW, EventKind::Completed);
    assert_eq!(s.snapshot().delivery, Some(DeliveryState::Failed));
    let change = s.settled(s.told_of_object());
    s.apply(change);
    assert_eq!(s.next_job().unwrap().1, Job::Purge, "but not before its tombstone is over");
    let decision = s.redeliver(UnixMs(5_000), None);
    take(&mut s, decision).unwrap();
    assert_eq!(s.next_job(), Some((UnixMs(5_000), Job::EnqueueEvent)));
}

#[test]
fn it_is_sent_again_at_a_pace() {
    let mut s = completed();
    acknowledge(&mut s, NOW, EventKind::Completed);
    let decision = s.redeliver(NOW, None);
    take(&mut s, decision).unwrap();
    let too_soon = ApiError::RedeliveredRecently { retry_after_seconds: 10 };
    assert_eq!(s.redeliver(NOW, None).answer, Err(too_soon.clone()), "while it is on its way");
    acknowledge(&mut s, NOW, EventKind::Completed);
    assert_eq!(s.redeliver(NOW, None).answer, Err(too_soon), "and behind that");
    assert!(s.redeliver(NOW.plus_ms(10_000), None).answer.is_ok());
}

#[test]
fn what_was_deleted_before_it_was_told_is_told_as_deleted_only() {
    let mut s = completed();
    delete(&mut s, NOW);
    assert_eq!(events(&s), [(EventKind::Deleted, DeliveryState::Queued)]);
    assert_eq!(s.delivery_begun(NOW, EventKind::Completed, 1, 1), None, "its message may be in the queue already");
    begin_telling(&mut s, NOW, EventKind::Deleted);
    acknowledge(&mut s, NOW, EventKind::Deleted);
    assert_eq!(s.snapshot().delivery, Some(DeliveryState::Delivered));
}

#[test]
fn a_deletion_while_the_completion_is_being_told_is_told_after_it() {
    let mut s = completed();
    begin_telling(&mut s, NOW, EventKind::Completed);
    delete(&mut s, NOW.plus_ms(5));
    let over = NOW.plus_ms(60_000);
    assert_eq!(s.outbox.next().map(|next| next.next_send_at), Some(over), "if nothing is heard of the attempt");
    assert!(s.delivered(NOW.plus_ms(9), EventKind::Completed, true, None).is_none(), "there is no such event any more");
    let change = s.withdrawn_attempt_ended(NOW.plus_ms(9), ReceiverIndex::ORIGIN);
    s.apply(change);
    assert_eq!(s.outbox.next().unwrap().next_send_at, NOW.plus_ms(9), "at once, when the attempt is over");
    let change = s.event_sent(NOW.plus_ms(9), EventKind::Deleted);
    s.apply(change);
    assert!(
        s.withdrawn_attempt_ended(NOW.plus_ms(10), ReceiverIndex::ORIGIN).is_none(),
        "a late copy sends nothing twice"
    );
}

#[test]
fn a_completion_that_was_acknowledged_stays_so_when_it_is_deleted() {
    let mut s = completed();
    acknowledge(&mut s, NOW, EventKind::Completed);
    delete(&mut s, NOW);
    assert_eq!(
        events(&s),
        [(EventKind::Completed, DeliveryState::Delivered), (EventKind::Deleted, DeliveryState::Queued)]
    );
    // A late copy of the first event's acknowledgement says nothing of the second.
    acknowledge(&mut s, NOW, EventKind::Completed);
    assert_eq!(s.outbox.next().map(|next| next.kind), Some(EventKind::Deleted));
    assert!(matches!(s.redeliver(NOW, None).answer, Err(ApiError::UploadGone { phase: Phase::Deleted, .. })));
}

#[test]
fn a_deletion_that_the_origin_never_took_can_be_told_again() {
    let mut s = completed();
    give_up(&mut s, NOW, EventKind::Completed);
    delete(&mut s, NOW);
    assert_eq!(events(&s), [(EventKind::Deleted, DeliveryState::Queued)], "what was given up has no link any more");
    give_up(&mut s, NOW, EventKind::Deleted);
    let decision = s.redeliver(NOW, None);
    take(&mut s, decision).unwrap();
    assert_eq!(s.outbox.next().map(|next| next.kind), Some(EventKind::Deleted));
}

#[test]
fn where_nobody_is_told_nobody_is_told_of_a_deletion() {
    let mut spec = spec(Mode::Sequential, 0);
    spec.policy.tell_origin = false;
    let mut s = create(spec).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    delete(&mut s, NOW);
    assert!(s.outbox.is_empty());
}

#[test]
fn it_is_not_forgotten_before_its_last_link_has_expired() {
    let mut s = completed();
    let change = s.settled(s.told_of_object());
    s.apply(change);
    let long = 3 * DAY_MS;
    let change = s.delivery_begun(NOW, EventKind::Completed, 1_000, long).unwrap();
    s.apply(change);
    acknowledge(&mut s, NOW, EventKind::Completed);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(long), Job::Purge)), "later than the tombstone of a day");
    let later = NOW.plus_ms(2 * DAY_MS);
    let decision = s.redeliver(later, None);
    take(&mut s, decision).unwrap();
    let change = s.delivery_begun(later, EventKind::Completed, 1_000, long).unwrap();
    s.apply(change);
    acknowledge(&mut s, later, EventKind::Completed);
    assert_eq!(s.next_job(), Some((later.plus_ms(long), Job::Purge)), "each link lives as long as it says");
    delete(&mut s, later);
    acknowledge(&mut s, later, EventKind::Deleted);
    let change = s.cleaned_up(s.cleanup());
    s.apply(change);
    let change = s.settled(s.told_of_object());
    s.apply(change);
    assert_eq!(s.next_job(), Some((later.plus_ms(DAY_MS), Job::Purge)), "unless it leads nowhere");
}
