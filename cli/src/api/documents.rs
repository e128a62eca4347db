//! What the server says, as far as it is used here: the documents of its JSON API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use upload_types::integrity::{Crc64Nvme, Sha256Digest};
use upload_types::units::{ByteCount, UploadId};
use upload_types::upload::Phase;

/// The body of `POST /upload/init`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateRequest {
    pub(crate) file_name: String,
    pub(crate) file_size: ByteCount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chunk_size: Option<u64>,
    pub(crate) parallel: bool,
    /// Chunks go to R2 itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) direct: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<Sha256Digest>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The answer to it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Creation {
    /// This owner has stored these bytes already.
    Duplicate { object: DuplicateObject },
    /// A new upload.
    Created(Created),
}

/// A new upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    pub(crate) upload_id: UploadId,
    pub(crate) chunk_size: ByteCount,
    /// Opens this one upload, as long as it lives. Only where the server wants tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload_token: Option<String>,
}

/// What is stored already.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DuplicateObject {
    pub(crate) upload_id: UploadId,
}

/// The answer to a chunk. That it is one is all that is asked of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChunkTaken {
    #[serde(rename = "uploadedBytes")]
    _uploaded_bytes: ByteCount,
}

/// How an upload stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) upload_id: UploadId,
    pub(crate) state: Phase,
    pub(crate) reason: Option<String>,
    pub(crate) uploaded_bytes: ByteCount,
    pub(crate) file_size: Option<ByteCount>,
    /// Nobody has said that this is all: the server has ended it.
    #[serde(default)]
    pub(crate) truncated: bool,
    /// Ranges without their last byte; the last has no end where the length is not known yet.
    pub(crate) missing: Vec<(u64, Option<u64>)>,
    pub(crate) chunk_size: ByteCount,
    pub(crate) file_name: String,
    pub(crate) delivery: String,
    pub(crate) object: Option<StoredObject>,
}

impl Status {
    /// Whether nothing can follow.
    pub(crate) fn is_over(&self) -> bool {
        use Phase::{Aborted, Completed, Deleted, Expired, Failed};
        matches!(self.state, Completed | Failed | Aborted | Expired | Deleted)
    }
}

/// A finished object.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StoredObject {
    pub(crate) crc64nvme: Crc64Nvme,
}

/// A page of the owner's open uploads.
#[derive(Debug, Deserialize)]
pub(crate) struct OpenUploads {
    pub(crate) uploads: Vec<OpenUpload>,
    pub(crate) next: Option<String>,
}

/// An open upload, in the list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenUpload {
    pub(crate) upload_id: UploadId,
    pub(crate) file_name: String,
    pub(crate) file_size: Option<ByteCount>,
    pub(crate) created_at: String,
    pub(crate) expires_at: String,
}

/// What has happened to an upload.
#[derive(Debug, Deserialize)]
pub(crate) struct Log {
    pub(crate) total: u64,
    pub(crate) entries: Vec<LogEntry>,
}

/// One thing that has happened, perhaps several times in a row.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEntry {
    pub(crate) at: String,
    pub(crate) times: u64,
    pub(crate) event: String,
    pub(crate) uploaded_bytes: Option<u64>,
    pub(crate) detail: Option<String>,
}
