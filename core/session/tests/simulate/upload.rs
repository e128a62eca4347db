//! The upload that everything happens to: of chance sizes, but of sizes that are possible.

use std::collections::BTreeMap;

use upload_session::{
    event::{EventKind, RetryPolicy},
    receivers::{Receiver, Receivers},
    session::{Policy, Session, UploadSpec},
};
use upload_types::{
    live::Live,
    plan::{Chunking, Limits, Mode, Plan},
    units::{ByteCount, MIB, UnixMs, UploadId},
    upload::{FileInfo, Purpose},
};

use crate::{chance::Chance, content::count, storage::Storage};

/// How patient the queue is with the origin.
pub(crate) const RETRY: RetryPolicy = RetryPolicy { first_delay_seconds: 5, max_attempts: 10 };

/// A new upload, and how long its file is: of a live one only its recorder knows.
pub(crate) fn create(chance: &mut Chance, r2: &mut Storage) -> (Session, u64) {
    let mode = if chance.one_in(3) { Mode::Parallel } else { Mode::Sequential };
    let limits = Limits { max_upload_bytes: count(1 << 40), max_chunk_bytes: count(95 * MIB) };
    let odd = chance.between(0, 3);
    let file = match chance.between(0, 3) {
        0 => chance.between(1, 300_000),
        1 => chance.between(1, 4) * 8 * MIB,
        _ => chance.between(1, 60) * MIB + odd,
    };
    let chunking = match chance.between(0, 2) {
        0 => Chunking::Unspoken,
        1 => Chunking::Agreed(None),
        _ => Chunking::Agreed(Some(count(chance.between(5, 20) * MIB))),
    };
    let is_live = mode == Mode::Sequential && chance.one_in(4);
    let live = is_live.then(|| Live {
        end_after_ms: if chance.one_in(2) { 0 } else { chance.between(30, 3_600) * 1_000 },
        tell_every_bytes: if chance.one_in(2) { ByteCount::ZERO } else { count(chance.between(1, 8 * MIB)) },
    });
    let declared = (!is_live).then(|| count(file));
    let plan = Plan::for_chunks(mode, declared, chunking, limits).expect("a file that is not too large");
    let id = UploadId::from_random_bytes([7; 16]);
    let spec = UploadSpec {
        id,
        owner: "owner".to_owned(),
        key: format!("uploads/{id}"),
        purpose: Purpose::File,
        file: FileInfo {
            name: "file".to_owned(),
            content_type: None,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
            memo: None,
        },
        plan,
        fits_request: file <= 95 * MIB && chance.one_in(2),
        public_url: String::new(),
        created_at: UnixMs(0),
        policy: Policy {
            ttl_ms: 86_400_000,
            tombstone_ms: 86_400_000,
            resend_ms: 60_000,
            tell_origin: true,
            repair_ms: 0,
        },
        created_with: None,
        attached: BTreeMap::new(),
        link: None,
        types: None,
        byte_quota: None,
        live,
        duplicate_of: None,
        quota_warning: None,
        public_files: String::new(),
        hold: false,
        receivers: if chance.one_in(3) { archive() } else { Receivers::default() },
    };
    let opened = spec.needs_multipart().then(|| r2.open());
    (Session::create(spec, opened).expect("an upload that may be created"), file)
}

/// A second receiver, which hears of more than the origin.
fn archive() -> Receivers {
    Receivers::new(vec![Receiver { name: "archive".to_owned(), kinds: EventKind::ALL.to_vec() }])
}
