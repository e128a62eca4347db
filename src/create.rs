//! A new upload: the owner's ledger admits it, and its object is created. Or there is nothing to create, because the same
//! creation was asked before, or because the same bytes are stored already.

use durable_objects::fault::{Error, Result};
use durable_objects::rpc::{
    Door, ask,
    ledger::{Admit, ForgetObject, Settle},
    upload::{Begun, Cancel, CreateAndBegin, CreateUpload, FindObject, Probe, Status},
};
use upload_core::{
    caller::Caller,
    chunk::Named,
    ledger::{Admission, Fingerprint, OpenUpload},
    log_line::LogLine,
    operation::{Append, Create, FirstChunk, Outcome, Wait},
    plan::{Mode, Plan},
    refusal::Refusal,
    session::{Begin, Birth, DeleteRight, Grant, Link, Policy},
    token::upload_token,
    units::{ByteCount, UnixMs, UploadId},
    upload::{Phase, Purpose, Snapshot},
};
use web_sys::ReadableStream;
use worker::Env;

use crate::{
    append,
    auth::{Creator, pace},
    call::Call,
    config::{Auth, Config},
    direct::S3Bucket,
    finishing,
    log::{self, Stopwatch, now_ms},
    uploads::{BUCKET_BINDING, Carried},
};

/// Creates the upload.
pub(crate) async fn carry_out(create: Create, call: Call<'_>) -> Carried {
    Ok(create_and_begin(create, None, call).await?.map(|(outcome, _)| outcome))
}

/// Creates the upload, and begins its first chunk in the same breath: then the right to store it comes along.
async fn create_and_begin(
    create: Create,
    first: Option<Begin>,
    call: Call<'_>,
) -> Result<Result<(Outcome, Option<Grant>), Refusal>> {
    let Call { config, env, .. } = call;
    let creator = match allowed(&create, call).await? {
        Ok(creator) => creator,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let limits = creator.permit.tighten(config.limits);
    let Ok(plan) = Plan::for_chunks(create.mode, create.file_bytes, create.chunking, limits) else {
        return Ok(Err(Refusal::UploadTooLarge { limit_bytes: limits.largest_file(create.mode) }));
    };
    let watch = Stopwatch::start();
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::from(error.to_string()))?;
    let id = UploadId::from_random_bytes(random);
    let created_at = UnixMs(now_ms());
    if create.mode == Mode::Direct {
        let proved = match S3Bucket::open(env) {
            Ok(bucket) => bucket.prove(id, created_at).await?,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = proved {
            return Ok(Err(refusal));
        }
    }
    let mut birth = Birth {
        id,
        owner: creator.owner,
        key: Birth::object_key(&creator.permit.key_prefix, id),
        purpose: create.purpose.clone(),
        file: create.file.clone(),
        plan,
        fits_request: plan.file_bytes <= limits.max_chunk_bytes,
        multipart_id: None,
        public_url: config.public_url.as_deref().map(|url| config.base_path.below(url)).unwrap_or_default(),
        created_at,
        // Of a piece the origin never hears: it is told of what is put together from it.
        policy: Policy { tell_origin: config.policy.tell_origin && create.purpose != Purpose::Piece, ..config.policy },
        created_with: creator.token,
        attached: creator.permit.metadata,
        types: creator.permit.types.or_else(|| config.types.clone()).filter(|_| create.purpose != Purpose::Piece),
    };
    let ledgers = Door::to_ledgers(env)?;
    let objects = call.uploads()?;
    let shown = |snapshot: Snapshot| {
        let upload_token = upload_token(snapshot.id, config);
        Outcome::Created { snapshot, limits, upload_token }
    };
    match admit(&create, &birth, config, env, &ledgers).await? {
        Ok(Admission::Opened) => {}
        // The first creation may have died between the ledger and the object: then this one goes on under its id.
        Ok(Admission::Repeated(earlier)) => match ask(&objects, earlier, &Status).await? {
            Err(Refusal::UploadNotFound) => birth.rename(earlier),
            answer => return Ok(answer.map(|snapshot| (shown(snapshot), None))),
        },
        Ok(Admission::Known(object)) => return Ok(Ok((Outcome::Duplicate(object), None))),
        Err(refusal) => return Ok(Err(refusal)),
    }
    // Dies here: the ledger has an entry without an upload, which goes with its expiry.
    let (id, owner) = (birth.id, birth.owner.clone());
    match created(&objects, birth, first).await? {
        Ok(Begun { snapshot, grant }) => {
            let line = LogLine {
                bytes: Some(snapshot.plan.declared_bytes().unwrap_or_default()),
                ..LogLine::of("created", id)
            };
            log::info(&LogLine { duration_ms: Some(watch.elapsed_ms()), ..line });
            Ok(Ok((shown(snapshot), grant)))
        }
        Err(refusal) => {
            // Where this fails, the entry goes with its expiry.
            let _expires = ask(&ledgers, &owner, &Settle { upload_id: id, object: None }).await;
            Ok(Err(refusal))
        }
    }
}

/// Has the object created, and its first chunk begun where there is one. While a deployment is under way the object may run the build
/// before, which knows only the creation: then the chunk asks for itself. So it does after any other failure, since a creation may
/// be repeated.
async fn created(objects: &Door, birth: Birth, first: Option<Begin>) -> Result<Result<Begun, Refusal>> {
    let id = birth.id;
    let birth = match first {
        None => birth,
        Some(first) => {
            let command = CreateAndBegin { birth, first };
            if let Ok(answer) = ask(objects, id, &command).await {
                return Ok(answer);
            }
            command.birth
        }
    };
    Ok(ask(objects, id, &CreateUpload(birth)).await?.map(|snapshot| Begun { snapshot, grant: None }))
}

/// Who creates it, where that is allowed: so large a file, of this type, so soon after the one before.
async fn allowed(create: &Create, call: Call<'_>) -> Result<Result<Creator, Refusal>> {
    let creator = match call.access.creator(&create.purpose) {
        Ok(creator) => creator.clone(),
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = creator.permit.check(create, call.config.types.as_ref()) {
        return Ok(Err(refusal));
    }
    // Where anybody may upload there is one owner, and one address.
    if let Auth::Tokens(_) = call.config.auth
        && let Err(refusal) = pace::count(call.env, &creator.owner, call.address).await?
    {
        return Ok(Err(refusal));
    }
    Ok(Ok(creator))
}

/// The token of this upload, where tokens are needed.
pub(crate) fn upload_token(upload: UploadId, config: &Config) -> Option<String> {
    match config.auth {
        Auth::Open => None,
        Auth::Tokens(_) => upload_token::mint(config.download_secrets.first()?, upload),
    }
}

/// Creates the upload and stores the bytes that came with the creation. Where they are cut short, the upload is there with
/// what counted of them; where they are not what they were said to be, nothing is.
pub(crate) async fn with_first_chunk(
    create: Create,
    first: FirstChunk,
    body: Option<ReadableStream>,
    call: Call<'_>,
) -> Carried {
    let limit_bytes = call.config.limits.max_chunk_bytes;
    if first.length > limit_bytes {
        return Ok(Err(Refusal::ChunkTooLarge { limit_bytes }));
    }
    if create.file_bytes.is_some_and(|file_bytes| first.length > file_bytes) {
        let (file_bytes, uploaded_bytes) = (create.file_bytes.unwrap_or_default(), ByteCount::ZERO);
        return Ok(Err(Refusal::BeyondDeclaredLength { file_bytes, uploaded_bytes }));
    }
    let (wait, length) = (first.wait, first.length);
    let whole = first.digest.is_some();
    let (offset, named, link) = (ByteCount::ZERO, Named::ByOffset, Link::default());
    let chunk = Begin { offset, length, file_bytes: None, whole, named, link };
    let (created, grant) = match create_and_begin(create, (!length.is_zero()).then_some(chunk), call).await? {
        Ok(created) => created,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Outcome::Created { snapshot, limits, upload_token } = created else { return Ok(Ok(created)) };
    let id = snapshot.id;
    let is_new = snapshot.phase == Phase::Open && snapshot.uploaded_bytes.is_zero();
    let objects = call.uploads()?;
    let stands = if !is_new {
        // Asked before, and the bytes of that request may still be on their way: the offset told now must be accepted.
        ask(&objects, id, &Probe).await?
    } else if length.is_zero() {
        Ok(snapshot)
    } else {
        let offset = ByteCount::ZERO;
        let named = Named::ByOffset;
        let chunk = Append { id, offset, named, length, file_bytes: None, digest: first.digest, wait: Wait::No };
        match append::in_background(chunk, grant, body, call).await {
            Ok(Ok(Outcome::Appended { uploaded_bytes, expires_at, phase, object, .. })) => {
                Ok(snapshot.appended(uploaded_bytes, expires_at, phase, object))
            }
            Ok(Err(refusal @ (Refusal::ChecksumMismatch { .. } | Refusal::FileDigestMismatch { .. }))) => {
                // Dies here, or fails: the upload is there without a byte, and expires.
                let _expires = ask(&objects, id, &Cancel(DeleteRight::Unfinished)).await;
                return Ok(Err(refusal));
            }
            // Whatever else went wrong, faults of ours too: the upload is there, and this is how it stands. A client that is not told
            // of it sends everything again, to another one.
            other => {
                if let Err(error) = other {
                    log::error(&LogLine { detail: Some(error.to_string()), ..LogLine::of("fault", id) });
                }
                ask(&objects, id, &Status).await?
            }
        }
    };
    let now = match stands {
        Ok(now) => finishing::finish(now, wait, call).await?,
        Err(refusal) => Err(refusal),
    };
    Ok(now.map(|snapshot| Outcome::Created { snapshot, limits, upload_token }))
}

/// Asks the ledger; once more where it knew an object that is not there any more.
async fn admit(
    create: &Create,
    birth: &Birth,
    config: &Config,
    env: &Env,
    ledgers: &Door,
) -> Result<Result<Admission, Refusal>> {
    let admit = Admit {
        upload: OpenUpload {
            upload_id: birth.id,
            file_name: birth.file.name.clone(),
            file_size: birth.plan.file_bytes,
            open_ended: birth.plan.open_ended,
            created_at: birth.created_at,
            // It moves with every byte; the ledger keeps the entry until the upload cannot be open any more.
            expires_at: birth.latest_end(),
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
    let objects = Door::to_uploads(env, Caller::System)?;
    match ask(&objects, known.upload_id, &FindObject).await? {
        Ok(_) | Err(Refusal::UploadNotFound) => {
            let found = env.bucket(BUCKET_BINDING)?.head(&known.key).await?;
            Ok(found.is_some_and(|object| object.etag() == known.etag && object.size() == known.file_size.get()))
        }
        Err(_) => Ok(false),
    }
}
