//! Attempts as dialogues: what one asks for, and what it makes of what came of that. In [`histories`] against a real session, with
//! whatever may go wrong.

mod histories;

use super::*;
use crate::session::tests::{NOW, PART, begin, bytes, create, create_without_multipart, receipt, spec};
use upload_types::{
    integrity::{Algorithm, Crc64Nvme},
    plan::Mode,
    units::MIB,
};

const ROW: u64 = 1_000;

/// The lease of an upload of this length for a chunk of it, whose parts have 8 MiB.
fn lease(file_bytes: u64, offset: u64, length: u64) -> WriteLease {
    let session = create(spec(Mode::Sequential, file_bytes)).unwrap();
    let lease = session.begin(NOW, begin(0, length.max(1))).answer.unwrap();
    WriteLease { offset: bytes(offset), ..lease }
}

fn of(lease: &WriteLease, to: u64) -> Attempt {
    Attempt::new(lease, bytes(to), None)
}

fn with_digest(lease: &WriteLease, to: u64) -> Attempt {
    Attempt::new(lease, bytes(to), Some(digest()))
}

fn digest() -> ChunkDigest {
    ChunkDigest { algorithm: Algorithm::Crc32, value: vec![0; 4] }
}

/// As the object itself.
fn put(lease: WriteLease) -> WriteLease {
    WriteLease { multipart_id: None, key: "put/1".to_owned(), ..lease }
}

fn part(number: u16, length: u64) -> Effect {
    Effect::StorePart { number, bytes: bytes(length), tail: Vec::new(), ahead: None }
}

/// The same, where the part behind it may be begun.
fn part_before(number: u16, length: u64, ahead: (u16, u64)) -> Effect {
    let ahead = Some(PartAhead { number: ahead.0, bytes: bytes(ahead.1) });
    Effect::StorePart { number, bytes: bytes(length), tail: Vec::new(), ahead }
}

fn stored(number: u16, length: u64) -> Input {
    Input::Stored { receipt: receipt(number, length), sha256_so_far: None }
}

fn counted(uploaded: u64, next_number: Option<u16>) -> Committed {
    Committed { next_number, expires_at: NOW, ..Committed::so_far(bytes(uploaded), Phase::Open) }
}

fn row(length: u64, broken: Option<Failure>) -> Input {
    Input::RemainderRead { bytes: bytes(length), sha256_so_far: None, broken }
}

fn commit(receipts: Vec<Receipt>, remainder: Option<(u64, SegmentPlace)>, digest: Option<ChunkDigest>) -> Effect {
    let remainder = remainder.map(|(length, place)| Remainder { bytes: bytes(length), place });
    Effect::Commit(Commit { attempt: 1, receipts, remainder, sha256_so_far: None, digest, is_writing_on: false })
}

/// Of a part behind which another one comes.
fn commit_between(number: u16) -> Effect {
    let receipts = vec![receipt(number, PART)];
    let (remainder, sha256_so_far, digest) = (None, None, None);
    Effect::Commit(Commit { attempt: 1, receipts, remainder, sha256_so_far, digest, is_writing_on: true })
}

fn release(reason: ReleaseReason) -> Effect {
    Effect::Release(Release { attempt: 1, reason })
}

fn refused(refusal: ApiError) -> Effect {
    Effect::Finish(Finish::Refused(refusal))
}

fn superseded() -> ApiError {
    ApiError::Superseded { uploaded_bytes: bytes(5) }
}

fn gone(phase: Phase) -> ApiError {
    ApiError::UploadGone { phase, reason: "for a reason".to_owned() }
}

/// How an upload stands in this phase, with the object under this key.
fn status(phase: Phase, object: Option<&str>) -> Input {
    let mut snapshot = create(spec(Mode::Sequential, PART)).unwrap().snapshot();
    (snapshot.phase, snapshot.reason) = (phase, (phase == Phase::Failed).then(|| "for a reason".to_owned()));
    snapshot.object = object.map(|key| upload_types::upload::ObjectFacts {
        key: key.to_owned(),
        etag: String::new(),
        crc64nvme: Crc64Nvme(0),
        sha256: None,
        result: None,
    });
    Input::Status(Ok(Box::new(snapshot)))
}

#[test]
fn each_part_is_committed_before_the_next_is_stored_and_the_remainder_comes_last() {
    let mut attempt = of(&lease(4 * PART, 0, 3 * PART), 2 * PART + ROW);
    assert_eq!(attempt.next(Input::Begin), part(1, PART));
    assert_eq!(attempt.next(stored(1, PART)), commit_between(1));
    assert_eq!(attempt.next(Input::Committed(Ok(counted(PART, Some(7))))), part(7, PART), "the number that was given");
    assert_eq!(attempt.next(stored(7, PART)), commit(vec![receipt(7, PART)], None, None));
    let remainder = Effect::ReadRemainder { bytes: bytes(ROW) };
    assert_eq!(attempt.next(Input::Committed(Ok(counted(2 * PART, None)))), remainder);
    assert_eq!(attempt.next(row(ROW, None)), commit(vec![], Some((ROW, SegmentPlace::Row)), None));
    let all = counted(2 * PART + ROW, None);
    assert_eq!(attempt.next(Input::Committed(Ok(all.clone()))), Effect::Finish(Finish::Appended(all)));
}

#[test]
fn the_next_part_may_be_begun_under_each_number_that_was_handed_out() {
    let mut attempt = of(&lease(5 * PART, 0, 4 * PART), 3 * PART + ROW).going_ahead();
    assert_eq!(attempt.next(Input::Begin), part_before(1, PART, (2, PART)), "two numbers come with the lease");
    assert_eq!(attempt.next(stored(1, PART)), commit_between(1));
    let third = Committed { ahead_number: Some(3), ..counted(PART, Some(2)) };
    assert_eq!(attempt.next(Input::Committed(Ok(third))), part_before(2, PART, (3, PART)));
    assert_eq!(attempt.next(stored(2, PART)), commit_between(2));
    assert_eq!(attempt.next(Input::Committed(Ok(counted(2 * PART, Some(3))))), part(3, PART), "no whole part follows");
    assert_eq!(attempt.next(stored(3, PART)), commit(vec![receipt(3, PART)], None, None));

    let mut attempt = of(&WriteLease { reserved_parts: 1, ..lease(4 * PART, 0, 3 * PART) }, 3 * PART).going_ahead();
    assert_eq!(attempt.next(Input::Begin), part(1, PART), "the next number is not free yet");
    assert_eq!(attempt.next(stored(1, PART)), commit_between(1));
    let two = Committed { ahead_number: Some(3), ..counted(PART, Some(2)) };
    assert_eq!(attempt.next(Input::Committed(Ok(two))), part_before(2, PART, (3, PART)));

    let whole = WriteLease { reserved_parts: 3, ..lease(3 * PART, 0, 3 * PART) };
    let mut attempt = with_digest(&whole, 3 * PART).going_ahead();
    assert_eq!(attempt.next(Input::Begin), part_before(1, PART, (2, PART)));
    assert_eq!(attempt.next(stored(1, PART)), part_before(2, PART, (3, PART)));
    assert_eq!(attempt.next(stored(2, PART)), part(3, PART));
}

#[test]
fn a_refused_commit_is_followed_by_a_release_where_the_next_part_was_under_way() {
    let mut attempt = of(&lease(3 * PART, 0, 3 * PART), 3 * PART).going_ahead();
    attempt.next(Input::Begin);
    attempt.next(stored(1, PART));
    assert_eq!(attempt.next(Input::Committed(Err(superseded()))), release(ReleaseReason::GaveUp));
    assert_eq!(attempt.next(Input::Released(Some(bytes(7)))), Effect::DiscardBody);
    assert_eq!(attempt.next(Input::BodyDiscarded), refused(superseded()));
}

#[test]
fn the_tail_goes_in_front_of_the_first_part_and_no_other() {
    let tail = vec![RemainderSource::Rows { start: bytes(0), end: bytes(ROW) }];
    let mut attempt = of(&WriteLease { tail: tail.clone(), ..lease(2 * PART, ROW, 2 * PART) }, 2 * PART);
    assert_eq!(attempt.next(Input::Begin), Effect::StorePart { number: 1, bytes: bytes(PART), tail, ahead: None });
    attempt.next(stored(1, PART));
    assert_eq!(attempt.next(Input::Committed(Ok(counted(PART, Some(2))))), part(2, PART));
}

#[test]
fn a_chunk_without_bytes_puts_the_tail_into_the_last_part() {
    let tail = vec![RemainderSource::Rows { start: bytes(PART), end: bytes(PART + ROW) }];
    let mut attempt = of(&WriteLease { tail: tail.clone(), ..lease(PART + ROW, PART + ROW, 0) }, PART + ROW);
    assert_eq!(attempt.next(Input::Begin), Effect::StorePart { number: 1, bytes: bytes(ROW), tail, ahead: None });
    attempt.next(stored(1, ROW));
    let all = counted(PART + ROW, None);
    assert_eq!(attempt.next(Input::Committed(Ok(all.clone()))), Effect::Finish(Finish::Appended(all)));
}

#[test]
fn with_a_checksum_nothing_is_committed_before_it_is_right() {
    let mut attempt = with_digest(&lease(3 * PART, 0, 3 * PART), 2 * PART + ROW);
    assert_eq!(attempt.next(Input::Begin), part(1, PART));
    assert_eq!(attempt.next(stored(1, PART)), part(2, PART));
    assert_eq!(attempt.next(stored(2, PART)), Effect::ReadRemainder { bytes: bytes(ROW) });
    assert_eq!(attempt.next(row(ROW, None)), Effect::CheckDigest);
    let receipts = vec![receipt(1, PART), receipt(2, PART)];
    assert_eq!(attempt.next(Input::DigestIsRight), commit(receipts, Some((ROW, SegmentPlace::Row)), Some(digest())));
}

#[test]
fn a_chunk_that_counts_as_a_whole_needs_no_checksum_for_that() {
    let mut attempt = of(&lease(3 * PART, 0, 3 * PART), 2 * PART + ROW).all_or_nothing();
    assert_eq!(attempt.next(Input::Begin), part(1, PART));
    assert_eq!(attempt.next(stored(1, PART)), part(2, PART));
    assert_eq!(attempt.next(stored(2, PART)), Effect::ReadRemainder { bytes: bytes(ROW) });
    let receipts = vec![receipt(1, PART), receipt(2, PART)];
    assert_eq!(attempt.next(row(ROW, None)), commit(receipts, Some((ROW, SegmentPlace::Row)), None));

    let mut attempt = of(&lease(2 * PART, 0, PART), ROW).all_or_nothing();
    attempt.next(Input::Begin);
    assert_eq!(attempt.next(row(7, Some(Failure::BodyEnded))), release(ReleaseReason::GaveUp));
}

#[test]
fn with_a_wrong_checksum_nothing_counts_and_a_put_goes() {
    for (lease, deletes) in [(lease(PART, 0, PART), false), (put(lease(PART, 0, PART)), true)] {
        let mut attempt = with_digest(&lease, PART);
        attempt.next(Input::Begin);
        assert_eq!(attempt.next(stored(1, PART)), Effect::CheckDigest);
        let mut effect = attempt.next(Input::DigestIsWrong);
        if deletes {
            assert_eq!(effect, Effect::DeletePut);
            effect = attempt.next(Input::Failed(Failure::Fault));
        }
        assert_eq!(effect, release(ReleaseReason::GaveUp), "deleted or not");
        assert_eq!(attempt.next(Input::Released(Some(bytes(3)))), Effect::DiscardBody);
        let uploaded_bytes = bytes(3);
        assert_eq!(attempt.next(Input::BodyDiscarded), refused(ApiError::ChecksumMismatch { uploaded_bytes }));
    }
}

#[test]
fn a_remainder_that_fits_no_row_is_an_object() {
    let mut attempt = of(&lease(2 * PART, 0, PART), MIB);
    assert_eq!(attempt.next(Input::Begin), Effect::StoreRemainder { bytes: bytes(MIB) });
    let sent = commit(vec![], Some((MIB, SegmentPlace::Object)), None);
    assert_eq!(attempt.next(Input::RemainderStored { sha256_so_far: None }), sent);
}

#[test]
fn of_a_remainder_that_breaks_what_arrived_counts_unless_it_is_all_or_nothing() {
    let mut attempt = of(&lease(2 * PART, 0, PART), ROW);
    attempt.next(Input::Begin);
    let arrived = row(7, Some(Failure::BodyEnded));
    assert_eq!(attempt.next(arrived.clone()), commit(vec![], Some((7, SegmentPlace::Row)), None));
    assert_eq!(attempt.next(Input::Committed(Ok(counted(7, None)))), release(ReleaseReason::GaveUp));
    assert_eq!(
        attempt.next(Input::Released(None)),
        refused(ApiError::BodyCutShort { uploaded_bytes: bytes(7) }),
        "what is known here, where the object does not say"
    );

    let mut attempt = with_digest(&lease(2 * PART, 0, PART), ROW);
    attempt.next(Input::Begin);
    assert_eq!(attempt.next(arrived), release(ReleaseReason::GaveUp));

    let mut attempt = of(&lease(2 * PART, 0, PART), ROW);
    attempt.next(Input::Begin);
    assert_eq!(attempt.next(row(0, Some(Failure::BodyStalled))), release(ReleaseReason::GaveUp), "nothing to commit");
}

#[test]
fn without_a_number_for_the_next_part_the_rest_has_to_come_again() {
    let mut attempt = of(&lease(2 * PART, 0, 2 * PART), 2 * PART);
    attempt.next(Input::Begin);
    attempt.next(stored(1, PART));
    assert_eq!(attempt.next(Input::Committed(Ok(counted(PART, None)))), release(ReleaseReason::GaveUp));
    assert_eq!(attempt.next(Input::Released(Some(bytes(PART)))), Effect::DiscardBody);
    let (uploaded_bytes, retry_after_seconds) = (bytes(PART), u32::try_from(RENEW_EVERY_MS / 1_000).unwrap());
    let refusal = ApiError::WritersPending { uploaded_bytes, retry_after_seconds };
    assert_eq!(attempt.next(Input::BodyDiscarded), refused(refusal));
}

#[test]
fn a_refused_commit_of_the_last_part_ends_it_without_a_release() {
    let mut attempt = of(&lease(2 * PART, 0, PART), PART);
    attempt.next(Input::Begin);
    attempt.next(stored(1, PART));
    assert_eq!(attempt.next(Input::Committed(Err(superseded()))), Effect::DiscardBody);
    assert_eq!(attempt.next(Input::BodyDiscarded), refused(superseded()));
}

#[test]
fn a_put_whose_commit_is_refused_goes_only_where_it_can_never_count() {
    let with = |now: Input| {
        let mut attempt = of(&put(lease(PART, 0, PART)), PART);
        attempt.next(Input::Begin);
        attempt.next(stored(1, PART));
        assert_eq!(attempt.next(Input::Committed(Err(superseded()))), Effect::AskStatus);
        let effect = attempt.next(now);
        let after = attempt.next(Input::Failed(Failure::Storage));
        let after = if effect == Effect::DeletePut { attempt.next(Input::BodyDiscarded) } else { after };
        assert_eq!(after, refused(superseded()), "deleted or not");
        effect
    };
    for goes in [
        status(Phase::Completed, Some("put/2")),
        status(Phase::Completed, None),
        status(Phase::Failed, None),
        Input::Status(Err(gone(Phase::Aborted))),
    ] {
        assert_eq!(with(goes.clone()), Effect::DeletePut, "{goes:?}");
    }
    for stays in [
        status(Phase::Completed, Some("put/1")),
        status(Phase::Open, None),
        status(Phase::Completing, None),
        status(Phase::Verifying, None),
        status(Phase::Damaged, None),
        Input::Status(Err(ApiError::UploadNotFound)),
        Input::Failed(Failure::Fault),
    ] {
        assert_eq!(with(stays.clone()), Effect::DiscardBody, "{stays:?}");
    }
}

#[test]
fn a_remainder_whose_commit_is_refused_goes_unless_the_upload_is_open() {
    let asking = || {
        let mut attempt = of(&lease(2 * PART, 0, PART), MIB);
        attempt.next(Input::Begin);
        attempt.next(Input::RemainderStored { sha256_so_far: None });
        assert_eq!(attempt.next(Input::Committed(Err(superseded()))), Effect::AskStatus);
        attempt
    };
    assert_eq!(asking().next(status(Phase::Open, None)), Effect::DiscardBody);
    for ended in [status(Phase::Completed, None), Input::Status(Err(gone(Phase::Expired)))] {
        let mut attempt = asking();
        assert_eq!(attempt.next(ended), Effect::DeleteRemainder);
        assert_eq!(attempt.next(Input::Deleted), Effect::DiscardBody);
        assert_eq!(attempt.next(Input::BodyDiscarded), refused(superseded()));
    }
    let mut attempt = asking();
    attempt.next(status(Phase::Completed, None));
    assert_eq!(attempt.next(Input::Failed(Failure::Fault)), Effect::DiscardBody, "whoever cannot delete it says so");
    assert_eq!(attempt.next(Input::BodyDiscarded), release(ReleaseReason::GaveUp));
    assert_eq!(attempt.next(Input::Released(None)), Effect::Finish(Finish::Fault));
}

#[test]
fn a_part_that_is_not_stored_ends_it_and_the_client_is_told_what_counts() {
    let uploaded_bytes = bytes(9);
    for (failure, reads_away, reason, answer) in [
        (Failure::BodyEnded, false, ReleaseReason::GaveUp, refused(ApiError::BodyCutShort { uploaded_bytes })),
        (Failure::BodyStalled, false, ReleaseReason::GaveUp, refused(ApiError::BodyStalled { uploaded_bytes })),
        (Failure::Storage, true, ReleaseReason::GaveUp, refused(ApiError::StorageUnavailable { uploaded_bytes })),
        (Failure::Superseded, true, ReleaseReason::GaveUp, refused(ApiError::Superseded { uploaded_bytes })),
        (Failure::Fault, true, ReleaseReason::GaveUp, Effect::Finish(Finish::Fault)),
        (Failure::MultipartGone, true, ReleaseReason::MultipartGone, Effect::AskStatus),
        (Failure::SegmentLost, true, ReleaseReason::SegmentLost, Effect::AskStatus),
    ] {
        let mut attempt = of(&lease(2 * PART, 0, 2 * PART), 2 * PART);
        attempt.next(Input::Begin);
        let mut effect = attempt.next(Input::Failed(failure));
        if reads_away {
            assert_eq!(effect, Effect::DiscardBody, "{failure:?}");
            effect = attempt.next(Input::BodyDiscarded);
        }
        assert_eq!(effect, release(reason), "{failure:?}");
        assert_eq!(attempt.next(Input::Released(Some(uploaded_bytes))), answer, "{failure:?}");
    }
}

#[test]
fn where_something_is_lost_the_upload_says_whether_it_has_ended() {
    let ends_with = |now: Input| {
        let mut attempt = of(&lease(2 * PART, 0, 2 * PART), 2 * PART);
        attempt.next(Input::Begin);
        attempt.next(Input::Failed(Failure::MultipartGone));
        attempt.next(Input::BodyDiscarded);
        assert_eq!(attempt.next(Input::Released(Some(bytes(5)))), Effect::AskStatus);
        attempt.next(now)
    };
    assert_eq!(ends_with(status(Phase::Failed, None)), refused(gone(Phase::Failed)));
    assert_eq!(ends_with(status(Phase::Open, None)), refused(superseded()));
    assert_eq!(ends_with(Input::Status(Err(gone(Phase::Aborted)))), refused(gone(Phase::Aborted)));
    assert_eq!(ends_with(Input::Failed(Failure::Fault)), Effect::Finish(Finish::Fault));
}

#[test]
fn an_answer_that_nobody_asked_for_ends_it_as_a_fault() {
    let mut attempt = of(&lease(2 * PART, 0, 2 * PART), 2 * PART);
    attempt.next(Input::Begin);
    assert_eq!(attempt.next(Input::Deleted), Effect::DiscardBody);
    assert_eq!(attempt.next(Input::BodyDiscarded), release(ReleaseReason::GaveUp));
    assert_eq!(attempt.next(Input::Released(None)), Effect::Finish(Finish::Fault));
    assert_eq!(attempt.next(Input::Begin), Effect::Finish(Finish::Fault), "and it stays over");
}
