//! Stored rows, as they would be read if something had damaged them: whatever can be read at all breaks no rule's code.

use std::collections::BTreeMap;

use serde_json::Value;
use upload_session::{
    alarm::{CountedPart, Effect, Input, Ring},
    event::{DeliveryOutcome, EventKind, RetryPolicy},
    outbox::Outbox,
    receivers::Receivers,
    session::{
        BeginAppend, Commit, Continuation, CountedRows, DeleteRight, OpenedForRepair, ParallelChunk, Policy, Release,
        ReleaseReason, Renew, Segment, Session, StoredPart, UploadSpec, UploadState,
    },
    storage_fault::StorageFault,
};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named},
    integrity::{Crc64Nvme, RunningSha256, Sha256State},
    ledger::{Entry, StoredObject},
    plan::{Limits, Mode, Plan},
    repair::SentAgain,
    units::{ByteCount, UnixMs, UploadId},
    upload::{FileInfo, Purpose},
};

const NOW: UnixMs = UnixMs(1_800_000_000_000);

/// The spec of an upload of this file.
pub(crate) fn spec(id: UploadId, plan: Plan, file: FileInfo) -> UploadSpec {
    UploadSpec {
        id,
        owner: "owner".to_owned(),
        key: format!("uploads/{id}"),
        purpose: Purpose::File,
        file,
        plan,
        fits_request: false,
        public_url: "https://uploads.example.com".to_owned(),
        created_at: NOW,
        policy: Policy { ttl_ms: 86_400_000, tombstone_ms: 1, resend_ms: 1, tell_origin: true, repair_ms: 0 },
        created_with: None,
        attached: BTreeMap::new(),
        link: None,
        types: None,
        byte_quota: None,
        live: None,
        duplicate_of: None,
        quota_warning: None,
        public_files: String::new(),
        hold: false,
        receivers: Receivers::default(),
    }
}

/// An array of rows: spec, progress, outbox, last part, last segment.
pub(crate) fn sessions(input: &[u8]) {
    if let Some(session) = read(input) {
        ask_everything(&session);
    }
}

fn read(input: &[u8]) -> Option<Session> {
    let rows = serde_json::from_slice::<Vec<Value>>(input).ok()?;
    let row = |index: usize| rows.get(index).cloned().unwrap_or(Value::Null);
    let spec = serde_json::from_value::<UploadSpec>(row(0)).ok()?;
    let progress = serde_json::from_value::<UploadState>(row(1)).ok()?;
    let outbox = serde_json::from_value::<Option<Outbox>>(row(2)).unwrap_or_default().unwrap_or_default();
    let counted = match progress.mode(&spec) {
        Mode::Sequential => CountedRows::Sequence {
            last_part: serde_json::from_value::<Option<StoredPart>>(row(3)).unwrap_or_default(),
            last_segment: serde_json::from_value::<Option<Segment>>(row(4)).unwrap_or_default(),
        },
        Mode::Parallel | Mode::Direct => {
            let state = |number: u16| serde_json::json!({ "attempts": 3, "number": number, "used": 2 });
            let state = |number| serde_json::from_value::<ParallelChunk>(state(number)).unwrap_or_default();
            let begun = vec![(0, state(2)), (7, state(57))];
            CountedRows::Parallel { begun, counted: [1, 9, 10_000].map(|number| (number, NOW)).to_vec() }
        }
    };
    Some(Session::restore(NOW, spec, progress, outbox, counted))
}

#[test]
fn the_corpus_has_rows_that_can_be_read() {
    let folder = crate::run::corpus().join("session_rows");
    // All of them, so that what is made of them is near to something that can be read.
    for name in ["open", "completed", "parallel", "verifying", "attached", "deleted", "damaged", "repairing"] {
        let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        serde_json::from_value::<UploadSpec>(rows[0].clone()).unwrap_or_else(|error| panic!("{name}: spec: {error}"));
        serde_json::from_value::<UploadState>(rows[1].clone())
            .unwrap_or_else(|error| panic!("{name}: progress: {error}"));
    }
}

/// Every rule, once.
fn ask_everything(session: &Session) {
    let offset = session.snapshot().offset;
    let _ = (session.next_job(), session.find_object(), session.fingerprint(), session.next_slice());
    let _ = (session.is_making_object(), session.object_key(), session.multipart_id(), session.is_appending());
    let _ = (session.status(), session.probe(NOW), session.complete(NOW), session.redeliver(NOW, None));
    let _ = (session.cancel(NOW, DeleteRight::Completed), session.hurried(NOW));
    let _ = session.expire_if_due(NOW);
    let policy = RetryPolicy { first_delay_seconds: 5, max_attempts: 30 };
    for event in [EventKind::Completed, EventKind::Expired, EventKind::Deleted] {
        let id = event.id(session.spec().id);
        let _ = session.begin_delivery(NOW, "origin", &id, 60_000, u64::MAX);
        for outcome in [
            DeliveryOutcome::Acknowledged { discard: true, result: None, verdict: None },
            DeliveryOutcome::Refused { policy, asked_seconds: Some(7), error: None },
        ] {
            let _ = session.delivery_ended(NOW, "origin", &id, &outcome);
        }
    }
    ring(session.clone(), None);
    for fault in [StorageFault::Retry, StorageFault::Gone, StorageFault::Damaged, StorageFault::Refused] {
        ring(session.clone(), Some(fault));
    }
    let limits = Limits { max_upload_bytes: ByteCount::MAX, max_chunk_bytes: ByteCount::from(99_614_720) };
    for to in [1, 5_000_000, 9_007_199_254_740_991] {
        let again = [SentAgain { from: ByteCount::ZERO, to: ByteCount::new(to).unwrap() }];
        let key = session.next_repair_key(&again).unwrap_or_default();
        let opened = OpenedForRepair { key: &key, multipart_id: "anew" };
        let decision = session.repair(NOW, &again, limits, Some(opened));
        if decision.answer.is_ok() {
            let mut after = session.clone();
            after.apply(decision.change);
            let _ = (after.snapshot(), after.next_job(), after.begin_copy(NOW, None), after.complete(NOW));
        }
    }
    let _ = (session.is_damaged(), session.begin_copy(NOW, Some(1)));
    for length in [0, 1, 5_000_000, 9_007_199_254_740_991] {
        let length = ByteCount::new(length).unwrap();
        for file_bytes in [None, Some(offset), Some(length)] {
            let (named, continuation) = (Named::ByRange, Continuation::default());
            let completes = Completion::WhenTold;
            let begin =
                BeginAppend { offset, length, file_bytes, all_or_nothing: false, named, completes, continuation };
            let _ = (session.repeats_what_counts(begin), session.part_of_repetition(begin));
            let decision = session.begin(NOW, begin);
            if decision.answer.is_ok() {
                let mut after = session.clone();
                after.apply(decision.change);
                let _ = (after.snapshot(), after.next_job());
            }
            for completes in [Completion::WhenWhole, Completion::WhenTold] {
                let _ = session.declare(NOW, offset, file_bytes, completes);
            }
        }
    }
    for attempt in [0, 1, u64::MAX] {
        let commit = Commit {
            attempt,
            receipts: Vec::new(),
            remainder: None,
            sha256_so_far: None,
            digest: None,
            is_writing_on: false,
        };
        let _ = session.commit(NOW, &commit);
        let _ = session.renew(NOW, Renew { attempt });
        let _ = session.release(NOW, Release { attempt, reason: ReleaseReason::GaveUp });
    }
}

/// Its alarm rings, long after everything was due: whatever it asks for succeeds, or fails so.
fn ring(mut session: Session, fault: Option<StorageFault>) {
    let (mut ring, mut input) = (Ring::default(), Input::Rings);
    let later = NOW.plus_ms(3_600_000);
    loop {
        let failed = fault.map(|fault| Input::Failed { fault, error: "no".to_owned() });
        input = match ring.next(later, Some(&session), input) {
            Effect::Rest => return,
            Effect::Charge(_) => Input::Done,
            Effect::Store { change, .. } => {
                session.apply(*change);
                Input::Done
            }
            Effect::ReadParts => {
                let (etag, bytes) = ("etag".to_owned(), session.plan().part_bytes);
                Input::Parts(vec![CountedPart { number: 1, etag, crc64nvme: Crc64Nvme(1), bytes }])
            }
            Effect::Complete { .. } | Effect::PutEmpty { .. } => {
                failed.unwrap_or(Input::Object { etag: "etag".to_owned(), bytes: session.plan().file_bytes.get() })
            }
            Effect::Look { .. } => Input::NoObject,
            Effect::ReadFirstBytes { .. } => failed.unwrap_or(Input::FirstBytes(vec![0; 16])),
            Effect::Delete(_) | Effect::Enqueue(_) | Effect::CloseInLedger | Effect::Unlist | Effect::Purge => {
                failed.unwrap_or(Input::Done)
            }
        };
    }
}

/// Everything else that is stored or crosses between the Worker and its objects.
pub(crate) fn others(input: &[u8]) {
    let _ = serde_json::from_slice::<Entry>(input);
    let _ = serde_json::from_slice::<StoredObject>(input);
    if let Ok(refusal) = serde_json::from_slice::<ApiError>(input) {
        let _ = (refusal.to_string(), refusal.challenge(), refusal.retry_after_seconds());
    }
    if let Ok(state) = serde_json::from_slice::<Sha256State>(input) {
        let _ = state.digest();
        if let Some(mut running) = RunningSha256::resume(Some(&state)) {
            running.update(b"bytes");
            let _ = running.save();
        }
    }
}
