//! What whoever runs the service can want, and what is answered: everybody's uploads, what the origin never took, and the switch.
//! Who that is, tokens say (`core/access`).

use crate::{
    batch::BatchError,
    history::History,
    ledger::{EntryName, ListQuery},
    link::LinkRequest,
    switch::{Switch, SwitchRequest},
    units::{UnixMs, UploadId},
    upload::Snapshot,
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminOperation {
    /// Who has ever created an upload, by name: a page of them, behind this name.
    ListOwners(Option<String>),
    /// Somebody's uploads, a page of them.
    ListUploads(String, ListQuery),
    /// Everything about an upload.
    Show(UploadId),
    /// Nothing of it shall remain.
    Delete(UploadId),
    /// Nothing of any of these shall remain.
    DeleteMany(Vec<UploadId>),
    /// Send its event again.
    Redeliver(UploadId),
    /// What is held, whosever it is, oldest first: a page of it, behind this one.
    ListHeld(Option<EntryName>),
    /// What is held is handed out.
    Release(UploadId),
    /// What is held is deleted, for this reason; empty where none is given.
    Reject(UploadId, String),
    /// A link to its object, also while it is held.
    Link(UploadId, LinkRequest),
    /// Uploads with an event that the origin never took: a page of them, behind this one.
    ListFailedDeliveries(Option<UploadId>),
    /// Send their events again.
    RedeliverMany(Redelivery),
    /// How the switch is set.
    ReadSwitch,
    /// Set it.
    SetSwitch(SwitchRequest),
}

impl AdminOperation {
    /// What it is called in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ListOwners(_) => "list-owners",
            Self::ListUploads(..) => "list-uploads",
            Self::Show(_) => "show",
            Self::Delete(_) | Self::DeleteMany(_) => "delete",
            Self::Redeliver(_) | Self::RedeliverMany(_) => "redeliver",
            Self::ListHeld(_) => "list-held",
            Self::Release(_) => "release",
            Self::Reject(..) => "reject",
            Self::Link(..) => "link",
            Self::ListFailedDeliveries(_) => "list-failed-deliveries",
            Self::ReadSwitch => "read-switch",
            Self::SetSwitch(_) => "set-switch",
        }
    }
}

/// Whose events are sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// Those of these uploads.
    These(Vec<UploadId>),
    /// Those of all whose telling was given up, by id: as many as one request takes, behind this one.
    All(Option<UploadId>),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminOutcome {
    /// Owners, by name.
    Owners {
        /// A page of them.
        owners: Vec<String>,
        /// Where the next page goes on, if there is one.
        next: Option<String>,
    },
    /// An upload.
    Upload(Box<AdminView>),
    /// Its event is on its way again.
    Redelivering(Box<Snapshot>),
    /// How it stands, now that it was said what becomes of it.
    Judged(Box<Snapshot>),
    /// Uploads that are held.
    Held {
        /// A page of them.
        uploads: Vec<NotedUpload>,
        /// Where the next page goes on, if there is one.
        next: Option<EntryName>,
    },
    /// Uploads whose telling was given up.
    FailedDeliveries {
        /// A page of them.
        uploads: Vec<NotedUpload>,
        /// Where the next page goes on, if there is one.
        next: Option<UploadId>,
    },
    /// The event of each of these is on its way again, or why it is not.
    RedeliveredMany {
        /// Each that was asked for.
        uploads: Vec<(UploadId, Result<(), BatchError>)>,
        /// How many are known yet whose telling was given up.
        left: u64,
        /// Where the next request for all goes on, if there are more.
        next: Option<UploadId>,
    },
    /// The switch, and when that was looked at.
    Switch(Switch, UnixMs),
}

/// Everything about an upload.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AdminView {
    /// Whose it is.
    pub owner: String,
    /// Where its object is in the bucket, or would be.
    pub key: String,
    /// How it stands.
    pub snapshot: Snapshot,
    /// What has happened to it.
    pub history: History,
}

/// An upload of which the register knows something, and it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedUpload {
    /// Whose it is.
    pub owner: String,
    /// Since when, as [`Noted`] says it.
    pub at: UnixMs,
    /// How it stands.
    pub snapshot: Snapshot,
}

/// An upload of which the register knows something: that the telling of an event was given up, or that it is held.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Noted {
    /// The upload.
    pub upload_id: UploadId,
    /// Whose it is.
    pub owner: String,
    /// When its last attempt was about to end; or, of what is held, when it was created.
    #[serde(rename = "failedAt")]
    pub at: UnixMs,
}

impl Noted {
    /// What is held is found by this.
    pub fn name(&self) -> EntryName {
        EntryName { created_at: self.at, upload_id: self.upload_id }
    }
}
