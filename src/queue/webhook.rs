//! One attempt at telling the origin, as a Standard Webhook (<https://www.standardwebhooks.com/>): a signed POST, over the network or to
//! the binding `ORIGIN`, which is another Worker or a function of the application that this Worker is mounted in. Its 2xx answer is the
//! acknowledgement, once all of it is here. One that was cut short, or is longer than [`MOST_ANSWER_BYTES`], is none: it may have had
//! more to say, and the origin is told again.

use base64::{Engine, engine::general_purpose::STANDARD};
use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::upload::EventFacts;
use futures_util::future::{Either, select};
use hmac::{Hmac, KeyInit, Mac};
use js_sys::{Promise, Reflect};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use upload_access::token::Secret;
use upload_session::event::EventKind;
use upload_types::units::UnixMs;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{AbortController, AbortSignal, Delay, Env, Fetch, Request, Response, ResponseBody};

use crate::{
    access::signed_url,
    bindings,
    config::{Config, Origin},
    log::now_ms,
    transfer::body::{Body, Wanted},
};

#[wasm_bindgen]
extern "C" {
    /// The binding `ORIGIN`. Bound here because the `worker` crate takes nothing but the platform's own class for one.
    type Service;
    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &Service,
        request: &web_sys::Request,
        init: &web_sys::RequestInit,
    ) -> std::result::Result<Promise, JsValue>;
}

/// What the origin said.
pub(crate) enum Answer {
    /// It has the event.
    Acknowledged {
        /// And wants the object deleted.
        discard: bool,
    },
    /// It did not take it.
    Refused {
        /// The status, where there was an answer.
        status: Option<u16>,
        /// The pause it asked for.
        asked_seconds: Option<u32>,
        /// What was wrong with an answer whose status was not.
        why: Option<&'static str>,
    },
}

/// So much of an answer is read: 64 KiB. All that is asked of it is a status and perhaps a word.
const MOST_ANSWER_BYTES: u32 = 64 * 1024;

/// The answer's body, where it is JSON.
#[derive(Default, Deserialize)]
struct AnswerBody {
    disposition: Option<Disposition>,
}

/// What the origin wants done with the object.
#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Disposition {
    Keep,
    Delete,
}

/// Sends the event once and waits for the answer, no longer than the configured time.
pub(crate) async fn send(facts: &EventFacts, origin: &Origin, config: &Config, env: &Env) -> Result<Answer> {
    let now = UnixMs(now_ms());
    let body = body(facts, config)?.to_string();
    let request = request(facts, origin.url(), &body, now, config)?;
    let controller = AbortController::default();
    let signal = controller.signal();
    let call = Box::pin(async {
        let response = match origin {
            Origin::Url(_) => Fetch::Request(request).send_with_signal(&signal).await?,
            Origin::Service(_) => ask_service(&request, &signal, env).await?,
        };
        answer(response).await
    });
    let timeout = Delay::from(std::time::Duration::from_millis(config.webhook_timeout_ms));
    let answer = match select(call, timeout).await {
        Either::Left((Ok(answer), _)) => answer,
        Either::Left((Err(_), _)) | Either::Right(((), _)) => {
            Answer::Refused { status: None, asked_seconds: None, why: None }
        }
    };
    if let Answer::Refused { .. } = answer {
        // What is left of an answer that is not wanted would hold its connection.
        controller.abort();
    }
    Ok(answer)
}

/// Hands the request to the binding `ORIGIN`.
async fn ask_service(request: &Request, signal: &AbortSignal, env: &Env) -> Result<Response> {
    let service: Service = Reflect::get(env, &bindings::ORIGIN.into())?.unchecked_into();
    let init = web_sys::RequestInit::new();
    init.set_signal(Some(signal));
    let response = JsFuture::from(service.fetch(request.inner(), &init)?).await?;
    let response: web_sys::Response =
        response.dyn_into().map_err(|_| "ORIGIN answers with something else than a Response")?;
    Ok(response.into())
}

async fn answer(response: Response) -> Result<Answer> {
    let status = response.status_code();
    let asked_seconds = response.headers().get("retry-after")?.and_then(|seconds| seconds.trim().parse().ok());
    let refused = |why| Answer::Refused { status: Some(status), asked_seconds, why };
    if !(200..300).contains(&status) {
        return Ok(refused(None));
    }
    let claims_json = response.headers().get("content-type")?.is_some_and(|media_type| media_type.contains("json"));
    let body = match read(&response).await {
        Ok(body) if body.len() > MOST_ANSWER_BYTES as usize => return Ok(refused(Some("its answer is too long"))),
        Ok(body) => body,
        Err(_) => return Ok(refused(Some("its answer was cut short"))),
    };
    match serde_json::from_slice(&body) {
        Ok(AnswerBody { disposition }) => {
            Ok(Answer::Acknowledged { discard: disposition == Some(Disposition::Delete) })
        }
        // A cut shows in no other way where nobody says how long the answer is.
        Err(error) if error.is_eof() && claims_json && !body.is_empty() => {
            Ok(refused(Some("its answer is JSON that does not end")))
        }
        // An answer that is not our JSON says nothing about the object: it is kept.
        Err(_) => Ok(Answer::Acknowledged { discard: false }),
    }
}

/// All of the answer, or its beginning where it is longer than it may be. An error where it ends before it should.
async fn read(response: &Response) -> Result<Vec<u8>> {
    let ResponseBody::Stream(stream) = response.body() else { return Ok(Vec::new()) };
    let one_too_many = MOST_ANSWER_BYTES + 1;
    let wanted = Wanted { least_bytes: one_too_many, room_bytes: one_too_many, most_bytes: one_too_many.into() };
    Ok(Body::new(stream)?.read(wanted).await?.to_vec())
}

fn request(facts: &EventFacts, url: &str, body: &str, now: UnixMs, config: &Config) -> Result<Request> {
    let timestamp = i64::try_from(now.unix_seconds()).unwrap_or(i64::MAX);
    // Standard Webhooks, "Signature scheme": several signatures, space delimited, so that a secret can be replaced without a
    // moment in which an event is believed by nobody.
    let message = format!("{}.{timestamp}.{body}", facts.event_id);
    let signatures: Option<Vec<_>> = config.webhook_secrets.iter().map(|secret| sign(secret, &message)).collect();
    let signatures = signatures.ok_or_else(|| Error::from("the event could not be signed"))?.join(" ");
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&body.into());
    // A redirect would send the signed event to somebody else: it counts as not acknowledged.
    init.set_redirect(web_sys::RequestRedirect::Manual);
    let request = web_sys::Request::new_with_str_and_init(url, &init)?;
    let headers = request.headers();
    headers.set("content-type", "application/json")?;
    headers.set("user-agent", "quayside")?;
    headers.set("webhook-id", &facts.event_id)?;
    headers.set("webhook-timestamp", &timestamp.to_string())?;
    headers.set("webhook-signature", &signatures)?;
    Ok(request.into())
}

/// Standard Webhooks, "Signature scheme": HMAC-SHA-256 over the id, the time and the body, as `v1,` and base64.
fn sign(secret: &Secret, message: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    mac.update(message.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

fn body(facts: &EventFacts, config: &Config) -> Result<Value> {
    let snapshot = &facts.snapshot;
    let mut data = json!({
        "uploadId": snapshot.id,
        "key": facts.key,
        "owner": facts.owner,
        "fileName": snapshot.file.name,
        "contentType": snapshot.file.content_type,
        "fileSize": snapshot.plan.declared_bytes(),
        "metadata": snapshot.file.metadata,
        "attached": facts.attached,
        "createdAt": snapshot.created_at.rfc3339(),
        "endedAt": facts.ended_at.rfc3339(),
    });
    if let Some(original) = facts.duplicate_of {
        data["duplicateOf"] = json!(original);
    }
    if let Some(object) = &facts.object {
        data["etag"] = json!(object.etag);
        data["digests"] = json!({ "crc64nvme": object.crc64nvme });
        if let Some(sha256) = object.sha256 {
            data["digests"]["sha256"] = json!(sha256);
        }
    }
    // Without PUBLIC_URL there are no links: the binding `ORIGIN` is told all the same, and reads the bucket.
    if let Some(until) = facts.link_until.filter(|_| !facts.public_url.is_empty()) {
        let secret = config.download_secrets.first();
        let url = secret
            .and_then(|secret| signed_url::sign(secret, &facts.public_url, snapshot.id, until.unix_seconds()))
            .ok_or_else(|| Error::from("the download URL could not be signed"))?;
        data["downloadUrl"] = json!(url);
    }
    if facts.kind == EventKind::Deleted {
        data["deletedAt"] = json!(facts.occurred_at.rfc3339());
    }
    if let Some(reason) = &snapshot.reason {
        data["reason"] = json!(reason);
    }
    Ok(json!({ "type": facts.kind.name(), "timestamp": facts.occurred_at.rfc3339(), "data": data }))
}
