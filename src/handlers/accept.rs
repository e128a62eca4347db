//! The application is asked before an upload is created (`ACCEPT_HOOK`, or the binding `ACCEPT`): after its token, the limits and the pace of
//! creations have allowed it, and before anything is stored. It may narrow what the token allows, or refuse it. Where it does not answer,
//! nothing is created.

use durable_objects::platform::{error::Result, telemetry::log_line::LogLine};
use serde_json::{Value, json};
use upload_access::accept::{self, Verdict};
use upload_types::{
    api_error::{ApiError, RECOVERY_SECONDS},
    operation::Create,
    units::{UnixMs, UploadId},
    upload::Purpose,
};

use crate::{
    access::Principal,
    context::RequestContext,
    exchange::Answer,
    log::{self, Stopwatch, now_ms},
    signed_post::{self, Message},
};

/// A client waits for it with the body of its first chunk unread, and gives up by itself after half a minute or so; a lookup in the application's
/// database takes a hundredth of this.
const TIMEOUT_MS: u64 = 5_000;

/// The longest pause that the application can have a client make: an hour.
const LONGEST_PAUSE_SECONDS: u32 = 3_600;

/// Holds the creator to what the application says of this upload, where it is to be asked. Of a partial upload it never hears: it is asked about
/// what is put together from it.
pub(crate) async fn ask(
    create: &Create,
    id: UploadId,
    creator: &mut Principal,
    context: RequestContext<'_>,
) -> Result<()> {
    let config = context.config;
    let Some(hook) = config.accept.as_ref().filter(|_| create.purpose != Purpose::Partial) else { return Ok(()) };
    let watch = Stopwatch::start();
    let (message_id, body) = (message_id(id), question(create, id, creator, context.address).to_string());
    let message = Message { id: &message_id, body: &body, timeout_ms: TIMEOUT_MS, is_read: accept::is_verdict };
    let answer = signed_post::send(&message, hook, &config.webhook_secrets, context.env).await?;
    match verdict(answer.as_ref()) {
        Verdict::Accepted(bounds) => {
            bounds.check(create, None)?;
            creator.permit.narrow(*bounds, config.types.as_ref());
            Ok(())
        }
        Verdict::Refused { detail, code } => {
            Err(ApiError::RefusedByApplication { detail, application_code: code }.into())
        }
        Verdict::Unclear(why) => {
            log::error(&LogLine {
                status: answer.as_ref().map(|answer| answer.status),
                detail: Some(why.to_owned()),
                duration_ms: Some(watch.elapsed_ms()),
                ..LogLine::of("accept_failed", id)
            });
            Err(ApiError::AcceptHookFailed { retry_after_seconds: pause_seconds(answer.as_ref()) }.into())
        }
    }
}

/// Like those of events: no other message has it.
fn message_id(id: UploadId) -> String {
    format!("evt_{}_accept", id.simple())
}

/// The names are those of events.
fn question(create: &Create, id: UploadId, creator: &Principal, address: Option<&str>) -> Value {
    let Principal { owner, permit, .. } = creator;
    let mut data = signed_post::about(id, owner, &create.file, create.file_bytes, &permit.metadata);
    data["address"] = json!(address);
    data["idempotencyKey"] = json!(create.idempotency.as_ref().map(|idempotency| &idempotency.key));
    json!({ "type": "upload.accept", "timestamp": UnixMs(now_ms()).rfc3339(), "data": data })
}

fn verdict(answer: Option<&Answer>) -> Verdict {
    let Some(Answer { status, body, .. }) = answer else { return Verdict::Unclear("it did not answer in time") };
    match body {
        Ok(body) => accept::read(*status, body),
        Err(why) => Verdict::Unclear(why),
    }
}

fn pause_seconds(answer: Option<&Answer>) -> u32 {
    let asked = answer.and_then(|answer| answer.asked_seconds);
    asked.unwrap_or(RECOVERY_SECONDS).clamp(1, LONGEST_PAUSE_SECONDS)
}
