//! What the application is told or asked: a Standard Webhook (<https://www.standardwebhooks.com/>), which is a signed POST, over the network or
//! to a binding, which is another Worker or a function of the application that this Worker is mounted in. A redirect is not followed, and
//! of the answer no more is read than [`MOST_ANSWER_BYTES`]. One that was cut short, or is longer, may have had more to say, and whoever
//! asked is told so in its place.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use durable_objects::platform::error::{Error, Result};
use futures_util::future::{Either, select};
use hmac::{Hmac, KeyInit, Mac};
use js_sys::{Promise, Reflect};
use serde_json::{Value, json};
use sha2::Sha256;
use upload_access::token::Secret;
use upload_types::{
    units::{ByteCount, UnixMs, UploadId},
    upload::FileInfo,
};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{AbortController, AbortSignal, Delay, Env, Fetch, Request, Response, ResponseBody};

use crate::{
    bindings,
    log::now_ms,
    transfer::body::{Body, Wanted},
};

#[wasm_bindgen]
extern "C" {
    /// A binding with a `fetch`. Bound here because the `worker` crate takes nothing but the platform's own class for one.
    type Service;
    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &Service,
        request: &web_sys::Request,
        init: &web_sys::RequestInit,
    ) -> std::result::Result<Promise, JsValue>;
}

/// So much of an answer is read: 64 KiB. All that is asked of it is a status and a few words.
pub(crate) const MOST_ANSWER_BYTES: u32 = 64 * 1024;

/// Who is told, or asked.
#[derive(Clone)]
pub(crate) struct Receiver {
    /// The address that is asked for.
    url: String,
    /// The binding that is asked for it; none where it is the network.
    binding: Option<&'static str>,
}

impl Receiver {
    /// The binding of this name, where there is one, asked for this address or for its own; or whoever answers at the address.
    pub(crate) fn of(env: &Env, binding: &'static str, url: Option<String>, own_url: &str) -> Option<Self> {
        if bindings::is_bound(env, binding) {
            return Some(Self { url: url.unwrap_or_else(|| own_url.to_owned()), binding: Some(binding) });
        }
        url.map(|url| Self { url, binding: None })
    }

    /// Whether it is reached over the network.
    pub(crate) fn is_remote(&self) -> bool {
        self.binding.is_none()
    }
}

/// What is said.
pub(crate) struct Message<'a> {
    /// The same for each repetition. No `.`, which separates what is signed.
    pub(crate) id: &'a str,
    /// JSON.
    pub(crate) body: &'a str,
    /// How long the whole call may take.
    pub(crate) timeout_ms: u64,
    /// With which statuses an answer has something to say in its body. That of any other is not read.
    pub(crate) is_read: fn(u16) -> bool,
}

/// What is said of an upload in whatever is said of one, under the same names.
pub(crate) fn about(
    id: UploadId,
    owner: &str,
    file: &FileInfo,
    file_bytes: Option<ByteCount>,
    attached: &BTreeMap<String, String>,
) -> Value {
    json!({
        "uploadId": id,
        "owner": owner,
        "fileName": file.name,
        "contentType": file.content_type,
        "fileSize": file_bytes,
        "metadata": file.metadata,
        "attached": attached,
    })
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The pause that it asks for.
    pub(crate) asked_seconds: Option<u32>,
    /// Whether it is said to be JSON.
    pub(crate) claims_json: bool,
    /// All of it, or what is wrong with it; empty where it was not to be read.
    pub(crate) body: Result<String, &'static str>,
}

/// Sends the message once, signed with each of these, and waits for the answer; none where none came in time.
pub(crate) async fn send(
    message: &Message<'_>,
    receiver: &Receiver,
    secrets: &[Secret],
    env: &Env,
) -> Result<Option<Answer>> {
    let request = request(message, &receiver.url, secrets)?;
    let controller = AbortController::default();
    let signal = controller.signal();
    let call = Box::pin(async {
        let response = match receiver.binding {
            None => Fetch::Request(request).send_with_signal(&signal).await?,
            Some(binding) => ask_service(&request, binding, &signal, env).await?,
        };
        answer(&response, message.is_read).await
    });
    let answer = match select(call, Delay::from(Duration::from_millis(message.timeout_ms))).await {
        Either::Left((answer, _)) => answer.ok(),
        Either::Right(((), _)) => None,
    };
    let is_whole = answer.as_ref().is_some_and(|answer| (message.is_read)(answer.status) && answer.body.is_ok());
    if !is_whole {
        // What is left of an answer that is not wanted would hold its connection.
        controller.abort();
    }
    Ok(answer)
}

/// Hands the request to the binding.
async fn ask_service(request: &Request, binding: &str, signal: &AbortSignal, env: &Env) -> Result<Response> {
    let service: Service = Reflect::get(env, &binding.into())?.unchecked_into();
    let init = web_sys::RequestInit::new();
    init.set_signal(Some(signal));
    let response = JsFuture::from(service.fetch(request.inner(), &init)?).await?;
    let response: web_sys::Response =
        response.dyn_into().map_err(|_| "a binding answers with something else than a Response")?;
    Ok(response.into())
}

async fn answer(response: &Response, is_read: fn(u16) -> bool) -> Result<Answer> {
    let status = response.status_code();
    let asked_seconds = response.headers().get("retry-after")?.and_then(|seconds| seconds.trim().parse().ok());
    let claims_json = response.headers().get("content-type")?.is_some_and(|media_type| media_type.contains("json"));
    let body = if is_read(status) { whole(response).await } else { Ok(String::new()) };
    Ok(Answer { status, asked_seconds, claims_json, body })
}

async fn whole(response: &Response) -> Result<String, &'static str> {
    match read(response).await {
        Ok(body) if body.len() > MOST_ANSWER_BYTES as usize => Err("its answer is too long"),
        Ok(body) => Ok(String::from_utf8_lossy(&body).into_owned()),
        Err(_) => Err("its answer was cut short"),
    }
}

/// All of the answer, or its beginning where it is longer than it may be. An error where it ends before it should.
async fn read(response: &Response) -> Result<Vec<u8>> {
    let ResponseBody::Stream(stream) = response.body() else { return Ok(Vec::new()) };
    let one_too_many = MOST_ANSWER_BYTES + 1;
    let wanted = Wanted { least_bytes: one_too_many, room_bytes: one_too_many, most_bytes: one_too_many.into() };
    Ok(Body::new(stream)?.read(wanted).await?.to_vec())
}

fn request(message: &Message<'_>, url: &str, secrets: &[Secret]) -> Result<Request> {
    let timestamp = i64::try_from(UnixMs(now_ms()).unix_seconds()).unwrap_or(i64::MAX);
    // Standard Webhooks, "Signature scheme": several signatures, space delimited, so that a secret can be replaced without a
    // moment in which a message is believed by nobody.
    let signed = format!("{}.{timestamp}.{}", message.id, message.body);
    let signatures: Option<Vec<_>> = secrets.iter().map(|secret| sign(secret, &signed)).collect();
    let signatures = signatures.ok_or_else(|| Error::from("the message could not be signed"))?.join(" ");
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&message.body.into());
    // A redirect would send the signed message to somebody else: it is an answer that says nothing.
    init.set_redirect(web_sys::RequestRedirect::Manual);
    let request = web_sys::Request::new_with_str_and_init(url, &init)?;
    let headers = request.headers();
    headers.set("content-type", "application/json")?;
    headers.set("user-agent", "quayside")?;
    headers.set("webhook-id", message.id)?;
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
