//! What the application is told or asked: a Standard Webhook (<https://www.standardwebhooks.com/>), which is a signed POST, over the network or
//! to a binding, which is another Worker or a function of the application that this Worker is mounted in.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use durable_objects::platform::error::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use upload_access::token::Secret;
use upload_types::{
    units::{ByteCount, UnixMs, UploadId},
    upload::FileInfo,
};
use worker::Env;

use crate::{
    bindings,
    exchange::{self, Answer, Via},
    log::now_ms,
};

/// Who is told, or asked.
#[derive(Clone)]
pub(crate) struct Receiver {
    /// The address that is asked for.
    url: String,
    /// The binding that is asked for it; none where it is the network.
    binding: Option<String>,
}

impl Receiver {
    /// The binding of this name, where there is one, asked for this address or for its own; or whoever answers at the address.
    pub(crate) fn of(env: &Env, binding: &'static str, url: Option<String>, own_url: &str) -> Option<Self> {
        if bindings::is_bound(env, binding) {
            return Some(Self::bound(binding.to_owned(), url.unwrap_or_else(|| own_url.to_owned())));
        }
        url.map(Self::at)
    }

    /// Whoever answers at this address.
    pub(crate) fn at(url: String) -> Self {
        Self { url, binding: None }
    }

    /// The binding of this name, asked for this address.
    pub(crate) fn bound(binding: String, url: String) -> Self {
        Self { url, binding: Some(binding) }
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

/// What came of a message.
pub(crate) enum Reply {
    /// An answer.
    Answer(Answer),
    /// None, for this reason.
    Silence(String),
}

/// Sends the message once, signed with each of these, or not at all where there are none, and waits for the answer.
pub(crate) async fn send(message: &Message<'_>, receiver: &Receiver, secrets: &[Secret], env: &Env) -> Result<Reply> {
    let request = exchange::request("POST", &receiver.url, Some(message.body))?;
    sign_request(&request, message, secrets)?;
    let via = receiver.binding.as_deref().map_or(Via::Network, |name| Via::Binding(name, env));
    let sent = exchange::send(request, via, message.timeout_ms, message.is_read).await;
    Ok(sent.map_or_else(Reply::Silence, Reply::Answer))
}

fn sign_request(request: &web_sys::Request, message: &Message<'_>, secrets: &[Secret]) -> Result<()> {
    let timestamp = i64::try_from(UnixMs(now_ms()).unix_seconds()).unwrap_or(i64::MAX);
    // Standard Webhooks, "Signature scheme": several signatures, space delimited, so that a secret can be replaced without a
    // moment in which a message is believed by nobody.
    let signed = format!("{}.{timestamp}.{}", message.id, message.body);
    let signatures: Option<Vec<_>> = secrets.iter().map(|secret| sign(secret, &signed)).collect();
    let signatures = signatures.ok_or_else(|| Error::from("the message could not be signed"))?.join(" ");
    let headers = request.headers();
    headers.set("content-type", "application/json")?;
    headers.set("user-agent", "quayside")?;
    headers.set("webhook-id", message.id)?;
    headers.set("webhook-timestamp", &timestamp.to_string())?;
    if !secrets.is_empty() {
        headers.set("webhook-signature", &signatures)?;
    }
    Ok(())
}

/// Standard Webhooks, "Signature scheme": HMAC-SHA-256 over the id, the time and the body, as `v1,` and base64.
fn sign(secret: &Secret, message: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    mac.update(message.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}
