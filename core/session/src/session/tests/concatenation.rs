//! An upload that is put together from others, and the partial uploads it is put together from.

use proptest::prelude::*;

use super::*;
use upload_types::{ledger::EntryName, units::UploadId};

const LIMITS: Limits = Limits {
    max_upload_bytes: match ByteCount::new(1 << 32) {
        Some(bytes) => bytes,
        None => ByteCount::ZERO,
    },
    max_chunk_bytes: match ByteCount::new(95 * MIB) {
        Some(bytes) => bytes,
        None => ByteCount::ZERO,
    },
};

fn partial_id(index: u8) -> UploadId {
    UploadId::from_random_bytes([index + 100; 16])
}

/// Put together from so many partial uploads, whose length together is said at creation or not.
fn concatenation(partials: u8, declared: Option<u64>) -> Session {
    let plan = Plan::new(Mode::Sequential, declared.map(bytes), None, LIMITS).unwrap();
    let purpose = Purpose::Composition((0..partials).map(partial_id).collect());
    create(UploadSpec { purpose, plan, ..spec(Mode::Sequential, PART) }).unwrap()
}

fn partial(file_bytes: u64) -> Session {
    create(UploadSpec { purpose: Purpose::Partial, ..spec(Mode::Sequential, file_bytes) }).unwrap()
}

fn entry(index: u8) -> EntryName {
    EntryName { created_at: UnixMs(0), upload_id: partial_id(index) }
}

fn there(index: u8, length: u64) -> PartialStatus {
    let object = PartialObject { key: format!("uploads/{}", partial_id(index)), etag: format!("etag-{index}") };
    PartialStatus::Alive(PartialUpload {
        entry: entry(index),
        bytes: Some(bytes(length)),
        object: Some(object),
        hold: false,
        bucket: String::new(),
    })
}

fn coming(length: Option<u64>) -> PartialStatus {
    PartialStatus::Alive(PartialUpload {
        entry: entry(0),
        bytes: length.map(bytes),
        object: None,
        hold: false,
        bucket: String::new(),
    })
}

fn batch(session: &mut Session, now: UnixMs, statuses: &[PartialStatus]) -> Option<CopyBatch> {
    let decision = session.begin_batch(now, statuses);
    take(session, decision).unwrap()
}

fn copy(session: &mut Session, now: UnixMs, batch: &CopyBatch) -> Committed {
    let mut number = batch.lease.first_number;
    let mut last = None;
    for part in &batch.parts {
        let decision = session.commit(now, &commit(batch.lease.attempt, vec![receipt(number, part.bytes.get())]));
        let committed = take(session, decision).unwrap();
        number = committed.next_number.unwrap_or(number);
        last = Some(committed);
    }
    last.unwrap()
}

fn ask(session: &mut Session, now: UnixMs) {
    let change = session.batch_asked_for(now);
    session.apply(change);
}

#[test]
fn parts_cross_from_partial_to_partial() {
    let mut s = concatenation(3, Some(2 * PART + 5));
    assert_eq!(s.next_job(), Some((UnixMs(0), Job::CopyNext)));
    let statuses = [there(0, PART - 1), there(1, 2), there(2, PART + 4)];
    let batch = batch(&mut s, NOW, &statuses).unwrap();
    let runs: Vec<Vec<_>> = (batch.parts.iter())
        .map(|part| part.runs.iter().map(|run| (&run.object.etag[5..], run.from.get(), run.bytes.get())).collect())
        .collect();
    assert_eq!(
        runs,
        [vec![("0", 0, PART - 1), ("1", 0, 1)], vec![("1", 1, 1), ("2", 0, PART - 1)], vec![("2", PART - 1, 5)]]
    );
    let last = copy(&mut s, NOW, &batch);
    assert_eq!((last.phase, last.uploaded_bytes), (Phase::Completing, bytes(2 * PART + 5)));
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    assert_eq!(s.outbox.last().unwrap().kind, EventKind::Completed, "and the origin hears of it as of any other");
}

#[test]
fn it_goes_on_behind_what_counts_however_the_copier_ended() {
    let mut s = concatenation(1, Some(3 * PART));
    let statuses = [there(0, 3 * PART)];
    let first = batch(&mut s, NOW, &statuses).unwrap();
    store(&mut s, &first.lease, 1, PART).unwrap();
    // It dies. For a while it is believed to live, and nobody else begins.
    assert!(s.wanted(NOW).is_none() && batch(&mut s, NOW, &statuses).is_none());
    let due = NOW.plus_ms(60_000);
    assert_eq!(s.next_job(), Some((due, Job::CopyNext)));
    ask(&mut s, due);
    let second = batch(&mut s, due, &statuses).unwrap();
    assert_eq!(
        (second.lease.offset, second.lease.first_number),
        (bytes(PART), 4),
        "numbers 2 and 3 may still be written"
    );
    assert_eq!(second.parts.len(), 2);
    // It was not dead.
    assert!(matches!(store(&mut s, &first.lease, 2, PART), Err(ApiError::Superseded { .. })));
    let turn = s.next_job();
    let decision = s.release(due, Release { attempt: first.lease.attempt, reason: ReleaseReason::GaveUp });
    take(&mut s, decision).unwrap();
    assert_eq!(s.next_job(), turn, "its turn was over before: nobody is called for it");
    assert_eq!(copy(&mut s, due, &second).phase, Phase::Completing);
}

#[test]
fn a_stretch_is_at_most_256_mib_and_the_next_is_due_at_once() {
    let mut s = concatenation(1, Some(50 * PART + 1));
    let statuses = [there(0, 50 * PART + 1)];
    for parts in [32, 19] {
        assert_eq!(s.next_job().unwrap().1, Job::CopyNext);
        assert!(s.next_job().unwrap().0 <= NOW);
        ask(&mut s, NOW);
        let batch = batch(&mut s, NOW, &statuses).unwrap();
        assert_eq!(batch.parts.len(), parts);
        copy(&mut s, NOW, &batch);
    }
    assert_eq!(s.progress.phase, Phase::Completing);
}

#[test]
fn a_storage_that_does_not_take_it_is_asked_again_after_growing_pauses() {
    let mut s = concatenation(1, Some(PART));
    let mut now = NOW;
    for pause_seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        ask(&mut s, now);
        let batch = batch(&mut s, now, &[there(0, PART)]).unwrap();
        let decision = s.release(now, Release { attempt: batch.lease.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
        let due = now.plus_ms(pause_seconds * 1000);
        assert_eq!(s.next_job(), Some((due, Job::CopyNext)));
        now = due;
    }
}

#[test]
fn what_is_not_there_yet_is_waited_for() {
    let mut s = concatenation(2, None);
    assert!(batch(&mut s, NOW, &[coming(None), there(1, 5)]).is_none());
    assert_eq!(s.snapshot().plan.declared_bytes(), None);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(1_000), Job::CopyNext)));
    assert!(batch(&mut s, NOW, &[there(0, 5), coming(Some(3 * PART))]).is_none(), "five bytes are no part");
    assert_eq!(s.snapshot().plan.declared_bytes(), Some(bytes(3 * PART + 5)), "known, though not there");
    assert_eq!(s.next_job(), Some((NOW.plus_ms(2_000), Job::CopyNext)));
    let batch = batch(&mut s, NOW, &[there(0, 5), there(1, 3 * PART)]).unwrap();
    assert_eq!(batch.parts.len(), 4);
    assert_eq!(copy(&mut s, NOW, &batch).phase, Phase::Completing);
}

#[test]
fn whole_parts_of_what_is_there_are_copied_while_the_rest_is_awaited() {
    let mut s = concatenation(2, None);
    let first = batch(&mut s, NOW, &[there(0, PART + 7), coming(None)]).unwrap();
    assert_eq!((first.parts.len(), copy(&mut s, NOW, &first).uploaded_bytes), (1, bytes(PART)));
    assert_eq!(s.snapshot().plan.declared_bytes(), None);
    let second = batch(&mut s, NOW, &[there(0, PART + 7), there(1, 1)]).unwrap();
    assert_eq!(copy(&mut s, NOW, &second).phase, Phase::Completing);
    assert_eq!(s.plan().file_bytes, bytes(PART + 8));
}

#[test]
fn partials_of_no_bytes_make_an_empty_file() {
    let mut s = concatenation(2, None);
    assert!(batch(&mut s, NOW, &[there(0, 0), there(1, 0)]).is_none());
    assert_eq!((s.progress.phase, s.next_job().unwrap().1), (Phase::Completing, Job::Assemble));
    let mut s = concatenation(3, Some(PART));
    let batch = batch(&mut s, NOW, &[there(0, 0), there(1, PART), there(2, 0)]).unwrap();
    assert_eq!(batch.parts[0].runs.len(), 1, "and are nothing in between");
}

#[test]
fn a_partial_that_never_comes_fails_it_with_the_reason() {
    for statuses in [
        [there(0, PART), PartialStatus::Lost("It expired.".to_owned())],
        [PartialStatus::Lost("It expired.".to_owned()), coming(None)],
    ] {
        let mut s = concatenation(2, None);
        assert!(batch(&mut s, NOW, &statuses).is_none());
        assert_eq!(s.progress.phase, Phase::Failed);
        assert_eq!(s.progress.reason.as_deref(), Some("A partial upload of it cannot be had: It expired."));
        assert_eq!(s.outbox.last().unwrap().kind, EventKind::Failed);
        assert!(s.wanted(NOW).is_none() && batch(&mut s, NOW, &statuses).is_none());
    }
}

#[test]
fn partials_that_turn_out_too_long_or_of_another_length_fail_it() {
    for (declared, statuses) in [
        (None, [there(0, 1 << 31), coming(Some((1 << 31) + 1))]),
        (None, [coming(Some((1 << 32) + 1)), coming(None)]),
        (None, [coming(Some((1 << 53) - 1)), coming(Some((1 << 53) - 1))]),
        (Some(PART), [there(0, PART), there(1, 1)]),
    ] {
        let mut s = concatenation(2, declared);
        assert!(batch(&mut s, NOW, &statuses).is_none());
        assert_eq!(s.progress.phase, Phase::Failed, "{statuses:?}");
    }
}

#[test]
fn no_client_adds_to_it_and_none_disturbs_it() {
    let mut s = concatenation(1, Some(2 * PART));
    let batch = batch(&mut s, NOW, &[there(0, 2 * PART)]).unwrap();
    for decision in [s.begin(NOW, begin(0, PART)), s.begin(NOW, begin(PART, PART))] {
        assert_eq!((decision.answer, decision.change), (Err(ApiError::ConcatenationTakesNoBytes), StateChange::none()));
    }
    assert_eq!(s.declare(NOW, bytes(0), None, Completion::WhenWhole).answer, Err(ApiError::ConcatenationTakesNoBytes));
    assert!(!s.is_appending() && s.probe(NOW).change.is_none());
    assert_eq!(copy(&mut s, NOW, &batch).phase, Phase::Completing);
    assert_eq!(s.begin(NOW, begin(2 * PART, 1)).answer, Err(ApiError::ConcatenationTakesNoBytes));
}

#[test]
fn it_is_cancelled_and_expires_like_any_other() {
    let mut s = concatenation(1, Some(2 * PART));
    let batch = batch(&mut s, NOW, &[there(0, 2 * PART)]).unwrap();
    let mut expired = s.clone();
    let change = expired.expire_if_due(NOW.plus_ms(DAY_MS)).unwrap();
    expired.apply(change);
    assert_eq!(expired.progress.phase, Phase::Expired);
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert!(matches!(store(&mut s, &batch.lease, 1, PART), Err(ApiError::UploadGone { .. })));
    let mut waiting = concatenation(1, None);
    waiting.progress.job_not_before = UnixMs(DAY_MS + 1);
    assert_eq!(waiting.next_job(), Some((UnixMs(DAY_MS), Job::Expire)));
}

#[test]
fn whose_partial_it_is_not_learns_nothing_of_it() {
    let decision = partial(PART).as_partial("somebody else", None);
    assert_eq!((decision.answer, decision.change), (Err(ApiError::UploadNotFound), StateChange::none()));
}

#[test]
fn only_partials_that_live_can_be_had() {
    let bad = |mut s: Session, change: StateChange| {
        s.apply(change);
        assert!(matches!(s.as_partial("anonymous", None).answer, Err(ApiError::InvalidPartial { .. })));
    };
    bad(session(PART), StateChange::none());
    bad(concatenation(1, None), StateChange::none());
    let s = partial(PART);
    bad(s.clone(), s.cancel(NOW, DeleteRight::Completed).change);
    bad(s.clone(), s.expire_if_due(UnixMs(DAY_MS)).unwrap());
    bad(s.clone(), s.unassembled(NOW, "lost".to_owned()));
    let expected = PartialUpload {
        entry: s.spec.entry(),
        bytes: Some(bytes(PART)),
        object: None,
        hold: false,
        bucket: String::new(),
    };
    let asked = s.as_partial("anonymous", None);
    assert_eq!((asked.answer, asked.change), (Ok(expected), StateChange::none()), "and asking keeps nothing");
}

#[test]
fn a_partial_goes_when_its_time_is_over_and_not_before_it_is_needed_no_more() {
    let mut s = create(UploadSpec {
        policy: Policy { ttl_ms: DAY_MS, tombstone_ms: 1, resend_ms: 60_000, tell_origin: false, repair_ms: 0 },
        ..partial(0).spec
    })
    .unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(0));
    s.apply(change);
    let change = s.settled(s.told_of_object());
    s.apply(change);
    assert!(s.outbox.is_empty(), "the origin never hears of it");
    assert_eq!(s.next_job(), Some((UnixMs(DAY_MS), Job::Expire)), "and it is not forgotten before it is let go of");
    let decision = s.as_partial("anonymous", Some(UnixMs(2 * DAY_MS)));
    assert!(!decision.change.is_none());
    assert!(take(&mut s, decision).unwrap().object.is_some());
    assert!(s.as_partial("anonymous", Some(UnixMs(DAY_MS + 1))).change.is_none(), "needed longer by somebody else");
    assert_eq!(s.expire_if_due(UnixMs(DAY_MS)), None);
    assert_eq!(s.next_job(), Some((UnixMs(2 * DAY_MS), Job::Expire)));
    let change = s.expire_if_due(UnixMs(2 * DAY_MS)).unwrap();
    s.apply(change);
    assert!(s.is_unwanted() && s.object().is_none() && s.progress.owes_ledger);
    assert_eq!(s.next_job(), Some((UnixMs(2 * DAY_MS), Job::NotifyLedger)));
    assert_eq!(s.expire_if_due(UnixMs(3 * DAY_MS)), None, "once");
    assert!(matches!(s.as_partial("anonymous", None).answer, Err(ApiError::InvalidPartial { .. })));
}

proptest! {
    /// Partial uploads of any sizes become the file byte for byte, whoever dies at whatever part.
    #[test]
    fn every_byte_is_copied_once_and_in_order(
        lengths in prop::collection::vec(prop_oneof![Just(0), 1..100_u64, PART - 2..PART + 2, 0..20 * PART], 1..12),
        deaths in prop::collection::vec(0..40_usize, 0..6),
    ) {
        let total: u64 = lengths.iter().sum();
        let statuses: Vec<_> = lengths.iter().enumerate().map(|(i, n)| there(u8::try_from(i).unwrap(), *n)).collect();
        let mut s = concatenation(u8::try_from(lengths.len()).unwrap(), None);
        let (mut now, mut deaths) = (NOW, deaths.into_iter());
        // For every counted byte range where it came from: the partial upload, and where in it.
        let mut copied: Vec<(String, u64, u64)> = Vec::new();
        while s.progress.phase == Phase::Open {
            now = now.plus_ms(60_000);
            ask(&mut s, now);
            let Some(batch) = batch(&mut s, now, &statuses) else { continue };
            let (mut number, dies_at) = (batch.lease.first_number, deaths.next());
            for (index, part) in batch.parts.iter().enumerate() {
                if dies_at == Some(index) {
                    break;
                }
                let sum: u64 = part.runs.iter().map(|run| run.bytes.get()).sum();
                prop_assert_eq!(sum, part.bytes.get());
                let committed = store(&mut s, &batch.lease, number, sum).unwrap();
                number = committed.next_number.unwrap_or(number);
                copied.extend(part.runs.iter().map(|run| (run.object.etag.clone(), run.from.get(), run.bytes.get())));
            }
        }
        prop_assert_eq!(s.progress.phase, Phase::Completing);
        prop_assert_eq!(s.uploaded_bytes().get(), total);
        let mut runs = copied.into_iter().peekable();
        for (index, length) in lengths.iter().enumerate() {
            let mut at = 0;
            while at < *length {
                let (etag, from, bytes) = runs.next().unwrap();
                prop_assert_eq!((etag, from), (format!("etag-{index}"), at));
                at += bytes;
            }
        }
        prop_assert!(runs.next().is_none());
    }
}
