//! The application is asked before an upload is created (`ACCEPT_HOOK`, or the binding `ACCEPT`): after its token, the limits and the pace of
//! creations have allowed it, and before anything is stored. It may narrow what the token allows, or refuse it. Where it does not answer,
//! nothing is created.

use durable_objects::platform::{error, telemetry::log_line::LogLine};
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
    signed_post::{self, Message, Reply},
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
) -> error::Result<()> {
    let config = context.config;
    let Some(hook) = config.accept.as_ref().filter(|_| create.purpose != Purpose::Partial) else { return Ok(()) };
    let watch = Stopwatch::start();
    let (message_id, body) = (message_id(id), question(create, id, creator, context.address).to_string());
    let message = Message { id: &message_id, body: &body, timeout_ms: TIMEOUT_MS, is_read: accept::is_verdict };
    let told = match signed_post::send(&message, hook, &config.webhook_secrets, context.env).await? {
        Reply::Answer(answer) => Told::of(answer),
        Reply::Silence(why) => Told { status: None, pause_seconds: RECOVERY_SECONDS, verdict: Err(why) },
    };
    match told.verdict {
        Ok(Verdict::Accepted(bounds)) => {
            bounds.check(create, None)?;
            creator.permit.narrow(*bounds, config.types.as_ref());
            Ok(())
        }
        Ok(Verdict::Refused { detail, code }) => {
            Err(ApiError::RefusedByApplication { detail, application_code: code }.into())
        }
        Err(why) => {
            log::error(&LogLine {
                status: told.status,
                detail: Some(why),
                duration_ms: Some(watch.elapsed_ms()),
                ..LogLine::of("accept_failed", id)
            });
            Err(ApiError::AcceptHookFailed { retry_after_seconds: told.pause_seconds }.into())
        }
    }
}

/// What the application has said, if it did.
struct Told {
    status: Option<u16>,
    /// How long the client is to wait where nothing can be relied on.
    pause_seconds: u32,
    /// Or why it is none.
    verdict: Result<Verdict, String>,
}

impl Told {
    fn of(answer: Answer) -> Self {
        let (status, asked) = (answer.status, answer.asked_seconds.unwrap_or(RECOVERY_SECONDS));
        let verdict = answer.text().and_then(|body| accept::read(status, &body)).map_err(str::to_owned);
        Self { status: Some(status), pause_seconds: asked.clamp(1, LONGEST_PAUSE_SECONDS), verdict }
    }
}

/// Like those of events: no other message has it.
fn message_id(id: UploadId) -> String {
    format!("evt_{}_accept", id.simple())
}

/// The names are those of events.
fn question(create: &Create, id: UploadId, creator: &Principal, address: Option<&str>) -> Value {
    let Principal { owner, permit, link, .. } = creator;
    let mut data = signed_post::about(id, owner, &create.file, create.file_bytes, &permit.metadata);
    data["address"] = json!(address);
    if let Ok(Some(_)) = create.live.permitted(permit.live) {
        data["live"] = json!(true);
    }
    if let Some(link) = link {
        data["link"] = json!(link.facts);
    }
    data["idempotencyKey"] = json!(create.idempotency.as_ref().map(|idempotency| &idempotency.key));
    json!({ "type": "upload.accept", "timestamp": UnixMs(now_ms()).rfc3339(), "data": data })
}
