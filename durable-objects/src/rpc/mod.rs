//! The only door to the objects: one type per command, with the answer it gets.
//!
//! [`upload`] has the commands of an upload's object, [`direct`] those about parts that its client stores itself, [`ledger`] those of an owner's.
//!
//! A command is a small JSON `POST` inside the platform's own network, and so is its answer: `{"ok": …}`, or
//! `{"refused": …}` where the client is to be told something. Anything else is a fault. Every command may be sent twice,
//! where the first one's answer was lost: nothing is done twice, and the second answer says how things stand by then. That can
//! be a refusal where the first one did it: what was cancelled is gone, what was counted may have been taken over since.

//!
//! Every command says who asks, and an upload's object answers nobody but those whose upload it is: to others there is no
//! such upload. A command that does not say is no command.

pub mod direct;
pub mod ledger;
pub mod repair;
pub mod upload;

use std::{fmt::Display, time::Duration};

use crate::platform::error::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use upload_core::{api_error::ApiError, caller::Caller};
use wasm_bindgen::JsValue;
use worker::{Delay, Env, Method, ObjectNamespace, Request, Response, WebSocket};

use crate::platform::fault_injection::around;

/// Something an object can be asked.
pub trait Command: Serialize + DeserializeOwned {
    /// What it is called on the way.
    const NAME: &'static str;
    /// What comes back.
    type Answer: Serialize + DeserializeOwned;
}

/// Which binding of wrangler.toml leads to the objects of uploads, by id.
pub const UPLOADS_BINDING: &str = "UPLOAD_SESSIONS";

/// Which binding leads to the ledgers, by owner.
pub const LEDGERS_BINDING: &str = "OWNER_LEDGERS";

/// The header in which it is said who asks.
const CALLER_HEADER: &str = "x-caller";

/// A way to objects, for somebody.
#[derive(Clone)]
pub struct ObjectClient {
    objects: ObjectNamespace,
    caller: Caller,
}

impl ObjectClient {
    /// To the objects of uploads, for this caller.
    pub fn to_uploads(env: &Env, caller: Caller) -> Result<Self> {
        Ok(Self { objects: env.durable_object(UPLOADS_BINDING)?, caller })
    }

    /// To the ledgers. Each is its owner's alone, and named by its owner, so there is nothing to compare.
    pub fn to_ledgers(env: &Env) -> Result<Self> {
        Ok(Self { objects: env.durable_object(LEDGERS_BINDING)?, caller: Caller::System })
    }
}

/// Who asks for this command.
pub(crate) fn caller(request: &Request) -> Result<Caller> {
    let said = request.headers().get(CALLER_HEADER)?;
    said.and_then(|header| Caller::from_header(&header)).ok_or_else(|| Error::from("a command that nobody asks for"))
}

/// How often a command is sent at most. An object that moves, or is restarted by a deployment or after a reset, is away for a second
/// or two: the seven pauses are 6.35 s together.
const MAX_TRIES: u32 = 8;

/// The first pause between two tries, doubled with each.
const FIRST_PAUSE_MS: u64 = 50;

/// The fields of an answer on the way, of which it has one.
const OK: &str = "ok";
const REFUSED: &str = "refused";

/// Asks the object of this name: an upload's id, or an owner. The outer error is a fault; the inner one is what the client is to be told.
pub async fn ask<C: Command>(
    door: &ObjectClient,
    name: impl Display,
    command: &C,
) -> Result<Result<C::Answer, ApiError>> {
    read_answer(&send(door, name.to_string(), C::NAME, serde_json::to_string(command)?).await?)
}

/// The part of asking that is the same for every command, and so is compiled once.
async fn send(door: &ObjectClient, object: String, command: &'static str, body: String) -> Result<String> {
    text(command, post(door, &object, command, &body.into(), None).await?).await
}

/// What was answered, if anything was.
async fn text(command: &str, mut response: Response) -> Result<String> {
    let text = response.text().await?;
    if response.status_code() == 200 { Ok(text) } else { Err(Error::from(format!("{command}: {text}"))) }
}

/// Sends a command, and sends it again where it is not known whether it arrived: every command may be.
/// With a body of bytes, the command itself is said in a header.
async fn post(
    door: &ObjectClient,
    object: &str,
    name: &str,
    body: &JsValue,
    command: Option<&str>,
) -> Result<Response> {
    let (point, caller) = (format!("object.{name}"), door.caller.to_header());
    let mut pauses = (0..MAX_TRIES - 1).map(|doublings| Duration::from_millis(FIRST_PAUSE_MS << doublings));
    loop {
        // Not `worker::RequestInit`, which carries settings for other networks: 6 kB of wasm.
        let init = web_sys::RequestInit::new();
        init.set_method("POST");
        init.set_body(body);
        let request = web_sys::Request::new_with_str_and_init(&format!("https://object/{name}"), &init)?;
        request.headers().set(CALLER_HEADER, &caller)?;
        if let Some(command) = command {
            request.headers().set(upload::COMMAND_HEADER, command)?;
        }
        // A stub that has failed once stays broken: each try gets its own.
        let stub = door.objects.get_by_name(object)?;
        let answer = around(&point, stub.fetch_with_request(request.into())).await;
        let is_to_be_repeated = answer.as_ref().is_err_and(|error| !is_overloaded(error));
        match pauses.next().filter(|_| is_to_be_repeated) {
            Some(pause) => Delay::from(pause).await,
            None => return answer,
        }
    }
}

/// Opens a socket to the object. Tried once: whoever wants to be told can also ask.
async fn connect(door: &ObjectClient, name: impl Display, command: &str) -> Result<Result<WebSocket, ApiError>> {
    let mut request = Request::new(&format!("https://object/{command}"), Method::Get)?;
    request.headers_mut()?.set("Upgrade", "websocket")?;
    request.headers_mut()?.set(CALLER_HEADER, &door.caller.to_header())?;
    let response = door.objects.get_by_name(&name.to_string())?.fetch_with_request(request).await?;
    if response.status_code() != 101 {
        let refused = read_answer::<()>(&text(command, response).await?)?;
        return refused.err().map(Err).ok_or_else(|| Error::from("neither a socket nor a refusal"));
    }
    response.websocket().map(Ok).ok_or_else(|| Error::from("101 without a socket"))
}

/// An object that has too much to do is not helped by more.
fn is_overloaded(error: &Error) -> bool {
    let worker::Error::UnknownJsError { original, .. } = &**error else { return false };
    js_sys::Reflect::get(original, &"overloaded".into()).is_ok_and(|flag| flag.is_truthy())
}

/// What was answered, not yet looked into.
fn open(text: &str) -> Result<Result<Value, ApiError>> {
    let mut answer: Map<String, Value> = serde_json::from_str(text)?;
    Ok(match (answer.remove(OK), answer.remove(REFUSED)) {
        (Some(answer), _) => Ok(answer),
        (None, Some(refusal)) => Err(serde_json::from_value(refusal)?),
        (None, None) => return Err(Error::from("an answer that is none")),
    })
}

fn read_answer<T: DeserializeOwned>(text: &str) -> Result<Result<T, ApiError>> {
    Ok(match open(text)? {
        Ok(answer) => Ok(serde_json::from_value(answer)?),
        Err(refusal) => Err(refusal),
    })
}

/// What an object answers.
pub(crate) fn answer<T: Serialize>(answer: Result<T, ApiError>) -> Result<Response> {
    written(answer.map(|answer| serde_json::to_string(&answer)))
}

/// The same, once the answer is JSON. The part of answering that is compiled once.
pub(crate) fn written(answer: Result<serde_json::Result<String>, ApiError>) -> Result<Response> {
    let (field, json) = match answer {
        Ok(json) => (OK, json?),
        Err(refusal) => (REFUSED, serde_json::to_string(&refusal)?),
    };
    Ok(Response::ok(format!("{{\"{field}\":{json}}}"))?)
}

macro_rules! commands {
    ($($command:ty => $name:literal -> $answer:ty;)*) => {
        $(impl $crate::rpc::Command for $command {
            const NAME: &'static str = $name;
            type Answer = $answer;
        })*
    };
}
pub(crate) use commands;
