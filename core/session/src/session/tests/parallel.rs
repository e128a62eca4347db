//! Parallel uploads: chunks in any order.

use super::*;

/// A parallel upload with chunks of 8 MiB, whose 3 chunks own 8 numbers each.
fn parallel() -> Session {
    create(spec(Mode::Parallel, 2 * PART + 5)).unwrap()
}

#[test]
fn chunks_in_any_order() {
    let mut s = parallel();
    let last = start(&mut s, 2 * PART, 5).unwrap();
    let first = start(&mut s, 0, PART).unwrap();
    assert_eq!((first.first_number, last.first_number), (1, 17), "numbers lie in the order of the chunks");
    assert_eq!(store(&mut s, &last, 17, 5).unwrap().uploaded_bytes, bytes(5));
    let snapshot = s.snapshot();
    assert_eq!((snapshot.offset, snapshot.missing), (ByteCount::ZERO, vec![(bytes(0), bytes(2 * PART))]));
    assert_eq!(snapshot.received_chunks_bitmap.as_deref(), Some("IA=="), "0b0010_0000");
    store(&mut s, &first, 1, PART).unwrap();
    assert_eq!(s.snapshot().offset, bytes(PART));
    let middle = start(&mut s, PART, PART).unwrap();
    assert_eq!(store(&mut s, &middle, 9, PART).unwrap().phase, Phase::Completing);
    assert_eq!(s.snapshot().missing, vec![]);
}

#[test]
fn one_chunk_writes_two_rows() {
    let mut s = parallel();
    let decision = s.begin(NOW, begin(PART, PART));
    assert!(
        decision.change.parallel_chunks.len() == 1
            && decision.change.progress.is_none()
            && decision.change.parts.is_empty()
    );
    let lease = take(&mut s, decision).unwrap();
    let decision = s.commit(NOW, &commit(lease.attempt, vec![receipt(lease.first_number, PART)]));
    assert!(
        decision.change.parts.len() == 1
            && decision.change.parallel_chunks.is_empty()
            && decision.change.progress.is_none()
    );
}

#[test]
fn bytes_that_are_no_chunk() {
    let mut s = parallel();
    for (offset, length) in [(1, PART), (0, PART - 1), (0, 5), (2 * PART, 4), (PART, PART + 5)] {
        let decision = s.begin(NOW, begin(offset, length));
        assert!(matches!(decision.answer, Err(ApiError::ChunkMisaligned { .. })), "{offset}+{length}");
        assert!(decision.change.is_none());
    }
    let beyond = s.begin(NOW, begin(2 * PART, PART));
    assert!(matches!(beyond.answer, Err(ApiError::BeyondDeclaredLength { .. })));
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    assert_eq!(
        start(&mut s, 0, PART),
        Err(ApiError::ChunkAlreadyStored { chunk: Some(0), uploaded_bytes: bytes(PART) })
    );
}

#[test]
fn the_newest_try_at_a_chunk_wins_and_disturbs_no_other_chunk() {
    let mut s = parallel();
    let other = start(&mut s, PART, PART).unwrap();
    let old = start(&mut s, 0, PART).unwrap();
    let new = start(&mut s, 0, PART).unwrap();
    assert_eq!((old.first_number, new.first_number), (1, 2));
    assert!(matches!(store(&mut s, &old, 1, PART), Err(ApiError::Superseded { .. })));
    let decision = s.probe(NOW);
    take(&mut s, decision).unwrap();
    store(&mut s, &new, 2, PART).unwrap();
    store(&mut s, &other, 9, PART).unwrap();
    assert!(matches!(store(&mut s, &old, 1, PART), Err(ApiError::Superseded { .. })));
    let repeated = store(&mut s, &new, 2, PART).unwrap();
    assert_eq!(repeated.uploaded_bytes, bytes(2 * PART), "a repeated commit gets the truth");
    assert!(count(&mut s, &commit(2_000_000_001, vec![receipt(17, 5)])).is_err(), "nobody has begun that one");
}

#[test]
fn what_is_stored_can_be_taken_up_again() {
    let mut s = parallel();
    let mut rows = BTreeMap::new();
    for (offset, length) in [(0, PART), (0, PART), (2 * PART, 5)] {
        let decision = s.begin(NOW, begin(offset, length));
        rows.extend(decision.change.parallel_chunks.clone());
        take(&mut s, decision).unwrap();
    }
    count(&mut s, &commit(2, vec![receipt(2, PART)])).unwrap();
    let restored = ParallelChunks::restore(s.plan(), rows.into_iter(), [(2, NOW)].into_iter());
    assert_eq!(s.content, Content::Parallel(restored));
}

/// Begins the middle chunk, at this time.
fn begin_at(s: &mut Session, now: UnixMs) -> Result<WriteLease, ApiError> {
    let decision = s.begin(now, begin(PART, PART));
    take(s, decision)
}

#[test]
fn interruptions_that_say_so_never_end_a_chunk() {
    let mut s = parallel();
    for round in 0..1_000_u16 {
        let lease = begin_at(&mut s, NOW).unwrap();
        assert_eq!(lease.first_number, 9 + round.min(7) * u16::from(round < 8), "fresh ones first");
        let decision = s.release(NOW, Release { attempt: lease.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
    }
    let lease = begin_at(&mut s, NOW).unwrap();
    assert_eq!(store(&mut s, &lease, lease.first_number, PART).unwrap().uploaded_bytes, bytes(PART));
}

#[test]
fn a_number_whose_writer_is_silent_is_given_again_only_when_nobody_can_be_writing_any_more() {
    let mut s = parallel();
    let silent: Vec<_> = (0..8_u64).map(|n| begin_at(&mut s, NOW.plus_ms(n * 1_000)).unwrap()).collect();
    let pending = |seconds| Err(ApiError::WritersPending { uploaded_bytes: bytes(0), retry_after_seconds: seconds });
    assert_eq!(begin_at(&mut s, NOW.plus_ms(8_000)), pending(82), "the first of them was heard of 8 s ago");
    let heard = s.renew(NOW.plus_ms(9_000), Renew { attempt: silent[0].attempt });
    assert!(heard.answer.is_err() && heard.change.is_only_in_memory(), "it is told that it has lost its right");
    s.apply(heard.change);
    assert_eq!(begin_at(&mut s, NOW.plus_ms(9_000)), pending(82), "and was heard of just now, so the second is first");
    let again = begin_at(&mut s, NOW.plus_ms(1_000 + WRITER_SILENCE_MS)).unwrap();
    assert_eq!(again.first_number, silent[1].first_number);
    assert!(
        store(&mut s, &silent[1], silent[1].first_number, PART).is_err(),
        "it does not count, though the number is right"
    );
    assert_eq!(s.progress.phase, Phase::Open);
    store(&mut s, &again, again.first_number, PART).unwrap();
}

#[test]
fn a_commit_that_is_refused_gives_its_number_back() {
    let mut s = parallel();
    let all: Vec<_> = (0..8).map(|_| begin_at(&mut s, NOW).unwrap()).collect();
    assert!(begin_at(&mut s, NOW).is_err());
    assert!(matches!(store(&mut s, &all[3], 12, PART), Err(ApiError::Superseded { .. })));
    assert_eq!(begin_at(&mut s, NOW).unwrap().first_number, 12);
}

#[test]
fn after_a_restart_every_writer_is_taken_to_have_been_heard_of_just_now() {
    let mut s = parallel();
    for _ in 0..8 {
        begin_at(&mut s, NOW).unwrap();
    }
    s.wake(NOW.plus_ms(50_000));
    assert!(begin_at(&mut s, NOW.plus_ms(WRITER_SILENCE_MS)).is_err());
    assert!(begin_at(&mut s, NOW.plus_ms(50_000 + WRITER_SILENCE_MS)).is_ok());
}

#[test]
fn a_part_under_a_number_that_was_used_before_is_asked_for_again_where_storage_has_another() {
    let mut s = parallel();
    for chunk in [0, 2] {
        let length = if chunk == 2 { 5 } else { PART };
        let lease = start(&mut s, chunk * PART, length).unwrap();
        store(&mut s, &lease, lease.first_number, length).unwrap();
    }
    for _ in 0..8 {
        let lease = begin_at(&mut s, NOW).unwrap();
        let decision = s.release(NOW, Release { attempt: lease.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
    }
    let lease = begin_at(&mut s, NOW).unwrap();
    assert_eq!(store(&mut s, &lease, 9, PART).unwrap().phase, Phase::Completing);
    let change = s.reopen_suspects(NOW, "a part is missing (10025)").unwrap();
    s.apply(change);
    assert_eq!((s.progress.phase, s.snapshot().missing), (Phase::Open, vec![(bytes(PART), bytes(2 * PART))]));
    let lease = begin_at(&mut s, NOW).unwrap();
    assert_eq!(store(&mut s, &lease, lease.first_number, PART).unwrap().phase, Phase::Completing);
    let mut fresh = parallel();
    for (chunk, length) in [(0, PART), (1, PART), (2, 5)] {
        let lease = start(&mut fresh, chunk * PART, length).unwrap();
        store(&mut fresh, &lease, lease.first_number, length).unwrap();
    }
    assert_eq!(fresh.reopen_suspects(NOW, "10025"), None, "nobody but its writer ever had one of these numbers");
}

#[test]
fn a_chunk_that_is_there_is_a_repetition_and_one_that_does_not_say_where_it_begins_is_refused() {
    let mut s = parallel();
    let lease = start(&mut s, 0, PART).unwrap();
    assert!(!s.repeats_what_counts(begin(0, PART)));
    store(&mut s, &lease, 1, PART).unwrap();
    let implied = BeginAppend { named: Named::Implied, ..begin(0, PART) };
    assert!(s.repeats_what_counts(begin(0, PART)) && !s.repeats_what_counts(implied));
    assert_eq!(s.part_of_repetition(begin(0, PART)), Some(bytes(PART)));
    for not_a_repetition in [begin(PART, PART), begin(0, PART - 1), begin(2 * PART, 5), begin(0, 0)] {
        assert!(!s.repeats_what_counts(not_a_repetition), "{not_a_repetition:?}");
    }
    let decision = s.begin(NOW, implied);
    assert!(matches!(decision.answer, Err(ApiError::BadRequest { field, .. }) if field == "X-Upload-Offset"));
}
