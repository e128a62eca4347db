//! How uploads end, and what follows.

use super::*;
use crate::event::{RetryPolicy, Verdict};

#[test]
fn an_empty_file_has_all_its_bytes() {
    let s = session(0);
    assert_eq!((s.progress.phase, s.next_job().unwrap().1), (Phase::Completing, Job::Assemble));
    assert!(s.complete().answer.is_ok());
    let mut birth = birth(Mode::Sequential, 0);
    birth.file.sha256 = Some(Sha256Digest([0; 32]));
    assert!(matches!(Session::create(birth), Err(Refusal::FileDigestMismatch { .. })));
}

#[test]
fn completion_waits_for_every_byte() {
    let mut s = session(PART + 3);
    let grant = start(&mut s, 0, PART).unwrap();
    store(&mut s, &grant, 1, PART).unwrap();
    let missing = Refusal::Incomplete { missing_bytes: Some(3.into()), uploaded_bytes: bytes(PART) };
    assert_eq!(s.complete().answer, Err(missing));
}

#[test]
fn an_abandoned_upload_expires_frees_and_is_forgotten() {
    let mut s = session(PART);
    start(&mut s, 0, PART).unwrap();
    assert_eq!(s.next_job(), Some((UnixMs(DAY_MS), Job::Expire)));
    assert_eq!(s.expire_if_due(UnixMs(DAY_MS - 1)), None);
    let now = UnixMs(DAY_MS + 5);
    let change = s.expire_if_due(now).unwrap();
    s.apply(change);
    assert!(matches!(s.begin(now, begin(0, PART)).answer, Err(Refusal::UploadGone { phase: Phase::Expired, .. })));
    assert_eq!(s.next_job(), Some((now, Job::Free)));
    let change = s.postponed(now);
    s.apply(change);
    assert_eq!(s.next_job(), Some((now, Job::Tell)), "the origin need not wait for R2");
    let change = s.event_sent(now);
    s.apply(change);
    assert_eq!(s.next_job(), Some((now.plus_ms(1_000), Job::Free)));
    let change = s.freed();
    s.apply(change);
    let change = s.delivery_begun(now, 1_000).unwrap();
    s.apply(change);
    let change = s.delivered(now, false);
    s.apply(change);
    assert_eq!(s.next_job().unwrap().1, Job::Settle, "the ledger gives the room back");
    let change = s.settled();
    s.apply(change);
    assert_eq!(s.next_job(), Some((now.plus_ms(DAY_MS), Job::Forget)));
}

#[test]
fn cancelling() {
    let mut s = session(PART);
    let decision = s.cancel(NOW);
    take(&mut s, decision).unwrap();
    assert!(matches!(s.cancel(NOW).answer, Err(Refusal::UploadGone { phase: Phase::Aborted, .. })));
    assert_eq!(s.next_job().unwrap().1, Job::Free);

    let mut s = session(0);
    assert_eq!(s.cancel(NOW).answer, Err(Refusal::Completing));
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    let decision = s.cancel(NOW);
    take(&mut s, decision).unwrap();
    assert_eq!(s.object(), None, "a completed upload can be deleted");
    assert!(matches!(s.cancel(NOW).answer, Err(Refusal::UploadGone { .. })));
}

#[test]
fn an_origin_that_wants_the_object_gone() {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    let change = s.delivery_begun(NOW, 1_000).unwrap();
    s.apply(change);
    let change = s.delivered(NOW, true);
    s.apply(change);
    assert_eq!((s.object(), s.next_job().unwrap().1), (None, Job::Free));
    assert_eq!(s.delivery_begun(NOW, 1_000), None, "a second copy of the message finds nothing to do");
}

#[test]
fn an_event_nobody_takes_waits_for_an_operator() {
    let policy = RetryPolicy { first_delay_seconds: 1, max_attempts: 1 };
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    assert_eq!(s.redeliver(NOW).answer, Err(Refusal::NothingToRedeliver));
    let change = s.delivery_begun(NOW, 1_000).unwrap();
    s.apply(change);
    let (verdict, change) = s.undelivered(NOW, policy, None);
    s.apply(change);
    assert_eq!((verdict, s.snapshot().delivery), (Verdict::GiveUp, Some(DeliveryState::Failed)));
    let change = s.settled();
    s.apply(change);
    assert_eq!(s.next_job().unwrap().1, Job::Forget, "but not before its tombstone is over");
    let decision = s.redeliver(UnixMs(5_000));
    take(&mut s, decision).unwrap();
    assert_eq!(s.next_job(), Some((UnixMs(5_000), Job::Tell)));
}

#[test]
fn storage_that_lost_bytes_ends_the_upload() {
    for (reason, said) in [
        (ReleaseReason::MultipartGone, "Storage has dropped the unfinished upload."),
        (ReleaseReason::SegmentLost, "Storage has lost accepted bytes of the upload."),
    ] {
        let mut s = session(PART);
        let grant = start(&mut s, 0, PART).unwrap();
        let decision = s.release(NOW, Release { attempt: grant.attempt, reason });
        take(&mut s, decision).unwrap();
        assert_eq!((s.progress.phase, s.progress.reason.as_deref()), (Phase::Failed, Some(said)));
    }
}

#[test]
fn who_was_taken_over_cannot_miss_the_tail() {
    let mut s = session(PART);
    let grant = start(&mut s, 0, 5).unwrap();
    count(&mut s, &rest(grant.attempt, 5)).unwrap();
    let old = start(&mut s, 5, PART - 5).unwrap();
    let new = start(&mut s, 5, PART - 5).unwrap();
    let lost = |grant: &Grant| Release { attempt: grant.attempt, reason: ReleaseReason::SegmentLost };
    // The new attempt may have put the tail into a part before the old one looked for it.
    let decision = s.release(NOW, lost(&old));
    assert!(decision.change.is_none());
    let decision = s.release(NOW, lost(&new));
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Failed, "but who holds the lease is told the truth");
}

/// A completed upload that has left a segment in R2.
fn completed_with_a_segment() -> Session {
    let mut s = session(MAX_ROW_SEGMENT_BYTES + 2);
    let first = start(&mut s, 0, MAX_ROW_SEGMENT_BYTES + 1).unwrap();
    count(&mut s, &rest(first.attempt, MAX_ROW_SEGMENT_BYTES + 1)).unwrap();
    let second = start(&mut s, MAX_ROW_SEGMENT_BYTES + 1, 1).unwrap();
    store(&mut s, &second, 1, MAX_ROW_SEGMENT_BYTES + 2).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    s
}

fn jobs_until_nothing_is_due(s: &mut Session, now: UnixMs) -> Vec<Job> {
    let mut done = Vec::new();
    while let Some((_, job)) = s.next_job().filter(|(due, _)| *due <= now) {
        let change = match job {
            Job::Free => s.freed(),
            Job::Settle => s.settled(),
            Job::Tell => s.delivered(now, false),
            Job::Expire | Job::Compose | Job::Assemble | Job::Verify | Job::Forget => break,
        };
        s.apply(change);
        done.push(job);
        assert!(done.len() < 10, "{done:?}");
    }
    done
}

#[test]
fn an_object_discarded_while_the_segments_were_being_freed_is_freed_too() {
    let mut s = completed_with_a_segment();
    assert_eq!(s.next_job(), Some((NOW, Job::Free)));
    // R2 is being asked to delete the segments, and nothing else, when the client deletes the upload.
    let decision = s.cancel(NOW);
    take(&mut s, decision).unwrap();
    let change = s.freed();
    s.apply(change);
    assert_eq!(s.next_job(), Some((NOW, Job::Free)), "the object is still there");
    assert!(jobs_until_nothing_is_due(&mut s, NOW).contains(&Job::Free));
    assert!(!s.progress.holds_storage);
}

#[test]
fn a_ledger_that_was_told_of_an_object_discarded_meanwhile_is_told_again() {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    // The ledger is being told of the object when the client deletes it.
    let decision = s.cancel(NOW);
    take(&mut s, decision).unwrap();
    let change = s.settled();
    s.apply(change);
    assert!(jobs_until_nothing_is_due(&mut s, NOW).ends_with(&[Job::Settle]));
    assert_eq!(s.next_job(), Some((NOW.plus_ms(DAY_MS), Job::Forget)));
}

#[test]
fn a_segment_that_arrives_after_the_end_is_freed_before_the_upload_is_forgotten() {
    let mut s = session(PART);
    start(&mut s, 0, MAX_ROW_SEGMENT_BYTES + 1).unwrap();
    let decision = s.cancel(NOW);
    take(&mut s, decision).unwrap();
    assert_eq!(jobs_until_nothing_is_due(&mut s, NOW), [Job::Free, Job::Tell, Job::Settle]);
    let forgotten_at = NOW.plus_ms(DAY_MS);
    assert_eq!(s.next_job(), Some((forgotten_at, Job::Free)), "what the attempt was still writing");
    let change = s.postponed(forgotten_at);
    s.apply(change);
    assert_eq!(s.next_job(), Some((forgotten_at.plus_ms(1_000), Job::Free)));
    assert_eq!(jobs_until_nothing_is_due(&mut s, forgotten_at.plus_ms(1_000)), [Job::Free]);
    assert_eq!(s.next_job(), Some((forgotten_at, Job::Forget)));
}

#[test]
fn a_declared_crc_is_compared_with_the_combined_one() {
    let mut birth = birth(Mode::Sequential, 5);
    birth.file.crc64nvme = Some(Crc64Nvme(4));
    let s = Session::create(birth).unwrap();
    assert_eq!(s.crc64nvme_mismatch(Crc64Nvme(4)), None);
    assert!(s.crc64nvme_mismatch(Crc64Nvme(5)).unwrap().contains("crc64nvme 0000000000000005"));
}
