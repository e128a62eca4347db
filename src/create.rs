//! A new upload: the owner's ledger admits it, and its object is created. Or there is nothing to create, because the same
//! creation was asked before, or because the same bytes are stored already.

use durable_objects::rpc::{
    self, ask,
    ledger::{Admit, ForgetObject, Settle},
    upload::{CreateUpload, FindObject, Status},
};
use upload_core::{
    ledger::{Admission, Fingerprint, OpenUpload},
    log_line::LogLine,
    operation::{Create, Outcome},
    plan::Plan,
    refusal::Refusal,
    session::Birth,
    units::{UnixMs, UploadId},
};
use worker::{Env, Error, ObjectNamespace, Result};

use crate::{
    auth,
    config::Config,
    log::{self, Stopwatch, now_ms},
    uploads::{BUCKET_BINDING, Carried},
};

/// Creates the upload. `host` is scheme and host of the request.
pub(crate) async fn carry_out(create: Create, config: &Config, env: &Env, host: String) -> Carried {
    let owner = match auth::owner(config) {
        Ok(owner) => owner,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Ok(plan) = Plan::new(create.mode, create.file_bytes, create.chunk_bytes, config.limits) else {
        return Ok(Err(Refusal::UploadTooLarge { limit_bytes: config.limits.largest_file(create.mode) }));
    };
    let watch = Stopwatch::start();
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::RustError(error.to_string()))?;
    let id = UploadId::from_random_bytes(random);
    let created_at = UnixMs(now_ms());
    let mut birth = Birth {
        id,
        owner,
        key: Birth::object_key(id),
        file: create.file.clone(),
        plan,
        multipart_id: None,
        public_url: config.public_url.clone().unwrap_or(host),
        created_at,
        expires_at: created_at.plus_ms(config.upload_ttl_ms),
        policy: config.policy,
    };
    let ledgers = env.durable_object(rpc::LEDGERS_BINDING)?;
    let objects = env.durable_object(rpc::UPLOADS_BINDING)?;
    match admit(&create, &birth, config, env, &ledgers).await? {
        Ok(Admission::Opened) => {}
        // The first creation may have died between the ledger and the object: then this one goes on under its id.
        Ok(Admission::Repeated(earlier)) => match ask(&objects, earlier, &Status).await? {
            Err(Refusal::UploadNotFound) => birth.rename(earlier),
            answer => return Ok(answer.map(|snapshot| Outcome::Created { snapshot, limits: config.limits })),
        },
        Ok(Admission::Known(object)) => return Ok(Ok(Outcome::Duplicate(object))),
        Err(refusal) => return Ok(Err(refusal)),
    }
    // Dies here: the ledger has an entry without an upload, which goes with its expiry.
    let (id, owner) = (birth.id, birth.owner.clone());
    let answer = ask(&objects, id, &CreateUpload(birth)).await?;
    match answer {
        Ok(snapshot) => {
            let line = LogLine { bytes: Some(snapshot.plan.file_bytes), ..LogLine::of("created", id) };
            log::info(&LogLine { duration_ms: Some(watch.elapsed_ms()), ..line });
            Ok(Ok(Outcome::Created { snapshot, limits: config.limits }))
        }
        Err(refusal) => {
            // Where this fails, the entry goes with its expiry.
            let _expires = ask(&ledgers, &owner, &Settle { upload_id: id, object: None }).await;
            Ok(Err(refusal))
        }
    }
}

/// Asks the ledger; once more where it knew an object that is not there any more.
async fn admit(
    create: &Create,
    birth: &Birth,
    config: &Config,
    env: &Env,
    ledgers: &ObjectNamespace,
) -> Result<Result<Admission, Refusal>> {
    let admit = Admit {
        upload: OpenUpload {
            upload_id: birth.id,
            file_name: birth.file.name.clone(),
            file_size: birth.plan.file_bytes,
            created_at: birth.created_at,
            expires_at: birth.expires_at,
        },
        sha256: birth.file.sha256,
        idempotency: create.idempotency.clone(),
        quota: config.quota,
    };
    let admission = ask(ledgers, &birth.owner, &admit).await?;
    if let Ok(Admission::Known(known)) = &admission
        && !is_still_there(known, env).await?
    {
        let forget = ForgetObject { sha256: known.sha256 };
        let _forgotten = ask(ledgers, &birth.owner, &forget).await?;
        return ask(ledgers, &birth.owner, &admit).await;
    }
    Ok(admission)
}

/// The upload's object knows first when its file is to be deleted; when it has been forgotten, R2 alone knows.
async fn is_still_there(known: &Fingerprint, env: &Env) -> Result<bool> {
    let objects = env.durable_object(rpc::UPLOADS_BINDING)?;
    match ask(&objects, known.upload_id, &FindObject).await? {
        Ok(_) | Err(Refusal::UploadNotFound) => {
            let found = env.bucket(BUCKET_BINDING)?.head(&known.key).await?;
            Ok(found.is_some_and(|object| object.etag() == known.etag && object.size() == known.file_size.get()))
        }
        Err(_) => Ok(false),
    }
}
