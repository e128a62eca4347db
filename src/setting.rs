//! One setting or secret, read as what it must be, or named with what is wrong with it. Which there are, and what they are for, stands in
//! `config`.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use js_sys::{Number, Reflect};
use upload_access::token::{Secret, is_at, is_safe_url};
use upload_types::{api_error::ApiError, units::ByteCount};
use wasm_bindgen::JsValue;
use web_sys::Url;
use worker::Env;

use crate::defaults;

/// How many secrets of one kind may be active: the newest, and the one before it.
const MAX_ACTIVE_SECRETS: usize = 2;

/// What is wrong with an object, a list or a number where text is meant. wrangler deploys any of them as a var.
const NO_TEXT: &str = "is not text: put it between quotes";

/// What is wrong with a setting, in words for whoever mends it.
#[derive(Debug)]
pub(crate) struct Complaint(pub(crate) String);

impl From<&ApiError> for Complaint {
    fn from(error: &ApiError) -> Self {
        Self(error.to_string())
    }
}

impl From<Complaint> for ApiError {
    fn from(Complaint(detail): Complaint) -> Self {
        Self::NotConfigured { detail }
    }
}

/// What is wrong with settings: all of it is said at once, to whoever mends them.
#[derive(Default)]
pub(crate) struct Complaints(Vec<String>);

impl Complaints {
    /// What was read, where it is right.
    pub(crate) fn hear<T>(&mut self, read: Result<T, Complaint>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(Complaint(complaint)) => {
                self.0.push(complaint);
                None
            }
        }
    }

    /// What was read; where it is not right, anything, since nothing is begun then.
    pub(crate) fn hear_or_default<T: Default>(&mut self, read: Result<T, Complaint>) -> T {
        self.hear(read).unwrap_or_default()
    }

    /// Everything that is wrong in one, or nothing.
    pub(crate) fn all(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::NotConfigured { detail: self.0.join(" ") }) }
    }
}

/// A setting that is missing, or is not what it must be.
pub(crate) fn missing(name: &str, complaint: &str) -> Complaint {
    Complaint([name, " ", complaint, "."].concat())
}

/// What stands under a name, where anything does.
enum Given {
    Text(String),
    Number(f64),
    /// An object, a list, true, false or null.
    Other,
}

/// `None` is what is not there, and that alone: a setting that cannot be read is never taken for one that was left out.
fn given(env: &Env, name: &str) -> Option<Given> {
    // A property that cannot be got at all is there.
    let value = Reflect::get(env, &name.into()).unwrap_or(JsValue::NULL);
    if value.is_undefined() {
        return None;
    }
    let number = || value.as_f64().map_or(Given::Other, Given::Number);
    Some(value.as_string().map_or_else(number, Given::Text))
}

/// A setting as text.
pub(crate) fn text(env: &Env, name: &str) -> Result<String, Complaint> {
    let value = match given(env, name) {
        Some(Given::Text(value)) => Some(value),
        Some(Given::Number(_) | Given::Other) => return Err(missing(name, NO_TEXT)),
        None => defaults::of(name).map(str::to_owned),
    };
    let value = value.ok_or_else(|| missing(name, "is missing from `vars` in wrangler's configuration"))?;
    Ok(value.trim().to_owned())
}

/// A setting that is a whole number. It may stand without quotes, where there is one way alone to read it.
pub(crate) fn number<T: FromStr>(env: &Env, name: &str) -> Result<T, Complaint> {
    let text = match given(env, name) {
        // Above 2^53 - 1 it may have been another number when it was written.
        Some(Given::Number(number)) if number > Number::MAX_SAFE_INTEGER => String::new(),
        Some(Given::Number(number)) => {
            Number::from(number).to_string_with_radix(10).map(String::from).unwrap_or_default()
        }
        _ => text(env, name)?,
    };
    text.parse().map_err(|_| missing(name, "is not a whole number that fits"))
}

pub(crate) fn byte_count(env: &Env, name: &str) -> Result<ByteCount, Complaint> {
    ByteCount::new(number(env, name)?).ok_or_else(|| missing(name, "is above 2^53 - 1"))
}

pub(crate) fn milliseconds(env: &Env, name: &str) -> Result<u64, Complaint> {
    number::<u32>(env, name).map(|seconds| u64::from(seconds) * 1000)
}

pub(crate) fn bound(env: &Env, name: &str) -> Result<Option<u64>, Complaint> {
    number(env, name).map(|bound: u64| (bound > 0).then_some(bound))
}

/// A secret, where it is set.
pub(crate) fn secret(env: &Env, name: &str) -> Result<Option<String>, Complaint> {
    match given(env, name) {
        Some(Given::Text(secret)) => Ok(Some(secret)),
        Some(Given::Number(_) | Given::Other) => Err(missing(name, NO_TEXT)),
        None => Ok(None),
    }
}

fn needed_secret(env: &Env, name: &str) -> Result<String, Complaint> {
    let hint = format!(
        "is not set. Run `wrangler secret put {name}`; locally it is in .dev.vars, which `npx quayside dev-vars` writes, or in a clone \
         `cargo xtask setup`"
    );
    secret(env, name)?.ok_or_else(|| missing(name, &hint))
}

/// A secret that may be two, with a space or a comma between them while one takes the other's place.
pub(crate) fn active_secrets(env: &Env, name: &str) -> Result<Vec<String>, Complaint> {
    let text = needed_secret(env, name)?;
    let secrets: Vec<_> = text.split([',', ' ', '\n']).filter(|one| !one.is_empty()).map(str::to_owned).collect();
    match secrets.len() {
        0 => Err(missing(name, "is empty")),
        count if count > MAX_ACTIVE_SECRETS => Err(missing(name, "has more than two secrets")),
        _ => Ok(secrets),
    }
}

/// Standard Webhooks, "Secrets": `whsec_` and 24 to 64 bytes in base64.
pub(crate) fn webhook_secrets(env: &Env, name: &str) -> Result<Vec<Secret>, Complaint> {
    let key = |text: &String| STANDARD.decode(text.strip_prefix("whsec_")?).ok().and_then(Secret::of_webhooks);
    let secrets = active_secrets(env, name)?.iter().map(key).collect::<Option<_>>();
    secrets.ok_or_else(|| missing(name, "is not `whsec_` and 24 to 64 bytes in base64"))
}

/// Whether nobody on the way sees or changes what is sent there.
pub(crate) fn is_unseen_address(url: &str) -> bool {
    let is_unseen = is_safe_url(url) || is_at(url, &["http://localhost:"]);
    is_unseen && Url::new(url).is_ok()
}
