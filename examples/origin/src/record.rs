//! What is remembered, in the words in which it is listed. Field names are those of the JSON; users build on them.

use serde::Serialize;

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// The event is recorded, the object not here yet.
    Pending,
    /// The object is here, checked.
    Stored,
    /// The object was not what the event said. Final.
    Rejected,
    /// It has been deleted, and its object here too. Final.
    Deleted,
}

impl State {
    /// The same word in the database and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::Rejected => "rejected",
            Self::Deleted => "deleted",
        }
    }
}

/// One upload, as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UploadRecord {
    pub(crate) upload_id: String,
    pub(crate) event_id: String,
    pub(crate) owner: String,
    pub(crate) file_name: String,
    pub(crate) file_size: u64,
    pub(crate) content_type: Option<String>,
    pub(crate) sniffed_type: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) crc64nvme: Option<String>,
    pub(crate) etag: String,
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) deliveries: u64,
    pub(crate) received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stored_at: Option<String>,
}

/// One event of any type, as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventRecord {
    pub(crate) event_id: String,
    pub(crate) r#type: String,
    pub(crate) upload_id: Option<String>,
    pub(crate) received_at: String,
    pub(crate) deliveries: u64,
}
