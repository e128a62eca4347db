//! Parallel uploads: chunks in any order.

use super::*;

/// A parallel upload with chunks of 8 MiB, whose 3 chunks own 3,333 numbers each.
fn parallel() -> Session {
    Session::create(birth(Mode::Parallel, 2 * PART + 5)).unwrap()
}

#[test]
fn chunks_in_any_order() {
    let mut s = parallel();
    let last = start(&mut s, 2 * PART, 5).unwrap();
    let first = start(&mut s, 0, PART).unwrap();
    assert_eq!((first.first_number, last.first_number), (1, 6_667), "numbers lie in the order of the chunks");
    assert_eq!(store(&mut s, &last, 6_667, 5).unwrap().uploaded_bytes, bytes(5));
    let snapshot = s.snapshot();
    assert_eq!((snapshot.offset, snapshot.missing), (ByteCount::ZERO, vec![(bytes(0), bytes(2 * PART))]));
    assert_eq!(snapshot.chunks.as_deref(), Some("IA=="), "0b0010_0000");
    store(&mut s, &first, 1, PART).unwrap();
    assert_eq!(s.snapshot().offset, bytes(PART));
    let middle = start(&mut s, PART, PART).unwrap();
    assert_eq!(store(&mut s, &middle, 3_334, PART).unwrap().phase, Phase::Completing);
    assert_eq!(s.snapshot().missing, vec![]);
}

#[test]
fn one_chunk_writes_two_rows() {
    let mut s = parallel();
    let decision = s.begin(NOW, begin(PART, PART));
    assert!(decision.change.lane.is_some() && decision.change.progress.is_none() && decision.change.parts.is_empty());
    let grant = take(&mut s, decision).unwrap();
    let decision = s.commit(NOW, &commit(grant.attempt, vec![receipt(grant.first_number, PART)]));
    assert!(decision.change.parts.len() == 1 && decision.change.lane.is_none() && decision.change.progress.is_none());
}

#[test]
fn bytes_that_are_no_chunk() {
    let mut s = parallel();
    for (offset, length) in [(1, PART), (0, PART - 1), (0, 5), (2 * PART, 4), (PART, PART + 5)] {
        let decision = s.begin(NOW, begin(offset, length));
        assert!(matches!(decision.answer, Err(Refusal::NotAChunk { .. })), "{offset}+{length}");
        assert!(decision.change.is_none());
    }
    let beyond = s.begin(NOW, begin(2 * PART, PART));
    assert!(matches!(beyond.answer, Err(Refusal::BeyondDeclaredLength { .. })));
    let grant = start(&mut s, 0, PART).unwrap();
    store(&mut s, &grant, 1, PART).unwrap();
    assert_eq!(start(&mut s, 0, PART), Err(Refusal::ChunkAlreadyStored { uploaded_bytes: bytes(PART) }));
}

#[test]
fn the_newest_try_at_a_chunk_wins_and_disturbs_no_other_chunk() {
    let mut s = parallel();
    let other = start(&mut s, PART, PART).unwrap();
    let old = start(&mut s, 0, PART).unwrap();
    let new = start(&mut s, 0, PART).unwrap();
    assert_eq!((old.first_number, new.first_number), (1, 2));
    assert!(matches!(store(&mut s, &old, 1, PART), Err(Refusal::Superseded { .. })));
    let decision = s.probe(NOW);
    take(&mut s, decision).unwrap();
    store(&mut s, &new, 2, PART).unwrap();
    store(&mut s, &other, 3_334, PART).unwrap();
    assert!(matches!(store(&mut s, &old, 1, PART), Err(Refusal::Superseded { .. })));
    let repeated = store(&mut s, &new, 2, PART).unwrap();
    assert_eq!(repeated.uploaded_bytes, bytes(2 * PART), "a repeated commit gets the truth");
    assert!(count(&mut s, &commit(6_667, vec![receipt(6_667, 5)])).is_err(), "nobody has begun that one");
}

#[test]
fn what_is_stored_can_be_taken_up_again() {
    let mut s = parallel();
    for (offset, length) in [(0, PART), (0, PART), (2 * PART, 5)] {
        start(&mut s, offset, length).unwrap();
    }
    count(&mut s, &commit(2, vec![receipt(2, PART)])).unwrap();
    let restored = Lanes::restore(s.plan(), [(0, 2), (2, 1)].into_iter(), [(2, NOW)].into_iter());
    assert_eq!(s.content, Content::Lanes(restored));
}

#[test]
fn a_chunk_that_fails_too_often_ends_the_upload() {
    let mut s = parallel();
    for _ in 0..3_333 {
        start(&mut s, PART, PART).unwrap();
    }
    assert_eq!(start(&mut s, PART, PART), Err(Refusal::AttemptsExhausted));
    assert_eq!(s.progress.phase, Phase::Failed);
}
