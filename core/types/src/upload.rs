//! An upload as everybody sees it: what the client said of the file, where the upload is in its life, and how it stands. What
//! protocols render and sessions report; neither knows more of the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    chunk::Completion,
    cost::Cost,
    integrity::{Crc64Nvme, Sha256Digest},
    ledger::Used,
    plan::Plan,
    units::{ByteCount, UnixMs, UploadId},
};

/// What the client said about the file. All of it is metadata: nothing here is ever a path or a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// The file's name as the client gave it, checked for control characters and length.
    pub name: String,
    /// Its media type, if given.
    pub content_type: Option<String>,
    /// Whatever else the client wants the origin to know.
    pub metadata: BTreeMap<String, String>,
    /// The SHA-256 that the whole file must have.
    pub sha256: Option<Sha256Digest>,
    /// The CRC-64/NVME that the whole file must have.
    pub crc64nvme: Option<Crc64Nvme>,
    /// What the protocol that created the upload wants to have back when it renders it. Nobody else looks into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

/// All names and values of the metadata together.
pub const MAX_METADATA_BYTES: usize = 8 * 1024;

/// What is to be said of a file from now on. What is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataPatch {
    /// This is said.
    pub set: BTreeMap<String, String>,
    /// Of these nothing is said any more.
    pub unset: Vec<String>,
}

/// What an upload is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// It is a file.
    #[default]
    File,
    /// To be put together with others. The origin never hears of it, and it goes when its time is over.
    Partial,
    /// The bytes of these partial uploads one after the other. No client adds to it.
    Composition(Vec<UploadId>),
}

impl Purpose {
    /// Whether it is a file of its own.
    pub fn is_file(&self) -> bool {
        *self == Self::File
    }
}

/// Where an upload is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Bytes are missing.
    Open,
    /// All bytes are there; the object is being put together.
    Completing,
    /// The object is there, and is read back to see whether it has its declared SHA-256.
    Verifying,
    /// The object is there and does not have its declared digest. It is kept for a while, for its client to send again what is wrong;
    /// nobody else gets it.
    Damaged,
    /// The object is there, whole and verified. Or it was, and its origin has taken it over.
    Completed,
    /// It cannot become whole.
    Failed,
    /// The client cancelled it.
    Aborted,
    /// Its time was over.
    Expired,
    /// It was complete, and is not wanted any more: a client has deleted it, or it was a partial upload whose time is over.
    Deleted,
}

impl Phase {
    /// Whether all bytes are there, and it is not known yet whether the object is whole and right.
    pub fn is_finishing(self) -> bool {
        matches!(self, Self::Completing | Self::Verifying)
    }

    /// The name in answers and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completing => "completing",
            Self::Verifying => "verifying",
            Self::Damaged => "damaged",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

/// How far the telling is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// On its way, or waiting for the next attempt.
    Queued,
    /// The origin has acknowledged.
    Delivered,
    /// The origin did not take it in all its attempts. It can be sent again on request.
    Failed,
}

/// How far the telling of a receiver is that is not the origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverStatus {
    /// What the settings call it.
    pub name: String,
    /// How far; none where there was nothing to tell yet.
    pub state: Option<DeliveryState>,
    /// How many attempts have begun at what it is told now, or was told last.
    pub attempts: u32,
    /// What was wrong with the last of them.
    pub last_error: Option<String>,
}

/// What anybody may know about an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The upload.
    pub id: UploadId,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why it ended, unless it is complete.
    pub reason: Option<String>,
    /// How many bytes count.
    pub uploaded_bytes: ByteCount,
    /// Up to here they count without a gap.
    pub offset: ByteCount,
    /// Which are missing, from (inclusive) and to (exclusive), in order.
    pub missing: Vec<(ByteCount, ByteCount)>,
    /// Which chunks of a parallel upload are there: one bit each, the first chunk in the highest bit of the first byte; base64.
    pub received_chunks_bitmap: Option<String>,
    /// The sizes.
    pub plan: Plan,
    /// What the client said of the file.
    pub file: FileInfo,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it ends unless bytes come in before, or it is complete by then.
    pub expires_at: UnixMs,
    /// How far the telling of the origin is; none where there is nothing to tell.
    pub delivery: Option<DeliveryState>,
    /// When it is complete, once all its bytes are there.
    #[serde(default, skip_serializing_if = "Completion::is_default")]
    pub completes: Completion,
    /// What it has cost so far.
    pub cost: Cost,
    /// The object of a completed upload, also when its origin has taken it over.
    pub object: Option<ObjectFacts>,
    /// When the origin has taken the object over, so that its bytes cannot be had here any more.
    pub deleted_at: Option<UnixMs>,
    /// Whether it can be read while it grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveState>,
    /// Whether it is complete, and nobody gets it before somebody has looked at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Where everybody gets its file, as long as that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// What its owner stores with it, where that is more than is stored without a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_warning: Option<Used>,
    /// How far the telling of each receiver beside the origin is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<ReceiverStatus>,
}

impl Snapshot {
    /// How a sequential upload stands once bytes have been appended to its front, without asking it again. What it has cost, its
    /// telling, and the sizes of its parts are as they were before.
    #[must_use]
    pub fn appended(
        self,
        uploaded_bytes: ByteCount,
        expires_at: UnixMs,
        phase: Phase,
        object: Option<ObjectFacts>,
    ) -> Self {
        let is_whole = self.plan.declared_bytes() == Some(uploaded_bytes);
        let missing = if is_whole { Vec::new() } else { vec![(uploaded_bytes, self.plan.file_bytes)] };
        Self { phase, uploaded_bytes, offset: uploaded_bytes, missing, expires_at, object, ..self }
    }
}

/// How a live upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LiveState {
    /// It ends when its recorder says so, or has.
    Whole,
    /// Nobody has said so: it ended since nothing more came.
    Truncated,
}

/// A completed object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFacts {
    /// Where it is in the bucket.
    pub key: String,
    /// Its ETag.
    pub etag: String,
    /// The CRC of all its bytes.
    pub crc64nvme: Crc64Nvme,
    /// Its SHA-256, where it was declared and so verified.
    pub sha256: Option<Sha256Digest>,
    /// What the application answered when it heard of it: the text of some JSON, of at most [`MAX_RESULT_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// How long what an application answers for the client may be: it also travels in a header, of which all together have 16 KB with most clients.
pub const MAX_RESULT_BYTES: usize = 4 * 1024;
