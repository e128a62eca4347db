//! The commands of an upload's object about an attempt at telling a receiver, and what the receiver is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use upload_session::event::{DeliveryOutcome, EventKind, NewBytes};
use upload_types::{
    units::{UnixMs, UploadId},
    upload::{ObjectFacts, Snapshot},
    upload_link::LinkFacts,
};

/// An attempt at delivering the event begins.
#[derive(Serialize, Deserialize)]
pub struct BeginDelivery {
    /// To whom, as the queue's message names it.
    pub receiver: String,
    /// The event, likewise.
    pub event_id: String,
    /// How long the attempt may last, in milliseconds.
    pub attempt_ms: u64,
    /// How long a link to the object is good that is handed out with it, in milliseconds.
    pub link_ms: u64,
}

/// The attempt is over.
#[derive(Serialize, Deserialize)]
pub struct EndDelivery {
    /// To whom.
    pub receiver: String,
    /// The event.
    pub event_id: String,
    /// How it went.
    pub outcome: DeliveryOutcome,
}

/// What a receiver is told, but for the link to the object, which only the Worker can sign.
#[derive(Serialize, Deserialize)]
pub struct EventFacts {
    /// The event's id; never changes.
    pub event_id: String,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: UnixMs,
    /// When the upload ended; none where that is not what is told.
    pub ended_at: Option<UnixMs>,
    /// What is new, where it is told on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_bytes: Option<NewBytes>,
    /// Whose upload it is.
    pub owner: String,
    /// Where its object is, or would have been.
    pub key: String,
    /// What whoever made the owner's token attached to it.
    pub attached: BTreeMap<String, String>,
    /// The link that the upload came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkFacts>,
    /// What URLs begin with: scheme, host and base path.
    pub public_url: String,
    /// Everything else.
    pub snapshot: Snapshot,
    /// The object that is there, or was until it was deleted.
    pub object: Option<ObjectFacts>,
    /// Until when the link to it must be good: the upload is remembered so long. None where there is no link.
    pub link_until: Option<UnixMs>,
    /// The upload whose object it shares, if it shares one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<UploadId>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}
