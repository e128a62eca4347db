//! A file without its declared digest: kept, shown, put together anew from what is sent again and what is copied, or failed in the end.

use super::*;
use upload_types::repair::SentAgain;

const REPAIR_MS: u64 = DAY_MS / 2;
const FILE: u64 = 3 * PART + 5;

fn limits() -> Limits {
    Limits { max_upload_bytes: ByteCount::MAX, max_chunk_bytes: bytes(95 * MIB) }
}

/// An upload of four parts, the last of 5 bytes, that is kept where its CRC is not 7.
fn kept(mode: Mode) -> Session {
    let mut spec = spec(mode, FILE);
    spec.policy.repair_ms = REPAIR_MS;
    spec.file.crc64nvme = Some(Crc64Nvme(7));
    create(spec).unwrap()
}

fn length_of(chunk: u64) -> u64 {
    (FILE - chunk * PART).min(PART)
}

/// All chunks of it have come.
fn whole(mode: Mode) -> Session {
    let mut s = kept(mode);
    for chunk in 0..4 {
        send(&mut s, chunk);
    }
    s
}

fn send(s: &mut Session, chunk: u64) -> Committed {
    let lease = start(s, chunk * PART, length_of(chunk)).unwrap();
    store(s, &lease, lease.first_number, length_of(chunk)).unwrap()
}

fn assemble(s: &mut Session, crc64nvme: u64) {
    assert_eq!(s.next_job().unwrap().1, Job::Assemble);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(crc64nvme));
    s.apply(change);
}

fn damaged(mode: Mode) -> Session {
    let mut s = whole(mode);
    assemble(&mut s, 1);
    s
}

fn again(from: u64, to: u64) -> SentAgain {
    SentAgain { from: bytes(from), to: bytes(to) }
}

fn opened(key: &str) -> OpenedForRepair<'_> {
    OpenedForRepair { key, multipart_id: "anew" }
}

fn repair(s: &mut Session, ranges: &[SentAgain]) -> Result<(), ApiError> {
    let key = s.next_repair_key(&[]).unwrap_or_default();
    let decision = s.repair(NOW, ranges, limits(), Some(opened(&key)));
    take(s, decision)
}

/// One that is put together anew, whose client sends chunk 1.
fn repairing() -> Session {
    let mut s = damaged(Mode::Sequential);
    repair(&mut s, &[again(PART, PART + 1)]).unwrap();
    s
}

fn copy(s: &mut Session, after: Option<u64>) -> Option<CopyBatch> {
    let decision = s.begin_copy(NOW, after);
    take(s, decision).unwrap()
}

/// Copies all that is to be copied, in one turn.
fn copy_all(s: &mut Session) {
    let mut after = None;
    while let Some(CopyBatch { lease, parts }) = copy(s, after) {
        store(s, &lease, lease.first_number, parts[0].bytes.get()).unwrap();
        after = Some(lease.attempt);
    }
}

fn missing(s: &Session) -> Vec<(u64, u64)> {
    s.snapshot().missing.iter().map(|(from, to)| (from.get(), to.get())).collect()
}

#[test]
fn a_file_without_its_digest_is_kept_and_nobody_gets_it() {
    for mode in [Mode::Sequential, Mode::Parallel] {
        let mut s = damaged(mode);
        assert_eq!((s.progress.phase, s.expires_at()), (Phase::Damaged, NOW.plus_ms(REPAIR_MS)));
        assert!(s.outbox.is_empty() && s.object().is_none() && s.stored_object().is_none() && !s.is_unwanted());
        assert!(s.progress.reason.as_ref().unwrap().contains("0000000000000001"), "{:?}", s.progress.reason);
        assert_eq!(s.next_job(), Some((NOW.plus_ms(REPAIR_MS), Job::Expire)));
        assert!(s.status().answer.is_ok() && s.is_damaged().is_ok());
        for refused in [s.probe(NOW).answer, s.complete(NOW).answer, s.begin(NOW, begin(0, PART)).answer.map(|_| ())] {
            assert!(matches!(refused, Err(ApiError::Damaged { .. })), "{refused:?}");
        }
        assert!(matches!(s.no_object(), ApiError::Damaged { .. }));
        let change = s.expire_if_due(NOW.plus_ms(REPAIR_MS)).unwrap();
        s.apply(change);
        assert_eq!((s.progress.phase, s.outbox.last().unwrap().kind), (Phase::Failed, EventKind::Failed));
        assert!(s.is_unwanted() && jobs_until_nothing_is_due(&mut s, NOW.plus_ms(REPAIR_MS)).contains(&Job::Cleanup));
    }
}

#[test]
fn what_is_not_kept_fails_at_once() {
    let policy = |repair_ms| Policy { repair_ms, ..spec(Mode::Sequential, FILE).policy };
    let mut off = whole(Mode::Sequential);
    off.spec.policy = policy(0);
    let mut late = whole(Mode::Sequential);
    late.spec.policy = policy(REPAIR_MS);
    for (mut s, now) in [(off, NOW), (late, UnixMs(LATEST_END_MS))] {
        assert!(s.is_not_worth_assembling(now, Crc64Nvme(1)).is_some());
        let change = s.assembled(now, "etag".to_owned(), Crc64Nvme(1));
        s.apply(change);
        assert_eq!(s.progress.phase, Phase::Failed);
    }
    let mut one_part = spec(Mode::Parallel, PART);
    (one_part.policy, one_part.file.crc64nvme) = (policy(REPAIR_MS), Some(Crc64Nvme(7)));
    let mut s = create(one_part).unwrap();
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    assemble(&mut s, 1);
    assert_eq!(s.progress.phase, Phase::Failed, "nothing in one part is worth keeping");
}

#[test]
fn a_long_upload_is_kept_no_longer_than_it_may_live() {
    let mut s = whole(Mode::Sequential);
    let now = UnixMs(LATEST_END_MS - 1_000);
    let change = s.assembled(now, "etag".to_owned(), Crc64Nvme(1));
    s.apply(change);
    assert_eq!((s.progress.phase, s.expires_at()), (Phase::Damaged, s.spec.latest_end()));
}

#[test]
fn a_running_sha256_tells_at_the_last_chunk_and_the_object_is_put_together_all_the_same() {
    let mut s = kept(Mode::Sequential);
    s.spec.file.sha256 = Some(Sha256Digest([9; 32]));
    let state = Some(RunningSha256::resume(None).unwrap().save());
    for chunk in 0..3 {
        let lease = start(&mut s, chunk * PART, PART).unwrap();
        let receipts = vec![receipt(lease.first_number, PART)];
        count(&mut s, &Commit { sha256_so_far: state.clone(), ..commit(lease.attempt, receipts) }).unwrap();
    }
    let lease = start(&mut s, 3 * PART, 5).unwrap();
    let last = Commit { sha256_so_far: state, ..commit(lease.attempt, vec![receipt(lease.first_number, 5)]) };
    for _ in 0..2 {
        let told = count(&mut s, &last);
        assert!(
            matches!(told, Err(ApiError::FileDigestMismatch { kept: true, .. })),
            "said again where it is repeated"
        );
    }
    assert_eq!(s.progress.phase, Phase::Completing);
    assemble(&mut s, 7);
    assert_eq!(s.progress.phase, Phase::Damaged, "though its CRC is right");
    assert!(s.progress.reason.as_ref().unwrap().contains("sha256 e3b0c442"));
    assert!(matches!(count(&mut s, &last), Err(ApiError::FileDigestMismatch { kept: true, .. })));
}

#[test]
fn it_is_put_together_anew_from_what_is_sent_and_what_is_copied() {
    let mut s = repairing();
    let snapshot = s.snapshot();
    assert_eq!((snapshot.phase, snapshot.plan.mode, snapshot.uploaded_bytes), (Phase::Open, Mode::Parallel, bytes(0)));
    assert_eq!((missing(&s), s.next_job()), (vec![(PART, 2 * PART)], Some((NOW, Job::Copy))));
    assert!(
        matches!(s.complete(NOW).answer, Err(ApiError::Incomplete { missing_bytes: Some(n), .. }) if n == bytes(PART))
    );
    let lease = start(&mut s, PART, PART).unwrap();
    assert_eq!((lease.key.clone(), lease.multipart_id.as_deref()), (format!("{}.1", s.spec.key), Some("anew")));
    store(&mut s, &lease, lease.first_number, PART).unwrap();
    assert_eq!((s.progress.phase, missing(&s)), (Phase::Open, vec![]));
    assert!(s.complete(NOW).answer.is_ok(), "the client has sent all that it has to");
    let batch = copy(&mut s, None).unwrap();
    assert_eq!(batch.lease.key, lease.key);
    let object = PartialObject { key: s.spec.key.clone(), etag: "etag".to_owned() };
    assert_eq!(batch.parts[0].runs, [SourceRange { object, from: bytes(0), bytes: bytes(PART) }]);
    store(&mut s, &batch.lease, batch.lease.first_number, PART).unwrap();
    let change = s.copy_asked_for(NOW);
    s.apply(change);
    copy_all(&mut s);
    assert_eq!(s.progress.phase, Phase::Completing);
    assert!(s.progress.damage.discarded.is_empty(), "the old object stays until the new one is there");
    assemble(&mut s, 7);
    assert_eq!((s.progress.phase, s.object().unwrap().key), (Phase::Completed, lease.key));
    assert_eq!(s.progress.damage.discarded, [s.spec.key.clone()]);
    let keys = s.progress.damage.discarded.clone();
    let change = s.discarded(&keys);
    s.apply(change);
    assert!(s.progress.damage.discarded.is_empty());
}

#[test]
fn wrong_again_is_damaged_again_and_every_object_goes() {
    let mut s = repairing();
    send(&mut s, 1);
    copy_all(&mut s);
    assemble(&mut s, 2);
    assert_eq!((s.progress.phase, s.object_key()), (Phase::Damaged, format!("{}.1", s.spec.key)));
    assert_eq!(s.next_job(), Some((NOW, Job::Discard)), "the first object is not needed any more");
    repair(&mut s, &[again(FILE - 1, FILE)]).unwrap();
    assert_eq!((s.object_key(), missing(&s)), (format!("{}.2", s.spec.key), vec![(3 * PART, FILE)]));
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    let mut discarded = s.progress.damage.discarded.clone();
    discarded.sort();
    assert_eq!(discarded, [s.spec.key.clone(), format!("{}.1", s.spec.key)]);
    assert!(s.is_unwanted() && s.progress.holds_storage);
}

#[test]
fn what_was_opened_for_an_earlier_repair_is_no_use_for_this_one() {
    let mut s = damaged(Mode::Parallel);
    let slow = s.next_repair_key(&[again(0, 1)]).unwrap();
    repair(&mut s, &[again(PART, PART + 1)]).unwrap();
    send(&mut s, 1);
    copy_all(&mut s);
    assemble(&mut s, 2);
    let late = s.repair(NOW, &[again(0, 1)], limits(), Some(opened(&slow)));
    assert!(matches!(late.answer, Err(ApiError::StorageUnavailable { .. })) && late.change.is_none());
    repair(&mut s, &[again(0, 1)]).unwrap();
    assert_eq!(s.object_key(), format!("{}.2", s.spec.key));
}

#[test]
fn what_is_wrong_again_and_again_fails_in_the_end() {
    let mut s = damaged(Mode::Parallel);
    let mut repairs = 0;
    while s.progress.phase == Phase::Damaged {
        repair(&mut s, &[again(0, 1)]).unwrap();
        send(&mut s, 0);
        copy_all(&mut s);
        assemble(&mut s, 1);
        repairs += 1;
    }
    assert_eq!((s.progress.phase, repairs, s.progress.damage.discarded.len()), (Phase::Failed, 8, 8));
}

#[test]
fn attempts_of_before_count_for_nothing_and_end_nothing() {
    for mode in [Mode::Sequential, Mode::Parallel] {
        let mut s = kept(mode);
        let stale = start(&mut s, 0, PART).unwrap();
        for chunk in 0..4 {
            send(&mut s, chunk);
        }
        assemble(&mut s, 1);
        repair(&mut s, &[again(0, 1)]).unwrap();
        for attempt in [stale.attempt, stale.attempt + 1] {
            let late = commit(attempt, vec![receipt(1, PART)]);
            assert!(matches!(count(&mut s, &late), Err(ApiError::Superseded { .. })));
            let gone = Release { attempt, reason: ReleaseReason::MultipartGone };
            let decision = s.release(NOW, gone);
            take(&mut s, decision).unwrap();
            assert_eq!(s.progress.phase, Phase::Open, "that multipart upload is over, and this one is not");
        }
        let lease = start(&mut s, 0, PART).unwrap();
        let decision = s.release(NOW, Release { attempt: lease.attempt, reason: ReleaseReason::MultipartGone });
        take(&mut s, decision).unwrap();
        assert_eq!(s.progress.phase, Phase::Failed);
    }
}

#[test]
fn asked_again_it_gives_more_to_the_client_and_takes_back_nothing() {
    let mut s = repairing();
    let batch = copy(&mut s, None).unwrap();
    store(&mut s, &batch.lease, batch.lease.first_number, PART).unwrap();
    repair(&mut s, &[again(PART, PART + 1)]).unwrap();
    assert_eq!(missing(&s), [(PART, 2 * PART)]);
    repair(&mut s, &[again(3 * PART, FILE), again(0, 1)]).unwrap();
    assert_eq!(missing(&s), [(PART, 2 * PART), (3 * PART, FILE)], "chunk 0 is there by now");
    assert_eq!(s.multipart_id(), Some("anew"));
    send(&mut s, 3);
    assert!(s.repair(NOW, &[again(3 * PART, FILE)], limits(), None).change.is_none());
}

#[test]
fn ranges_are_of_the_file_and_only_damaged_uploads_are_repaired() {
    let mut s = damaged(Mode::Parallel);
    for range in [again(0, FILE + 1), again(FILE, FILE + 1), again(5, 5), again(6, 5)] {
        assert!(matches!(repair(&mut s, &[range]), Err(ApiError::BadRequest { field, .. }) if field == "ranges"));
        assert!(s.next_repair_key(&[range]).is_err());
    }
    let without = s.repair(NOW, &[again(0, 1)], limits(), None);
    assert!(matches!(without.answer, Err(ApiError::StorageUnavailable { .. })) && without.change.is_none());
    let small = Limits { max_chunk_bytes: bytes(1), ..limits() };
    let key = s.next_repair_key(&[again(0, 1)]).unwrap();
    let too_large = s.repair(NOW, &[again(0, 1)], small, Some(opened(&key)));
    assert!(matches!(too_large.answer, Err(ApiError::UploadTooLarge { .. })));
    assert_eq!(key, format!("{}.1", s.spec.key));
    for (mut other, phase) in [(kept(Mode::Parallel), Phase::Open), (whole(Mode::Sequential), Phase::Completing)] {
        assert_eq!(repair(&mut other, &[again(0, 1)]), Err(ApiError::NotDamaged { phase }));
        assert_eq!(other.is_damaged(), Err(ApiError::NotDamaged { phase }));
    }
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    assert!(matches!(repair(&mut s, &[again(0, 1)]), Err(ApiError::UploadGone { phase: Phase::Aborted, .. })));
}

#[test]
fn of_two_who_would_copy_one_does() {
    let mut s = repairing();
    let change = s.copy_asked_for(NOW);
    s.apply(change);
    let first = copy(&mut s, None).unwrap();
    assert_eq!(copy(&mut s, None), None, "somebody is at it");
    let change = s.copy_asked_for(NOW.plus_ms(60_000));
    s.apply(change);
    let second = copy(&mut s, None).unwrap();
    assert_eq!(second.parts, first.parts, "nobody believes in the first any more");
    assert!(store(&mut s, &first.lease, first.lease.first_number, PART).is_err());
    assert_eq!(copy(&mut s, Some(first.lease.attempt)), None, "and it stops");
    store(&mut s, &second.lease, second.lease.first_number, PART).unwrap();
    assert!(copy(&mut s, Some(second.lease.attempt)).is_some());
}

#[test]
fn a_copier_that_says_that_it_is_there_keeps_its_chunk() {
    let mut s = repairing();
    let batch = copy(&mut s, None).unwrap();
    let attempt = batch.lease.attempt;
    let next_asks = |s: &mut Session, now| {
        let (due, job) = s.next_job().unwrap();
        assert_eq!((due <= now, job), (true, Job::Copy));
        // A message of before may come at this moment, too.
        let before = s.begin_copy(now, None).answer.unwrap();
        let change = s.copy_asked_for(now);
        s.apply(change);
        let decision = s.begin_copy(now, None);
        (before.is_some(), take(s, decision).unwrap().is_some())
    };
    let mut now = NOW;
    for _ in 0..6 {
        now = now.plus_ms(RENEW_EVERY_MS);
        let decision = s.renew(now, Renew { attempt });
        take(&mut s, decision).unwrap();
        if s.next_job().unwrap().0 <= now {
            assert_eq!(next_asks(&mut s, now), (false, false), "it is there");
        }
    }
    assert_eq!(s.next_job(), Some((now.plus_ms(60_000), Job::Copy)), "counted from its last word");
    let mut kept = s.clone();
    store(&mut kept, &batch.lease, batch.lease.first_number, PART).unwrap();
    assert!(copy(&mut kept, Some(attempt)).is_some(), "and goes on");
    assert_eq!(next_asks(&mut s, now.plus_ms(WRITER_SILENCE_MS)), (true, true), "silent for longer than it may be");
    assert!(store(&mut s, &batch.lease, batch.lease.first_number, PART).is_err());
}

#[test]
fn a_client_may_send_what_is_to_be_copied() {
    let mut s = repairing();
    let copying = copy(&mut s, None).unwrap();
    let client = start(&mut s, 0, PART).unwrap();
    assert!(matches!(
        store(&mut s, &copying.lease, copying.lease.first_number, PART),
        Err(ApiError::Superseded { .. })
    ));
    let next = copy(&mut s, Some(copying.lease.attempt)).unwrap();
    assert_eq!(next.parts[0].runs[0].from, bytes(2 * PART), "whoever copies leaves it to the client");
    store(&mut s, &client, client.first_number, PART).unwrap();
    assert_eq!(s.uploaded_bytes(), bytes(PART));
}

#[test]
fn a_turn_ends_and_the_next_is_asked_for_at_once() {
    let mut spec = spec(Mode::Parallel, 40 * PART);
    (spec.policy.repair_ms, spec.file.crc64nvme) = (REPAIR_MS, Some(Crc64Nvme(7)));
    let mut s = create(spec).unwrap();
    for chunk in 0..40 {
        let lease = start(&mut s, chunk * PART, PART).unwrap();
        store(&mut s, &lease, lease.first_number, PART).unwrap();
    }
    assemble(&mut s, 1);
    repair(&mut s, &[again(0, 1)]).unwrap();
    copy_all(&mut s);
    assert_eq!((s.uploaded_bytes(), s.next_job()), (bytes(32 * PART), Some((NOW, Job::Copy))), "256 MiB in one turn");
    copy_all(&mut s);
    assert_eq!((s.is_copying(), missing(&s)), (false, vec![(0, PART)]));
    assert_eq!(s.next_job().unwrap().1, Job::Expire, "what the client owes is waited for as ever");
}

#[test]
fn copying_that_fails_is_tried_again_and_an_object_that_is_lost_ends_it() {
    let mut s = repairing();
    let gave_up = |s: &mut Session, reason| {
        let attempt = copy(s, None).unwrap().lease.attempt;
        let decision = s.release(NOW, Release { attempt, reason });
        take(s, decision).unwrap();
    };
    gave_up(&mut s, ReleaseReason::GaveUp);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(1_000), Job::Copy)));
    gave_up(&mut s, ReleaseReason::GaveUp);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(2_000), Job::Copy)), "and the pause grows");
    let client = start(&mut s, PART, PART).unwrap();
    let lost = Release { attempt: client.attempt, reason: ReleaseReason::SegmentLost };
    let decision = s.release(NOW, lost);
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Open, "only whoever copies can know");
    gave_up(&mut s, ReleaseReason::SegmentLost);
    assert_eq!(s.progress.phase, Phase::Failed);
    assert_eq!(s.progress.damage.discarded, [s.spec.key.clone()]);
}

#[test]
fn it_expires_as_any_upload_and_what_is_stored_is_read_back() {
    let mut s = repairing();
    assert_eq!(s.expires_at(), NOW.plus_ms(DAY_MS));
    let written = serde_json::to_value(&s.progress).unwrap();
    assert_eq!(serde_json::from_value::<UploadState>(written).unwrap(), s.progress);
    let lease = start(&mut s, PART, PART).unwrap();
    let Content::Parallel(parallel_chunks) = &s.content else { panic!("chunks in any order") };
    let rows = [(1, parallel_chunks.state_of(1))].into_iter();
    let restored = ParallelChunks::of_upload(&s.spec, &s.progress, rows, std::iter::empty());
    assert_eq!(restored, *parallel_chunks);
    store(&mut s, &lease, lease.first_number, PART).unwrap();
    let change = s.expire_if_due(NOW.plus_ms(DAY_MS)).unwrap();
    s.apply(change);
    assert_eq!(s.progress.phase, Phase::Expired);
    assert_eq!(s.progress.damage.discarded, [s.spec.key.clone()]);
}
