//! What came of a file: told, kept, and written into manifests.

use serde::{Deserialize, Serialize};
use upload_types::integrity::{Crc64Nvme, Sha256Digest};
use upload_types::units::UploadId;

/// What came of it.
#[allow(clippy::struct_field_names, reason = "the bytes that were sent are not those of the file")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) upload_id: UploadId,
    pub(crate) bytes: u64,
    pub(crate) sha256: Option<Sha256Digest>,
    pub(crate) crc64nvme: Option<Crc64Nvme>,
    /// The server had these bytes already.
    pub(crate) duplicate: bool,
    pub(crate) resumed_from_bytes: u64,
    /// What has left in this run, more often than once where it had to be.
    pub(crate) sent_bytes: u64,
}

impl Sent {
    #[cfg(test)]
    pub(crate) fn example(upload_id: UploadId) -> Self {
        let (sha256, crc64nvme) = (None, None);
        Self { upload_id, bytes: 3, sha256, crc64nvme, duplicate: false, resumed_from_bytes: 0, sent_bytes: 3 }
    }
}
