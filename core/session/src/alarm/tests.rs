//! Rings as dialogues: what is asked for, and what is stored for what came of it.

use super::*;
use crate::{
    event::EventKind,
    session::{
        Commit, DeleteRight,
        tests::{NOW, PART, begin, bytes, create, create_without_multipart, receipt, spec, take},
    },
    storage_fault::StorageFault,
};
use upload_types::{integrity::Crc64Nvme, plan::Mode, upload::Phase};

/// Drives a ring until it rests: what it asked for, but for what it stores, which is stored. `answers` are the inputs to that.
fn drive(session: &mut Session, answers: impl IntoIterator<Item = Input>) -> Vec<Effect> {
    let (mut ring, mut input, mut asked) = (Ring::default(), Input::Rings, Vec::new());
    let mut answers = answers.into_iter();
    loop {
        let effect = ring.next(NOW, Some(session), input);
        input = match &effect {
            Effect::Rest => return asked,
            Effect::Charge(_) => Input::Done,
            Effect::Store { change, .. } => {
                session.apply((**change).clone());
                Input::Done
            }
            _ => answers.next().unwrap_or(Input::Done),
        };
        if !matches!(effect, Effect::Store { .. }) {
            asked.push(effect);
        }
    }
}

/// All bytes of two parts are there.
fn two_parts() -> Session {
    let mut session = create(spec(Mode::Sequential, 2 * PART)).unwrap();
    let decision = session.begin(NOW, begin(0, 2 * PART));
    let attempt = take(&mut session, decision).unwrap().attempt;
    for number in 1..=2 {
        let receipts = vec![receipt(number, PART)];
        let commit =
            Commit { attempt, receipts, remainder: None, sha256_so_far: None, digest: None, is_writing_on: false };
        let decision = session.commit(NOW, &commit);
        take(&mut session, decision).unwrap();
    }
    assert_eq!(session.state().phase, Phase::Completing);
    session
}

fn parts() -> Vec<CountedPart> {
    let part = |number: u16| {
        let etag = format!("etag-{number}");
        CountedPart { number, etag, crc64nvme: Crc64Nvme(number.into()), bytes: bytes(PART) }
    };
    vec![part(1), part(2)]
}

fn there(length: u64) -> Input {
    Input::Object { etag: "etag".to_owned(), bytes: length }
}

fn failed(fault: StorageFault) -> Input {
    Input::Failed { fault, error: "R2 says so".to_owned() }
}

/// What a ring asks for to have the object put together, beyond that.
fn assembly(session: &Session) -> [Effect; 3] {
    let (key, multipart_id) = (session.object_key(), session.multipart_id().unwrap().to_owned());
    [Effect::Charge(Job::Assemble), Effect::ReadParts, Effect::Complete { key, multipart_id, parts: parts() }]
}

#[test]
fn a_whole_upload_is_put_together_told_and_closed_in_one_ring() {
    let mut s = two_parts();
    let expected = assembly(&s);
    let asked = drive(&mut s, [Input::Parts(parts()), there(2 * PART)]);
    assert_eq!(asked[..3], expected);
    let follows = [
        Effect::Charge(Job::EnqueueEvent),
        Effect::Enqueue(Message::Tell(EventKind::Completed.into())),
        Effect::Charge(Job::NotifyLedger),
        Effect::CloseInLedger,
    ];
    assert_eq!(asked[3..], follows);
    assert_eq!((s.state().phase, s.state().etag.as_deref()), (Phase::Completed, Some("etag")));
    let crc = Crc64Nvme::of_parts(parts().iter().map(|part| (part.crc64nvme, part.bytes)));
    assert_eq!(s.state().crc64nvme, Some(crc), "combined from those of the parts");
}

#[test]
fn where_r2_says_that_it_failed_the_object_is_looked_for() {
    for fault in [StorageFault::Retry, StorageFault::Gone, StorageFault::Damaged, StorageFault::Refused] {
        let mut s = two_parts();
        let look = Effect::Look { key: s.object_key() };
        let asked = drive(&mut s, [Input::Parts(parts()), failed(fault), there(2 * PART)]);
        assert_eq!((&asked[3], s.state().phase), (&look, Phase::Completed), "{fault:?}");

        let mut s = two_parts();
        let before = s.clone();
        drive(&mut s, [Input::Parts(parts()), failed(fault), Input::NoObject]);
        let mut refused = before.clone();
        refused.apply(before.assembly_refused(NOW, fault, "R2 says so"));
        assert_eq!(s, refused, "{fault:?}: it is not there");

        let mut s = before.clone();
        drive(&mut s, [Input::Parts(parts()), failed(fault), failed(StorageFault::Gone)]);
        let known = if fault == StorageFault::Refused { fault } else { StorageFault::Retry };
        let mut refused = before.clone();
        let error = "R2 says so; looking for the object: R2 says so";
        refused.apply(before.assembly_refused(NOW, known, error));
        assert_eq!(s, refused, "{fault:?}: nobody knows");
    }
}

#[test]
fn an_object_of_another_size_fails_the_upload() {
    for (found, reason) in [(2 * PART - 1, "Storage has"), (u64::MAX, "more than 2^53")] {
        let mut s = two_parts();
        drive(&mut s, [Input::Parts(parts()), there(found)]);
        assert_eq!(s.state().phase, Phase::Failed);
        assert!(s.state().reason.as_ref().unwrap().contains(reason));
    }
}

#[test]
fn an_empty_file_is_put() {
    let mut s = create(spec(Mode::Sequential, 0)).unwrap();
    let key = s.object_key();
    let asked = drive(&mut s, [Input::Parts(Vec::new()), there(0)]);
    assert_eq!((&asked[2], s.state().phase), (&Effect::PutEmpty { key }, Phase::Completed));
}

#[test]
fn parts_that_cannot_be_read_are_asked_for_again_later() {
    let mut s = two_parts();
    drive(&mut s, [failed(StorageFault::Retry)]);
    assert_eq!((s.state().phase, s.state().job_failures), (Phase::Completing, 1));
    assert!(s.next_job().unwrap().0 > NOW);
}

/// Cancelled while segments may be there.
fn cancelled() -> Session {
    let mut s = create(spec(Mode::Sequential, 2 * PART)).unwrap();
    let decision = s.begin(NOW, begin(0, PART / 2));
    take(&mut s, decision).unwrap();
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    s
}

#[test]
fn what_is_unwanted_goes_call_by_call() {
    let mut s = cancelled();
    let key = s.object_key();
    let expected = [
        Effect::Charge(Job::Cleanup),
        Effect::Delete(Deletion::Below { prefix: s.spec().segment_prefix() }),
        Effect::Delete(Deletion::Multipart { key: key.clone(), multipart_id: "multipart".to_owned() }),
        Effect::Delete(Deletion::Objects(vec![key])),
    ];
    let asked = drive(&mut s, []);
    let from = asked.iter().position(|effect| *effect == expected[0]).unwrap();
    assert_eq!(asked[from..from + 4], expected);
    assert!(!s.state().holds_storage);
}

#[test]
fn what_may_be_beside_the_objects_own_put_goes_but_for_that() {
    let mut s = create_without_multipart(spec(Mode::Sequential, PART));
    for _ in 0..2 {
        let decision = s.begin(NOW, begin(0, PART));
        take(&mut s, decision).unwrap();
    }
    let receipts = vec![receipt(1, PART)];
    let commit =
        Commit { attempt: 2, receipts, remainder: None, sha256_so_far: None, digest: None, is_writing_on: false };
    let decision = s.commit(NOW, &commit);
    take(&mut s, decision).unwrap();
    let spec = s.spec();
    let swept = Deletion::Puts { key: spec.key.clone(), upload: spec.id, except: spec.put_key(2) };
    let asked = drive(&mut s, []);
    assert!(asked.contains(&Effect::Delete(swept)), "{asked:?}");
    assert!(!asked.iter().any(|effect| matches!(effect, Effect::Delete(Deletion::Objects(_)))), "it is wanted");
}

#[test]
fn a_duty_that_fails_is_put_off_and_stops_no_other() {
    let mut s = cancelled();
    let asked = drive(&mut s, [failed(StorageFault::Retry)]);
    assert_eq!(asked[1], Effect::Enqueue(Message::Tell(EventKind::Aborted.into())));
    assert!(s.outbox().next().unwrap().next_send_at > NOW, "no queue has taken it: it is handed over later");
    assert!(!s.state().holds_storage && !s.state().owes_ledger, "neither R2 nor the ledger waits for that");

    let mut s = cancelled();
    let asked = drive(&mut s, [Input::Done, Input::Done, Input::Done, failed(StorageFault::Retry)]);
    assert!(s.state().holds_storage && s.state().job_failures == 1);
    assert!(!asked.iter().any(|effect| matches!(effect, Effect::Delete(Deletion::Objects(_)))), "it ended there");
}

#[test]
fn a_ring_ends_even_where_nothing_can_be_stored() {
    let s = two_parts();
    let (mut ring, mut input, mut charged) = (Ring::default(), Input::Rings, 0);
    for _ in 0..200 {
        input = match ring.next(NOW, Some(&s), input) {
            Effect::Rest => break,
            Effect::Charge(_) => {
                charged += 1;
                Input::Done
            }
            _ => failed(StorageFault::Retry),
        };
    }
    assert_eq!((charged, ring.next(NOW, Some(&s), Input::Done)), (MOST_DUTIES, Effect::Rest));
}

#[test]
fn a_forgotten_upload_has_no_duties() {
    let mut s = cancelled();
    drive(&mut s, []);
    let delivered = s.delivery_begun(NOW, EventKind::Aborted, 1, 1).unwrap();
    s.apply(delivered);
    s.apply(s.clone().delivered(NOW, EventKind::Aborted, false, None));
    while let (due, job) = s.next_job().unwrap()
        && job != Job::Purge
    {
        let (mut ring, mut input) = (Ring::default(), Input::Rings);
        loop {
            input = match ring.next(due, Some(&s), input) {
                Effect::Rest => break,
                Effect::Store { change, .. } => {
                    s.apply(*change);
                    Input::Done
                }
                _ => Input::Done,
            };
        }
    }
    let (due, mut ring) = (s.next_job().unwrap().0, Ring::default());
    assert_eq!(ring.next(due, Some(&s), Input::Rings), Effect::Charge(Job::Purge));
    assert_eq!(ring.next(due, Some(&s), Input::Done), Effect::Purge);
    assert_eq!(ring.next(due, None, Input::Done), Effect::Rest);
}

/// A completed upload of which all is told: the next duty is to forget it.
fn about_to_be_forgotten() -> (Session, UnixMs) {
    let mut s = two_parts();
    drive(&mut s, [Input::Parts(parts()), there(2 * PART)]);
    let begun = s.delivery_begun(NOW, EventKind::Completed, 1, 1).unwrap();
    s.apply(begun);
    s.apply(s.clone().delivered(NOW, EventKind::Completed, false, None));
    let (due, job) = s.next_job().unwrap();
    assert_eq!(job, Job::Purge);
    (s, due)
}

#[test]
fn a_file_that_is_there_is_listed_no_more_before_its_upload_is_forgotten() {
    let (s, due) = about_to_be_forgotten();
    let mut ring = Ring::default();
    assert_eq!(ring.next(due, Some(&s), Input::Rings), Effect::Charge(Job::Purge));
    assert_eq!(ring.next(due, Some(&s), Input::Done), Effect::Unlist);
    assert_eq!(ring.next(due, Some(&s), Input::Done), Effect::Purge);
    assert_eq!(ring.next(due, None, Input::Done), Effect::Rest);
}

#[test]
fn nothing_is_forgotten_that_the_ledger_has_not_heard_of() {
    let (mut s, mut due) = about_to_be_forgotten();
    for pause_ms in [1_000, 2_000, 4_000] {
        let mut ring = Ring::default();
        ring.next(due, Some(&s), Input::Rings);
        assert_eq!(ring.next(due, Some(&s), Input::Done), Effect::Unlist);
        let Effect::Store { change, .. } = ring.next(due, Some(&s), failed(StorageFault::Retry)) else { panic!() };
        s.apply(*change);
        assert_eq!(ring.next(due, Some(&s), Input::Done), Effect::Rest);
        assert_eq!(s.next_job(), Some((due.plus_ms(pause_ms), Job::Purge)), "with growing pauses");
        due = due.plus_ms(pause_ms);
    }
}

#[test]
fn an_upload_that_somebody_needs_while_it_is_about_to_be_forgotten_is_listed_again() {
    let (mut s, due) = about_to_be_forgotten();
    let mut ring = Ring::default();
    ring.next(due, Some(&s), Input::Rings);
    assert_eq!(ring.next(due, Some(&s), Input::Done), Effect::Unlist);
    // Meanwhile an operator wants its event told again.
    let decision = s.redeliver(due, None);
    take(&mut s, decision).unwrap();
    let Effect::Store { change, .. } = ring.next(due, Some(&s), Input::Done) else { panic!("it is forgotten") };
    s.apply(*change);
    let told = std::iter::from_fn(|| {
        let effect = ring.next(due, Some(&s), Input::Done);
        if let Effect::Store { change, .. } = &effect {
            s.apply((**change).clone());
        }
        (effect != Effect::Rest).then_some(effect)
    });
    assert!(told.collect::<Vec<_>>().contains(&Effect::CloseInLedger));
}
