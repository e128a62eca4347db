//! Copying an upload together from its partial uploads, a batch at a time: ranges of their objects go through the relay into parts of
//! equal size, each counted by itself. In the time of a queue message, not of a request, so that nobody waits for it.

use durable_objects::{
    platform::{
        error::{Error, Result},
        object_storage::ObjectStorage,
    },
    rpc::{
        ObjectClient, call, unless_refused,
        upload::{AsPartial, BeginCopyBatch, WantedPartials},
    },
};
use futures_util::{StreamExt as _, stream};
use upload_session::session::{PartialStatus, PartialUpload, Wanted};
use upload_types::{api_error::ApiError, caller::Caller, units::UploadId};
use worker::Env;

use crate::queue::copy::Copy;

/// So many partial uploads are asked at the same time: the platform lets an invocation wait for six answers at once, and this is not the only
/// thing that one does.
const ASKED_AT_ONCE: usize = 4;

/// Copies the next batch of this upload, if there is one to copy.
pub(crate) async fn run(upload: UploadId, env: &Env) -> Result<()> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    // A copy of a message that came late finds nothing to do, or somebody else at it.
    let wanted = unless_refused(call(&objects, upload, &WantedPartials).await)?.flatten();
    let Some(wanted) = wanted else { return Ok(()) };
    let statuses = ask_for(&wanted, &objects).await.into_iter().map(status).collect::<Result<_>>()?;
    let batch = unless_refused(call(&objects, upload, &BeginCopyBatch(statuses)).await)?.flatten();
    let Some(batch) = batch else { return Ok(()) };
    let bucket = ObjectStorage::open(env)?;
    // An object that R2 does not have may have been let go of just now, which its upload knows, and tells when it is asked again; if it
    // believes to have it, the bytes are lost.
    let is_lost = async || {
        let statuses: Vec<_> = ask_for(&wanted, &objects).await.into_iter().map(status).collect::<Result<_>>()?;
        Ok(statuses.iter().all(|status| matches!(status, PartialStatus::Alive(_))))
    };
    Copy::new(upload, &batch, &objects, &bucket).run(is_lost).await?;
    Ok(())
}

/// Asks for all of these partial uploads, which are kept from then on, if that is wanted. What each says, in order.
pub(crate) async fn ask_for(wanted: &Wanted, objects: &ObjectClient) -> Vec<Result<PartialUpload>> {
    let asked = wanted.partials.iter().map(|id| async move {
        let question = AsPartial { owner: wanted.owner.clone(), until: wanted.until };
        call(objects, id, &question).await.map_err(|error| match error {
            // One that is somebody else's is not told from one that is not there.
            Error::Refused(ApiError::UploadNotFound) => {
                ApiError::InvalidPartial { upload: *id, reason: "There is no such upload.".to_owned() }.into()
            }
            other => other,
        })
    });
    stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await
}

fn status(answer: Result<PartialUpload>) -> Result<PartialStatus> {
    match answer {
        Ok(partial) => Ok(PartialStatus::Alive(partial)),
        Err(Error::Refused(refusal)) => Ok(PartialStatus::Lost(refusal.to_string())),
        Err(fault) => Err(fault),
    }
}
