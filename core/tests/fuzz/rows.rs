//! Stored rows, as they would be read if something had damaged them: whatever can be read at all breaks no rule's code.

use std::collections::BTreeMap;

use serde_json::Value;
use upload_core::{
    event::{Delivery, RetryPolicy},
    integrity::{Crc64Nvme, RunningSha256, Sha256State},
    ledger::{Entry, Fingerprint},
    plan::{Mode, Plan},
    refusal::Refusal,
    session::{
        Begin, Birth, Commit, Content, Lanes, Link, Policy, Progress, Release, ReleaseReason, Segment, Sequence,
        Session, StoredPart,
    },
    units::{ByteCount, UnixMs, UploadId},
    upload::{FileInfo, Purpose},
};

const NOW: UnixMs = UnixMs(1_800_000_000_000);

/// The birth of an upload of this file.
pub(crate) fn birth(id: UploadId, plan: Plan, file: FileInfo) -> Birth {
    Birth {
        id,
        owner: "owner".to_owned(),
        key: Birth::object_key("", id),
        purpose: Purpose::File,
        file,
        plan,
        fits_request: false,
        multipart_id: Some("multipart".to_owned()),
        public_url: "https://uploads.example.com".to_owned(),
        created_at: NOW,
        expires_at: NOW.plus_ms(86_400_000),
        policy: Policy { tombstone_ms: 1, resend_ms: 1, tell_origin: true },
        created_with: None,
        attached: BTreeMap::new(),
        types: None,
        byte_quota: None,
    }
}

/// An array of rows: birth, progress, delivery, last part, last segment.
pub(crate) fn sessions(input: &[u8]) {
    if let Some(session) = read(input) {
        ask_everything(&session);
    }
}

fn read(input: &[u8]) -> Option<Session> {
    let rows = serde_json::from_slice::<Vec<Value>>(input).ok()?;
    let row = |index: usize| rows.get(index).cloned().unwrap_or(Value::Null);
    let birth = serde_json::from_value::<Birth>(row(0)).ok()?;
    let progress = serde_json::from_value::<Progress>(row(1)).ok()?;
    let delivery = serde_json::from_value::<Option<Delivery>>(row(2)).unwrap_or_default();
    let content = match birth.plan.mode {
        Mode::Sequential => Content::Sequence(Sequence {
            last_part: serde_json::from_value::<Option<StoredPart>>(row(3)).unwrap_or_default(),
            last_segment: serde_json::from_value::<Option<Segment>>(row(4)).unwrap_or_default(),
        }),
        Mode::Parallel | Mode::Direct => {
            Content::Lanes(Lanes::restore(birth.plan, [(0, 3), (7, 1)].into_iter(), [1, 9, 10_000].into_iter()))
        }
    };
    Some(Session { birth, progress, content, delivery })
}

#[test]
fn the_corpus_has_rows_that_can_be_read() {
    let folder = crate::run::corpus().join("session_rows");
    // All of them, so that what is made of them is near to something that can be read.
    for name in ["open", "completed", "parallel", "verifying", "attached"] {
        let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        serde_json::from_value::<Birth>(rows[0].clone()).unwrap_or_else(|error| panic!("{name}: birth: {error}"));
        serde_json::from_value::<Progress>(rows[1].clone()).unwrap_or_else(|error| panic!("{name}: progress: {error}"));
    }
}

/// Every rule, once.
fn ask_everything(session: &Session) {
    let offset = session.snapshot().offset;
    let _ = (session.next_job(), session.object(), session.no_object(), session.is_unwanted(), session.next_slice());
    let _ = (session.status(), session.probe(NOW), session.complete(), session.cancel(NOW), session.redeliver(NOW));
    let _ = (session.freed(), session.settled(), session.postponed(NOW), session.expire_if_due(NOW));
    let _ = (session.event_sent(NOW), session.delivery_begun(NOW, 60_000), session.delivered(NOW, true));
    let policy = RetryPolicy { first_delay_seconds: 5, max_attempts: 30 };
    let _ = session.undelivered(NOW, policy, Some(7));
    let _ = (session.assembled(NOW, "etag".to_owned(), Crc64Nvme(1)), session.unassembled(NOW, "no".to_owned()));
    for length in [0, 1, 5_000_000, 9_007_199_254_740_991] {
        let length = ByteCount::new(length).unwrap();
        for file_bytes in [None, Some(offset), Some(length)] {
            let begin = Begin { offset, length, file_bytes, whole: false, link: Link::default() };
            let decision = session.begin(NOW, begin);
            if decision.answer.is_ok() {
                let mut after = session.clone();
                after.apply(decision.change);
                let _ = (after.snapshot(), after.next_job());
            }
            let _ = session.declare(NOW, offset, file_bytes);
        }
    }
    for attempt in [0, 1, u64::MAX] {
        let commit = Commit { attempt, receipts: Vec::new(), rest: None, sha256_so_far: None };
        let _ = session.commit(NOW, &commit);
        let _ = session.release(NOW, Release { attempt, reason: ReleaseReason::GaveUp });
    }
}

/// Everything else that is stored or crosses between the Worker and its objects.
pub(crate) fn others(input: &[u8]) {
    let _ = serde_json::from_slice::<Entry>(input);
    let _ = serde_json::from_slice::<Fingerprint>(input);
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(input) {
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
