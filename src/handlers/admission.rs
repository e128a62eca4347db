//! What the owner's ledger says to a creation, followed up until it is clear what there is to do: create the upload, or show the one that
//! the same creation has made before, or the object that has these bytes already.

use durable_objects::platform::{
    error::{Error, Result},
    object_storage::ObjectStorage,
};
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{Admit, ForgetObject},
    upload::{FindObject, Status},
};
use upload_types::{
    api_error::ApiError,
    caller::Caller,
    ledger::{Admission, EntryName, StoredObject},
    units::UploadId,
    upload::Snapshot,
};
use worker::Env;

use crate::context::RequestContext;

/// So often the ledger is asked for one creation. Each time it has learned that something it knew is not there any more.
const MOST_QUESTIONS: usize = 4;

/// What there is to do.
pub(crate) enum Admitted {
    /// The upload is to be created, under this name.
    New(EntryName),
    /// It was created before. This is how it stands.
    Before(Box<Snapshot>),
    /// Its bytes are stored already.
    Stored(StoredObject),
}

/// Asks the ledger of this owner.
pub(crate) async fn ask_ledger(mut admit: Admit, owner: &str, context: RequestContext<'_>) -> Result<Admitted> {
    let (ledgers, objects) = (ObjectClient::to_ledgers(context.env)?, context.uploads()?);
    for _ in 0..MOST_QUESTIONS {
        match call(&ledgers, owner, &admit).await? {
            Admission::Opened(name) => return Ok(Admitted::New(name)),
            Admission::Repeated(earlier) => match call(&objects, earlier, &Status).await {
                // The first creation may have died between the ledger and the object, or all of it is long over and forgotten. The
                // ledger knows which.
                Err(Error::Refused(ApiError::UploadNotFound)) if !exists(earlier, context.env).await? => {
                    admit.instead_of = Some(earlier);
                }
                // It has been created meanwhile, or it is not the caller's.
                Err(Error::Refused(ApiError::UploadNotFound)) => {
                    let snapshot = call(&objects, earlier, &Status).await?;
                    return Ok(Admitted::Before(Box::new(snapshot)));
                }
                answer => return answer.map(|snapshot| Admitted::Before(Box::new(snapshot))),
            },
            Admission::Known(object) if is_still_there(&object, context.env).await? => {
                return Ok(Admitted::Stored(object));
            }
            Admission::Known(object) => call(&ledgers, owner, &ForgetObject { sha256: object.sha256 }).await?,
        }
    }
    Err("the ledger knows again and again what is not there".into())
}

/// Whether there is such an upload, whoever asks.
pub(crate) async fn exists(upload: UploadId, env: &Env) -> Result<bool> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    match call(&objects, upload, &Status).await {
        Ok(_) => Ok(true),
        Err(Error::Refused(refusal)) => Ok(refusal != ApiError::UploadNotFound),
        Err(fault) => Err(fault),
    }
}

/// The upload's object knows first when its file is to be deleted; when it has been forgotten, R2 alone knows.
async fn is_still_there(known: &StoredObject, env: &Env) -> Result<bool> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    match call(&objects, known.upload_id, &FindObject).await {
        Ok(_) | Err(Error::Refused(ApiError::UploadNotFound)) => {
            let found = ObjectStorage::open(env)?.head(&known.key).await?;
            Ok(found.is_some_and(|object| object.etag() == known.etag && object.size() == known.file_size.get()))
        }
        Err(Error::Refused(_)) => Ok(false),
        Err(fault) => Err(fault),
    }
}
