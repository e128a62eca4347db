//! What is stored of a session: its records, each one row or a JSON text in one. Their shapes are read back by later builds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    quota::Quota,
    receivers::Receivers,
    session::{Backoff, Damage, Lease, Leftovers, ParallelChunk, Storage, Verified, Writers},
};
use upload_types::{
    bucket,
    caller::{Ownership, TokenHash},
    chunk::Completion,
    cost::Cost,
    integrity::{ChunkDigest, Crc64Nvme, Sha256State},
    ledger::{EntryName, Used},
    live::Live,
    media_types::MediaTypes,
    object_key::KeyParts,
    plan::{Mode, Plan},
    units::{ByteCount, UnixMs, UploadId},
    upload::{FileInfo, Phase, Purpose},
    upload_link::LinkFacts,
};

/// What the deployment promises for the life of this upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How long an upload lives without an accepted byte, in milliseconds.
    pub ttl_ms: u64,
    /// How long an ended upload is remembered, in milliseconds.
    pub tombstone_ms: u64,
    /// How long after an expected delivery attempt the event is handed to the queue again, in milliseconds.
    pub resend_ms: u64,
    /// Whether there is an origin to tell.
    pub tell_origin: bool,
    /// How long a file is kept that does not have its declared digest, for its client to repair it, in milliseconds; not at all where
    /// this is zero.
    #[serde(default, skip_serializing_if = "is_no_time")]
    pub repair_ms: u64,
}

/// What is fixed when the upload is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadSpec {
    /// The upload.
    pub id: UploadId,
    /// Whose it is.
    pub owner: String,
    /// Where the object will be ([`upload_types::object_key`]); empty until the ledger has admitted the upload. Where the file is put, or repaired, its key has a mark besides.
    pub key: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Purpose::is_file")]
    pub purpose: Purpose,
    /// What the client said of the file.
    pub file: FileInfo,
    /// The sizes.
    pub plan: Plan,
    /// Whether the whole file fits the body of one request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fits_request: bool,
    /// What the URLs in events begin with: scheme, host and base path, as the settings said them, never as a request did. Empty
    /// where nobody is told.
    pub public_url: String,
    /// When it was created.
    pub created_at: UnixMs,
    /// What the deployment promised.
    pub policy: Policy,
    /// The token that it was created with, to know it again: it stays good for this upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_with: Option<TokenHash>,
    /// What the origin is told besides, by word of whoever made the token. The client has no say in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attached: BTreeMap<String, String>,
    /// The link that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkFacts>,
    /// What the file may be; anything where there is no list. Its first bytes are looked at before it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<MediaTypes>,
    /// What its owner's bytes are bounded by, where they are and its length is declared later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_quota: Option<Quota>,
    /// The upload whose object has these bytes already, where there is one: nothing is to be sent, and the origin to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<UploadId>,
    /// What makes it a live upload, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// What its owner stores with it, where that is more than is stored without a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_warning: Option<Used>,
    /// Who hears of it beside the origin.
    #[serde(default, skip_serializing_if = "Receivers::is_empty")]
    pub receivers: Receivers,
    /// Whether nobody gets it, once it is whole, before somebody has looked at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// The host on which everybody gets it, once it is whole, as the settings said it. Empty where nobody does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub public_files: String,
}

/// What changes: small, and rewritten whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// Where the upload is in its life.
    pub(crate) phase: Phase,
    /// Why it ended, unless it is complete. Of what is held, why it was left so, in the words that were said last, behind the name of who said
    /// them.
    pub(crate) reason: Option<String>,
    /// When it ended.
    pub(crate) ended_at: Option<UnixMs>,
    /// Who may commit in a sequential upload, or who was the last who might.
    pub(crate) lease: Option<Lease>,
    /// The object's ETag, once it is there.
    pub(crate) etag: Option<String>,
    /// The CRC of the whole file, once it has been combined.
    pub(crate) crc64nvme: Option<Crc64Nvme>,
    /// Whether R2 may still hold something for this upload: parts, or the object.
    pub(crate) holds_storage: bool,
    /// What R2 may hold that does not count.
    #[serde(default)]
    pub(crate) leftovers: Leftovers,
    /// How its bytes get into R2.
    pub(crate) storage: Storage,
    /// Whether the owner's ledger has yet to hear how the upload ended, or that its object is gone.
    pub(crate) owes_ledger: bool,
    /// When somebody wished the object of a completed upload gone: its origin, which has taken it over, or its client, by whose wish
    /// the upload is `Deleted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<UnixMs>,
    /// When its uploader was last seen at work, where no lease, part or segment says so: when it was created, when URLs of a direct
    /// upload were signed, and when counted parts were uncounted, with which the rows go that said it.
    pub(crate) seen_at: UnixMs,
    /// How often in a row the current duty in R2 has failed.
    pub(crate) job_failures: u32,
    /// Not before this is it tried again.
    pub(crate) job_not_before: UnixMs,
    /// The same of telling the owner's ledger, which does not wait for R2, nor R2 for it.
    #[serde(default, skip_serializing_if = "Backoff::is_none")]
    pub(crate) ledger_backoff: Backoff,
    /// When R2 was last asked to put the object together, in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tried_at: Option<UnixMs>,
    /// Since when R2 has refused to put the object together, for a reason that does not look as if it would pass; or since when
    /// nothing more of it could be read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused_since: Option<UnixMs>,
    /// The sizes, where they are others than at creation: since then the length was declared, or a chunk has shown which
    /// ones fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<Plan>,
    /// Until then a piece must not go, since another upload is being put together from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_until: Option<UnixMs>,
    /// When the upload is complete, once all its bytes are there: as whoever began last has it.
    #[serde(default, skip_serializing_if = "Completion::is_default")]
    pub(crate) completes: Completion,
    /// How much of the object has been read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<Verified>,
    /// What it has cost so far.
    #[serde(default, skip_serializing_if = "Cost::is_none")]
    pub(crate) cost: Cost,
    /// Who had the lease of a sequential upload before, and may still be writing to R2.
    #[serde(default, skip_serializing_if = "Writers::is_empty")]
    pub(crate) writers: Writers,
    /// What the owner's ledger has charged it with, where its length is declared later and the owner's bytes are bounded.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(crate) charged_bytes: ByteCount,
    /// What is known of it where the file did not have its declared digest.
    #[serde(default, skip_serializing_if = "Damage::is_none")]
    pub(crate) damage: Damage,
    /// The file's metadata, where its client has said more of it than at its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    /// When a live upload ended since nothing more came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) truncated_at: Option<UnixMs>,
    /// When it was first doubted that anybody still writes a live upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) doubted_at: Option<UnixMs>,
    /// Whether it has become whole and nobody has released it since. That stays so of what was rejected, or deleted before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) held: bool,
}

/// A part that is counted: R2 has it, and completion will list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// Its number in R2.
    pub number: u16,
    /// Where it ends in the file; zero where the client stored it and its length is not known.
    pub end: ByteCount,
    /// When it was counted.
    pub stored_at: UnixMs,
    /// Its ETag, exactly as R2 returned it.
    pub etag: String,
    /// The CRC of its bytes; that of no bytes where the client stored them, and nobody here has seen one.
    pub crc64nvme: Crc64Nvme,
    /// The SHA-256 of the file up to the end of this part, to go on from; only where the file's was declared.
    pub sha256_so_far: Option<Sha256State>,
    /// The digest that its chunk came with, where the chunk is exactly this part: a repetition is compared with it.
    pub digest: Option<ChunkDigest>,
}

/// Accepted bytes that do not fill a part yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it begins in the file: where the segment or the part before it ended.
    pub start: ByteCount,
    /// Where it ends.
    pub end: ByteCount,
    /// When it was counted.
    pub stored_at: UnixMs,
    /// Which attempt brought it.
    pub attempt: u64,
    /// Where its bytes are.
    pub place: SegmentPlace,
    /// The SHA-256 of the file up to its end; only where the file's was declared.
    pub sha256_so_far: Option<Sha256State>,
}

/// What is stored of the counted bytes, as far as a session must know it.
#[derive(Clone, Debug)]
pub enum CountedRows {
    /// Of a sequential upload.
    Sequence {
        /// The last part.
        last_part: Option<StoredPart>,
        /// The last segment behind it.
        last_segment: Option<Segment>,
    },
    /// Of any other.
    Parallel {
        /// The chunks that were begun.
        begun: Vec<(u32, ParallelChunk)>,
        /// The number of every counted part, and when it was counted.
        counted: Vec<(u16, UnixMs)>,
    },
}

impl UploadState {
    /// How the bytes of this upload come, now that its state is this: which rows there are.
    pub fn mode(&self, spec: &UploadSpec) -> Mode {
        self.plan.unwrap_or(spec.plan).mode
    }
}

/// Where the bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentPlace {
    /// In the segment's own row.
    Row,
    /// In R2, under [`UploadSpec::segment_key`] of the attempt.
    Object,
}

/// The most bytes that a segment in a row may have: 128 KiB, far below the 2 MB that a row may have
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>), and small enough to pass through an object.
pub const MAX_ROW_SEGMENT_BYTES: u64 = 128 * 1024;

impl UploadSpec {
    /// Whose this upload is.
    pub fn ownership(&self) -> Ownership<'_> {
        Ownership { upload: self.id, owner: &self.owner, created_with: self.created_with }
    }

    /// What its entry in the owner's ledger is found by.
    pub fn entry(&self) -> EntryName {
        EntryName { created_at: self.created_at, upload_id: self.id }
    }

    /// What its object's key is made of, beside a template.
    pub fn key_parts<'a>(&'a self, prefix: &'a str) -> KeyParts<'a> {
        KeyParts { id: self.id, prefix, owner: &self.owner, file_name: &self.file.name, created_at: self.created_at }
    }

    /// The same upload under another name, before anything of it is stored.
    pub fn rename(&mut self, EntryName { created_at, upload_id }: EntryName) {
        self.id = upload_id;
        self.created_at = created_at;
    }

    /// What the keys of this upload's segments begin with.
    pub fn segment_prefix(&self) -> String {
        bucket::beside(&self.key, &format!("segments/{}/", self.id))
    }

    /// Where the segment of an attempt is in R2. No two attempts ever share a key.
    pub fn segment_key(&self, attempt: u64) -> String {
        format!("{}{attempt}", self.segment_prefix())
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_nothing(bytes: &ByteCount) -> bool {
    bytes.is_zero()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_no_time(ms: &u64) -> bool {
    *ms == 0
}
