//! One request to somebody outside, and the answer, with an end to both: a time, and [`MOST_ANSWER_BYTES`]. A redirect is not followed: whoever asks
//! sets the request up by [`request`]. An answer that was cut short, or is longer, may have had more to say, and whoever asked is told so in
//! its place.

use std::time::Duration;

use durable_objects::platform::error::Result;
use futures_util::future::{Either, select};
use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{AbortController, AbortSignal, Delay, Env, Fetch, Response, ResponseBody};

use crate::transfer::body::{Body, Wanted};

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

/// So much of an answer is read: 64 KiB.
const MOST_ANSWER_BYTES: u32 = 64 * 1024;

/// Whom a request goes to.
pub(crate) enum Via<'a> {
    /// Whoever answers at its address.
    Network,
    /// The binding of this name.
    Binding(&'a str, &'a Env),
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The pause that it asks for.
    pub(crate) asked_seconds: Option<u32>,
    /// Whether it is said to be JSON.
    pub(crate) claims_json: bool,
    /// All of it, or what is wrong with it; empty where it was not to be read.
    pub(crate) body: Result<Vec<u8>, &'static str>,
}

impl Answer {
    /// The body, for whoever takes nothing that is not text.
    pub(crate) fn text(self) -> Result<String, &'static str> {
        String::from_utf8(self.body?).map_err(|_| "its answer is no UTF-8")
    }
}

/// A request with this body, or without one. Whoever can answer for its address alone may answer: nobody that it sends to.
pub(crate) fn request(method: &str, url: &str, body: Option<&str>) -> Result<web_sys::Request> {
    let init = web_sys::RequestInit::new();
    init.set_method(method);
    if let Some(body) = body {
        init.set_body(&body.into());
    }
    init.set_redirect(web_sys::RequestRedirect::Manual);
    Ok(web_sys::Request::new_with_str_and_init(url, &init)?)
}

/// Sends the request once and waits for the answer, or says why there is none. `is_read` says with which statuses an answer has something to say
/// in its body; that of any other is not read.
pub(crate) async fn send(
    request: web_sys::Request,
    via: Via<'_>,
    timeout_ms: u64,
    is_read: fn(u16) -> bool,
) -> Result<Answer, String> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let call = Box::pin(async {
        let response = match via {
            Via::Network => Fetch::Request(request.into()).send_with_signal(&signal).await?,
            Via::Binding(name, env) => ask_binding(&request, name, &signal, env).await?,
        };
        answer(&response, is_read).await
    });
    let answer = match select(call, Delay::from(Duration::from_millis(timeout_ms))).await {
        Either::Left((answer, _)) => answer.map_err(|error| error.to_string()),
        Either::Right(((), _)) => Err("did not answer in time".to_owned()),
    };
    let is_whole = answer.as_ref().is_ok_and(|answer| is_read(answer.status) && answer.body.is_ok());
    if !is_whole {
        // What is left of an answer that is not wanted would hold its connection.
        controller.abort();
    }
    answer
}

async fn ask_binding(request: &web_sys::Request, name: &str, signal: &AbortSignal, env: &Env) -> Result<Response> {
    let service: Service = Reflect::get(env, &name.into())?.unchecked_into();
    let init = web_sys::RequestInit::new();
    init.set_signal(Some(signal));
    let response = JsFuture::from(service.fetch(request, &init)?).await?;
    let response: web_sys::Response =
        response.dyn_into().map_err(|_| "a binding answers with something else than a Response")?;
    Ok(response.into())
}

async fn answer(response: &Response, is_read: fn(u16) -> bool) -> Result<Answer> {
    let status = response.status_code();
    let asked_seconds = response.headers().get("retry-after")?.and_then(|seconds| seconds.trim().parse().ok());
    let claims_json = response.headers().get("content-type")?.is_some_and(|media_type| media_type.contains("json"));
    let body = if is_read(status) { whole(response).await } else { Ok(Vec::new()) };
    Ok(Answer { status, asked_seconds, claims_json, body })
}

async fn whole(response: &Response) -> Result<Vec<u8>, &'static str> {
    match read(response).await {
        Ok(body) if body.len() > MOST_ANSWER_BYTES as usize => Err("its answer is too long, above 64 KiB"),
        Ok(body) => Ok(body),
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
