//! The only way to the objects: one type per command, with the answer it gets.
//!
//! [`upload`] has the commands of an upload's object, [`direct`] those about parts that its client stores itself, [`ledger`] those of an
//! owner's, [`register`] those about all owners together.
//!
//! A command is a small JSON `POST` inside the platform's own network, and its answer is JSON, too: with 200 what was asked for, with 422
//! a refusal, which the client is to be told. Anything else is a fault. Every command may be sent twice,
//! where the first one's answer was lost: nothing is done twice, and the second answer says how things stand by then. That can
//! be a refusal where the first one did it: what was cancelled is gone, what was counted may have been taken over since.
//!
//! Every command says who asks, and an upload's object answers nobody but those whose upload it is: to others there is no
//! such upload. A command that does not say is no command.

pub mod delivery;
pub mod direct;
pub mod ledger;
pub mod register;
pub mod repair;
pub mod upload;

use std::{fmt::Display, time::Duration};

use crate::platform::error::{Error, Result};
use futures_util::{
    FutureExt as _,
    future::{LocalBoxFuture, Map},
};
use serde::{Serialize, de::DeserializeOwned};
use upload_types::{caller::Caller, json};
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

/// With this status an object says that it refuses, and why; with 200 that it has done what it was told. Any other is a fault.
const REFUSED: u16 = 422;

/// A call under way: the text of its answer, and how that is read.
pub type Call<'a, A> = Map<LocalBoxFuture<'a, Result<String>>, fn(Result<String>) -> Result<A>>;

/// Calls the object of this name: an upload's id, or an owner.
pub fn call<'a, C: Command>(objects: &'a ObjectClient, name: impl Display, command: &C) -> Call<'a, C::Answer> {
    let read: fn(Result<String>) -> Result<C::Answer> = |text| Ok(json::from_str(&text?)?);
    ask(objects, name.to_string(), C::NAME, serde_json::to_string(command)).map(read)
}

/// What is answered to a command. On the heap, and the same for all: each of its callers would have a copy of the state machine.
fn ask<'a>(
    objects: &'a ObjectClient,
    object: String,
    name: &'static str,
    command: serde_json::Result<String>,
) -> LocalBoxFuture<'a, Result<String>> {
    Box::pin(async move {
        let response = post(objects, &object, name, &command?.into(), None).await?;
        text(name, response).await
    })
}

/// The answer; `None` where it is refused. For whoever goes on then.
pub fn unless_refused<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Refused(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What was answered, if anything was.
async fn text(command: &str, mut response: Response) -> Result<String> {
    let text = response.text().await?;
    match response.status_code() {
        200 => Ok(text),
        REFUSED => Err(Error::Refused(json::from_str(&text)?)),
        _ => Err(Error::from(format!("{command}: {text}"))),
    }
}

/// Sends a command, and sends it again where it is not known whether it arrived: every command may be.
/// With a body of bytes, the command itself is said in a header.
async fn post(
    objects: &ObjectClient,
    object: &str,
    name: &str,
    body: &JsValue,
    command: Option<&str>,
) -> Result<Response> {
    let (point, caller) = (format!("object.{name}"), objects.caller.to_header());
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
        let stub = objects.objects.get_by_name(object)?;
        let answer = around(&point, stub.fetch_with_request(request.into())).await;
        let is_to_be_repeated = answer.as_ref().is_err_and(|error| !is_overloaded(error));
        match pauses.next().filter(|_| is_to_be_repeated) {
            Some(pause) => Delay::from(pause).await,
            None => return answer,
        }
    }
}

/// How an object is asked to open a socket.
pub(crate) const WATCH: &str = "watch";

/// Opens a socket to the object. Tried once: whoever wants to be told can also ask.
async fn connect(objects: &ObjectClient, name: impl Display) -> Result<WebSocket> {
    let mut request = Request::new(&format!("https://object/{WATCH}"), Method::Get)?;
    request.headers_mut()?.set("Upgrade", "websocket")?;
    request.headers_mut()?.set(CALLER_HEADER, &objects.caller.to_header())?;
    let response = objects.objects.get_by_name(&name.to_string())?.fetch_with_request(request).await?;
    if response.status_code() != 101 {
        text(WATCH, response).await?;
        return Err("neither a socket nor a refusal".into());
    }
    response.websocket().ok_or_else(|| Error::from("101 without a socket"))
}

/// An object that has too much to do is not helped by more.
fn is_overloaded(error: &Error) -> bool {
    let Error::Fault(worker::Error::UnknownJsError { original, .. }) = error else { return false };
    js_sys::Reflect::get(original, &"overloaded".into()).is_ok_and(|flag| flag.is_truthy())
}

/// What an object answers.
pub(crate) fn answer<T: Serialize>(answer: T) -> Result<Response> {
    Ok(Response::ok(serde_json::to_string(&answer)?)?)
}

/// What goes to the Worker: a refusal is an answer too; a fault is thrown.
pub(crate) fn respond(answered: Result<Response>) -> worker::Result<Response> {
    match answered {
        Err(Error::Refused(refusal)) => Ok(Response::ok(serde_json::to_string(&refusal)?)?.with_status(REFUSED)),
        Err(Error::Fault(fault)) => Err(fault),
        Ok(response) => Ok(response),
    }
}

/// Makes commands of types, and an enum of all that one kind of object takes.
macro_rules! commands {
    ($(#[$attribute:meta])* $all:ident: $($command:ident => $name:literal -> $answer:ty;)*) => {
        $(impl $crate::rpc::Command for $command {
            const NAME: &'static str = $name;
            type Answer = $answer;
        })*

        $(#[$attribute])*
        #[allow(clippy::large_enum_variant, reason = "there is one at a time")]
        pub(crate) enum $all {
            $($command($command)),*
        }

        impl $all {
            /// Reads the command of this name; `None` where there is none.
            pub(crate) fn read(name: &str, body: &str) -> $crate::platform::error::Result<Option<Self>> {
                Ok(Some(match name {
                    $($name => Self::$command(upload_types::json::from_str(body)?),)*
                    _ => return Ok(None),
                }))
            }
        }
    };
}
pub(crate) use commands;
