//! Operations, carried out: each asks the upload's object. What is more than a question has a
//! file of its own: `create`, `append`.

use durable_objects::rpc::{
    self, ask,
    ledger::ListOpen,
    upload::{Cancel, Complete, Probe, Redeliver, Status},
};
use upload_core::{
    operation::{Operation, Outcome},
    refusal::Refusal,
};
use web_sys::ReadableStream;
use worker::{Context, Env, Error, Result};

use crate::{append, append_unsized, auth, config::Config, create};

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
    let objects = env.durable_object(rpc::UPLOADS_BINDING)?;
    let answer = match operation {
        Operation::Create(create) => return create::carry_out(create, config, env, host).await,
        Operation::CreateWith(create, first) => {
            return create::with_first_chunk(create, first, body, config, env, context, host).await;
        }
        Operation::Discover => Ok(Outcome::Discovered(config.limits)),
        Operation::List => return list(config, env).await,
        Operation::Append(chunk) => return append::carry_out(chunk, body, config, env, context).await,
        Operation::AppendUnsized(chunk) => return append_unsized::carry_out(chunk, body, config, env, context).await,
        Operation::Probe(id, wait) => match ask(&objects, id, &Probe).await? {
            Ok(now) => append::finish(now, wait, config, env, context).await?.map(Outcome::Probed),
            Err(refusal) => Err(refusal),
        },
        Operation::Status(id) => ask(&objects, id, &Status).await?.map(Outcome::Status),
        Operation::Complete(id) => ask(&objects, id, &Complete).await?.map(Outcome::Completing),
        Operation::Redeliver(id) => ask(&objects, id, &Redeliver).await?.map(Outcome::Redelivering),
        Operation::Cancel(id) => ask(&objects, id, &Cancel).await?.map(|()| Outcome::Cancelled),
        Operation::Download(_) | Operation::Content(_) | Operation::Watch(_) => {
            return Err(Error::from("bytes and sockets go by here"));
        }
    };
    Ok(answer)
}

async fn list(config: &Config, env: &Env) -> Carried {
    let owner = match auth::owner(config) {
        Ok(owner) => owner,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(ask(&env.durable_object(rpc::LEDGERS_BINDING)?, owner, &ListOpen).await?.map(Outcome::Listed))
}
