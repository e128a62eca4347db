//! A file whose length is declared late: with a chunk, or without one.

use super::*;

const MOST: u64 = 100 * MIB;

fn open_ended() -> Session {
    let limits = Limits { max_upload_bytes: bytes(MOST), max_chunk_bytes: bytes(95 * MIB) };
    let plan = Plan::new(Mode::Sequential, None, None, limits).unwrap();
    create(UploadSpec { plan, ..spec(Mode::Sequential, MOST) }).unwrap()
}

fn declare(session: &mut Session, offset: u64, file_bytes: u64) -> Result<(), ApiError> {
    let decision = session.declare(NOW, bytes(offset), Some(bytes(file_bytes)), Completion::WhenWhole);
    take(session, decision)
}

fn finish(session: &mut Session) -> Committed {
    let lease = start(session, session.uploaded_bytes().get(), 0).unwrap();
    let length = session.plan().file_bytes.get() - session.plan().part_start(session.uploaded_bytes()).get();
    store(session, &lease, lease.first_number, length).unwrap()
}

#[test]
fn nothing_is_complete_before_the_length_is_known() {
    let mut s = open_ended();
    let lease = start(&mut s, 0, PART).unwrap();
    assert_eq!(store(&mut s, &lease, 1, PART).unwrap().phase, Phase::Open);
    assert_eq!(s.snapshot().plan.declared_bytes(), None);
    assert_eq!(declare(&mut s, PART, PART), Ok(()));
    assert_eq!(s.progress.phase, Phase::Completing, "no tail is left: this was all");
}

#[test]
fn the_last_chunk_declares_the_length() {
    let mut s = open_ended();
    let decision = s.begin(NOW, BeginAppend { file_bytes: Some(bytes(PART + 5)), ..begin(0, PART + 5) });
    let lease = take(&mut s, decision).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    assert_eq!(store(&mut s, &lease, 2, 5).unwrap().phase, Phase::Completing);
}

#[test]
fn the_tail_becomes_the_last_part() {
    let mut s = open_ended();
    let lease = start(&mut s, 0, 5).unwrap();
    count(&mut s, &remainder(lease.attempt, 5)).unwrap();
    assert!(s.begin(NOW, begin(5, 0)).answer.is_err(), "the length is not known yet");
    assert_eq!(declare(&mut s, 5, 5), Ok(()));
    assert_eq!(s.progress.phase, Phase::Open, "five bytes are still in the tail");
    let last = finish(&mut s);
    assert_eq!((last.phase, last.uploaded_bytes), (Phase::Completing, bytes(5)));
}

#[test]
fn a_length_is_declared_once_and_fits() {
    let mut s = open_ended();
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    assert!(matches!(declare(&mut s, 3, 2 * PART), Err(ApiError::OffsetMismatch { .. })));
    assert!(matches!(declare(&mut s, PART, PART - 1), Err(ApiError::BeyondDeclaredLength { .. })));
    assert!(matches!(declare(&mut s, PART, MOST + 1), Err(ApiError::UploadTooLarge { .. })));
    assert_eq!(declare(&mut s, PART, 2 * PART), Ok(()));
    assert_eq!(declare(&mut s, PART, 2 * PART), Ok(()), "said twice");
    assert!(matches!(declare(&mut s, PART, 3 * PART), Err(ApiError::InconsistentLength { .. })));
    assert!(matches!(start(&mut s, PART, PART + 1), Err(ApiError::BeyondDeclaredLength { .. })));
}

#[test]
fn whoever_was_writing_when_the_length_was_declared_counts_nothing_wrong() {
    let mut s = open_ended();
    let lease = start(&mut s, 0, 5).unwrap();
    assert_eq!(declare(&mut s, 0, 5), Ok(()));
    // Granted as a rest, but now it would be the last part: it is sent again.
    assert!(matches!(count(&mut s, &remainder(lease.attempt, 5)), Err(ApiError::Superseded { .. })));
    let lease = start(&mut s, 0, 5).unwrap();
    assert_eq!(store(&mut s, &lease, lease.first_number, 5).unwrap().phase, Phase::Completing);
}

#[test]
fn a_file_that_turns_out_empty_is_complete() {
    let mut s = open_ended();
    assert_eq!(declare(&mut s, 0, 0), Ok(()));
    assert_eq!(s.progress.phase, Phase::Completing);
}

#[test]
fn the_trail_has_a_length_that_was_declared_and_no_size_that_was_fitted() {
    let noted = |s: &mut Session, begin: BeginAppend| {
        let mut history = s.begin_history();
        let change = s.begin(NOW, begin).change;
        let mut after = s.clone();
        after.apply(change.clone());
        s.record_change(&mut history, NOW, &change, &after);
        *s = after;
        history.entries.into_iter().map(|entry| entry.event).collect::<Vec<_>>()
    };
    let mut agreed = create(spec(Mode::Sequential, 3 * PART)).unwrap();
    let whole = BeginAppend { all_or_nothing: true, ..begin(0, 3 * PART) };
    assert_eq!(noted(&mut agreed, whole), ["created", "attempt"]);
    assert_eq!(agreed.plan().part_bytes, bytes(3 * PART));
    let last = BeginAppend { file_bytes: Some(bytes(PART)), ..begin(0, PART) };
    assert_eq!(noted(&mut open_ended(), last), ["created", "attempt", "declared"]);
}

#[test]
fn the_most_that_it_may_have_is_told_to_nobody_as_its_length() {
    let s = open_ended();
    let beyond = s.begin(NOW, begin(0, MOST + 1)).answer;
    assert_eq!(beyond, Err(ApiError::UploadTooLarge { limit_bytes: bytes(MOST) }));
    let unknown = ApiError::Incomplete { missing_bytes: None, uploaded_bytes: bytes(0) };
    assert_eq!((s.complete(NOW).answer, s.no_object()), (Err(unknown.clone()), unknown));
}

#[test]
fn who_says_that_more_follows_is_believed_until_somebody_says_that_this_is_all() {
    let mut s = session(PART);
    let decision = s.begin(NOW, BeginAppend { completes: Completion::WhenTold, ..begin(0, PART) });
    let lease = take(&mut s, decision).unwrap();
    assert_eq!(store(&mut s, &lease, 1, PART).unwrap().phase, Phase::Open, "all bytes are there");
    let decision = s.declare(NOW, bytes(PART), None, Completion::WhenTold);
    assert_eq!(decision.change, StateChange::none());
    assert!(s.begin(NOW, begin(PART, 1)).answer.is_err(), "there is no more than the whole");
    let decision = s.declare(NOW, bytes(PART), Some(bytes(PART)), Completion::WhenWhole);
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Completing);
}

#[test]
fn an_upload_that_is_whole_never_stays_open_once_it_is_told() {
    let mut s = session(PART);
    let decision = s.begin(NOW, BeginAppend { completes: Completion::WhenTold, ..begin(0, PART) });
    let lease = take(&mut s, decision).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    let nothing = s.begin(NOW, begin(PART, 0)).answer;
    assert!(matches!(nothing, Err(ApiError::BadRequest { .. })), "no tail is left to be put into a last part");
    // However it may have come to that.
    s.progress.completes = Completion::WhenWhole;
    let decision = s.complete(NOW);
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Completing);
}
