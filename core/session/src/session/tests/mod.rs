//! The rules of a session: single cases as a story each, and long random histories against what must always hold.

mod concatenation;
mod deferred_multipart;
mod delivery;
mod describing;
mod duplicate;
mod lifecycle;
mod model;
mod parallel;
mod parallel_histories;
mod presigned;
mod progressed;
mod single_object;

mod assembling;
mod charging;
mod formats;
mod histories;
mod holding;
mod length;
mod lifetime;
mod linked;
mod live;
mod receivers;
mod repairing;
mod sequence;
mod verifying;

use std::collections::BTreeMap;

use super::*;
use crate::receivers::Receivers;
use upload_types::{
    chunk::{Completion, Named},
    integrity::{Crc64Nvme, Sha256Digest},
    plan::{Limits, Plan},
    units::{MIB, UploadId},
    upload::{DeliveryState, FileInfo, Purpose, Snapshot},
};

pub(crate) const PART: u64 = 8 * MIB;
pub(crate) const NOW: UnixMs = UnixMs(1_000);
const DAY_MS: u64 = 86_400_000;

pub(crate) fn bytes(count: u64) -> ByteCount {
    ByteCount::new(count).unwrap()
}

pub(crate) fn spec(mode: Mode, file_bytes: u64) -> UploadSpec {
    let limits = Limits { max_upload_bytes: bytes(1 << 40), max_chunk_bytes: bytes(95 * MIB) };
    let id = UploadId::from_random_bytes([1; 16]);
    UploadSpec {
        id,
        owner: "anonymous".to_owned(),
        key: format!("uploads/{id}"),
        purpose: Purpose::File,
        file: FileInfo {
            name: "a".to_owned(),
            content_type: None,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
            memo: None,
        },
        plan: Plan::new(mode, Some(bytes(file_bytes)), None, limits).unwrap(),
        fits_request: false,
        public_url: "https://upload.example.com".to_owned(),
        created_at: UnixMs(0),
        policy: Policy { ttl_ms: DAY_MS, tombstone_ms: DAY_MS, resend_ms: 60_000, tell_origin: true, repair_ms: 0 },
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

/// An upload whose multipart upload was opened with it, unless it is empty.
pub(crate) fn create(spec: UploadSpec) -> Result<Session, ApiError> {
    let multipart_id = (!spec.plan.file_bytes.is_zero()).then(|| "multipart".to_owned());
    Session::create(spec, multipart_id)
}

/// An upload that does without, as long as it can.
pub(crate) fn create_without_multipart(spec: UploadSpec) -> Session {
    Session::create(spec, None).unwrap()
}

/// A sequential upload with parts of 8 MiB.
fn session(file_bytes: u64) -> Session {
    create(spec(Mode::Sequential, file_bytes)).unwrap()
}

pub(crate) fn begin(offset: u64, length: u64) -> BeginAppend {
    let (named, continuation) = (Named::ByOffset, Continuation::default());
    let (offset, length, completes) = (bytes(offset), bytes(length), Completion::WhenWhole);
    BeginAppend { offset, length, file_bytes: None, all_or_nothing: false, named, completes, continuation }
}

pub(crate) fn receipt(number: u16, length: u64) -> Receipt {
    Receipt { number, bytes: bytes(length), etag: format!("etag-{number}"), crc64nvme: Crc64Nvme(number.into()) }
}

fn commit(attempt: u64, receipts: Vec<Receipt>) -> Commit {
    Commit { attempt, receipts, remainder: None, sha256_so_far: None, digest: None, is_writing_on: false }
}

fn remainder(attempt: u64, length: u64) -> Commit {
    let place = if length > MAX_ROW_SEGMENT_BYTES { SegmentPlace::Object } else { SegmentPlace::Row };
    Commit { remainder: Some(Remainder { bytes: bytes(length), place }), ..commit(attempt, vec![]) }
}

/// Takes a decision the way the object does: store, then answer.
pub(crate) fn take<T>(session: &mut Session, decision: Decision<T>) -> Result<T, ApiError> {
    session.apply(decision.change);
    decision.answer
}

fn start(session: &mut Session, offset: u64, length: u64) -> Result<WriteLease, ApiError> {
    let decision = session.begin(NOW, begin(offset, length));
    take(session, decision)
}

fn count(session: &mut Session, commit: &Commit) -> Result<Committed, ApiError> {
    let decision = session.commit(NOW, commit);
    take(session, decision)
}

fn store(session: &mut Session, lease: &WriteLease, number: u16, length: u64) -> Result<Committed, ApiError> {
    count(session, &commit(lease.attempt, vec![receipt(number, length)]))
}

/// Does what is owed after an end; the origin acknowledges at once. `false` for duties of another kind.
fn carry_out(s: &mut Session, now: UnixMs, job: Job) -> bool {
    let change = match job {
        Job::Cleanup => s.cleaned_up(s.cleanup()),
        Job::NotifyLedger => s.settled(s.told_of_object()),
        Job::EnqueueEvent => s.delivered(now, s.outbox.next().unwrap().id(), false, None),
        Job::Discard => s.discarded(&s.progress.damage.discarded),
        Job::Expire | Job::CopyNext | Job::Copy | Job::StoreLastPart | Job::Assemble | Job::Verify | Job::Purge => {
            return false;
        }
    };
    s.apply(change);
    true
}

/// Does all that is owed by now after an end, and says what that was, in order.
fn jobs_until_nothing_is_due(s: &mut Session, now: UnixMs) -> Vec<Job> {
    let mut done = Vec::new();
    while let Some((_, job)) = s.next_job().filter(|(due, _)| *due <= now) {
        if !carry_out(s, now, job) {
            break;
        }
        done.push(job);
        assert!(done.len() < 10, "{done:?}");
    }
    done
}
