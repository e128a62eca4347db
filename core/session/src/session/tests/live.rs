//! Live uploads: what can be read while they grow, and how they end.

use super::{super::live::LAST_PART_MS, *};
use upload_types::{live::Live, media_types::MediaTypes, upload::LiveState};

const A_MINUTE: u64 = 60_000;

/// One that ends after a minute of silence.
fn live() -> Session {
    let mut spec = spec(Mode::Sequential, 100 * PART);
    (spec.plan.open_ended, spec.live) = (true, Some(Live { end_after_ms: A_MINUTE, ..Live::default() }));
    create(spec).unwrap()
}

fn append(s: &mut Session, now: UnixMs, from: u64, length: u64) -> WriteLease {
    let decision = s.begin(now, begin(from, length));
    take(s, decision).unwrap()
}

/// Stores whole parts, each counted by itself.
fn parts(s: &mut Session, now: UnixMs, from: u64, count: u64) {
    let lease = append(s, now, from, count * PART);
    for part in 0..count {
        let number = lease.first_number + u16::try_from(part).unwrap();
        let decision = s.commit(now, &commit(lease.attempt, vec![receipt(number, PART)]));
        take(s, decision).unwrap();
    }
}

/// Stores bytes that fill no part.
fn tail(s: &mut Session, now: UnixMs, from: u64, length: u64) {
    let lease = append(s, now, from, length);
    let remainder = Some(Remainder { bytes: length.try_into().unwrap(), place: SegmentPlace::Row });
    let decision = s.commit(now, &Commit { remainder, ..commit(lease.attempt, vec![]) });
    take(s, decision).unwrap();
}

/// As it is read back.
fn asleep(now: UnixMs, s: &Session) -> Session {
    let Content::Sequence(Sequence { last_part, last_segment }) = s.content.clone() else { panic!() };
    let counted = CountedRows::Sequence { last_part, last_segment };
    let state = serde_json::from_value(serde_json::to_value(&s.progress).unwrap()).unwrap();
    Session::restore(now, s.spec.clone(), state, s.outbox.clone(), counted)
}

fn expire(s: &mut Session, now: UnixMs) -> bool {
    let change = s.expire_if_due(now);
    let is_due = change.is_some();
    s.apply(change.unwrap_or_default());
    is_due
}

#[test]
fn every_part_has_a_copy_and_the_copies_are_swept_in_the_end() {
    let mut s = live();
    let lease = append(&mut s, NOW, 0, PART);
    assert_eq!(lease.copies_prefix.as_deref(), Some("segments/01010101-0101-4101-8101-010101010101/part-"));
    // Said before the first copy is written: whatever dies then, somebody looks.
    assert!(s.may_have_leftovers());
    assert_eq!(append(&mut session(2 * PART), NOW, 0, PART).copies_prefix, None, "of an upload that is not live");
}

#[test]
fn what_counts_can_be_read_and_nothing_else() {
    let mut s = live();
    let at = |s: &Session, from: u64| s.growing(from.try_into().unwrap());
    assert_eq!(at(&s, 0), Ok(GrowingParts { parts_from: None, has_tail: false }));
    parts(&mut s, NOW, 0, 2);
    tail(&mut s, NOW, 2 * PART, 5);
    let (from, last) = (ByteCount::new(PART + 1), ByteCount::new(2 * PART).unwrap());
    assert_eq!(at(&s, PART + 1), Ok(GrowingParts { parts_from: from, has_tail: true }));
    assert_eq!(s.growing(last), Ok(GrowingParts { parts_from: None, has_tail: true }));
    assert!(s.has_grown_beyond(last) && !s.has_grown_beyond(ByteCount::new(2 * PART + 5).unwrap()));
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    assert!(matches!(at(&s, 0), Err(ApiError::UploadGone { .. })));
    assert!(s.has_grown_beyond(ByteCount::MAX), "whoever waits is told that nothing more comes");
    assert!(matches!(at(&session(2 * PART), 0), Err(ApiError::Incomplete { .. })), "of an upload that is not live");
}

#[test]
fn silence_ends_it_with_what_is_there() {
    let mut s = live();
    assert_eq!(s.next_job(), Some((s.expires_at(), Job::Expire)), "nothing has come: it expires as any other");
    parts(&mut s, NOW, 0, 1);
    let ends_at = NOW.plus_ms(A_MINUTE);
    assert_eq!(s.next_job(), Some((ends_at, Job::Expire)));
    assert!(!expire(&mut s, UnixMs(ends_at.0 - 1)));
    // A byte in time moves the end.
    let later = UnixMs(ends_at.0 - 1);
    parts(&mut s, later, PART, 1);
    assert!(!expire(&mut s, ends_at));
    assert!(expire(&mut s, later.plus_ms(A_MINUTE)));
    assert_eq!((s.phase(), s.uploaded_bytes().get()), (Phase::Completing, 2 * PART));
    assert_eq!(s.snapshot().live, Some(LiveState::Truncated));
}

#[test]
fn what_lies_in_the_tail_then_goes_into_the_last_part_by_somebody_who_is_asked() {
    let mut s = live();
    tail(&mut s, NOW, 0, 5);
    let ends_at = NOW.plus_ms(A_MINUTE);
    assert!(expire(&mut s, ends_at));
    assert_eq!((s.phase(), s.plan().declared_bytes()), (Phase::Open, ByteCount::new(5)));
    assert_eq!(s.next_job(), Some((ends_at, Job::StoreLastPart)));
    s.apply(s.last_part_asked_for(ends_at));
    // The message was lost, or whoever had it has died.
    let again = ends_at.plus_ms(s.spec.policy.resend_ms);
    assert_eq!(s.next_job(), Some((again, Job::StoreLastPart)));
    // A recorder that comes back now is too late.
    assert!(matches!(s.begin(again, begin(5, 1)).answer, Err(ApiError::BeyondDeclaredLength { .. })));
    let lease = append(&mut s, again, 5, 0);
    let decision = s.commit(again, &commit(lease.attempt, vec![receipt(lease.first_number, 5)]));
    assert_eq!(take(&mut s, decision).unwrap().phase, Phase::Completing);
}

#[test]
fn its_recorder_ends_it_however_long_it_is() {
    let mut s = live();
    parts(&mut s, NOW, 0, 1);
    tail(&mut s, NOW, PART, 5);
    let decision = s.complete(NOW);
    take(&mut s, decision).unwrap();
    assert_eq!((s.phase(), s.plan().declared_bytes()), (Phase::Open, ByteCount::new(PART + 5)));
    // Whoever has said so stores the last part itself; where it dies, somebody is asked.
    assert_eq!(s.next_job(), Some((NOW.plus_ms(s.spec.policy.resend_ms), Job::StoreLastPart)));
    let decision = s.complete(NOW);
    assert_eq!(take(&mut s, decision), Ok(()), "said twice");
    assert_eq!(s.snapshot().live, Some(LiveState::Whole));
    let mut empty = live();
    let decision = empty.complete(NOW);
    take(&mut empty, decision).unwrap();
    assert_eq!((empty.phase(), empty.plan().file_bytes), (Phase::Completing, ByteCount::ZERO));
}

#[test]
fn it_ends_no_later_than_it_would_expire() {
    let mut spec = spec(Mode::Sequential, 100 * PART);
    spec.plan.open_ended = true;
    for end_after_ms in [0, u64::from(u32::MAX) * 1_000] {
        spec.live = Some(Live { end_after_ms, ..Live::default() });
        ends_when_it_would_expire(create(spec.clone()).unwrap());
    }
}

fn ends_when_it_would_expire(mut s: Session) {
    parts(&mut s, NOW, 0, 1);
    tail(&mut s, NOW, PART, 5);
    assert_eq!(s.next_job(), Some((s.expires_at(), Job::Expire)));
    // Then it is a recording all the same, and not lost.
    let late = s.expires_at().plus_ms(1);
    assert!(expire(&mut s, late));
    assert_eq!((s.phase(), s.next_job()), (Phase::Open, Some((late, Job::StoreLastPart))));
    assert!(!expire(&mut s, late.plus_ms(A_MINUTE)), "there is time to store its last part");
}

#[test]
fn however_long_it_is_recorded_there_is_time_for_its_last_part() {
    let mut s = live();
    let (mut now, mut offset) = (NOW, 0);
    while s.phase() == Phase::Open && s.plan().open_ended {
        tail(&mut s, now, offset, 5);
        (now, offset) = (now.plus_ms(A_MINUTE - 1), offset + 5);
        expire(&mut s, now);
    }
    assert!(now >= UnixMs(s.spec.latest_end().0 - LAST_PART_MS) && now < s.spec.latest_end());
    assert_eq!(s.next_job(), Some((now, Job::StoreLastPart)));
}

#[test]
fn whoever_brings_a_long_part_is_not_silent() {
    let mut s = live();
    tail(&mut s, NOW, 0, 5);
    let lease = append(&mut s, NOW, 5, PART);
    for times in 1..10 {
        let now = NOW.plus_ms(times * 50_000);
        expire(&mut s, now);
        assert_eq!((s.phase(), s.snapshot().live), (Phase::Open, Some(LiveState::Whole)));
        // The object has slept since: nobody was heard of, as far as it knows.
        s = asleep(now, &s);
        let decision = s.renew(now, Renew { attempt: lease.attempt });
        take(&mut s, decision).unwrap();
    }
    // It has died. That is doubted first, and then waited for.
    while s.snapshot().live == Some(LiveState::Whole) {
        let (due, job) = s.next_job().unwrap();
        assert_eq!(job, Job::Expire);
        s = asleep(due, &s);
        assert!(expire(&mut s, due), "nothing is due that changes nothing");
        assert!(due <= NOW.plus_ms(9 * 50_000 + 2 * A_MINUTE), "it ends within two minutes of its last word");
    }
    assert_eq!(s.plan().declared_bytes(), ByteCount::new(5));
}

#[test]
fn silence_ends_it_though_its_object_slept() {
    let mut s = live();
    parts(&mut s, NOW, 0, 1);
    s = asleep(NOW.plus_ms(50_000), &s);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(A_MINUTE), Job::Expire)));
    s = asleep(NOW.plus_ms(A_MINUTE), &s);
    assert!(expire(&mut s, NOW.plus_ms(A_MINUTE)));
    assert_eq!(s.phase(), Phase::Completing);
}

#[test]
fn a_length_that_was_declared_and_never_reached_does_not_lose_what_came() {
    for is_said in [false, true] {
        let mut s = live();
        parts(&mut s, NOW, 0, 1);
        let file_bytes = ByteCount::new(3 * PART);
        let decision = s.begin(NOW, BeginAppend { file_bytes, ..begin(PART, 2 * PART) });
        let lease = take(&mut s, decision).unwrap();
        s.apply(s.release_in_sequence(lease.attempt));
        if is_said {
            let decision = s.complete(NOW);
            take(&mut s, decision).unwrap();
        } else {
            assert!(expire(&mut s, NOW.plus_ms(A_MINUTE)));
        }
        assert_eq!((s.phase(), s.plan().file_bytes.get()), (Phase::Completing, PART));
    }
}

#[test]
fn all_that_was_declared_is_there_and_nobody_has_said_that_it_is_all() {
    let mut s = live();
    let begin = BeginAppend { file_bytes: ByteCount::new(PART), completes: Completion::WhenTold, ..begin(0, PART) };
    let decision = s.begin(NOW, begin);
    let lease = take(&mut s, decision).unwrap();
    let decision = s.commit(NOW, &commit(lease.attempt, vec![receipt(lease.first_number, PART)]));
    take(&mut s, decision).unwrap();
    assert!(s.is_growing() && s.phase() == Phase::Open);
    let mut said = s.clone();
    let decision = said.complete(NOW);
    take(&mut said, decision).unwrap();
    assert_eq!(said.phase(), Phase::Completing);
    assert!(expire(&mut s, NOW.plus_ms(A_MINUTE)));
    assert_eq!(s.phase(), Phase::Completing);
}

#[test]
fn what_its_first_bytes_must_be_is_looked_at_before_anybody_reads_it() {
    let mut spec = spec(Mode::Sequential, 100 * PART);
    (spec.plan.open_ended, spec.live) = (true, Some(Live::default()));
    spec.types = MediaTypes::parse(["image/*"]).ok();
    let mut s = create(spec).unwrap();
    parts(&mut s, NOW, 0, 1);
    assert!(matches!(s.growing(ByteCount::ZERO), Err(ApiError::Incomplete { .. })));
    assert_eq!(s.copies_prefix(), None);
}

#[test]
fn how_it_is_stored() {
    let s = live();
    let written = serde_json::to_value(&s.spec).unwrap();
    assert_eq!(written["live"], serde_json::json!({ "end_after_ms": A_MINUTE }));
    assert_eq!(serde_json::from_value::<UploadSpec>(written).unwrap(), s.spec);
}
