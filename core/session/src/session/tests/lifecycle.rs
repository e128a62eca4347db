//! How uploads end, and what follows.

use super::*;
use upload_types::ledger::Listing;

#[test]
fn an_empty_file_has_all_its_bytes() {
    let s = session(0);
    assert_eq!((s.progress.phase, s.next_job().unwrap().1), (Phase::Completing, Job::Assemble));
    assert!(s.complete(NOW).answer.is_ok());
    let mut spec = spec(Mode::Sequential, 0);
    spec.file.sha256 = Some(Sha256Digest([0; 32]));
    assert!(matches!(create(spec), Err(ApiError::FileDigestMismatch { .. })));
}

#[test]
fn completion_waits_for_every_byte() {
    let mut s = session(PART + 3);
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    let missing = ApiError::Incomplete { missing_bytes: Some(3.into()), uploaded_bytes: bytes(PART) };
    assert_eq!(s.complete(NOW).answer, Err(missing));
}

#[test]
fn an_abandoned_upload_expires_frees_and_is_forgotten() {
    let mut s = session(PART);
    start(&mut s, 0, PART).unwrap();
    let end = NOW.plus_ms(DAY_MS);
    assert_eq!(s.next_job(), Some((end, Job::Expire)), "a day after its last attempt began");
    assert_eq!(s.expire_if_due(UnixMs(end.0 - 1)), None);
    let now = end.plus_ms(5);
    let change = s.expire_if_due(now).unwrap();
    s.apply(change);
    assert!(matches!(s.begin(now, begin(0, PART)).answer, Err(ApiError::UploadGone { phase: Phase::Expired, .. })));
    assert_eq!(s.next_job(), Some((now, Job::EnqueueEvent)), "the origin need not wait for R2");
    let change = s.event_sent(now, EventKind::Expired);
    s.apply(change);
    assert_eq!(s.next_job(), Some((now, Job::NotifyLedger)), "nor need the owner, whose room is given back");
    let change = s.settled(s.told_of_object());
    s.apply(change);
    assert_eq!(s.next_job(), Some((now, Job::Cleanup)));
    let change = s.cleaned_up(s.cleanup());
    s.apply(change);
    let change = s.delivery_begun(now, EventKind::Expired, 1_000, 1_000).unwrap();
    s.apply(change);
    let change = s.delivered(now, EventKind::Expired, false, None);
    s.apply(change);
    assert_eq!(s.next_job(), Some((now.plus_ms(DAY_MS), Job::Purge)));
}

/// An upload that was cancelled just now: its event, its ledger and R2 are all still to be seen to.
fn cancelled() -> Session {
    let mut s = session(PART);
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    s
}

/// This duty fails whenever it is tried, and all others succeed at once: which are done within `ms`, and how often it is tried.
fn while_failing(s: &mut Session, failing: Job, ms: u64) -> (Vec<Job>, u32) {
    let (mut done, mut failed) = (Vec::new(), 0);
    while let Some((due, job)) = s.next_job().filter(|(due, _)| due.ms_since(NOW) <= ms) {
        let now = due.max(NOW);
        if job == failing {
            failed += 1;
            let change = s.postponed(now, job, "a failure");
            s.apply(change);
        } else if carry_out(s, now, job) {
            done.push(job);
        } else {
            break;
        }
        assert!(failed < 100, "it is tried without a pause");
    }
    (done, failed)
}

#[test]
fn no_duty_waits_for_one_of_another_kind_that_fails() {
    let all = [Job::EnqueueEvent, Job::NotifyLedger, Job::Cleanup];
    for failing in all {
        let mut s = cancelled();
        let (done, failed) = while_failing(&mut s, failing, 60_000);
        let others: Vec<_> = all.into_iter().filter(|job| *job != failing).collect();
        assert_eq!(done, others, "{failing:?} fails");
        assert!((2..10).contains(&failed), "{failing:?} is tried {failed} times in a minute");
        let (due, job) = s.next_job().unwrap();
        assert_eq!(job, failing);
        assert_eq!(jobs_until_nothing_is_due(&mut s, due), [failing], "it is done once it can be");
        assert_eq!(s.next_job(), Some((NOW.plus_ms(DAY_MS), Job::Purge)));
    }
}

#[test]
fn a_ledger_that_fails_is_asked_with_growing_pauses_which_begin_anew_with_a_deletion() {
    let mut s = completed();
    let (_, failed) = while_failing(&mut s, Job::NotifyLedger, 3_600_000);
    assert_eq!(failed, 12, "the twelfth pause, each twice as long as the one before, ends after the hour");
    let later = NOW.plus_ms(3_600_000);
    let decision = s.cancel(later, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert_eq!(
        jobs_until_nothing_is_due(&mut s, later),
        [Job::EnqueueEvent, Job::NotifyLedger, Job::Cleanup],
        "there is something new to say"
    );
}

#[test]
fn what_r2_does_not_delete_is_told_to_the_ledger_once() {
    let mut s = completed();
    assert_eq!(jobs_until_nothing_is_due(&mut s, NOW), [Job::EnqueueEvent, Job::NotifyLedger]);
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    let (done, _) = while_failing(&mut s, Job::Cleanup, 60_000);
    assert_eq!(done, [Job::EnqueueEvent, Job::NotifyLedger], "that the object is not to be had any more");
    assert!(s.progress.holds_storage && !s.progress.owes_ledger);
}

#[test]
fn a_file_is_listed_while_it_is_there_and_a_piece_of_one_never() {
    let mut s = session(PART);
    assert_eq!(s.listing(), Listing::Gone);
    s = completed();
    assert!(matches!(s.listing(), Listing::Finished { bytes, .. } if bytes == s.plan().file_bytes));
    let mut taken = s.clone();
    let change = taken.delivered(NOW, EventKind::Completed, true, None);
    taken.apply(change);
    assert_eq!((taken.phase(), taken.listing()), (Phase::Completed, Listing::Gone));
    s.spec.purpose = Purpose::Partial;
    assert_eq!(s.listing(), Listing::Gone);
}

#[test]
fn cancelling() {
    let mut s = session(PART);
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert!(matches!(
        s.cancel(NOW, DeleteRight::Completed).answer,
        Err(ApiError::UploadGone { phase: Phase::Aborted, .. })
    ));
    assert_eq!(s.next_job().unwrap().1, Job::EnqueueEvent);

    let s = session(0);
    assert_eq!(s.cancel(NOW, DeleteRight::Completed).answer, Err(ApiError::Completing));
}

/// A completed upload of which the origin has not heard yet.
fn completed() -> Session {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    s
}

#[test]
fn what_is_complete_is_deleted_only_by_whom_the_application_allows() {
    let mut s = completed();
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    assert!(matches!(decision.answer, Err(ApiError::NotPermitted { .. })) && decision.change.is_none());
    let later = NOW.plus_ms(5_000);
    let decision = s.cancel(later, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert_eq!((s.progress.phase, s.progress.deleted_at, s.object()), (Phase::Deleted, Some(later), None));
    for gone in [
        s.cancel(later, DeleteRight::Completed).answer.err(),
        s.status().answer.err(),
        s.probe(later).answer.err(),
        s.complete(NOW).answer.err(),
        s.declare(later, bytes(0), None, Completion::WhenWhole).answer.err(),
        s.begin(later, begin(0, 1)).answer.err(),
        Some(s.no_object()),
    ] {
        assert!(matches!(gone, Some(ApiError::UploadGone { phase: Phase::Deleted, .. })), "{gone:?}");
    }
    let jobs = jobs_until_nothing_is_due(&mut s, later);
    assert_eq!(jobs, [Job::EnqueueEvent, Job::NotifyLedger, Job::Cleanup]);
    assert_eq!(s.next_job(), Some((later.plus_ms(DAY_MS), Job::Purge)), "it is remembered from its deletion on");
}

#[test]
fn a_partial_is_taken_back_by_whoever_brought_it() {
    let spec = UploadSpec { purpose: Purpose::Partial, ..spec(Mode::Sequential, 0) };
    let mut s = create(spec).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Deleted);
}

#[test]
fn what_the_origin_has_taken_stays_complete() {
    let mut s = completed();
    let change = s.delivery_begun(NOW, EventKind::Completed, 1_000, 1_000).unwrap();
    s.apply(change);
    let before = s.snapshot();
    let change = s.delivered(NOW, EventKind::Completed, true, None);
    s.apply(change);
    let after = s.snapshot();
    assert_eq!((after.phase, &after.object, after.offset), (Phase::Completed, &before.object, before.offset));
    assert_eq!((after.deleted_at, s.stored_object()), (Some(NOW), None), "but its bytes are not here");
    assert!(matches!(s.no_object(), ApiError::UploadGone { phase: Phase::Completed, .. }));
    assert!(jobs_until_nothing_is_due(&mut s, NOW).contains(&Job::Cleanup));
    assert!(s.status().answer.is_ok() && s.probe(NOW).answer.is_ok() && s.complete(NOW).answer.is_ok());
    assert!(s.declare(NOW, bytes(0), None, Completion::WhenWhole).answer.is_ok());
    assert_eq!(s.outbox.iter().count(), 1, "the origin knows: it is not told");
    assert_eq!(s.delivery_begun(NOW, EventKind::Completed, 1_000, 1_000), None, "a second copy finds nothing to do");
    assert!(matches!(s.redeliver(NOW, None).answer, Err(ApiError::UploadGone { .. })));
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert_eq!(
        s.outbox.next().unwrap().kind,
        EventKind::Deleted,
        "its client still can delete it, and the origin hears"
    );
}

#[test]
fn storage_that_lost_bytes_ends_the_upload() {
    for (reason, said) in [
        (ReleaseReason::MultipartGone, "Storage has dropped the unfinished upload."),
        (ReleaseReason::SegmentLost, "Storage has lost accepted bytes of the upload."),
    ] {
        let mut s = session(PART);
        let lease = start(&mut s, 0, PART).unwrap();
        let decision = s.release(NOW, Release { attempt: lease.attempt, reason });
        take(&mut s, decision).unwrap();
        assert_eq!((s.progress.phase, s.progress.reason.as_deref()), (Phase::Failed, Some(said)));
    }
}

#[test]
fn who_was_taken_over_cannot_miss_the_tail() {
    let mut s = session(PART);
    let lease = start(&mut s, 0, 5).unwrap();
    count(&mut s, &remainder(lease.attempt, 5)).unwrap();
    let old = start(&mut s, 5, PART - 5).unwrap();
    let new = start(&mut s, 5, PART - 5).unwrap();
    let lost = |lease: &WriteLease| Release { attempt: lease.attempt, reason: ReleaseReason::SegmentLost };
    // The new attempt may have put the tail into a part before the old one looked for it.
    let decision = s.release(NOW, lost(&old));
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Open);
    let decision = s.release(NOW, lost(&new));
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Failed, "but who holds the lease is told the truth");
}

/// A completed upload that has left a segment in R2.
fn completed_with_a_segment() -> Session {
    let mut s = session(MAX_ROW_SEGMENT_BYTES + 2);
    let first = start(&mut s, 0, MAX_ROW_SEGMENT_BYTES + 1).unwrap();
    count(&mut s, &remainder(first.attempt, MAX_ROW_SEGMENT_BYTES + 1)).unwrap();
    let second = start(&mut s, MAX_ROW_SEGMENT_BYTES + 1, 1).unwrap();
    store(&mut s, &second, 1, MAX_ROW_SEGMENT_BYTES + 2).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    s
}

#[test]
fn an_object_discarded_while_the_segments_were_being_freed_is_freed_too() {
    let mut s = completed_with_a_segment();
    assert_eq!(s.next_job().unwrap().1, Job::EnqueueEvent, "and only then its segments go");
    // R2 is being asked to delete the segments, and nothing else, when the client deletes the upload.
    let begun = s.cleanup();
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    let change = s.cleaned_up(begun);
    s.apply(change);
    assert!(s.progress.holds_storage, "the object is still there");
    assert!(jobs_until_nothing_is_due(&mut s, NOW).contains(&Job::Cleanup));
    assert!(!s.progress.holds_storage);
}

#[test]
fn a_ledger_that_was_told_of_an_object_discarded_meanwhile_is_told_again() {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    // The ledger is being told of the object when the client deletes it.
    let told = s.told_of_object();
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    let change = s.settled(told);
    s.apply(change);
    assert!(jobs_until_nothing_is_due(&mut s, NOW).contains(&Job::NotifyLedger));
    assert!(!s.progress.owes_ledger);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(DAY_MS), Job::Purge)));
}

#[test]
fn a_segment_that_arrives_after_the_end_is_freed_before_the_upload_is_forgotten() {
    let mut s = session(PART);
    start(&mut s, 0, MAX_ROW_SEGMENT_BYTES + 1).unwrap();
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert_eq!(jobs_until_nothing_is_due(&mut s, NOW), [Job::EnqueueEvent, Job::NotifyLedger, Job::Cleanup]);
    let forgotten_at = NOW.plus_ms(DAY_MS);
    assert_eq!(s.next_job(), Some((forgotten_at, Job::Cleanup)), "what the attempt was still writing");
    let change = s.postponed(forgotten_at, Job::Cleanup, "a failure");
    s.apply(change);
    assert_eq!(s.next_job(), Some((forgotten_at.plus_ms(1_000), Job::Cleanup)));
    assert_eq!(jobs_until_nothing_is_due(&mut s, forgotten_at.plus_ms(1_000)), [Job::Cleanup]);
    assert_eq!(s.next_job(), Some((forgotten_at, Job::Purge)));
}

#[test]
fn a_declared_crc_is_compared_with_the_combined_one() {
    let mut spec = spec(Mode::Sequential, 5);
    spec.file.crc64nvme = Some(Crc64Nvme(4));
    let s = create(spec).unwrap();
    assert_eq!(s.crc64nvme_mismatch(Crc64Nvme(4)), None);
    assert!(s.crc64nvme_mismatch(Crc64Nvme(5)).unwrap().contains("crc64nvme 0000000000000005"));
}
