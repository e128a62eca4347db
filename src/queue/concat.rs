//! Copying an upload together from its pieces, a batch at a time: ranges of their objects go through the relay into parts of
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
use upload_core::{
    api_error::ApiError,
    caller::Caller,
    session::{PartialStatus, PartialUpload, Wanted},
    units::UploadId,
};
use worker::Env;

use crate::queue::copy::Copy;

/// So many pieces are asked at the same time: the platform lets an invocation wait for six answers at once, and this is not the only
/// thing that one does.
const ASKED_AT_ONCE: usize = 4;

/// Copies the next batch of this upload, if there is one to copy.
pub(crate) async fn run(upload: UploadId, env: &Env) -> Result<()> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    // A copy of a message that came late finds nothing to do, or somebody else at it.
    let wanted = unless_refused(call(&objects, upload, &WantedPartials).await)?.flatten();
    let Some(wanted) = wanted else { return Ok(()) };
    let standings = ask_for(&wanted, &objects).await?.into_iter().map(standing).collect();
    let batch = unless_refused(call(&objects, upload, &BeginCopyBatch(standings)).await)?.flatten();
    let Some(batch) = batch else { return Ok(()) };
    let bucket = ObjectStorage::open(env)?;
    // An object that R2 does not have may have been let go of just now, which its upload knows, and tells when it is asked again; if it
    // believes to have it, the bytes are lost.
    let is_lost = async || Ok(ask_for(&wanted, &objects).await?.iter().all(Result::is_ok));
    Copy::new(upload, &batch, &objects, &bucket).run(is_lost).await?;
    Ok(())
}

/// Asks for all of these pieces, which are kept from then on, if that is wanted. What each says, in order.
pub(crate) async fn ask_for(wanted: &Wanted, objects: &ObjectClient) -> Result<Vec<Result<PartialUpload, ApiError>>> {
    let asked = wanted.pieces.iter().map(|id| async move {
        let question = AsPartial { owner: wanted.owner.clone(), until: wanted.until };
        match call(objects, id, &question).await {
            Ok(partial) => Ok(Ok(partial)),
            // One that is somebody else's is not told from one that is not there.
            Err(Error::Refused(ApiError::UploadNotFound)) => {
                Ok(Err(ApiError::InvalidPartial { upload: *id, reason: "There is no such upload.".to_owned() }))
            }
            Err(Error::Refused(refusal)) => Ok(Err(refusal)),
            Err(fault) => Err(fault),
        }
    });
    let answers: Vec<Result<_>> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    answers.into_iter().collect()
}

fn standing(piece: Result<PartialUpload, ApiError>) -> PartialStatus {
    match piece {
        Ok(piece) => PartialStatus::Alive(piece),
        Err(refusal) => PartialStatus::Lost(refusal.to_string()),
    }
}
