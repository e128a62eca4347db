//! The only door to an upload's object: one type per command, with the answer it gets.
//!
//! A command is a small JSON `POST` inside the platform's own network, and so is its answer: `{"ok": …}`, or
//! `{"refused": …}` where the client is to be told something. Anything else is a fault. Every command may be sent twice:
//! where the first one's answer was lost, the second is answered with the same truth.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use upload_core::{
    event::{EventKind, RetryPolicy, Verdict},
    refusal::Refusal,
    session::{Begin, Birth, Commit, Committed, Grant, ObjectFacts, Release, Snapshot},
    units::{ByteCount, UnixMs, UploadId},
};
use worker::{Error, Headers, Method, ObjectNamespace, Request, RequestInit, Response, Result};

/// Something an upload's object can be asked.
pub trait Command: Serialize + DeserializeOwned {
    /// What it is called on the way.
    const NAME: &'static str;
    /// What comes back.
    type Answer: Serialize + DeserializeOwned;
}

/// Which binding of wrangler.toml leads to the objects.
pub const NAMESPACE_BINDING: &str = "UPLOAD_SESSIONS";

/// An answer on the way.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wire<T> {
    Ok(T),
    Refused(Refusal),
}

/// Asks the object of an upload. The outer error is a fault; the inner one is what the client is to be told.
pub async fn ask<C: Command>(
    objects: &ObjectNamespace,
    upload: UploadId,
    command: &C,
) -> Result<Result<C::Answer, Refusal>> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(serde_json::to_string(command)?.into()));
    read_answer(C::NAME, post::<C>(objects, upload, &init).await?).await
}

/// The header in which a command travels whose body is bytes.
pub(crate) const COMMAND_HEADER: &str = "x-command";

/// Counts stored bytes, of which the last few come along, to be kept in the upload's object.
pub async fn commit_with_bytes(
    objects: &ObjectNamespace,
    upload: UploadId,
    commit: &Commit,
    bytes: &js_sys::Uint8Array,
) -> Result<Result<Committed, Refusal>> {
    let headers = Headers::new();
    headers.set(COMMAND_HEADER, &serde_json::to_string(commit)?)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_body(Some(bytes.into()));
    read_answer(Commit::NAME, post::<Commit>(objects, upload, &init).await?).await
}

/// Opens the bytes of the tail that are in rows, from `start` to `end`.
pub async fn read_tail(
    objects: &ObjectNamespace,
    upload: UploadId,
    start: ByteCount,
    end: ByteCount,
) -> Result<web_sys::ReadableStream> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(serde_json::to_string(&ReadTail { start, end })?.into()));
    let response = post::<ReadTail>(objects, upload, &init).await?;
    match (response.status_code(), response.body()) {
        (200, worker::ResponseBody::Stream(stream)) => Ok(stream.clone()),
        (status, _) => Err(Error::RustError(format!("{}: {status}", ReadTail::NAME))),
    }
}

async fn post<C: Command>(objects: &ObjectNamespace, upload: UploadId, init: &RequestInit) -> Result<Response> {
    let request = Request::new_with_init(&format!("https://upload.object/{}", C::NAME), init)?;
    objects.get_by_name(&upload.to_string())?.fetch_with_request(request).await
}

async fn read_answer<T: DeserializeOwned>(name: &str, mut response: Response) -> Result<Result<T, Refusal>> {
    if response.status_code() != 200 {
        return Err(Error::RustError(format!("{name}: {}", response.text().await?)));
    }
    Ok(match response.json::<Wire<T>>().await? {
        Wire::Ok(answer) => Ok(answer),
        Wire::Refused(refusal) => Err(refusal),
    })
}

/// The bytes of the tail that are in rows. Answered with the bytes themselves.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadTail {
    /// From here.
    pub(crate) start: ByteCount,
    /// To here.
    pub(crate) end: ByteCount,
}

/// Create the upload. The object itself fills in R2's id of the multipart upload.
#[derive(Serialize, Deserialize)]
pub struct CreateUpload(pub Birth);

/// Where to go on; a running append ends.
#[derive(Serialize, Deserialize)]
pub struct Probe;

/// How it stands.
#[derive(Serialize, Deserialize)]
pub struct Status;

/// All bytes are there.
#[derive(Serialize, Deserialize)]
pub struct Complete;

/// Nothing shall remain.
#[derive(Serialize, Deserialize)]
pub struct Cancel;

/// Send the event again.
#[derive(Serialize, Deserialize)]
pub struct Redeliver;

/// The object, for a download.
#[derive(Serialize, Deserialize)]
pub struct FindObject;

/// An attempt at delivering the event begins.
#[derive(Serialize, Deserialize)]
pub struct BeginDelivery {
    /// The event, as the queue's message names it.
    pub event_id: String,
    /// How long the attempt may last, in milliseconds.
    pub attempt_ms: u64,
}

/// The attempt is over.
#[derive(Serialize, Deserialize)]
pub struct EndDelivery {
    /// The event.
    pub event_id: String,
    /// How it went.
    pub outcome: DeliveryOutcome,
}

/// The event has arrived in the dead-letter queue.
#[derive(Serialize, Deserialize)]
pub struct DeadLetter {
    /// The event.
    pub event_id: String,
}

/// How an attempt at delivering went.
#[derive(Serialize, Deserialize)]
pub enum DeliveryOutcome {
    /// The origin has it.
    Acknowledged {
        /// And wants the object deleted.
        discard: bool,
    },
    /// The origin did not take it.
    Refused {
        /// How patient to be.
        policy: RetryPolicy,
        /// The pause that the origin asked for.
        asked_seconds: Option<u32>,
    },
}

/// What the origin is told, but for the download URL, which only the Worker can sign.
#[derive(Serialize, Deserialize)]
pub struct EventFacts {
    /// The event's id; never changes.
    pub event_id: String,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: UnixMs,
    /// Whose upload it is.
    pub owner: String,
    /// Scheme and host for URLs.
    pub public_url: String,
    /// Everything else.
    pub snapshot: Snapshot,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// A completed object and what to say about it.
#[derive(Serialize, Deserialize)]
pub struct FoundObject {
    /// Where it is.
    pub object: ObjectFacts,
    /// How long it is.
    pub bytes: ByteCount,
    /// What the client called it.
    pub file_name: String,
    /// What the client said it is.
    pub content_type: Option<String>,
}

/// What the queue carries: where to ask, and for what.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventMessage {
    /// The upload.
    pub upload_id: UploadId,
    /// The event.
    pub event_id: String,
}

macro_rules! commands {
    ($($command:ty => $name:literal -> $answer:ty;)*) => {
        $(impl Command for $command {
            const NAME: &'static str = $name;
            type Answer = $answer;
        })*
    };
}

commands! {
    CreateUpload => "create" -> Snapshot;
    Begin => "begin" -> Grant;
    Commit => "commit" -> Committed;
    Release => "release" -> ();
    ReadTail => "read-tail" -> ();
    Probe => "probe" -> Snapshot;
    Status => "status" -> Snapshot;
    Complete => "complete" -> Snapshot;
    Cancel => "cancel" -> ();
    Redeliver => "redeliver" -> Snapshot;
    FindObject => "find-object" -> FoundObject;
    BeginDelivery => "begin-delivery" -> Option<EventFacts>;
    EndDelivery => "end-delivery" -> Verdict;
    DeadLetter => "dead-letter" -> ();
}
