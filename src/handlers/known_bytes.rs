//! Whether bytes that the owner's ledger knows of are a duplicate for a creation that declares them: their object must be there still,
//! nobody may be about to have it deleted, and it must be of the type that the creation says.

use durable_objects::platform::{
    error::{Error, Result},
    object_storage::ObjectStorage,
};
use durable_objects::rpc::{ObjectClient, call, upload::FindObject};
use upload_session::session::{UploadSpec, may_be_shared};
use upload_types::{api_error::ApiError, bucket, caller::Caller, ledger::StoredObject};
use worker::{Env, Object};

/// What they are to it.
pub(crate) enum KnownBytes {
    /// There is nothing to send.
    Duplicate,
    /// To be sent all the same, and the ledger is right: the object is there, and its origin may have it deleted.
    Unsettled,
    /// The object is not there any more.
    Gone,
}

/// Looks at the object. The upload's own object knows first when it is to be deleted; when that has been forgotten, R2 alone knows.
/// Refuses a file that is not of the type which is declared now, where only some types are allowed.
pub(crate) async fn look_at(known: &StoredObject, spec: &UploadSpec, env: &Env) -> Result<KnownBytes> {
    // Whoever names no bucket has their file in that of all who name none.
    if !bucket::split(&known.key).0.is_empty() {
        return Ok(KnownBytes::Unsettled);
    }
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    match call(&objects, known.upload_id, &FindObject).await {
        Ok(found) if found.is_about_to_be_taken || !may_be_shared(&found.snapshot) => return Ok(KnownBytes::Unsettled),
        Ok(_) | Err(Error::Refused(ApiError::UploadNotFound)) => {}
        Err(Error::Refused(_)) => return Ok(KnownBytes::Gone),
        Err(fault) => return Err(fault),
    }
    let bucket = ObjectStorage::open(env)?;
    let is_it = |object: &Object| object.etag() == known.etag && object.size() == known.file_size.get();
    // One class B operation either way, which the call above has counted.
    let found = if spec.types.is_some() && !known.file_size.is_zero() {
        bucket.get_first_bytes(&known.key).await?
    } else {
        bucket.head(&known.key).await?.map(|object| (object, Vec::new()))
    };
    match found.filter(|(object, _)| is_it(object)) {
        Some((_, first_bytes)) => {
            spec.check_first_bytes(&first_bytes).map(|()| KnownBytes::Duplicate).map_err(Error::from)
        }
        None => Ok(KnownBytes::Gone),
    }
}
