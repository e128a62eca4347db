//! A creation whose bytes are stored already: its client sends nothing, and the origin and whoever else hears of that are told of it, with the name and the metadata of
//! this time and the key of the object that is there.

use durable_objects::platform::{
    error::{Error, Result},
    telemetry::log_line::LogLine,
};
use durable_objects::rpc::{
    ObjectClient, call,
    upload::{CreateDuplicate, Status},
};
use upload_session::session::{UploadSpec, was_repeated_in_time};
use upload_types::{
    ledger::{Idempotency, StoredObject},
    units::{UnixMs, UploadId},
};

use crate::{context::RequestContext, log};

/// Has them told, where there are any. `spec` is what would have been created. Until this is stored the client is not answered.
pub(crate) async fn tell(
    spec: UploadSpec,
    stored: &StoredObject,
    idempotency: Option<&Idempotency>,
    context: RequestContext<'_>,
) -> Result<()> {
    if !spec.tells_of_duplicates() {
        return Ok(());
    }
    let (objects, mut id) = (context.uploads()?, spec.id);
    if let Some(idempotency) = idempotency {
        let ids = spec.repeatable_ids(idempotency, stored);
        if was_told(ids.yesterday, spec.created_at, &objects).await? {
            return Ok(());
        }
        id = ids.today;
    }
    let command = CreateDuplicate { spec: spec.duplicate_of(stored, id), stored: stored.clone() };
    call(&objects, id, &command).await?;
    // Crash here: the origin is told, and the client is not. Without a key it asks again for what is another duplicate then.
    log::info(&LogLine { bytes: Some(stored.file_size), ..LogLine::of("duplicate", id) });
    Ok(())
}

/// Whether the same creation was told of under this id, and its key is not free again.
async fn was_told(id: UploadId, now: UnixMs, objects: &ObjectClient) -> Result<bool> {
    match call(objects, id, &Status).await {
        Ok(told) => Ok(was_repeated_in_time(told.created_at, now)),
        Err(Error::Refused(_)) => Ok(false),
        Err(fault) => Err(fault),
    }
}
