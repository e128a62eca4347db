//! The only door to the objects: one type per command, with the answer it gets.
//!
//! [`upload`] has the commands of an upload's object, [`direct`] those about parts that its client stores itself, [`ledger`] those of an owner's.
//!
//! A command is a small JSON `POST` inside the platform's own network, and so is its answer: `{"ok": …}`, or
//! `{"refused": …}` where the client is to be told something. Anything else is a fault. Every command may be sent twice,
//! where the first one's answer was lost: nothing is done twice, and the second answer says how things stand by then. That can
//! be a refusal where the first one did it: what was cancelled is gone, what was counted may have been taken over since.

pub mod direct;
pub mod ledger;
pub mod upload;

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use upload_core::refusal::Refusal;
use worker::{Delay, Error, Method, ObjectNamespace, Request, RequestInit, Response, Result};

use crate::faults::around;

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

/// How often a command is sent at most.
const MAX_TRIES: u32 = 3;

/// The first pause between two tries, doubled with each.
const FIRST_PAUSE_MS: u64 = 25;

/// An answer on the way.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wire<T> {
    Ok(T),
    Refused(Refusal),
}

/// Asks the object of this name: an upload's id, or an owner. The outer error is a fault; the inner one is what the client is to be told.
pub async fn ask<C: Command>(
    objects: &ObjectNamespace,
    name: impl Display,
    command: &C,
) -> Result<Result<C::Answer, Refusal>> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(serde_json::to_string(command)?.into()));
    read_answer(C::NAME, post::<C>(objects, name, &init).await?).await
}

/// Sends a command, and sends it again where it is not known whether it arrived: every command may be.
async fn post<C: Command>(objects: &ObjectNamespace, name: impl Display, init: &RequestInit) -> Result<Response> {
    let (name, point) = (name.to_string(), format!("object.{}", C::NAME));
    let mut tries = 0;
    loop {
        tries += 1;
        let request = Request::new_with_init(&format!("https://object/{}", C::NAME), init)?;
        // A stub that has failed once stays broken: each try gets its own.
        let stub = objects.get_by_name(&name)?;
        match around(&point, stub.fetch_with_request(request)).await {
            Err(error) if tries < MAX_TRIES && !is_overloaded(&error) => {
                Delay::from(Duration::from_millis(FIRST_PAUSE_MS << tries)).await;
            }
            answer => return answer,
        }
    }
}

/// An object that has too much to do is not helped by more.
fn is_overloaded(error: &Error) -> bool {
    let Error::UnknownJsError { original, .. } = error else { return false };
    js_sys::Reflect::get(original, &"overloaded".into()).is_ok_and(|flag| flag.is_truthy())
}

async fn read_answer<T: DeserializeOwned>(name: &str, mut response: Response) -> Result<Result<T, Refusal>> {
    if response.status_code() != 200 {
        return Err(Error::RustError(format!("{name}: {}", response.text().await?)));
    }
    Ok(match response.json::<Wire<T>>().await? {
        Wire::Ok(answer) => Ok(answer),
        Wire::Refused(refusal) => Err(refusal),
    })
}

/// What an object answers.
pub(crate) fn answer<T: Serialize>(answer: Result<T, Refusal>) -> Result<Response> {
    Response::from_json(&match answer {
        Ok(answer) => Wire::Ok(answer),
        Err(refusal) => Wire::Refused(refusal),
    })
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
