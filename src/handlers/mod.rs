//! Operations, carried out: each asks the upload's object. What is more than a question has a
//! file of its own: `create`, `append`, `download`, `events`.

mod accept;
mod admin;
pub(crate) mod admission;
pub(crate) mod append;
pub(crate) mod append_stream;
pub(crate) mod await_object;
pub(crate) mod concat;
mod content_headers;
pub(crate) mod create;
pub(crate) mod create_with;
pub(crate) mod download;
pub(crate) mod duplicate;
pub(crate) mod form;
mod growing;
pub(crate) mod keyed_chunk;
pub(crate) mod known_bytes;
pub(crate) mod left;
pub(crate) mod link;
pub(crate) mod list;
mod playlist;
pub(crate) mod presigned;
pub(crate) mod repair;
pub(crate) mod upload_link;
pub(crate) mod watch;
pub(crate) mod watch_all;

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{
    call,
    repair::ShowManifest,
    upload::{Cancel, Complete, Describe, Probe, ReadHistory, Redeliver, Status},
};
use upload_types::{
    api_error::ApiError,
    caller::Caller,
    operation::{MissingObject, Operation, Outcome, Wait},
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
    context: RequestContext<'_>,
) -> Result<Answer> {
    let (response, now) = match &operation {
        Operation::Download(download) => download::serve(download, context).await?,
        Operation::PublicFile(wanted) => download::serve_everybody(wanted, context).await?,
        Operation::Content(wanted) => match download::serve_owner(wanted, context).await {
            // There is no object yet: how the upload stands is the answer.
            Err(Error::Refused(ApiError::Incomplete { .. } | ApiError::Completing))
                if wanted.missing == MissingObject::Status =>
            {
                return Ok(Outcome::Status(probe(wanted.id, Wait::No, context).await?).into());
            }
            served => served?,
        },
        Operation::Watch(watch) => return watch::open(watch.clone(), context).await.map(Answer::Socket),
        Operation::WatchAll => return watch_all::open(context).await.map(Answer::Socket),
        _ => return handle(operation, body, context).await.map(Answer::from),
    };
    Ok(Answer::Object(response, Box::new(now)))
}

/// Carries out anything but a download.
async fn handle(operation: Operation, body: Option<ReadableStream>, context: RequestContext<'_>) -> HandlerResult {
    let objects = context.uploads()?;
    match operation {
        Operation::Create(create) => create::handle(create, context).await,
        Operation::CreateWith(create, first) => create_with::first_chunk(create, first, body, context).await,
        Operation::CreateWithUnsized(create, end, wait) => {
            create_with::unsized_body(create, end, wait, body, context).await
        }
        Operation::Compose(create, wait) => concat::handle(create, wait, context).await,
        Operation::Discover => Ok(Outcome::Discovered(context.config.limits)),
        Operation::List(query) => list::list(query, context).await,
        Operation::DeleteMany(ids) => list::delete(ids, context).await,
        Operation::Usage => list::usage(context).await,
        Operation::Append(chunk) => append::handle(chunk, body, context).await,
        Operation::AppendUnsized(chunk) => append_stream::handle(chunk, body, context).await,
        Operation::AppendKeyed(chunk) => keyed_chunk::append(chunk, body, context).await,
        Operation::FindKeyed(chunk) => keyed_chunk::find(chunk, context).await,
        Operation::Probe(id, wait) => probe(id, wait, context).await.map(Outcome::Probed),
        Operation::Status(id) => call(&objects, id, &Status).await.map(Outcome::Status),
        Operation::History(id) => call(&objects, id, &ReadHistory).await.map(|history| Outcome::History(id, history)),
        Operation::Manifest(id) => call(&objects, id, &ShowManifest).await.map(Outcome::Manifest),
        Operation::Repair(id, sent_again) => repair::handle(id, sent_again, context).await,
        Operation::Complete(id) => {
            let now = call(&objects, id, &Complete).await?;
            if now.live.is_some() && await_object::lacks_last_part(&now) {
                // Crash here: the upload's object has somebody else asked to do it.
                append::finish(now, Wait::No, context).await?;
                return call(&objects, id, &Status).await.map(Outcome::Completing);
            }
            Ok(Outcome::Completing(now))
        }
        Operation::Redeliver(id, receiver) => call(&objects, id, &Redeliver(receiver)).await.map(Outcome::Redelivering),
        Operation::Cancel(id) => {
            call(&objects, id, &Cancel(context.access.delete_right)).await.map(|()| Outcome::Cancelled)
        }
        // A link is good for days: no token that has run out gets one, though it still opens what was created with it. Nor does it say
        // otherwise what may be finished long since.
        Operation::Link(..) | Operation::Describe(..) if matches!(context.access.caller, Caller::Creator(_)) => {
            Err(ApiError::TokenExpired.into())
        }
        Operation::Link(id, wanted) => link::handle(id, &wanted, context).await,
        // What it was asked about is what it has let in.
        Operation::Describe(..) if context.config.accept.is_some() => {
            let detail = "The application has let it in as it is.".to_owned();
            Err(ApiError::NotPermitted { detail }.into())
        }
        Operation::Describe(id, wanted) => call(&objects, id, &Describe(wanted)).await.map(Outcome::Status),
        Operation::CreateUploadLink(wanted) => upload_link::create(wanted, context).await,
        Operation::RevokeUploadLink(id) => upload_link::revoke(id, context).await,
        Operation::Admin(asked) => admin::handle(asked, context).await,
        Operation::Direct(id, wish) => presigned::handle(id, wish, context).await,
        Operation::Download(_)
        | Operation::PublicFile(_)
        | Operation::Content(_)
        | Operation::Watch(_)
        | Operation::WatchAll => Err("an object or a socket is no outcome".into()),
    }
}

async fn probe(id: UploadId, wait: Wait, context: RequestContext<'_>) -> Result<Snapshot> {
    let now = call(&context.uploads()?, id, &Probe).await?;
    append::finish(now, wait, context).await
}
