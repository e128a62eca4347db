//! The commands of an upload's object.

use std::collections::BTreeMap;

use crate::platform::error::{Error, Result};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use upload_session::{
    event::Verdict,
    held_verdict::HeldVerdict,
    session::{
        BeginAppend, Commit, Committed, CopyBatch, DeleteRight, Growing, Hashed, PartialStatus, PartialUpload, Release,
        Renew, Signed, Slice, Slot, UploadSpec, Wanted, WriteLease,
    },
};
use upload_types::{
    admin::AdminView,
    chunk::Completion,
    history::History,
    integrity::Crc64Nvme,
    json,
    ledger::StoredObject,
    repair::Manifest,
    units::{ByteCount, UnixMs, UploadId},
    upload::{MetadataPatch, ObjectFacts, Snapshot},
};
use worker::WebSocket;

use super::{
    Command, ObjectClient, ask, commands, connect,
    delivery::{BeginDelivery, EndDelivery, EventFacts},
    direct::{AssembleParts, FindSigned, RecordParts, SignParts},
    post,
    repair::{BeginCopy, RepairUpload, ShowManifest},
    text,
};

/// The header in which a command travels whose body is bytes.
pub(crate) const COMMAND_HEADER: &str = "x-command";

/// Counts stored bytes, of which the last few come along, to be kept in the upload's object.
pub async fn commit_with_bytes(
    objects: &ObjectClient,
    upload: UploadId,
    commit: &Commit,
    bytes: &js_sys::Uint8Array,
) -> Result<Committed> {
    let command = serde_json::to_string(commit)?;
    let response = post(objects, &upload.to_string(), Commit::NAME, bytes, Some(&command)).await?;
    Ok(json::from_str(&text(Commit::NAME, response).await?)?)
}

/// Opens the bytes of the tail that are in rows, from `start` to `end`.
pub async fn read_tail(
    objects: &ObjectClient,
    upload: UploadId,
    start: ByteCount,
    end: ByteCount,
) -> Result<web_sys::ReadableStream> {
    let body = serde_json::to_string(&ReadTail { start, end })?.into();
    let response = post(objects, &upload.to_string(), ReadTail::NAME, &body, None).await?;
    match (response.status_code(), response.body()) {
        (200, worker::ResponseBody::Stream(stream)) => Ok(stream.clone()),
        (status, _) => Err(Error::from(format!("{}: {status}", ReadTail::NAME))),
    }
}

/// How an object is asked for cuts. No [`Command`]: what is asked and answered is a text.
pub(crate) const KEEP_CUTS: &str = "keep-cuts";

/// With this begins what is said to [`keep_cuts`] by somebody who wants to look at bytes that nobody has looked at. Behind it stands how much
/// is there, in whatever words: nobody looks where somebody who said the same has found nothing new.
pub const MAY_I_LOOK: &str = "?";

/// What is answered to them in place of the right to look, where somebody has found nothing new.
pub const NOTHING_NEW: &str = ".";

/// Where the file can be cut for a playlist, as far as somebody has looked. The answer's first line is the right to look, [`NOTHING_NEW`], or empty where
/// it was not asked for or somebody has it; then comes what is kept: a line that says what is known, and each other one is a cut.
///
/// What may be said is nothing, [`MAY_I_LOOK`], or what was found: a line with the right to look, and then, if there is anything, a line with what is known
/// now, and the cuts behind those that are kept. It counts where nobody else has got the right since, and no bytes were given up.
pub fn keep_cuts(objects: &ObjectClient, upload: UploadId, said: String) -> LocalBoxFuture<'_, Result<String>> {
    ask(objects, upload.to_string(), KEEP_CUTS, Ok(said))
}

/// Opens a socket on which the object tells how the upload stands, now and at every change.
pub async fn watch(objects: &ObjectClient, upload: UploadId) -> Result<WebSocket> {
    connect(objects, upload).await
}

/// The bytes of the tail that are in rows. Answered with the bytes themselves.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadTail {
    /// From here.
    pub(crate) start: ByteCount,
    /// To here.
    pub(crate) end: ByteCount,
}

/// Create the upload. The object itself fills in R2's id of the multipart upload, where one is opened at once. The chunk that came with
/// it begins at once, unless it has to ask for itself.
#[derive(Serialize, Deserialize)]
pub struct CreateUpload {
    /// The upload.
    pub spec: UploadSpec,
    /// Its first chunk, where it came with one.
    pub first: Option<BeginAppend>,
}

/// Create an upload that shares the object of another one: its bytes are stored already.
#[derive(Serialize, Deserialize)]
pub struct CreateDuplicate {
    /// The upload, as [`UploadSpec::duplicate_of`] makes it.
    pub spec: UploadSpec,
    /// What it shares.
    pub stored: StoredObject,
}

/// An upload that was created.
#[derive(Serialize, Deserialize)]
pub struct Begun {
    /// How it stands.
    pub snapshot: Snapshot,
    /// The right to store the chunk. None where there is no chunk, or it has to ask: the upload was there already, or something must be done
    /// first.
    pub lease: Option<WriteLease>,
}

/// Somebody has a chunk: take the right to store it, from whoever had it.
#[derive(Serialize, Deserialize)]
pub struct BeginChunk(pub BeginAppend);

/// What comes of it.
#[derive(Serialize, Deserialize)]
pub enum BeginAnswer {
    /// The right to store it.
    Leased(Box<WriteLease>),
    /// All its bytes count already.
    Counted(Box<Counted>),
}

/// A chunk whose bytes count already.
#[derive(Serialize, Deserialize)]
pub struct Counted {
    /// How the upload stands.
    pub now: Snapshot,
    /// The CRC of the bytes that count, where the chunk is exactly one part.
    pub crc64nvme: Option<Crc64Nvme>,
}

/// Where to go on; a running append ends.
#[derive(Serialize, Deserialize)]
pub struct Probe;

/// How it stands.
#[derive(Serialize, Deserialize)]
pub struct Status;

/// This is to be said of its file from now on.
#[derive(Serialize, Deserialize)]
pub struct Describe(pub MetadataPatch);

/// What has happened to it.
#[derive(Serialize, Deserialize)]
pub struct ReadHistory;

/// Nothing is missing before the offset; and so long is the file, where that is said.
#[derive(Serialize, Deserialize)]
pub struct Declare {
    /// Where the next byte would be.
    pub offset: ByteCount,
    /// The length of the file.
    pub file_bytes: Option<ByteCount>,
    /// Whether that is all, where all bytes are there.
    pub completes: Completion,
    /// The file's metadata, where more is said of it than at its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Answered once the upload is no longer completing, or after a while.
#[derive(Serialize, Deserialize)]
pub struct AwaitObject {
    /// How long the application may take from then on to say something to the client, in milliseconds.
    #[serde(default)]
    pub result_ms: u64,
}

/// Answered once so many bytes count, or none can be added any more, or after a while.
#[derive(Serialize, Deserialize)]
pub struct AwaitBytes {
    /// So many.
    pub bytes: ByteCount,
    /// The longest while, in milliseconds; the object may end it earlier.
    pub longest_ms: u64,
}

/// How the upload stands then, and whether somebody has been appending to it meanwhile: bytes that do not count yet may be on their way.
#[derive(Serialize, Deserialize)]
pub struct BytesAwaited(pub Snapshot, pub bool);

/// Where the bytes of a live upload are from some byte on. Answered once there are any, or none can come, or after a while.
#[derive(Serialize, Deserialize)]
pub struct ReadGrowing {
    /// From here.
    pub from: ByteCount,
    /// To here, where that is known: what lies behind is not named. A part or an object is named as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ByteCount>,
    /// The longest while, in milliseconds; the object may end it earlier.
    pub longest_ms: u64,
}

/// All bytes are there.
#[derive(Serialize, Deserialize)]
pub struct Complete;

/// Everything about it, for whoever runs the service.
#[derive(Serialize, Deserialize)]
pub struct ShowToAdmin;

/// Nothing shall remain, as far as whoever asks may want that.
#[derive(Serialize, Deserialize)]
pub struct Cancel(pub DeleteRight);

/// Send the event again: to the receiver of this name, or to each.
#[derive(Serialize, Deserialize)]
pub struct Redeliver(pub Option<String>);

/// The object, for a download.
#[derive(Serialize, Deserialize)]
pub struct FindObject;

/// The same, also where it is held: for whoever is to look at it.
#[derive(Serialize, Deserialize)]
pub struct FindForScanner;

/// What is to become of what is held.
#[derive(Serialize, Deserialize)]
pub struct Judge(pub HeldVerdict);

/// What of the object is to be read back next.
#[derive(Serialize, Deserialize)]
pub struct NextSlice;

/// What came of reading it back. Answered with whether it counts: a slice that was read twice counts once.
#[derive(Serialize, Deserialize)]
pub struct SliceHashed(pub Hashed);

/// What it is as a partial upload of another upload of this owner.
#[derive(Serialize, Deserialize)]
pub struct AsPartial {
    /// Whose the other upload is.
    pub owner: String,
    /// Until then it must not go. `None`: it is only asked about.
    pub until: Option<UnixMs>,
}

/// Which partial uploads the next batch would be copied from.
#[derive(Serialize, Deserialize)]
pub struct WantedPartials;

/// A batch is to be copied: this is how the wanted partial uploads stand, in order.
#[derive(Serialize, Deserialize)]
pub struct BeginCopyBatch(pub Vec<PartialStatus>);

/// A completed object and its upload.
#[derive(Serialize, Deserialize)]
pub struct FoundObject {
    /// Where it is.
    pub object: ObjectFacts,
    /// Since when it is there.
    pub completed_at: UnixMs,
    /// How the upload stands.
    pub snapshot: Snapshot,
    /// Until when the object is found through its upload, at least, unless it is deleted. None from an older build.
    #[serde(default)]
    pub forgotten_at: Option<UnixMs>,
    /// Whether its origin has taken it over, so that it is deleted once others have been told of it, too.
    #[serde(default)]
    pub is_about_to_be_taken: bool,
}

/// What the queue carries: where to ask, and for what. On the way it is `{"verify": {"uploadId": …}}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum QueueMessage {
    /// A receiver is to be told.
    #[serde(rename = "deliver-event")]
    Tell {
        /// The upload.
        upload_id: UploadId,
        /// What the settings call the receiver.
        receiver: String,
        /// The event.
        event_id: String,
    },
    /// The next batch is to be copied from the partial uploads.
    #[serde(rename = "concatenate")]
    Compose {
        /// The upload.
        upload_id: UploadId,
    },
    /// The next chunks are to be copied from the damaged object.
    #[serde(rename = "repair")]
    Copy {
        /// The upload.
        upload_id: UploadId,
    },
    /// The tail of a live upload that has ended is to be put into its last part.
    #[serde(rename = "store-last-part")]
    StoreLastPart {
        /// The upload.
        upload_id: UploadId,
    },
    /// The next slice of the object is to be read back.
    #[serde(rename = "verify")]
    Verify {
        /// The upload.
        upload_id: UploadId,
    },
}

impl QueueMessage {
    /// The upload it is about.
    pub fn upload_id(&self) -> UploadId {
        match self {
            Self::Tell { upload_id, .. }
            | Self::Compose { upload_id }
            | Self::Copy { upload_id }
            | Self::StoreLastPart { upload_id }
            | Self::Verify { upload_id } => *upload_id,
        }
    }
}

commands! {
    /// Every command of an upload's object.
    UploadCommand:
    CreateUpload => "create" -> Begun;
    CreateDuplicate => "create-duplicate" -> Snapshot;
    BeginChunk => "begin" -> BeginAnswer;
    Renew => "renew" -> ();
    Commit => "commit" -> Committed;
    Release => "release" -> ByteCount;
    ReadTail => "read-tail" -> ();
    Probe => "probe" -> Snapshot;
    Status => "status" -> Snapshot;
    ReadHistory => "read-history" -> History;
    ShowToAdmin => "show-to-admin" -> AdminView;
    Declare => "declare" -> Snapshot;
    AwaitObject => "await-object" -> Snapshot;
    AwaitBytes => "await-bytes" -> BytesAwaited;
    ReadGrowing => "read-growing" -> Growing;
    Complete => "complete" -> Snapshot;
    Cancel => "cancel" -> ();
    Redeliver => "redeliver" -> Snapshot;
    FindObject => "find-object" -> FoundObject;
    FindForScanner => "find-for-scanner" -> FoundObject;
    Judge => "judge" -> Snapshot;
    Describe => "describe" -> Snapshot;
    BeginDelivery => "begin-delivery" -> Option<EventFacts>;
    EndDelivery => "end-delivery" -> Verdict;
    AsPartial => "as-partial" -> PartialUpload;
    WantedPartials => "wanted-partials" -> Option<Wanted>;
    BeginCopyBatch => "begin-batch" -> Option<CopyBatch>;
    NextSlice => "next-slice" -> Option<Slice>;
    SliceHashed => "slice-hashed" -> bool;
    SignParts => "sign-parts" -> Vec<Slot>;
    RecordParts => "record-parts" -> Snapshot;
    FindSigned => "find-signed" -> Signed;
    AssembleParts => "assemble-parts" -> Snapshot;
    ShowManifest => "show-manifest" -> Manifest;
    RepairUpload => "repair" -> Snapshot;
    BeginCopy => "begin-copy" -> Option<CopyBatch>;
}
