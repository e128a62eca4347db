//! Sequential uploads: attempts, takeover, and the tail.

use super::*;
use upload_types::{integrity::RunningSha256, plan::MAX_PART_NUMBER};

#[test]
fn three_parts_in_two_chunks() {
    let mut s = session(2 * PART + 5);
    let lease = start(&mut s, 0, 2 * PART).unwrap();
    assert_eq!((lease.attempt, lease.first_number, lease.reserved_parts), (1, 1, 2), "two may be on their way");
    let first = store(&mut s, &lease, 1, PART).unwrap();
    assert_eq!((first.uploaded_bytes, first.next_number, first.ahead_number), (bytes(PART), Some(2), None));
    let second = store(&mut s, &lease, 2, PART).unwrap();
    assert_eq!((second.uploaded_bytes, second.next_number), (bytes(2 * PART), None));
    let lease = start(&mut s, 2 * PART, 5).unwrap();
    assert_eq!(lease.first_number, 3, "a chunk that was stored whole leaves no gap in the numbers");
    let last = store(&mut s, &lease, 3, 5).unwrap();
    assert_eq!((last.next_number, last.phase), (None, Phase::Completing));
    assert_eq!(s.next_job(), Some((NOW, Job::Assemble)));
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    assert_eq!((s.progress.phase, s.next_job()), (Phase::Completed, Some((NOW, Job::EnqueueEvent))));
    assert_eq!(s.object().unwrap().etag, "etag");
}

#[test]
fn one_chunk_of_one_part_writes_two_rows() {
    let mut s = session(8_000 * PART);
    for part in [0, 1] {
        let decision = s.begin(NOW, begin(part * PART, PART));
        assert!(decision.change.progress.is_some() && decision.change.parts.is_empty());
        let lease = take(&mut s, decision).unwrap();
        let decision = s.commit(NOW, &commit(lease.attempt, vec![receipt(lease.first_number, PART)]));
        assert!(
            decision.change.progress.is_none() && decision.change.parts.len() == 1 && decision.change.outbox.is_none()
        );
        take(&mut s, decision).unwrap();
    }
}

#[test]
fn chunks_that_do_not_fit() {
    let mut s = session(2 * PART + 5);
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    let uploaded_bytes = bytes(PART);
    for (offset, length, expected) in [
        (0, PART, ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }),
        (PART + 1, 1, ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }),
        (2 * PART, 5, ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }),
        (PART, PART + 6, ApiError::BeyondDeclaredLength { file_bytes: bytes(2 * PART + 5), uploaded_bytes }),
        (PART, (1 << 53) - 1, ApiError::BeyondDeclaredLength { file_bytes: bytes(2 * PART + 5), uploaded_bytes }),
    ] {
        let decision = s.begin(NOW, begin(offset, length));
        assert_eq!(decision.answer, Err(expected), "{offset}+{length}");
        assert!(decision.change.is_none(), "a refused chunk changes nothing");
    }
    let decision = s.begin(NOW, BeginAppend { file_bytes: Some(bytes(2 * PART)), ..begin(PART, PART) });
    assert!(matches!(decision.answer, Err(ApiError::InconsistentLength { .. })));
    assert!(start(&mut s, PART, PART + 5).is_ok(), "to the very end, across a boundary");
}

#[test]
fn a_takeover_gets_fresh_part_numbers_and_the_old_writer_is_refused() {
    let mut s = session(3 * PART);
    let old = start(&mut s, 0, 3 * PART).unwrap();
    let first = store(&mut s, &old, 1, PART).unwrap();
    assert_eq!((first.next_number, first.ahead_number), (Some(2), Some(3)));
    let new = start(&mut s, PART, 2 * PART).unwrap();
    assert_eq!(new.first_number, 4, "numbers 2 and 3 may still arrive in R2 at any time");
    assert_eq!(store(&mut s, &old, 2, PART), Err(ApiError::Superseded { uploaded_bytes: bytes(PART) }));
    assert_eq!(store(&mut s, &new, 4, PART).unwrap().next_number, Some(5));
    assert_eq!(store(&mut s, &new, 5, PART).unwrap().phase, Phase::Completing);
}

#[test]
fn a_refused_commit_is_not_the_end_of_whoever_may_be_writing_the_next_part() {
    for is_writing_on in [false, true] {
        let mut s = short_of_numbers(0);
        let old = begin_at(&mut s, NOW, begin(0, 3 * PART)).unwrap();
        assert_eq!(old.reserved_parts, 2);
        begin_at(&mut s, NOW, begin(0, 1)).unwrap();
        let late = Commit { is_writing_on, ..commit(old.attempt, vec![receipt(old.first_number, PART)]) };
        assert!(count(&mut s, &late).is_err());
        let numbers = old.first_number..=old.first_number + 1;
        assert_eq!(s.progress.writers.are_free(&numbers, NOW), !is_writing_on);
        let decision = s.release(NOW, Release { attempt: old.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
        assert!(s.progress.writers.are_free(&numbers, NOW), "it has said that its requests are over");
    }
}

#[test]
fn numbers_that_were_handed_out_stay_so_when_somebody_says_that_the_file_ends_earlier() {
    let mut spec = spec(Mode::Sequential, 100 * PART);
    spec.plan.open_ended = true;
    let mut s = create(spec).unwrap();
    let writing = start(&mut s, 0, 50 * PART).unwrap();
    let first = store(&mut s, &writing, 1, PART).unwrap();
    assert_eq!((first.next_number, first.ahead_number), (Some(2), Some(3)));
    let said = s.declare(NOW, bytes(PART), Some(bytes(PART + PART / 2)), Completion::WhenWhole);
    take(&mut s, said).unwrap();
    let other = start(&mut s, PART, PART / 2).unwrap();
    assert_eq!(other.first_number, 4, "number 3 is being written");
}

#[test]
fn a_repeated_commit_is_answered_like_the_first() {
    let mut s = session(2 * PART);
    let lease = start(&mut s, 0, 2 * PART).unwrap();
    let first = store(&mut s, &lease, 1, PART).unwrap();
    let repeated = s.commit(NOW, &commit(lease.attempt, vec![receipt(1, PART)]));
    assert!(repeated.change.is_none());
    assert_eq!(repeated.answer, Ok(first));
    let last = store(&mut s, &lease, 2, PART).unwrap();
    assert_eq!(store(&mut s, &lease, 2, PART), Ok(last), "also the one that ended the upload");
}

#[test]
fn receipts_that_were_not_granted_count_nothing() {
    let mut s = session(3 * PART);
    let lease = start(&mut s, 0, 3 * PART).unwrap();
    for receipts in [
        vec![],
        vec![receipt(2, PART)],
        vec![receipt(1, PART - 1)],
        vec![receipt(1, PART), receipt(2, PART), receipt(3, PART)],
        vec![receipt(1, PART), receipt(3, PART)],
        vec![receipt(0, PART)],
    ] {
        let decision = s.commit(NOW, &commit(lease.attempt, receipts));
        assert!(decision.answer.is_err() && decision.change.is_none());
    }
    assert_eq!(store(&mut s, &lease, 1, PART).unwrap().uploaded_bytes, bytes(PART));
}

#[test]
fn a_checksummed_chunk_counts_as_a_whole() {
    let mut s = session(3 * PART);
    let decision = s.begin(NOW, BeginAppend { all_or_nothing: true, ..begin(0, 2 * PART) });
    let lease = take(&mut s, decision).unwrap();
    assert_eq!((lease.first_number, lease.reserved_parts), (1, 2));
    let decision = s.commit(NOW, &commit(lease.attempt, vec![receipt(1, PART), receipt(2, PART)]));
    let committed = take(&mut s, decision).unwrap();
    assert_eq!((committed.uploaded_bytes, committed.next_number), (bytes(2 * PART), None));
    // One that is given up burns its numbers, and only those.
    let decision = s.begin(NOW, BeginAppend { all_or_nothing: true, ..begin(2 * PART, PART) });
    let given_up = take(&mut s, decision).unwrap();
    let decision = s.release(NOW, Release { attempt: given_up.attempt, reason: ReleaseReason::GaveUp });
    take(&mut s, decision).unwrap();
    assert_eq!(start(&mut s, 2 * PART, PART).unwrap().first_number, 4);
}

#[test]
fn a_probe_ends_the_running_append() {
    let mut s = session(2 * PART);
    let lease = start(&mut s, 0, 2 * PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    let decision = s.probe(NOW);
    take(&mut s, decision).unwrap();
    assert_eq!(s.uploaded_bytes(), bytes(PART));
    assert!(matches!(store(&mut s, &lease, 2, PART), Err(ApiError::Superseded { .. })));
    assert!(s.probe(NOW).change.is_none(), "there is none to end now");
    assert_eq!(start(&mut s, PART, PART).unwrap().first_number, 3);
}

/// So late that no lease is protected, and nobody who was silent can be writing.
fn hours(count: u64) -> UnixMs {
    UnixMs(count * 3_600_000)
}

/// An upload of three parts that has used up all numbers but the last few.
fn short_of_numbers(spare: u16) -> Session {
    let mut s = session(3 * PART);
    start(&mut s, 0, PART).unwrap();
    if let Some(lease) = &mut s.progress.lease {
        (lease.numbers_before, lease.reserved_parts, lease.ended) = (MAX_PART_NUMBER - 3 - spare, 0, true);
    }
    s
}

fn begin_at(s: &mut Session, now: UnixMs, begin: BeginAppend) -> Result<WriteLease, ApiError> {
    let decision = s.begin(now, begin);
    take(s, decision)
}

#[test]
fn no_number_of_interruptions_ends_an_upload() {
    let mut s = session(2 * PART);
    for hour in 0..20_000 {
        assert!(begin_at(&mut s, hours(hour), begin(0, PART)).is_ok(), "hour {hour}");
    }
    assert_eq!((s.progress.phase, s.uploaded_bytes()), (Phase::Open, bytes(0)));
    let lease = begin_at(&mut s, hours(20_000), begin(0, 2 * PART)).unwrap();
    let first = store(&mut s, &lease, lease.first_number, PART).unwrap();
    assert_eq!(store(&mut s, &lease, first.next_number.unwrap(), PART).unwrap().phase, Phase::Completing);
}

#[test]
fn fresh_numbers_are_taken_while_there_are_spare_ones_and_then_those_whose_writers_have_ended() {
    let mut s = short_of_numbers(1);
    let fresh = begin_at(&mut s, NOW, begin(0, PART)).unwrap();
    assert_eq!(fresh.first_number, 9_997);
    let decision = s.release(NOW, Release { attempt: fresh.attempt, reason: ReleaseReason::GaveUp });
    take(&mut s, decision).unwrap();
    // Three numbers are left, for three parts.
    let last = begin_at(&mut s, NOW, begin(0, PART)).unwrap();
    assert_eq!(last.first_number, 9_998);
    let again = begin_at(&mut s, NOW, begin(0, 3 * PART)).unwrap();
    assert_eq!(again.first_number, 1, "no longer in use by anybody");
    assert_eq!(store(&mut s, &again, 1, PART).unwrap().next_number, Some(2));
}

#[test]
fn numbers_on_which_somebody_may_be_writing_are_passed_over_and_where_none_is_left_one_waits() {
    let mut s = short_of_numbers(0);
    let begin_whole = BeginAppend { all_or_nothing: true, ..begin(0, 2 * PART) };
    let fresh = begin_at(&mut s, NOW, begin_whole).unwrap();
    assert_eq!((fresh.first_number, fresh.reserved_parts), (9_998, 2));
    let writing = begin_at(&mut s, NOW, begin_whole).unwrap();
    assert_eq!(writing.first_number, 1);
    let next = begin_at(&mut s, NOW, begin(0, PART)).unwrap();
    assert_eq!(next.first_number, 3, "two numbers are taken by somebody who has not said that it has ended");
    assert_eq!(store(&mut s, &next, 3, PART).unwrap().uploaded_bytes, bytes(PART));

    let mut s = short_of_numbers(0);
    s.progress.writers.add(7, 1..=9_998, NOW);
    let pending = ApiError::WritersPending { uploaded_bytes: bytes(0), retry_after_seconds: 90 };
    if let Some(lease) = &mut s.progress.lease {
        lease.numbers_before = MAX_PART_NUMBER;
    }
    assert_eq!(begin_at(&mut s, NOW, begin(0, PART)), Err(pending));
    let decision = s.release(NOW, Release { attempt: 7, reason: ReleaseReason::GaveUp });
    take(&mut s, decision).unwrap();
    assert_eq!(begin_at(&mut s, NOW, begin(0, PART)).unwrap().first_number, 1);
}

#[test]
fn an_attempt_stops_before_a_number_on_which_somebody_else_may_be_writing() {
    let mut s = short_of_numbers(0);
    if let Some(lease) = &mut s.progress.lease {
        lease.numbers_before = MAX_PART_NUMBER;
    }
    s.progress.writers.add(7, 3..=3, NOW);
    let lease = begin_at(&mut s, NOW, begin(0, 3 * PART)).unwrap();
    assert_eq!((lease.first_number, lease.reserved_parts), (1, 2));
    let first = store(&mut s, &lease, 1, PART).unwrap();
    assert_eq!((first.next_number, first.ahead_number), (Some(2), None), "nothing is begun under number 3");
    let second = store(&mut s, &lease, 2, PART).unwrap();
    assert_eq!((second.uploaded_bytes, second.next_number), (bytes(2 * PART), None), "the rest has to come again");
    assert_eq!(begin_at(&mut s, NOW, begin(2 * PART, PART)).unwrap().first_number, 4);

    // Where two in a row are not free, one at a time.
    let mut s = short_of_numbers(0);
    if let Some(lease) = &mut s.progress.lease {
        lease.numbers_before = MAX_PART_NUMBER;
    }
    s.progress.writers.add(7, 2..=MAX_PART_NUMBER - 2, NOW);
    let lease = begin_at(&mut s, NOW, begin(0, 3 * PART)).unwrap();
    assert_eq!((lease.first_number, lease.reserved_parts), (1, 1));
}

#[test]
fn nothing_is_added_behind_the_end_and_what_lies_before_it_is_a_repetition_where_it_is_named_by_its_range() {
    let mut s = session(PART + 5);
    let by_range = |offset, length| BeginAppend { named: Named::ByRange, ..begin(offset, length) };
    let lease = start(&mut s, 0, PART + 5).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    assert!(s.repeats_what_counts(by_range(0, PART)) && s.repeats_what_counts(by_range(7, 9)));
    assert!(!s.repeats_what_counts(begin(0, PART)), "an offset is a question, and this one has another answer");
    assert!(!s.repeats_what_counts(by_range(PART, 5)) && !s.repeats_what_counts(by_range(PART - 1, 5)));
    assert_eq!(s.part_of_repetition(by_range(0, PART)), Some(bytes(PART)));
    assert_eq!(s.part_of_repetition(by_range(7, 9)), None);
    store(&mut s, &lease, 2, 5).unwrap();
    assert_eq!(s.progress.phase, Phase::Completing);
    assert!(s.repeats_what_counts(by_range(PART, 5)) && s.repeats_what_counts(by_range(0, PART + 5)));
    assert_eq!(s.part_of_repetition(by_range(PART, 5)), Some(bytes(PART + 5)));
    let other_length = BeginAppend { file_bytes: Some(bytes(PART)), ..by_range(0, PART) };
    assert!(!s.repeats_what_counts(other_length));
    let (file_bytes, uploaded_bytes) = (bytes(PART + 5), bytes(PART + 5));
    for (offset, length, expected) in [
        (PART + 5, 1, ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes }),
        (PART, 6, ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes }),
        (PART, 5, ApiError::OffsetMismatch { uploaded_bytes, is_whole: true }),
        (0, PART, ApiError::OffsetMismatch { uploaded_bytes, is_whole: true }),
        (PART + 6, 1, ApiError::OffsetMismatch { uploaded_bytes, is_whole: true }),
    ] {
        assert_eq!(s.begin(NOW, begin(offset, length)).answer, Err(expected), "{offset}+{length}");
    }
}

#[test]
fn a_declared_sha256_is_verified_before_the_object_is_made() {
    let content = vec![7_u8; usize::try_from(PART).unwrap() + 3];
    let (head, tail) = content.split_at(usize::try_from(PART).unwrap());
    let state = |upto: &[u8], from: Option<&Sha256State>| {
        let mut running = RunningSha256::resume(from).unwrap();
        running.update(upto);
        running.save()
    };
    for right in [true, false] {
        let mut spec = spec(Mode::Sequential, PART + 3);
        let declared = state(&content, None).digest().unwrap();
        spec.file.sha256 = Some(if right { declared } else { Sha256Digest([9; 32]) });
        let mut s = create(spec).unwrap();
        let lease = start(&mut s, 0, PART + 3).unwrap();
        assert!(lease.carry_sha256 && lease.sha256_so_far.is_none());
        let without = s.commit(NOW, &commit(lease.attempt, vec![receipt(1, PART)]));
        assert!(without.answer.is_err(), "a part without the state could never be verified");
        let first = Commit { sha256_so_far: Some(state(head, None)), ..commit(lease.attempt, vec![receipt(1, PART)]) };
        let decision = s.commit(NOW, &first);
        take(&mut s, decision).unwrap();
        let lease = start(&mut s, PART, 3).unwrap();
        let second = state(tail, lease.sha256_so_far.as_ref());
        let number = lease.first_number;
        let second = Commit { sha256_so_far: Some(second), ..commit(lease.attempt, vec![receipt(number, 3)]) };
        let decision = s.commit(NOW, &second);
        let answer = take(&mut s, decision);
        if right {
            assert_eq!(answer.unwrap().phase, Phase::Completing);
        } else {
            assert_eq!(answer, Err(ApiError::FileDigestMismatch { actual: format!("sha256 {declared}"), kept: false }));
            assert_eq!(s.progress.phase, Phase::Failed);
            assert!(jobs_until_nothing_is_due(&mut s, NOW).contains(&Job::Cleanup));
        }
    }
}

/// An attempt that is taken over, or gives up, each time before anything counts.
fn interrupted(s: &mut Session, now: UnixMs) -> Result<WriteLease, ApiError> {
    let decision = s.begin(now, begin(0, PART));
    take(s, decision)
}

#[test]
fn two_clients_cannot_starve_each_other() {
    let mut s = session(PART);
    for _ in 0..4 {
        interrupted(&mut s, NOW).unwrap(); // three takeovers in a row, for nothing
    }
    let busy = ApiError::Busy { uploaded_bytes: ByteCount::ZERO, retry_after_seconds: 5 };
    assert_eq!(interrupted(&mut s, NOW), Err(busy));
    let decision = s.probe(NOW);
    assert!(decision.change.is_none(), "asking where to go on does not interrupt it either");
    interrupted(&mut s, NOW.plus_ms(5_000)).unwrap();
    let busy = ApiError::Busy { uploaded_bytes: ByteCount::ZERO, retry_after_seconds: 10 };
    assert_eq!(interrupted(&mut s, NOW.plus_ms(5_000)), Err(busy), "and the protection grows");
    let attempt = s.progress.lease.unwrap().attempt;
    let decision = s.commit(NOW, &commit(attempt, vec![receipt(5, PART)]));
    assert_eq!(decision.answer.unwrap().phase, Phase::Completing);
}

#[test]
fn asking_before_taking_over_is_a_takeover_too() {
    let mut s = session(PART);
    for _ in 0..4 {
        let decision = s.probe(NOW);
        take(&mut s, decision).unwrap();
        interrupted(&mut s, NOW).unwrap();
    }
    assert!(matches!(interrupted(&mut s, NOW), Err(ApiError::Busy { .. })));
}

#[test]
fn a_client_that_gives_up_by_itself_is_nobodys_victim() {
    let mut s = session(PART);
    for _ in 0..100 {
        let lease = interrupted(&mut s, NOW).unwrap();
        let decision = s.release(NOW, Release { attempt: lease.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
    }
}

#[test]
fn who_interrupts_and_gives_up_has_interrupted_all_the_same() {
    let mut s = session(PART);
    let mut rounds = 0;
    loop {
        let victim = interrupted(&mut s, NOW).unwrap();
        let Ok(intruder) = interrupted(&mut s, NOW) else { break };
        let decision = s.release(NOW, Release { attempt: intruder.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
        let stale = s.commit(NOW, &commit(victim.attempt, vec![receipt(victim.first_number, PART)]));
        assert!(stale.answer.is_err());
        rounds += 1;
        assert!(rounds < 5, "the first writer starves");
    }
}

#[test]
fn a_chunk_of_any_length_leaves_a_rest_that_the_next_part_begins_with() {
    let mut s = session(2 * PART + 5);
    let lease = start(&mut s, 0, PART + 7).unwrap();
    assert_eq!((lease.first_number, lease.reserved_parts), (1, 1));
    let first = store(&mut s, &lease, 1, PART).unwrap();
    assert_eq!((first.uploaded_bytes, first.next_number), (bytes(PART), None));
    let second = count(&mut s, &remainder(lease.attempt, 7)).unwrap();
    assert_eq!(second.uploaded_bytes, bytes(PART + 7));
    // The next chunk fills a part, which begins where the tail does, and ends the file.
    let lease = start(&mut s, PART + 7, PART - 2).unwrap();
    assert_eq!((lease.first_number, lease.reserved_parts), (2, 2));
    let third = store(&mut s, &lease, 2, PART).unwrap();
    assert_eq!(
        (third.uploaded_bytes, third.next_number),
        (bytes(2 * PART), Some(3)),
        "the last part is whole, however short"
    );
    assert_eq!(store(&mut s, &lease, 3, 5).unwrap().phase, Phase::Completing);
}

#[test]
fn a_tiny_chunk_takes_no_part_number_and_writes_two_rows() {
    let mut s = session(2 * PART);
    for i in 0..10_000 {
        let decision = s.begin(NOW, begin(i * 10, 10));
        assert!(decision.change.progress.is_some() && decision.change.segment.is_none());
        let lease = take(&mut s, decision).unwrap();
        assert_eq!(lease.reserved_parts, 0);
        let decision = s.commit(NOW, &remainder(lease.attempt, 10));
        assert!(
            decision.change.progress.is_none() && decision.change.segment.is_some() && decision.change.parts.is_empty()
        );
        assert_eq!(take(&mut s, decision).unwrap().uploaded_bytes, bytes(i * 10 + 10));
    }
    assert_eq!(start(&mut s, 100_000, PART).unwrap().first_number, 1);
}

#[test]
fn a_rest_too_large_for_a_row_is_announced_before_it_is_written() {
    let mut s = session(2 * PART);
    start(&mut s, 0, MAX_ROW_SEGMENT_BYTES).unwrap();
    assert!(!s.may_have_leftovers());
    let lease = start(&mut s, 0, MAX_ROW_SEGMENT_BYTES + 1).unwrap();
    assert!(s.may_have_leftovers());
    assert_eq!(lease.remainder_key, format!("segments/{}/2", s.spec.id));
    count(&mut s, &remainder(lease.attempt, MAX_ROW_SEGMENT_BYTES + 1)).unwrap();
    let change = s.end(NOW, Phase::Expired, EventKind::Expired, None);
    s.apply(change);
    assert!(jobs_until_nothing_is_due(&mut s, NOW).contains(&Job::Cleanup));
}

#[test]
fn what_arrived_behind_the_last_part_of_a_broken_chunk_counts() {
    let mut s = session(2 * PART);
    let lease = start(&mut s, 0, 100).unwrap();
    assert_eq!(count(&mut s, &remainder(lease.attempt, 60)).unwrap().uploaded_bytes, bytes(60));
    let decision = s.begin(NOW, BeginAppend { all_or_nothing: true, ..begin(60, 100) });
    let lease = take(&mut s, decision).unwrap();
    assert!(count(&mut s, &remainder(lease.attempt, 60)).is_err(), "unless it counts only as a whole");
    assert_eq!(count(&mut s, &remainder(lease.attempt, 100)).unwrap().uploaded_bytes, bytes(160));
}

#[test]
fn a_repeated_rest_is_answered_like_the_first() {
    let mut s = session(2 * PART);
    let lease = start(&mut s, 0, 100).unwrap();
    let first = count(&mut s, &remainder(lease.attempt, 100)).unwrap();
    let repeated = s.commit(NOW, &remainder(lease.attempt, 100));
    assert!(repeated.change.is_none());
    assert_eq!(repeated.answer, Ok(first));
}

#[test]
fn rests_that_were_not_granted_count_nothing() {
    let mut s = session(2 * PART);
    let lease = start(&mut s, 0, PART + 100).unwrap();
    let early = remainder(lease.attempt, 100);
    assert!(count(&mut s, &early).is_err(), "the part before it is not there");
    store(&mut s, &lease, 1, PART).unwrap();
    assert!(count(&mut s, &remainder(lease.attempt, 101)).is_err(), "longer than granted");
    assert!(count(&mut s, &remainder(lease.attempt, 0)).is_err());
    let row = |length| Commit {
        remainder: Some(Remainder { bytes: bytes(length), place: SegmentPlace::Row }),
        ..remainder(lease.attempt, 1)
    };
    assert!(count(&mut s, &row(100)).is_ok());
    let lease = start(&mut s, PART + 100, MAX_ROW_SEGMENT_BYTES + 1).unwrap();
    let row = Commit {
        remainder: Some(Remainder { bytes: bytes(MAX_ROW_SEGMENT_BYTES + 1), place: SegmentPlace::Row }),
        ..remainder(lease.attempt, 1)
    };
    assert!(count(&mut s, &row).is_err(), "too large for a row");
}

/// A session whose sizes were told to nobody.
fn guessed(file_bytes: u64) -> Session {
    let mut spec = spec(Mode::Sequential, file_bytes);
    spec.plan.guessed = true;
    create(spec).unwrap()
}

#[test]
fn a_writer_of_earlier_sizes_counts_nothing_under_later_ones() {
    let mut s = guessed(10 * PART);
    let old = start(&mut s, 0, 6 * MIB).unwrap();
    assert_eq!(old.plan.part_bytes, bytes(6 * MIB));
    let new = start(&mut s, 0, 10_000_000).unwrap();
    assert_eq!((new.plan.part_bytes, new.first_number), (bytes(10_000_000), 2));
    assert!(matches!(store(&mut s, &old, 1, 6 * MIB), Err(ApiError::Superseded { .. })));
    store(&mut s, &new, 2, 10_000_000).unwrap();
    assert!(matches!(store(&mut s, &old, 1, 6 * MIB), Err(ApiError::Superseded { .. })));
    let next = start(&mut s, 10_000_000, 6 * MIB).unwrap();
    assert_eq!(next.plan.part_bytes, bytes(10_000_000), "something counts: the sizes stay");
}

#[test]
fn neither_a_whole_file_nor_a_section_of_a_body_shows_the_size_of_chunks() {
    let mut s = guessed(3 * PART - 1);
    assert_eq!(start(&mut s, 0, 3 * PART - 1).unwrap().plan.part_bytes, bytes(PART));
    let continuation = Continuation { after: None, has_more: true };
    let decision = s.begin(NOW, BeginAppend { continuation, ..begin(0, 6 * MIB) });
    assert_eq!(take(&mut s, decision).unwrap().plan.part_bytes, bytes(PART));
    assert_eq!(start(&mut s, 0, 6 * MIB).unwrap().plan.part_bytes, bytes(6 * MIB));
    assert_eq!(start(&mut s, 0, 3 * PART - 1).unwrap().plan.part_bytes, bytes(6 * MIB), "what was seen last holds");
}

#[test]
fn a_chunk_with_a_checksum_is_stored_as_one_part() {
    let mut spec = spec(Mode::Sequential, 6 * PART);
    spec.plan.chunk_bytes = bytes(2 * PART);
    let mut s = create(spec).unwrap();
    let decision = s.begin(NOW, BeginAppend { all_or_nothing: true, ..begin(0, 2 * PART) });
    let lease = take(&mut s, decision).unwrap();
    assert_eq!((lease.plan.part_bytes, lease.reserved_parts), (bytes(2 * PART), 1));
    store(&mut s, &lease, 1, 2 * PART).unwrap();
    assert_eq!(start(&mut s, 2 * PART, 2 * PART).unwrap().plan.part_bytes, bytes(2 * PART), "the sizes stay");
}

#[test]
fn the_first_chunk_shows_how_long_they_are_whatever_becomes_of_the_parts() {
    for (file_bytes, chunk, all_or_nothing, part_bytes) in [
        (10 * PART, 12_000_017, false, 12_000_017),
        (10 * PART, 3 * PART + 1, false, PART),
        (10 * PART, 3 * PART + 1, true, 3 * PART + 1),
        (10 * PART, MIB, true, PART),
        (PART, MIB, false, PART),
        (PART, MIB, true, PART),
    ] {
        let mut s = guessed(file_bytes);
        let decision = s.begin(NOW, BeginAppend { all_or_nothing, ..begin(0, chunk) });
        let plan = take(&mut s, decision).unwrap().plan;
        let found = (plan.chunk_bytes, plan.part_bytes);
        assert_eq!(found, (bytes(chunk), bytes(part_bytes)), "{file_bytes} {chunk} {all_or_nothing}");
    }
}

#[test]
fn who_appends_is_heard_of_now_and_then() {
    let mut s = session(2 * PART);
    assert!(!s.is_heard_appending(NOW));
    let lease = start(&mut s, 0, PART).unwrap();
    let silence = |from: UnixMs| [from.plus_ms(WRITER_STOPS_AFTER_MS - 1), from.plus_ms(WRITER_STOPS_AFTER_MS)];
    assert_eq!(silence(NOW).map(|at| s.is_heard_appending(at)), [true, false]);
    let heard_at = NOW.plus_ms(RENEW_EVERY_MS);
    let decision = s.renew(heard_at, Renew { attempt: lease.attempt });
    take(&mut s, decision).unwrap();
    assert_eq!(silence(heard_at).map(|at| s.is_heard_appending(at)), [true, false]);
    store(&mut s, &lease, lease.first_number, PART).unwrap();
    assert!(!s.is_heard_appending(NOW), "all that it announced counts");
    let lease = start(&mut s, PART, PART).unwrap();
    let decision = s.release(NOW, Release { attempt: lease.attempt, reason: ReleaseReason::GaveUp });
    take(&mut s, decision).unwrap();
    assert!(!s.is_heard_appending(NOW));
}

#[test]
fn a_deleted_object_takes_no_more_bytes() {
    let mut s = session(PART);
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    assert!(matches!(start(&mut s, 0, PART), Err(ApiError::OffsetMismatch { .. })));
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert!(matches!(start(&mut s, PART, 1), Err(ApiError::UploadGone { .. })));
    assert!(matches!(
        s.declare(NOW, bytes(PART), None, Completion::WhenWhole).answer,
        Err(ApiError::UploadGone { .. })
    ));
}
