//! What a damaged file's client does not send again is copied from the damaged object, a chunk at a time.

use durable_objects::{
    platform::{error::Result, object_storage::ObjectStorage},
    rpc::{ObjectClient, call, repair::BeginCopy, unless_refused},
};
use upload_types::{caller::Caller, units::UploadId};
use worker::Env;

use crate::queue::copy::{Copied, Copy};

/// Copies chunks of this upload from its damaged object, for as long as it is this message's turn.
pub(crate) async fn copy(upload: UploadId, env: &Env) -> Result<()> {
    let (objects, bucket) = (ObjectClient::to_uploads(env, Caller::System)?, ObjectStorage::open(env)?);
    let mut after = None;
    // A copy of a message that came late finds nothing to do, or somebody else at it.
    while let Some(batch) = unless_refused(call(&objects, upload, &BeginCopy { after }).await)?.flatten() {
        match Copy::new(upload, &batch, &objects, &bucket).run(async || Ok(true)).await? {
            // Where it was stopped, its client sends this chunk itself, or the upload has ended: which of them, the next question tells.
            Copied::All | Copied::Stopped => after = Some(batch.lease.attempt),
            Copied::GivenUp => break,
        }
    }
    Ok(())
}
