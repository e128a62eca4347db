//! Operations, carried out: each asks the upload's object. What is more than a question has a
//! file of its own: `create`, `append`, `download`, `events`.

pub(crate) mod admission;
pub(crate) mod append;
pub(crate) mod append_stream;
pub(crate) mod await_object;
pub(crate) mod concat;
pub(crate) mod create;
pub(crate) mod download;
pub(crate) mod list;
pub(crate) mod presigned;
pub(crate) mod repair;
pub(crate) mod watch;

use durable_objects::platform::error::Result;
use durable_objects::rpc::{
    ask,
    repair::ShowManifest,
    upload::{Cancel, Complete, Probe, ReadTrail, Redeliver, Status},
};
use upload_core::{
    api_error::ApiError,
    operation::{Operation, Outcome, Wait},
    units::UploadId,
    upload::Snapshot,
};
use web_sys::ReadableStream;
use worker::Response;

use crate::context::{HandlerResult, RequestContext};

/// What a request is answered with.
pub(crate) enum Answer {
    /// Something to be said in the request's protocol.
    Outcome(Box<Outcome>),
    /// An object's bytes, and the upload that they are of.
    Object(Response, Box<Snapshot>),
    /// A WebSocket, opened.
    Socket(Response),
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(Box::new(outcome))
    }
}

/// Carries out any operation.
pub(crate) async fn answer(
    operation: Operation,
    body: Option<ReadableStream>,
    call: RequestContext<'_>,
) -> Result<Result<Answer, ApiError>> {
    let object = match &operation {
        Operation::Download(download) => download::serve(download, call).await?,
        Operation::Content(content) => match download::serve_owner(content, call).await? {
            // There is no object yet: how the upload stands is the answer.
            Err(ApiError::Incomplete { .. } | ApiError::Completing) => {
                return Ok(probe(content.id, Wait::No, call).await?.map(|now| Answer::from(Outcome::Status(now))));
            }
            served => served,
        },
        Operation::Watch(watch) => return Ok(watch::open(watch.clone(), call).await?.map(Answer::Socket)),
        _ => return Ok(handle(operation, body, call).await?.map(Answer::from)),
    };
    Ok(object.map(|(response, now)| Answer::Object(response, Box::new(now))))
}

/// Carries out anything but a download.
async fn handle(operation: Operation, body: Option<ReadableStream>, call: RequestContext<'_>) -> HandlerResult {
    let objects = call.uploads()?;
    Ok(match operation {
        Operation::Create(create) => create::handle(create, call).await?,
        Operation::CreateWith(create, first) => create::with_first_chunk(create, first, body, call).await?,
        Operation::CreateWithUnsized(create, end, wait) => create::with_unsized(create, end, wait, body, call).await?,
        Operation::Compose(create, wait) => concat::handle(create, wait, call).await?,
        Operation::Discover => Ok(Outcome::Discovered(call.config.limits)),
        Operation::List(after) => list::list(after, call).await?,
        Operation::Append(chunk) => append::handle(chunk, body, call).await?,
        Operation::AppendUnsized(chunk) => append_stream::handle(chunk, body, call).await?,
        Operation::Probe(id, wait) => probe(id, wait, call).await?.map(Outcome::Probed),
        Operation::Status(id) => ask(&objects, id, &Status).await?.map(Outcome::Status),
        Operation::History(id) => ask(&objects, id, &ReadTrail).await?.map(|trail| Outcome::History(id, trail)),
        Operation::Manifest(id) => ask(&objects, id, &ShowManifest).await?.map(Outcome::Manifest),
        Operation::Repair(id, sent_again) => repair::handle(id, sent_again, call).await?,
        Operation::Complete(id) => ask(&objects, id, &Complete).await?.map(Outcome::Completing),
        Operation::Redeliver(id) => ask(&objects, id, &Redeliver).await?.map(Outcome::Redelivering),
        Operation::Cancel(id) => {
            ask(&objects, id, &Cancel(call.access.delete_right)).await?.map(|()| Outcome::Cancelled)
        }
        Operation::Direct(id, wish) => presigned::handle(id, wish, call).await?,
        Operation::Download(_) | Operation::Content(_) | Operation::Watch(_) => {
            return Err("what flows by has no outcome".into());
        }
    })
}

async fn probe(id: UploadId, wait: Wait, call: RequestContext<'_>) -> Result<Result<Snapshot, ApiError>> {
    match ask(&call.uploads()?, id, &Probe).await? {
        Ok(now) => append::finish(now, wait, call).await,
        Err(refusal) => Ok(Err(refusal)),
    }
}
