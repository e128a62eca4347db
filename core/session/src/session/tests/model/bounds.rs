//! How large the model is: what is tried, and how often. Everything within these bounds is explored.

use std::collections::BTreeMap;

use crate::{
    event::{EventKind, RetryPolicy},
    receivers::{Receiver, Receivers},
    session::{Policy, UploadSpec},
};
use upload_types::{
    integrity::Crc64Nvme,
    plan::{Mode, Plan},
    units::{UnixMs, UploadId},
    upload::{FileInfo, Purpose},
};

use crate::session::tests::model::bytes::bytes;

/// How long the upload lives without an accepted byte, in milliseconds.
const TTL_MS: u64 = 1_000_000;

/// How long a damaged file is kept, in milliseconds.
const REPAIR_MS: u64 = 300_000;

/// The CRC that stands for that of the file.
pub(crate) const RIGHT: Crc64Nvme = Crc64Nvme(0);

/// How patient with the origin: it is asked twice.
pub(crate) const RETRY: RetryPolicy = RetryPolicy { first_delay_seconds: 5, max_attempts: 2 };

/// How long an attempt at delivering lasts at most, in milliseconds.
pub(crate) const ATTEMPT_MS: u64 = 10_000;

/// How long a link in an event is good, in milliseconds: longer than the upload is remembered otherwise.
pub(crate) const LINK_MS: u64 = 20_000_000;

/// What may still happen so many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Chunks that begin.
    pub(crate) attempts: u8,
    /// Commits that arrive twice.
    pub(crate) duplicates: u8,
    /// Times at which the clock moves on to the next duty, or to the end of a lease's protection.
    pub(crate) jumps: u8,
    /// Crashes of the object in the middle of a duty, failures of R2 in it, deaths of a queue consumer.
    pub(crate) faults: u8,
    /// Cancellations, and deletions of what is complete.
    pub(crate) cancels: u8,
    /// Messages that the queue loses, or gives up.
    pub(crate) losses: u8,
    /// Attempts that the origin does not acknowledge, or whose acknowledgement is lost.
    pub(crate) refusals: u8,
    /// Redeliveries that an operator asks for.
    pub(crate) redeliveries: u8,
    /// Words of a person about what is held.
    pub(crate) words: u8,
    /// Parts that a client sends wrong.
    pub(crate) wrong: u8,
    /// Repairs.
    pub(crate) repairs: u8,
    /// Chunks that are copied from a damaged object.
    pub(crate) copies: u8,
}

impl Budget {
    /// Nothing goes wrong, and nobody does anything.
    pub(crate) const NONE: Self = Self {
        attempts: 0,
        duplicates: 0,
        jumps: 0,
        faults: 0,
        cancels: 0,
        losses: 0,
        refusals: 0,
        redeliveries: 0,
        words: 0,
        wrong: 0,
        repairs: 0,
        copies: 0,
    };
}

/// What a run may try or leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Bodies break behind the last whole part, so that a shorter rest counts.
    CutShort,
    /// Workers begin a part while the one before is being answered for and counted.
    Ahead,
    /// Clients ask for the offset with a HEAD, which ends a running append.
    Probes,
    /// Duties are carried out, step by step. If not, only in the continuations that `settle` follows.
    Duties,
    /// Queue and origin. If not, only in those continuations.
    Telling,
    /// The file is there from the beginning, in one part, so that only what follows is explored.
    Uploaded,
}

/// What one run of the checker explores.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "four facts, each of which may be any")]
pub(crate) struct Bounds {
    /// In what order chunks come.
    pub(crate) mode: Mode,
    /// How long the file is, in units.
    pub(crate) file: u8,
    /// How long a part is.
    pub(crate) part: u8,
    /// Whether it is created without a multipart upload: its one part is put as one object, or, where it has several, the whole of
    /// it is unless a chunk comes first that needs a multipart upload.
    pub(crate) put: bool,
    /// Whether a digest is declared for it, and it is kept where it does not have that.
    pub(crate) kept: bool,
    /// Whether it is held, once it is whole, until somebody has looked at it.
    pub(crate) held: bool,
    /// Whether a second receiver hears of it, which is down.
    pub(crate) second: bool,
    /// How many part numbers are to spare, where nearly all have been used before; for each chunk, where they come in any order.
    pub(crate) spare: Option<u16>,
    /// How long chunks of a sequential upload are; one that would pass the end of the file ends there.
    pub(crate) lengths: &'static [u8],
    /// Whether chunks come with a checksum, and so count as a whole: one of these.
    pub(crate) all_or_nothing: &'static [bool],
    /// What is tried beyond chunks that begin, arrive, and are given up.
    pub(crate) topics: &'static [Topic],
    /// How often things may happen.
    pub(crate) budget: Budget,
}

impl Bounds {
    /// Whether this is tried.
    pub(crate) fn tries(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    /// The upload that everything happens to.
    pub(crate) fn spec(&self) -> UploadSpec {
        let part_bytes = bytes(self.part);
        let repair_ms = if self.kept { REPAIR_MS } else { 0 };
        UploadSpec {
            id: UploadId::from_random_bytes([1; 16]),
            owner: String::new(),
            key: String::new(),
            purpose: Purpose::File,
            file: FileInfo {
                name: String::new(),
                content_type: None,
                metadata: BTreeMap::new(),
                sha256: None,
                crc64nvme: self.kept.then_some(RIGHT),
                memo: None,
            },
            plan: Plan {
                mode: self.mode,
                file_bytes: bytes(self.file),
                open_ended: false,
                guessed: false,
                chunk_bytes: part_bytes,
                part_bytes,
            },
            fits_request: self.put,
            public_url: String::new(),
            created_at: UnixMs(0),
            policy: Policy {
                ttl_ms: TTL_MS,
                tombstone_ms: 10_000_000,
                resend_ms: 60_000,
                tell_origin: true,
                repair_ms,
            },
            created_with: None,
            attached: BTreeMap::new(),
            link: None,
            types: None,
            byte_quota: None,
            live: None,
            duplicate_of: None,
            quota_warning: None,
            public_files: String::new(),
            hold: self.held,
            receivers: if self.second { second() } else { Receivers::default() },
        }
    }
}

/// The receiver that is down, and wants to hear of what the origin hears of.
fn second() -> Receivers {
    let kinds = vec![EventKind::Completed, EventKind::Expired, EventKind::Aborted, EventKind::Deleted];
    Receivers::new(vec![Receiver { name: "second".to_owned(), kinds }])
}
