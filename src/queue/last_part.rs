//! The end of a live upload whose recorder has gone: its last bytes go from the tail into its last part.

use durable_objects::{
    platform::{error::Result, object_storage::ObjectStorage},
    rpc::{ObjectClient, call, unless_refused, upload::Status},
};
use upload_session::session::Continuation;
use upload_types::{caller::Caller, units::UploadId};
use worker::Env;

use crate::{
    config::Settings,
    context::TransferContext,
    handlers::{append, await_object},
    http::server_timing::Timings,
};

/// Stores the last part of this upload, if it still lacks one. A message that comes twice finds nothing to do, or takes the right to store
/// it from the one before.
pub(crate) async fn run(upload: UploadId, env: &Env) -> Result<()> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    let Some(now) = unless_refused(call(&objects, upload, &Status).await)? else { return Ok(()) };
    if !await_object::lacks_last_part(&now) {
        return Ok(());
    }
    let settings = Settings::of(env);
    let stalled_after = settings.config().map_err(ToString::to_string)?.stalled_after;
    let (bucket, timings) = (ObjectStorage::open(env)?, Timings::default());
    let storing = TransferContext { objects, bucket, stalled_after, timings };
    // Crash here: the upload's object has somebody asked again.
    let stored = append::store(append::last_part(&now), Continuation::default(), None, &storing).await;
    unless_refused(stored).map(drop)
}
