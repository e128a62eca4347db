//! What a client can want, whatever protocol it says it in.

use crate::{
    admin::{AdminOperation, AdminOutcome},
    batch::BatchError,
    chunk::{Completion, Overlap},
    integrity::ChunkDigest,
    keyed_chunk::KeyedChunk,
    ledger::{EntryName, ListQuery},
    link::{Download, LinkRequest, Served},
    preconditions::Conditions,
    public_file::PublicFile,
    repair::{Manifest, OnMismatch, SentAgain},
    units::{ByteCount, UploadId},
    upload::{FileInfo, MetadataPatch, Snapshot},
    upload_link::{LinkId, UploadLinkRequest},
};

/// A request, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new upload.
    Create(Create),
    /// A new upload whose first bytes come with it.
    CreateWith(Create, FirstChunk),
    /// The same, where it is not said how many.
    CreateWithUnsized(Create, BodyEnd, Wait),
    /// A new upload whose bytes are those of others.
    Compose(Create, Wait),
    /// What the deployment speaks and allows.
    Discover,
    /// The owner's uploads, a page of them.
    List(ListQuery),
    /// Nothing of any of these shall remain.
    DeleteMany(Vec<UploadId>),
    /// Something else is to be said of the file.
    Describe(UploadId, MetadataPatch),
    /// A chunk.
    Append(Append),
    /// A chunk whose sender does not say how long it is.
    AppendUnsized(Unsized),
    /// A chunk of an upload that its sender has a name of its own for.
    AppendKeyed(KeyedChunk),
    /// Whether such a chunk counts already.
    FindKeyed(KeyedChunk),
    /// Where to go on; ends a running append.
    Probe(UploadId, Wait),
    /// How it stands; disturbs nobody.
    Status(UploadId),
    /// What has happened to it.
    History(UploadId),
    /// How it stands, told again at every change, over a WebSocket.
    Watch(Watch),
    /// What the owner uses, and may use.
    Usage,
    /// How all open uploads of the owner stand, and those that are yet to come, told again at every change.
    WatchAll,
    /// Which parts a damaged upload has.
    Manifest(UploadId),
    /// These bytes of a damaged upload are sent again.
    Repair(UploadId, Vec<SentAgain>),
    /// All bytes are there.
    Complete(UploadId),
    /// Nothing shall remain.
    Cancel(UploadId),
    /// Send the event again: to the receiver of this name, or to each.
    Redeliver(UploadId, Option<String>),
    /// Something about parts that the client stores itself.
    Direct(UploadId, crate::presigned::PresignRequest),
    /// A signed URL of the object.
    Link(UploadId, LinkRequest),
    /// A link that takes one file.
    CreateUploadLink(UploadLinkRequest),
    /// Such a link is taken back.
    RevokeUploadLink(LinkId),
    /// The object itself, by signed URL.
    Download(Download),
    /// A public file, for everybody.
    PublicFile(PublicFile),
    /// The object itself for its owner.
    Content(Content),
    /// What whoever runs the service asks for.
    Admin(AdminOperation),
}

impl Operation {
    /// The upload it is about, where there is one yet.
    pub fn upload_id(&self) -> Option<UploadId> {
        match self {
            Self::Create(_)
            | Self::CreateWith(..)
            | Self::CreateWithUnsized(..)
            | Self::Compose(..)
            | Self::AppendKeyed(_)
            | Self::FindKeyed(_)
            | Self::Discover
            | Self::WatchAll
            | Self::Usage
            | Self::CreateUploadLink(_)
            | Self::RevokeUploadLink(_)
            | Self::DeleteMany(_)
            | Self::Admin(_)
            | Self::List(_) => None,
            Self::Append(append) => Some(append.id),
            Self::AppendUnsized(chunk) => Some(chunk.id),
            Self::Download(download) => Some(download.id),
            Self::PublicFile(file) => Some(file.id),
            Self::Content(content) => Some(content.id),
            Self::Watch(watch) => Some(watch.id),
            Self::Direct(id, _)
            | Self::Repair(id, _)
            | Self::Describe(id, _)
            | Self::Manifest(id)
            | Self::Probe(id, _)
            | Self::Status(id)
            | Self::History(id)
            | Self::Complete(id)
            | Self::Cancel(id)
            | Self::Link(id, _)
            | Self::Redeliver(id, _) => Some(*id),
        }
    }
}

/// A new upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// In what order its chunks will come.
    pub mode: crate::plan::Mode,
    /// What the client says of the file.
    pub file: FileInfo,
    /// How long it is; none where that is said later, with a chunk.
    pub file_bytes: Option<ByteCount>,
    /// What is known of the size of its chunks.
    pub chunking: crate::plan::Chunking,
    /// What it is for.
    pub purpose: crate::upload::Purpose,
    /// The client's own name for this creation.
    pub idempotency: Option<crate::ledger::Idempotency>,
    /// What is done with the file where it does not have its declared digest.
    pub on_mismatch: OnMismatch,
    /// Whether it can be read while it grows.
    pub live: crate::live::Liveness,
}

/// The bytes that come with a creation, from the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstChunk {
    /// How many.
    pub length: ByteCount,
    /// What their digest must be. Where it is not, the upload is not created.
    pub digest: Option<ChunkDigest>,
    /// When the upload is complete, where these are all bytes of the file.
    pub completes: Completion,
    /// Whether the answer waits for the object, where these are all bytes of the file.
    pub wait: Wait,
}

/// Whether an answer waits for the object, where all its bytes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It does not: `completing` is an answer.
    No,
    /// Until it is complete or has failed, as long as a client may wait: one that takes the last byte's acknowledgement for the file's never hears more.
    ForObject,
}

/// A chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Of which upload.
    pub id: UploadId,
    /// Where it begins.
    pub offset: ByteCount,
    /// How its sender has said so.
    pub named: crate::chunk::Named,
    /// What is done with it where only its front counts already.
    pub overlap: Overlap,
    /// When the upload is complete, where these are the last bytes that were missing.
    pub completes: Completion,
    /// How long it is.
    pub length: ByteCount,
    /// How long the client says the whole file is, where it does: must be what was declared, or declares it now.
    pub file_bytes: Option<ByteCount>,
    /// What its digest must be.
    pub digest: Option<ChunkDigest>,
    /// Whether the answer waits for the object.
    pub wait: Wait,
}

impl Append {
    /// Whether nothing of it counts before all of it does.
    pub fn is_all_or_nothing(&self) -> bool {
        self.digest.is_some() || self.overlap == Overlap::Compared
    }

    /// What is left of the chunk behind the bytes that count already, where its front does and that may be passed over. A digest is of
    /// all its bytes, and is never passed over.
    pub fn behind(&self, counted: ByteCount) -> Option<Self> {
        let end = self.offset.checked_add(self.length)?;
        let is_front = self.offset < counted && counted < end;
        let may_be = self.overlap == Overlap::PassedOver && self.digest.is_none();
        (is_front && may_be).then(|| Self { offset: counted, length: end.saturating_sub(counted), ..self.clone() })
    }
}

/// A chunk that ends where its body does. No digest: with one, nothing could count before its end, and its end is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsized {
    /// Of which upload.
    pub id: UploadId,
    /// Where it begins.
    pub offset: ByteCount,
    /// How long the client says the whole file is, as in [`Append`].
    pub file_bytes: Option<ByteCount>,
    /// What its end means.
    pub end: BodyEnd,
    /// Whether the answer waits for the object.
    pub wait: Wait,
}

/// What the end of a body means that did not say how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// Nothing: the file ends at its declared length, and is complete once that is reached.
    Nothing,
    /// That more follows, with another request.
    MoreFollows,
    /// That the file ends there, too. Unless the body was cut off.
    FileEnds,
}

impl BodyEnd {
    /// When the upload is complete, where the body brings the last bytes that are missing: it may bring more than are.
    pub fn completes(self) -> Completion {
        match self {
            Self::Nothing => Completion::WhenWhole,
            Self::MoreFollows | Self::FileEnds => Completion::WhenTold,
        }
    }
}

/// The object for its owner, or a range of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Of which upload.
    pub id: UploadId,
    /// Whether only the headers are wanted.
    pub head_only: bool,
    /// Whether it is wanted at all, and how much of it.
    pub conditions: Conditions,
    /// What is answered while there is none.
    pub missing: MissingObject,
    /// What of it is served.
    pub served: Served,
}

/// What is answered where there is no object yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingObject {
    /// How the upload stands: the address is the upload's own.
    Status,
    /// A refusal: the address is the object's.
    Refusal,
}

/// To be told how an upload stands, as long as that can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Of which upload.
    pub id: UploadId,
    /// How.
    pub channel: WatchChannel,
}

/// How whoever watches is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchChannel {
    /// Over a WebSocket.
    WebSocket {
        /// What is chosen of the subprotocols that were offered, where ours is among them.
        subprotocol: Option<&'static str>,
    },
    /// In an HTTP answer that does not end: Server-Sent Events.
    EventStream {
        /// The id of the event that was heard last, where the stream broke off.
        last_event_id: Option<String>,
    },
}

/// What came of an operation. A download has no outcome here: its bytes go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new upload.
    Created {
        /// As it stands.
        snapshot: Snapshot,
        /// What the deployment allows.
        limits: crate::plan::Limits,
        /// The token of this upload, where tokens are needed.
        upload_token: Option<String>,
    },
    /// These bytes are stored already.
    Duplicate(crate::ledger::StoredObject),
    /// The owner's uploads, newest first: a page of them.
    Listed {
        /// As they stand.
        uploads: Vec<Snapshot>,
        /// Where the next page goes on, if there is one.
        next: Option<EntryName>,
    },
    /// What the owner uses, and may use.
    Usage(crate::ledger::OwnerUsage),
    /// What the deployment allows.
    Discovered(crate::plan::Limits),
    /// A chunk was stored.
    Appended {
        /// To which upload.
        id: UploadId,
        /// How many bytes count now.
        uploaded_bytes: ByteCount,
        /// How long the file is, where that has been declared.
        file_bytes: Option<ByteCount>,
        /// When the upload ends unless it is complete by then.
        expires_at: crate::units::UnixMs,
        /// Where the upload is in its life.
        phase: crate::upload::Phase,
        /// The object, where the answer has waited for it.
        object: Option<crate::upload::ObjectFacts>,
    },
    /// Whether a chunk that was asked about counts.
    Found(bool),
    /// What came of a wish about direct parts.
    Presigned(crate::presigned::PresignResponse),
    /// Where to go on.
    Probed(Snapshot),
    /// How it stands.
    Status(Snapshot),
    /// Which parts it has.
    Manifest(Manifest),
    /// What has happened to it.
    History(UploadId, crate::history::History),
    /// It is being completed, or is complete.
    Completing(Snapshot),
    /// It is gone.
    Cancelled,
    /// Each of these is gone, or why it is not.
    DeletedMany(Vec<(UploadId, Result<(), BatchError>)>),
    /// The event is on its way again.
    Redelivering(Snapshot),
    /// A signed URL of the object.
    Linked {
        /// What stands in it behind the base URL.
        path_and_query: String,
        /// Until when it is good.
        expires_at: crate::units::UnixMs,
    },
    /// A link that takes one file.
    UploadLinked {
        /// What it is known by.
        id: LinkId,
        /// What its address ends with.
        token: String,
        /// Until when it is good.
        expires_at: crate::units::UnixMs,
    },
    /// The link takes no file any more. The upload that it has opened before, where it has.
    UploadLinkRevoked(LinkId, Option<UploadId>),
    /// What whoever runs the service is told.
    Admin(AdminOutcome),
}

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(&'static str, String)>,
    /// The body; none where there is none.
    pub body: Option<String>,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
#[path = "operation_tests.rs"]
mod tests;
