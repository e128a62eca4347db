//! A file that somebody looks at before anybody gets it: who is told what, who may say what becomes of it, and that it is said once.

use super::*;
use crate::{
    event::{DeliveryOutcome, RetryPolicy, Verdict},
    held_verdict::HeldVerdict,
    receivers::{Receiver, SCANNER_NAME},
    session::RegisteredHold,
};
use upload_types::admin::Noted;

const ORIGIN: &str = "origin";
const AUDIT: &str = "audit";
const LATER: UnixMs = UnixMs(90_000);

fn held_spec() -> UploadSpec {
    let kinds = vec![EventKind::Completed, EventKind::Held, EventKind::Released, EventKind::Rejected];
    let audit = Receiver { name: AUDIT.to_owned(), kinds };
    let file = FileInfo { sha256: Some(Sha256Digest::of(&[])), ..spec(Mode::Sequential, 0).file };
    let scanner = Receiver { name: SCANNER_NAME.to_owned(), kinds: vec![EventKind::Held] };
    UploadSpec { hold: true, file, receivers: Receivers::new(vec![audit, scanner]), ..spec(Mode::Sequential, 0) }
}

fn whole(spec: UploadSpec) -> Session {
    let mut s = create(spec).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    s
}

fn held() -> Session {
    whole(held_spec())
}

fn yes(verdict: Option<HeldVerdict>) -> DeliveryOutcome {
    DeliveryOutcome::Acknowledged { discard: false, result: None, verdict }
}

fn no() -> DeliveryOutcome {
    let policy = RetryPolicy { first_delay_seconds: 1, max_attempts: 1 };
    DeliveryOutcome::Refused { policy, asked_seconds: None, error: None }
}

/// Whether an attempt at telling this receiver of this begins.
fn begins(s: &mut Session, name: &str, kind: EventKind) -> bool {
    let begun = s.begin_delivery(NOW, name, &kind.id(s.spec.id), 60_000, 100_000);
    take(s, begun).unwrap().is_some()
}

fn ends(s: &mut Session, name: &str, kind: EventKind, outcome: &DeliveryOutcome) -> Verdict {
    let ended = s.delivery_ended(LATER, name, &kind.id(s.spec.id), outcome);
    take(s, ended).unwrap()
}

fn says(s: &mut Session, name: &str, verdict: HeldVerdict) {
    assert!(begins(s, name, EventKind::Held));
    ends(s, name, EventKind::Held, &yes(Some(verdict)));
}

/// A person decides.
fn judges(s: &mut Session, verdict: &HeldVerdict) {
    let decision = s.judge(NOW, verdict);
    take(s, decision).unwrap();
}

fn told(s: &Session, name: &str) -> Vec<EventKind> {
    let index = s.spec.receivers.named(name).unwrap();
    s.outbox.to(index).map(|delivery| delivery.kind).collect()
}

fn delete() -> HeldVerdict {
    HeldVerdict::Delete("Eicar".to_owned())
}

#[test]
fn what_is_held_is_complete_and_nobodys() {
    let mut s = held();
    assert_eq!((s.phase(), s.is_held(), s.snapshot().held), (Phase::Completed, true, true));
    assert_eq!((s.find_object(), s.growing(bytes(0)).err()), (Err(ApiError::Held), Some(ApiError::Held)));
    assert!(s.stored_object().is_none() && s.fingerprint().is_none(), "no other upload shares it");
    assert_ne!(s.listing(), upload_types::ledger::Listing::Gone, "it takes room");
    assert_eq!(s.find_for_scanner().unwrap().etag, "etag");
    for name in [ORIGIN, AUDIT, SCANNER_NAME] {
        assert_eq!(told(&s, name), [EventKind::Held], "{name}");
    }
    assert_eq!(jobs_until_nothing_is_due(&mut s, NOW).len(), 4, "three are told, and the ledger");
    assert_eq!(s.next_job(), None, "nothing is forgotten that somebody is still to look at");
}

#[test]
fn only_the_scanner_is_handed_a_link() {
    let mut s = held();
    for (name, has_link) in [(ORIGIN, false), (AUDIT, false), (SCANNER_NAME, true)] {
        let begun = s.begin_delivery(NOW, name, &EventKind::Held.id(s.spec.id), 60_000, 1_000);
        assert_eq!(take(&mut s, begun).unwrap().unwrap().link_until.is_some(), has_link, "{name}");
    }
}

#[test]
fn once_released_it_is_as_any_other() {
    for name in [SCANNER_NAME, ORIGIN] {
        let mut s = held();
        let change = s.settled(s.told_of_object());
        s.apply(change);
        says(&mut s, name, HeldVerdict::Release);
        assert!(!s.is_held() && s.find_object().is_ok() && s.fingerprint().is_some());
        assert_eq!(told(&s, AUDIT), [EventKind::Released, EventKind::Completed], "it never heard that it was held");
        assert_eq!(told(&s, ORIGIN).last(), Some(&EventKind::Completed));
        assert!(s.progress.owes_ledger, "others may share it from now on");
        jobs_until_nothing_is_due(&mut s, LATER);
        assert_eq!(s.next_job(), Some((LATER.plus_ms(DAY_MS), Job::Purge)), "its time begins with its release");
    }
}

#[test]
fn what_is_rejected_goes_as_what_has_failed_does() {
    let mut s = held();
    says(&mut s, SCANNER_NAME, delete());
    let now = s.snapshot();
    assert_eq!((now.phase, now.held, now.reason.unwrap().as_str()), (Phase::Failed, false, "It was rejected: Eicar"));
    assert_eq!((told(&s, ORIGIN), told(&s, AUDIT)), (vec![EventKind::Rejected], vec![EventKind::Rejected]));
    assert!(matches!(s.find_for_scanner(), Err(ApiError::UploadGone { phase: Phase::Failed, .. })));
    assert!(jobs_until_nothing_is_due(&mut s, LATER).contains(&Job::Cleanup));
    assert!(!s.progress.holds_storage && s.listing() == upload_types::ledger::Listing::Gone);
}

#[test]
fn a_verdict_and_its_acknowledgement_are_one_change() {
    let mut s = held();
    assert!(begins(&mut s, SCANNER_NAME, EventKind::Held));
    let event_id = EventKind::Held.id(s.spec.id);
    let ended = s.delivery_ended(LATER, SCANNER_NAME, &event_id, &yes(Some(HeldVerdict::Release)));
    let change = ended.change;
    let scanner = s.spec.receivers.named(SCANNER_NAME).unwrap();
    let delivery = change.outbox.as_ref().unwrap().to(scanner).next().unwrap().clone();
    assert_eq!((delivery.state, change.progress.unwrap().held), (DeliveryState::Delivered, false));
}

#[test]
fn a_verdict_that_comes_twice_or_late_changes_nothing() {
    for (first, is_there) in [(HeldVerdict::Release, true), (delete(), false)] {
        for second in [HeldVerdict::Release, delete(), HeldVerdict::Hold] {
            let mut s = held();
            says(&mut s, SCANNER_NAME, first.clone());
            let (phase, kinds) = (s.phase(), told(&s, ORIGIN));
            assert_eq!(ends(&mut s, SCANNER_NAME, EventKind::Held, &yes(Some(second))), Verdict::Settled);
            assert_eq!((s.phase(), told(&s, ORIGIN), s.stored_object().is_some()), (phase, kinds, is_there));
        }
    }
    let mut s = held();
    says(&mut s, SCANNER_NAME, HeldVerdict::Hold);
    assert!(s.is_held() && !begins(&mut s, SCANNER_NAME, EventKind::Held), "a person decides");
    ends(&mut s, SCANNER_NAME, EventKind::Held, &yes(Some(HeldVerdict::Release)));
    assert!(s.is_held(), "not a late copy of the question");
    let again = s.redeliver(UnixMs(900_000), Some(SCANNER_NAME));
    assert_eq!(
        again.answer,
        Err(ApiError::NothingToRedeliver),
        "nor does its owner have it asked until it says something else"
    );
}

#[test]
fn nobody_else_has_a_say() {
    let mut s = held();
    says(&mut s, AUDIT, HeldVerdict::Release);
    assert!(s.is_held());
    says(&mut s, ORIGIN, HeldVerdict::Hold);
    assert!(s.is_held());
    let mut s = whole(spec(Mode::Sequential, 0));
    assert!(begins(&mut s, ORIGIN, EventKind::Completed));
    ends(&mut s, ORIGIN, EventKind::Completed, &yes(Some(delete())));
    assert!(s.stored_object().is_some(), "of what is not held nobody is asked");
}

#[test]
fn a_scanner_that_never_answers_leaves_it_to_a_person() {
    let mut s = held();
    assert!(begins(&mut s, SCANNER_NAME, EventKind::Held));
    assert_eq!(ends(&mut s, SCANNER_NAME, EventKind::Held, &no()), Verdict::GiveUp);
    assert!(s.is_held());
    assert_eq!(s.receiver_statuses()[1].state, Some(DeliveryState::Failed), "whoever runs the service sees it");
    let again = s.redeliver(LATER, Some(SCANNER_NAME));
    take(&mut s, again).unwrap();
    says(&mut s, SCANNER_NAME, HeldVerdict::Release);
    assert!(!s.is_held());
}

#[test]
fn an_attempt_that_is_under_way_while_somebody_else_decides_counts_for_nothing() {
    for reject in [false, true] {
        let mut s = held();
        for name in [ORIGIN, SCANNER_NAME] {
            assert!(begins(&mut s, name, EventKind::Held));
        }
        judges(&mut s, &if reject { delete() } else { HeldVerdict::Release });
        let next = s.outbox.next_to(crate::receivers::ReceiverIndex::ORIGIN).unwrap();
        assert_eq!(
            next.next_send_at,
            NOW.plus_ms(60_000),
            "the origin hears what came of it behind what it is hearing"
        );
        let phase = s.phase();
        let other = if reject { HeldVerdict::Release } else { delete() };
        ends(&mut s, SCANNER_NAME, EventKind::Held, &yes(Some(other)));
        assert_eq!(s.phase(), phase);
        ends(&mut s, ORIGIN, EventKind::Held, &yes(None));
        assert_eq!(s.outbox.next().unwrap().next_send_at, NOW);
        let again = s.redeliver(LATER, Some(SCANNER_NAME));
        assert_eq!(again.answer, Err(ApiError::NothingToRedeliver), "it is asked about nothing that is decided");
    }
}

#[test]
fn a_person_decides_once_and_may_say_it_twice() {
    let mut s = held();
    for _ in 0..2 {
        judges(&mut s, &HeldVerdict::Release);
    }
    assert_eq!(told(&s, AUDIT), [EventKind::Released, EventKind::Completed]);
    assert_eq!(s.judge(LATER, &delete()).answer, Err(ApiError::NotHeld { phase: Phase::Completed }));
    let mut s = held();
    for _ in 0..2 {
        judges(&mut s, &HeldVerdict::Delete(String::new()));
    }
    assert_eq!(s.snapshot().reason.as_deref(), Some("It was rejected."));
    assert_eq!(s.judge(LATER, &HeldVerdict::Release).answer, Err(ApiError::NotHeld { phase: Phase::Failed }));
    let open = session(PART);
    assert_eq!(open.judge(NOW, &HeldVerdict::Release).answer, Err(ApiError::NotHeld { phase: Phase::Open }));
    assert_eq!(open.judge(NOW, &delete()).answer, Err(ApiError::NotHeld { phase: Phase::Open }));
}

#[test]
fn its_client_may_delete_it_and_nobody_decides_then() {
    let mut s = held();
    assert!(begins(&mut s, SCANNER_NAME, EventKind::Held));
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    assert_eq!((s.phase(), told(&s, ORIGIN)), (Phase::Deleted, vec![EventKind::Deleted]));
    ends(&mut s, SCANNER_NAME, EventKind::Held, &yes(Some(HeldVerdict::Release)));
    assert_eq!((s.phase(), s.stored_object()), (Phase::Deleted, None));
    assert!(matches!(s.judge(NOW, &HeldVerdict::Release).answer, Err(ApiError::NotHeld { phase: Phase::Deleted })));
    assert!(jobs_until_nothing_is_due(&mut s, LATER).contains(&Job::Cleanup));
}

#[test]
fn the_ledger_hears_of_what_changes_while_it_is_told() {
    for reject in [false, true] {
        let mut s = held();
        let told = s.told_of_object();
        judges(&mut s, &if reject { delete() } else { HeldVerdict::Release });
        let change = s.settled(told);
        s.apply(change);
        assert!(s.progress.owes_ledger, "{reject}");
    }
}

#[test]
fn the_register_hears_that_it_is_held_and_that_it_is_no_more() {
    let released = |s: &mut Session| judges(s, &HeldVerdict::Release);
    let rejected = |s: &mut Session| judges(s, &delete());
    let deleted = |s: &mut Session| {
        let decision = s.cancel(NOW, DeleteRight::Unfinished);
        take(s, decision).unwrap();
    };
    for decide in [&released as &dyn Fn(&mut Session), &rejected, &deleted] {
        let mut s = held();
        let noted = Noted { upload_id: s.spec.id, owner: s.spec.owner.clone(), at: s.spec.created_at };
        assert_eq!(s.registered_hold(), Some(RegisteredHold::Held(noted.clone())));
        assert_eq!(s.cost_of(Job::NotifyLedger).object_requests, 2);
        let told = s.told_of_object();
        decide(&mut s);
        assert_eq!(s.registered_hold(), Some(RegisteredHold::Over(noted)));
        // It is told, also where the first telling is acknowledged behind the verdict.
        let change = s.settled(told);
        s.apply(change);
        assert!(jobs_until_nothing_is_due(&mut s, LATER).contains(&Job::NotifyLedger));
    }
    let open = create(held_spec()).unwrap();
    let piece = whole(UploadSpec { purpose: Purpose::Partial, ..held_spec() });
    for never_held in [open, piece, whole(spec(Mode::Sequential, 0))] {
        assert_eq!(never_held.registered_hold(), None);
    }
}

#[test]
fn a_piece_is_not_held_and_a_live_upload_is_read_by_nobody() {
    let piece = whole(UploadSpec { purpose: Purpose::Partial, ..held_spec() });
    assert!(!piece.is_held());
    assert!(piece.as_partial("anonymous", None).answer.unwrap().hold, "what it becomes part of is");
    let live = create(UploadSpec {
        live: Some(upload_types::live::Live { end_after_ms: 1_000, ..Default::default() }),
        ..held_spec()
    })
    .unwrap();
    assert!(!live.is_readable());
}

fn hold_for(reason: &str) -> HeldVerdict {
    HeldVerdict::HoldFor(reason.to_owned())
}

#[test]
fn why_it_was_left_held_is_kept_for_whoever_runs_the_service() {
    let mut s = held();
    assert!(begins(&mut s, SCANNER_NAME, EventKind::Held));
    let event_id = EventKind::Held.id(s.spec.id);
    let change = s.delivery_ended(LATER, SCANNER_NAME, &event_id, &yes(Some(hold_for("a macro")))).change;
    let scanner = s.spec.receivers.named(SCANNER_NAME).unwrap();
    let state = change.outbox.as_ref().and_then(|outbox| outbox.to(scanner).next()).map(|delivery| delivery.state);
    assert_eq!(state, Some(DeliveryState::Delivered), "with its acknowledgement");
    s.apply(change);
    assert!(s.is_held() && !begins(&mut s, SCANNER_NAME, EventKind::Held), "a person decides");
    assert_eq!((s.reason().as_deref(), s.snapshot().reason), (Some("scanner: a macro"), None));
    says(&mut s, ORIGIN, hold_for("ask her"));
    assert_eq!(s.reason().as_deref(), Some("origin: ask her"), "the last word");
    ends(&mut s, SCANNER_NAME, EventKind::Held, &yes(Some(hold_for("late"))));
    says(&mut s, AUDIT, hold_for("nobody asked"));
    assert_eq!(s.reason().as_deref(), Some("origin: ask her"), "and no late copy's, nor anybody else's");
}

#[test]
fn who_leaves_it_held_without_a_reason_takes_none_back() {
    let mut s = held();
    says(&mut s, SCANNER_NAME, hold_for("a macro"));
    says(&mut s, ORIGIN, HeldVerdict::Hold);
    assert_eq!(s.reason().as_deref(), Some("scanner: a macro"));
}

#[test]
fn once_it_is_decided_nothing_is_left_of_why_it_was_held() {
    let deleted = |s: &mut Session| {
        let decision = s.cancel(NOW, DeleteRight::Unfinished);
        take(s, decision).unwrap();
    };
    let released = |s: &mut Session| judges(s, &HeldVerdict::Release);
    let rejected = |s: &mut Session| judges(s, &delete());
    for decide in [&released as &dyn Fn(&mut Session), &rejected, &deleted] {
        let mut s = held();
        says(&mut s, SCANNER_NAME, hold_for("a macro"));
        assert!(begins(&mut s, ORIGIN, EventKind::Held));
        decide(&mut s);
        ends(&mut s, ORIGIN, EventKind::Held, &yes(Some(hold_for("late"))));
        assert!(!s.snapshot().reason.unwrap_or_default().contains("macro"));
        assert_eq!(s.reason(), s.snapshot().reason, "whoever asks");
    }
}

#[test]
fn what_is_held_is_stored_so() {
    let mut s = held();
    let (spec, progress) = (serde_json::to_value(&s.spec).unwrap(), serde_json::to_value(&s.progress).unwrap());
    assert_eq!((&spec["hold"], &progress["held"]), (&true.into(), &true.into()));
    assert_eq!(progress["reason"], serde_json::Value::Null, "as builds wrote it that kept none");
    assert_eq!(serde_json::from_value::<UploadState>(progress).unwrap(), s.progress);
    says(&mut s, SCANNER_NAME, hold_for("a macro"));
    let progress = serde_json::to_value(&s.progress).unwrap();
    assert_eq!((&progress["held"], &progress["reason"]), (&true.into(), &"scanner: a macro".into()));
    assert_eq!(serde_json::from_value::<UploadState>(progress).unwrap(), s.progress);
}
