//! Operations, carried out: each asks the upload's object. A chunk is more than a question: see `append`.

use durable_objects::rpc::{self, Cancel, Complete, CreateUpload, Probe, Redeliver, Status, ask};
use upload_core::{
    log_line::LogLine,
    operation::{Create, Operation, Outcome},
    plan::Plan,
    refusal::Refusal,
    session::Birth,
    units::{UnixMs, UploadId},
};
use web_sys::ReadableStream;
use worker::{Context, Env, Error, ObjectNamespace, Result};

use crate::{
    append, auth,
    config::Config,
    log::{self, Stopwatch, now_ms},
};

/// Which binding of wrangler.toml leads to the bucket.
pub(crate) const BUCKET_BINDING: &str = "BUCKET";

/// What an operation comes to: an outcome or a refusal; or else a fault, which is ours.
pub(crate) type Carried = Result<Result<Outcome, Refusal>>;

/// Carries out anything but a download. `host` is scheme and host of the request.
pub(crate) async fn carry_out(
    operation: Operation,
    body: Option<ReadableStream>,
    config: &Config,
    env: &Env,
    context: &Context,
    host: String,
) -> Carried {
    let objects = env.durable_object(rpc::NAMESPACE_BINDING)?;
    let answer = match operation {
        Operation::Create(create) => return self::create(create, config, &objects, host).await,
        Operation::Append(chunk) => return append::carry_out(chunk, body, config, env, context).await,
        Operation::Probe(id) => ask(&objects, id, &Probe).await?.map(Outcome::Probed),
        Operation::Status(id) => ask(&objects, id, &Status).await?.map(Outcome::Status),
        Operation::Complete(id) => ask(&objects, id, &Complete).await?.map(Outcome::Completing),
        Operation::Redeliver(id) => ask(&objects, id, &Redeliver).await?.map(Outcome::Redelivering),
        Operation::Cancel(id) => ask(&objects, id, &Cancel).await?.map(|()| Outcome::Cancelled),
        Operation::Download(_) => return Err(Error::from("a download has no outcome")),
    };
    Ok(answer)
}

async fn create(create: Create, config: &Config, objects: &ObjectNamespace, host: String) -> Carried {
    let owner = match auth::owner(config) {
        Ok(owner) => owner,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Ok(plan) = Plan::new(create.mode, create.file_bytes, create.chunk_bytes, config.limits) else {
        return Ok(Err(Refusal::UploadTooLarge { limit_bytes: config.limits.largest_file(create.mode) }));
    };
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::RustError(error.to_string()))?;
    let id = UploadId::from_random_bytes(random);
    let created_at = UnixMs(now_ms());
    let birth = Birth {
        id,
        owner,
        key: Config::object_key(id),
        file: create.file,
        plan,
        multipart_id: None,
        public_url: config.public_url.clone().unwrap_or(host),
        created_at,
        expires_at: created_at.plus_ms(config.upload_ttl_ms),
        policy: config.policy,
    };
    let watch = Stopwatch::start();
    let answer = ask(objects, id, &CreateUpload(birth)).await?;
    let answer = answer.map(|snapshot| {
        let line = LogLine::of("created", id);
        let bytes = Some(snapshot.plan.file_bytes);
        log::info(&LogLine { bytes, duration_ms: Some(watch.elapsed_ms()), ..line });
        Outcome::Created { snapshot, limits: config.limits }
    });
    Ok(answer)
}
