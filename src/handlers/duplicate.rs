//! A creation whose bytes are stored already: its client sends nothing, and the origin is told of it, with the name and the metadata of
//! this time and the key of the object that is there.

use durable_objects::platform::{error::Result, telemetry::log_line::LogLine};
use durable_objects::rpc::{call, upload::CreateDuplicate};
use sha2::{Digest, Sha256};
use upload_session::session::UploadSpec;
use upload_types::{
    ledger::{Idempotency, StoredObject},
    units::UploadId,
};

use crate::{context::RequestContext, log};

/// Has the origin told, where there is one. `spec` is what would have been created. Until this is stored the client is not answered.
pub(crate) async fn tell(
    spec: UploadSpec,
    stored: &StoredObject,
    idempotency: Option<&Idempotency>,
    context: RequestContext<'_>,
) -> Result<()> {
    if !spec.policy.tell_origin {
        return Ok(());
    }
    let id = idempotency.map_or(spec.id, |idempotency| repeatable_id(&spec.owner, idempotency, stored));
    let command = CreateDuplicate { spec: spec.duplicate_of(stored, id), stored: stored.clone() };
    call(&context.uploads()?, id, &command).await?;
    // Crash here: the origin is told, and the client is not. Without a key it asks again for what is another duplicate then.
    log::info(&LogLine { bytes: Some(stored.file_size), ..LogLine::of("duplicate", id) });
    Ok(())
}

/// The same for the same creation under its key, so that one whose answer was lost is told of once. The ledger remembers no key of what
/// it opens nothing for.
fn repeatable_id(owner: &str, Idempotency { key, request }: &Idempotency, stored: &StoredObject) -> UploadId {
    let mut hash = Sha256::new();
    // Each of them ends where the next begins, whatever is in it.
    for part in [owner, key, &request.to_string(), &stored.upload_id.to_string()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    UploadId::from_random_bytes(id)
}
