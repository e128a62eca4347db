//! The rules of a session: single cases as a story each, and long random histories against what must always hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    event::{RetryPolicy, Verdict},
    integrity::RunningSha256,
    plan::Limits,
    session::append::Receipt,
    units::MIB,
};

const PART: u64 = 8 * MIB;
const NOW: UnixMs = UnixMs(1_000);
const DAY_MS: u64 = 86_400_000;

fn bytes(count: u64) -> ByteCount {
    ByteCount::new(count).unwrap()
}

fn birth(file_bytes: u64) -> Birth {
    let limits = Limits { max_upload_bytes: bytes(1 << 40), max_chunk_bytes: bytes(95 * MIB) };
    let id = UploadId::from_random_bytes([1; 16]);
    Birth {
        id,
        owner: "anonymous".to_owned(),
        key: format!("uploads/{id}"),
        file: FileInfo {
            name: "a".to_owned(),
            content_type: None,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
        },
        plan: Plan::new(bytes(file_bytes), None, limits).unwrap(),
        multipart_id: (file_bytes > 0).then(|| "multipart".to_owned()),
        public_url: "https://upload.example.com".to_owned(),
        created_at: UnixMs(0),
        expires_at: UnixMs(DAY_MS),
        policy: Policy { tombstone_ms: DAY_MS, resend_ms: 60_000, tell_origin: true },
    }
}

fn session(file_bytes: u64) -> Session {
    Session::create(birth(file_bytes)).unwrap()
}

fn begin(offset: u64, length: u64) -> Begin {
    Begin { offset: bytes(offset), length: bytes(length), file_bytes: None, whole: false }
}

fn receipt(number: u16, length: u64) -> Receipt {
    Receipt { number, bytes: bytes(length), etag: format!("etag-{number}"), crc64nvme: Crc64Nvme(number.into()) }
}

fn commit(attempt: u64, receipts: Vec<Receipt>) -> Commit {
    Commit { attempt, receipts, sha256_so_far: None }
}

/// Takes a decision the way the object does: store, then answer.
fn take<T>(session: &mut Session, decision: Decision<T>) -> Result<T, Refusal> {
    session.apply(decision.change);
    decision.answer
}

fn store(session: &mut Session, grant: &Grant, number: u16, length: u64) -> Result<Committed, Refusal> {
    let decision = session.commit(NOW, &commit(grant.attempt, vec![receipt(number, length)]));
    take(session, decision)
}

fn start(session: &mut Session, offset: u64, length: u64) -> Result<Grant, Refusal> {
    let decision = session.begin(NOW, begin(offset, length));
    take(session, decision)
}

#[test]
fn three_parts_in_two_chunks() {
    let mut s = session(2 * PART + 5);
    let grant = start(&mut s, 0, 2 * PART).unwrap();
    assert_eq!((grant.attempt, grant.first_number, grant.reserved), (1, 1, 1));
    let first = store(&mut s, &grant, 1, PART).unwrap();
    assert_eq!((first.uploaded_bytes, first.next_number), (bytes(PART), Some(2)));
    let second = store(&mut s, &grant, 2, PART).unwrap();
    assert_eq!((second.uploaded_bytes, second.next_number), (bytes(2 * PART), None));
    let grant = start(&mut s, 2 * PART, 5).unwrap();
    assert_eq!(grant.first_number, 3, "a chunk that was stored whole leaves no gap in the numbers");
    let last = store(&mut s, &grant, 3, 5).unwrap();
    assert_eq!((last.next_number, last.phase), (None, Phase::Completing));
    assert_eq!(s.next_job(), Some((NOW, Job::Assemble)));
    let change = s.assembled(NOW, "etag".to_owned());
    s.apply(change);
    assert_eq!((s.progress.phase, s.next_job()), (Phase::Completed, Some((NOW, Job::Tell))));
    assert_eq!(s.object().unwrap().etag, "etag");
}

#[test]
fn one_chunk_of_one_part_writes_two_rows() {
    let mut s = session(8_000 * PART);
    for part in [0, 1] {
        let decision = s.begin(NOW, begin(part * PART, PART));
        assert!(decision.change.progress.is_some() && decision.change.parts.is_empty());
        let grant = take(&mut s, decision).unwrap();
        let decision = s.commit(NOW, &commit(grant.attempt, vec![receipt(grant.first_number, PART)]));
        assert!(decision.change.progress.is_none() && decision.change.parts.len() == 1 && decision.change.delivery.is_none());
        take(&mut s, decision).unwrap();
    }
}

#[test]
fn chunks_that_do_not_fit() {
    let mut s = session(2 * PART + 5);
    let grant = start(&mut s, 0, PART).unwrap();
    store(&mut s, &grant, 1, PART).unwrap();
    let uploaded_bytes = bytes(PART);
    for (offset, length, expected) in [
        (0, PART, Refusal::OffsetMismatch { uploaded_bytes }),
        (PART + 1, 1, Refusal::OffsetMismatch { uploaded_bytes }),
        (2 * PART, 5, Refusal::OffsetMismatch { uploaded_bytes }),
        (PART, PART + 6, Refusal::BeyondDeclaredLength { file_bytes: bytes(2 * PART + 5), uploaded_bytes }),
        (PART, (1 << 53) - 1, Refusal::BeyondDeclaredLength { file_bytes: bytes(2 * PART + 5), uploaded_bytes }),
        (PART, 5, Refusal::UnalignedChunk { part_bytes: bytes(PART), uploaded_bytes }),
    ] {
        let decision = s.begin(NOW, begin(offset, length));
        assert_eq!(decision.answer, Err(expected), "{offset}+{length}");
        assert!(decision.change.is_none(), "a refused chunk changes nothing");
    }
    let decision = s.begin(NOW, Begin { file_bytes: Some(bytes(2 * PART)), ..begin(PART, PART) });
    assert!(matches!(decision.answer, Err(Refusal::InconsistentLength { .. })));
    assert!(start(&mut s, PART, PART + 5).is_ok(), "to the very end, across a boundary");
}

#[test]
fn a_takeover_gets_fresh_part_numbers_and_the_old_writer_is_refused() {
    let mut s = session(3 * PART);
    let old = start(&mut s, 0, 3 * PART).unwrap();
    store(&mut s, &old, 1, PART).unwrap(); // and has been given number 2
    let new = start(&mut s, PART, 2 * PART).unwrap();
    assert_eq!(new.first_number, 3, "number 2 may still arrive in R2 at any time");
    assert_eq!(store(&mut s, &old, 2, PART), Err(Refusal::Superseded { uploaded_bytes: bytes(PART) }));
    assert_eq!(store(&mut s, &new, 3, PART).unwrap().next_number, Some(4));
    assert_eq!(store(&mut s, &new, 4, PART).unwrap().phase, Phase::Completing);
}

#[test]
fn a_repeated_commit_is_answered_like_the_first() {
    let mut s = session(2 * PART);
    let grant = start(&mut s, 0, 2 * PART).unwrap();
    let first = store(&mut s, &grant, 1, PART).unwrap();
    let repeated = s.commit(NOW, &commit(grant.attempt, vec![receipt(1, PART)]));
    assert!(repeated.change.is_none());
    assert_eq!(repeated.answer, Ok(first));
    let last = store(&mut s, &grant, 2, PART).unwrap();
    assert_eq!(store(&mut s, &grant, 2, PART), Ok(last), "also the one that ended the upload");
}

#[test]
fn receipts_that_were_not_granted_count_nothing() {
    let mut s = session(3 * PART);
    let grant = start(&mut s, 0, 3 * PART).unwrap();
    for receipts in [
        vec![],
        vec![receipt(2, PART)],
        vec![receipt(1, PART - 1)],
        vec![receipt(1, PART), receipt(2, PART)],
        vec![receipt(0, PART)],
    ] {
        let decision = s.commit(NOW, &commit(grant.attempt, receipts));
        assert!(decision.answer.is_err() && decision.change.is_none());
    }
    assert_eq!(store(&mut s, &grant, 1, PART).unwrap().uploaded_bytes, bytes(PART));
}

#[test]
fn a_checksummed_chunk_counts_as_a_whole() {
    let mut s = session(3 * PART);
    let decision = s.begin(NOW, Begin { whole: true, ..begin(0, 2 * PART) });
    let grant = take(&mut s, decision).unwrap();
    assert_eq!((grant.first_number, grant.reserved), (1, 2));
    let decision = s.commit(NOW, &commit(grant.attempt, vec![receipt(1, PART), receipt(2, PART)]));
    let committed = take(&mut s, decision).unwrap();
    assert_eq!((committed.uploaded_bytes, committed.next_number), (bytes(2 * PART), None));
    // One that is given up burns its numbers, and only those.
    let decision = s.begin(NOW, Begin { whole: true, ..begin(2 * PART, PART) });
    let given_up = take(&mut s, decision).unwrap();
    let decision = s.release(NOW, Release { attempt: given_up.attempt, storage_gone: false });
    take(&mut s, decision).unwrap();
    assert_eq!(start(&mut s, 2 * PART, PART).unwrap().first_number, 4);
}

#[test]
fn a_probe_ends_the_running_append() {
    let mut s = session(2 * PART);
    let grant = start(&mut s, 0, 2 * PART).unwrap();
    store(&mut s, &grant, 1, PART).unwrap();
    let decision = s.probe();
    take(&mut s, decision).unwrap();
    assert_eq!(s.uploaded_bytes(), bytes(PART));
    assert!(matches!(store(&mut s, &grant, 2, PART), Err(Refusal::Superseded { .. })));
    assert!(s.probe().change.is_none(), "there is none to end now");
    assert_eq!(start(&mut s, PART, PART).unwrap().first_number, 3);
}

#[test]
fn numbers_run_out_before_they_would_be_reused() {
    let mut s = session(2 * PART);
    for _ in 0..9_999 {
        start(&mut s, 0, PART).unwrap();
    }
    assert_eq!(start(&mut s, 0, PART), Err(Refusal::AttemptsExhausted));
    assert_eq!((s.progress.phase, s.delivery.as_ref().unwrap().kind), (Phase::Failed, EventKind::Failed));
    assert!(matches!(start(&mut s, 0, PART), Err(Refusal::UploadGone { .. })));
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
        let mut birth = birth(PART + 3);
        let declared = state(&content, None).digest().unwrap();
        birth.file.sha256 = Some(if right { declared } else { Sha256Digest([9; 32]) });
        let mut s = Session::create(birth).unwrap();
        let grant = start(&mut s, 0, PART + 3).unwrap();
        assert!(grant.carry_sha256 && grant.sha256_so_far.is_none());
        let without = s.commit(NOW, &commit(grant.attempt, vec![receipt(1, PART)]));
        assert!(without.answer.is_err(), "a part without the state could never be verified");
        let first = Commit { sha256_so_far: Some(state(head, None)), ..commit(grant.attempt, vec![receipt(1, PART)]) };
        let decision = s.commit(NOW, &first);
        take(&mut s, decision).unwrap();
        let grant = start(&mut s, PART, 3).unwrap();
        let second = state(tail, grant.sha256_so_far.as_ref());
        let number = grant.first_number;
        let second = Commit { sha256_so_far: Some(second), ..commit(grant.attempt, vec![receipt(number, 3)]) };
        let decision = s.commit(NOW, &second);
        let answer = take(&mut s, decision);
        if right {
            assert_eq!(answer.unwrap().phase, Phase::Completing);
        } else {
            assert_eq!(answer, Err(Refusal::FileDigestMismatch { actual: format!("sha256 {declared}") }));
            assert_eq!((s.progress.phase, s.next_job().unwrap().1), (Phase::Failed, Job::Free));
        }
    }
}

#[test]
fn a_declared_crc_is_verified_too() {
    let mut birth = birth(5);
    birth.file.crc64nvme = Some(Crc64Nvme(4));
    let mut s = Session::create(birth).unwrap();
    let grant = start(&mut s, 0, 5).unwrap();
    assert_eq!(store(&mut s, &grant, 1, 5), Err(Refusal::FileDigestMismatch { actual: "crc64nvme 0000000000000001".into() }));
}

#[test]
fn an_empty_file_has_all_its_bytes() {
    let s = session(0);
    assert_eq!((s.progress.phase, s.next_job().unwrap().1), (Phase::Completing, Job::Assemble));
    assert!(s.complete().answer.is_ok());
    let mut birth = birth(0);
    birth.file.sha256 = Some(Sha256Digest([0; 32]));
    assert!(matches!(Session::create(birth), Err(Refusal::FileDigestMismatch { .. })));
}

#[test]
fn completion_waits_for_every_byte() {
    let mut s = session(PART + 3);
    let grant = start(&mut s, 0, PART).unwrap();
    store(&mut s, &grant, 1, PART).unwrap();
    let missing = Refusal::Incomplete { missing_bytes: 3.into(), uploaded_bytes: bytes(PART) };
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
    let change = s.assembled(NOW, "etag".to_owned());
    s.apply(change);
    let decision = s.cancel(NOW);
    take(&mut s, decision).unwrap();
    assert_eq!(s.object(), None, "a completed upload can be deleted");
    assert!(matches!(s.cancel(NOW).answer, Err(Refusal::UploadGone { .. })));
}

#[test]
fn an_origin_that_wants_the_object_gone() {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned());
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
    let change = s.assembled(NOW, "etag".to_owned());
    s.apply(change);
    assert_eq!(s.redeliver(NOW).answer, Err(Refusal::NothingToRedeliver));
    let change = s.delivery_begun(NOW, 1_000).unwrap();
    s.apply(change);
    let (verdict, change) = s.undelivered(NOW, policy, None);
    s.apply(change);
    assert_eq!((verdict, s.snapshot().delivery), (Verdict::GiveUp, Some(DeliveryState::Failed)));
    assert_eq!(s.next_job().unwrap().1, Job::Forget, "but not before its tombstone is over");
    let decision = s.redeliver(UnixMs(5_000));
    take(&mut s, decision).unwrap();
    assert_eq!(s.next_job(), Some((UnixMs(5_000), Job::Tell)));
}

/// What random clients, Workers and clocks do to a session.
#[derive(Clone, Debug)]
enum Step {
    Begin { writer: usize, parts: u64, whole: bool },
    /// The part reaches R2 (`write`), and its receipt the object (`commit`), or not.
    Part { writer: usize, commit: bool },
    Release { writer: usize },
    Probe,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..3_usize;
    let step = prop_oneof![
        3 => (writer.clone(), 1..4_u64, any::<bool>()).prop_map(|(writer, parts, whole)| Step::Begin { writer, parts, whole }),
        6 => (writer.clone(), prop::bool::weighted(0.8)).prop_map(|(writer, commit)| Step::Part { writer, commit }),
        1 => writer.prop_map(|writer| Step::Release { writer }),
        1 => Just(Step::Probe),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..200)
}

/// A writer that believes to hold a grant, whether it still does or not.
struct Writer {
    attempt: u64,
    next_number: Option<u16>,
    /// The last of the numbers it was given at once, and what it has written under them.
    whole: Option<(u16, Vec<Receipt>)>,
    at: u64,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn long_random_histories(file_parts in 1..12_u64, odd in 0..2_u64, steps in steps()) {
        let file = file_parts * PART + odd;
        let mut s = session(file);
        let mut rows: Vec<StoredPart> = Vec::new();
        let mut writers: [Option<Writer>; 3] = [None, None, None];
        let mut written = BTreeSet::new();
        let mut offset = ByteCount::ZERO;
        for step in steps {
            match step {
                Step::Begin { writer, parts, whole } => {
                    let from = s.uploaded_bytes().get();
                    let to = (from + parts * PART).min(file);
                    let decision = s.begin(NOW, Begin { whole, ..begin(from, to - from) });
                    rows.extend(decision.change.parts.clone());
                    if let Ok(grant) = take(&mut s, decision) {
                        let whole = whole.then(|| (grant.first_number + grant.reserved - 1, Vec::new()));
                        writers[writer] = Some(Writer { attempt: grant.attempt, next_number: Some(grant.first_number), whole, at: from });
                    }
                }
                Step::Part { writer, commit: commits } => {
                    let Some(mut w) = writers[writer].take() else { continue };
                    let Some(number) = w.next_number else { continue };
                    prop_assert!(written.insert(number), "part number {number} was used twice");
                    let length = PART.min(file - w.at);
                    w.at += length;
                    let receipts = match &mut w.whole {
                        Some((last, receipts)) => {
                            receipts.push(receipt(number, length));
                            w.next_number = (number < *last).then_some(number + 1);
                            if w.next_number.is_some() { writers[writer] = Some(w); continue }
                            receipts.clone()
                        }
                        None => vec![receipt(number, length)],
                    };
                    if !commits { continue } // the writer dies here
                    let newest = s.progress.lease.is_some_and(|lease| lease.attempt == w.attempt);
                    let decision = s.commit(NOW, &commit(w.attempt, receipts));
                    prop_assert_eq!(decision.answer.is_ok(), newest, "only the newest lease commits, and it always can");
                    rows.extend(decision.change.parts.clone());
                    if let Ok(committed) = take(&mut s, decision) {
                        prop_assert_eq!(committed.uploaded_bytes.get(), w.at);
                        w.next_number = committed.next_number;
                        writers[writer] = Some(w);
                    }
                }
                Step::Release { writer } => if let Some(w) = writers[writer].take() {
                    let decision = s.release(NOW, Release { attempt: w.attempt, storage_gone: false });
                    take(&mut s, decision).unwrap();
                },
                Step::Probe => { let decision = s.probe(); take(&mut s, decision).unwrap(); }
                // What a restarted object reads back is what it knew.
                Step::Restart => s = Session { last_part: rows.last().cloned(), ..s.clone() },
            }
            prop_assert!(s.uploaded_bytes() >= offset, "a reported offset was taken back");
            offset = s.uploaded_bytes();
            prop_assert_eq!(s.progress.phase == Phase::Completing, offset.get() == file);
            // What counts tiles the file exactly once, in the order of its numbers, in equal parts but the last.
            let mut at = 0;
            for (index, row) in rows.iter().enumerate() {
                let length = row.end.get() - at;
                prop_assert!(length == PART || (row.end.get() == file && length <= PART));
                prop_assert!(index == 0 || rows[index - 1].number < row.number);
                prop_assert!(written.contains(&row.number), "a part counts that was never written");
                at = row.end.get();
            }
            prop_assert_eq!(at, offset.get());
        }
    }
}
