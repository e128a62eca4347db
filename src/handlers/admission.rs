//! What the owner's ledger says to a creation, followed up until it is clear what there is to do: create the upload, or show the one that
//! the same creation has made before, or the object that has these bytes already.

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{Admit, ForgetObject},
    upload::Status,
};
use upload_session::session::UploadSpec;
use upload_types::{
    api_error::ApiError,
    caller::Caller,
    ledger::{Admission, EntryName, StoredObject, Used},
    units::UploadId,
    upload::Snapshot,
    upload_link::LinkUse,
};
use worker::Env;

use crate::{
    context::RequestContext,
    handlers::{
        known_bytes::{self, KnownBytes},
        upload_link,
    },
};

/// So often the ledger is asked for one creation. Each time more is known: that something is not there any more, or
/// is of no use to this creation.
const MOST_QUESTIONS: usize = 4;

/// What there is to do.
pub(crate) enum Admitted {
    /// The upload is to be created, under this name, and with this warning.
    New(EntryName, Option<Used>),
    /// It was created before. This is how it stands.
    Before(Box<Snapshot>),
    /// Its bytes are stored already.
    Stored(StoredObject),
}

/// Asks the ledger of the owner of what would be created.
pub(crate) async fn ask_ledger(mut admit: Admit, spec: &UploadSpec, context: RequestContext<'_>) -> Result<Admitted> {
    let owner = &spec.owner;
    let (ledgers, objects) = (ObjectClient::to_ledgers(context.env)?, context.uploads()?);
    for _ in 0..MOST_QUESTIONS {
        match call(&ledgers, owner, &admit).await? {
            Admission::Opened(name) => return Ok(Admitted::New(name, None)),
            Admission::OpenedBeyond(name, warning) => return Ok(Admitted::New(name, Some(warning))),
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
            Admission::LinkRevoked => return Err(ApiError::LinkRevoked.into()),
            Admission::LinkUsed(earlier) => {
                let free = upload_link::without_file(earlier, spec, context).await?;
                admit.link = admit.link.map(|link| LinkUse { instead_of: Some(free), ..link });
            }
            Admission::Known(object) => match known_bytes::look_at(&object, spec, context.env).await? {
                KnownBytes::Duplicate => return Ok(Admitted::Stored(object)),
                KnownBytes::Unsettled => admit.sha256 = None,
                KnownBytes::Gone => call(&ledgers, owner, &ForgetObject { sha256: object.sha256 }).await?,
            },
        }
    }
    // One after the other has come by the link meanwhile.
    if let Some(LinkUse { instead_of: Some(last), .. }) = admit.link {
        return Err(upload_link::in_use(last, upload_link::JUST_MOVED_MS));
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
