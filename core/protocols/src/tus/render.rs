//! Answers of tus to what was done.

use super::{EXTENSIONS, VERSION, checksum, concat, metadata};
use crate::{Asked, ietf, json};
use upload_types::{
    api_error::ApiError,
    http_date,
    operation::{Outcome, Reply},
    plan::{Limits, Mode},
    units::UnixMs,
    upload::{MAX_RESULT_BYTES, ObjectFacts, Phase, Snapshot},
};

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    let reply = match outcome {
        Outcome::Created { snapshot, .. } => created(asked, snapshot),
        Outcome::Appended { phase: Phase::Completing | Phase::Verifying, id, .. } => {
            return super::problem(asked, &ApiError::Completing, Some(*id));
        }
        Outcome::Appended { phase: Phase::Damaged, id, .. } => {
            let reason = "It does not have its declared digest.".to_owned();
            return super::problem(asked, &ApiError::UploadGone { phase: Phase::Failed, reason }, Some(*id));
        }
        Outcome::Appended { uploaded_bytes, expires_at, phase, object, .. } => {
            let reply = Reply::empty(204).with("upload-offset", uploaded_bytes.to_string());
            with_result(expiring(reply, *phase, *expires_at), object.as_ref())
        }
        Outcome::Probed(snapshot) if is_final(snapshot) => standing(200, snapshot),
        Outcome::Probed(snapshot) if !may_be_shown(snapshot) => {
            return super::problem(asked, &ApiError::Completing, Some(snapshot.id));
        }
        Outcome::Probed(snapshot) => standing(200, snapshot),
        // Asked for the bytes of an upload that has no object yet.
        Outcome::Status(snapshot) if !may_be_shown(snapshot) && !is_final(snapshot) => {
            Reply::empty(204).with("retry-after", "1")
        }
        Outcome::Status(snapshot) => standing(204, snapshot),
        Outcome::Cancelled => Reply::empty(204),
        Outcome::Discovered(limits) => discovery(limits),
        // Nothing that this protocol asks for has these outcomes.
        Outcome::Duplicate(_)
        | Outcome::Usage(_)
        | Outcome::Listed { .. }
        | Outcome::Manifest(_)
        | Outcome::History(..)
        | Outcome::Presigned(_)
        | Outcome::Completing(_)
        | Outcome::Found(_)
        | Outcome::Redelivering(_)
        | Outcome::DeletedMany(_)
        | Outcome::Admin(_)
        | Outcome::Linked { .. }
        | Outcome::UploadLinked { .. }
        | Outcome::UploadLinkRevoked(..) => json::reply(asked, outcome),
    };
    reply.with("tus-resumable", VERSION)
}

/// Whether the offset may be told: clients take one that equals the length for the whole file's success, so not while the
/// object is still being made. That of a final upload means nothing before.
fn may_be_shown(snapshot: &Snapshot) -> bool {
    let is_growing = !is_final(snapshot) && snapshot.plan.declared_bytes() != Some(snapshot.offset);
    snapshot.phase == Phase::Completed || is_growing
}

fn is_final(snapshot: &Snapshot) -> bool {
    metadata::given_concat(&snapshot.file).is_some_and(|given| concat::is_final(&given))
}

/// A new upload. Where all its bytes are there and its object is not yet, the offset is left out: the client asks.
fn created(asked: &Asked<'_>, snapshot: &Snapshot) -> Reply {
    let reply = Reply::empty(201).with("location", asked.file_url(snapshot.id));
    let reply = if may_be_shown(snapshot) {
        reply.with("upload-offset", snapshot.offset.to_string())
    } else {
        reply.with("retry-after", "1")
    };
    with_result(expiring(reply, snapshot.phase, snapshot.expires_at), snapshot.object.as_ref())
}

/// What the application has to say to the client, as JSON in ASCII: tus has no bodies for it. What has become too long for a header in that
/// is in the JSON status alone.
fn with_result(reply: Reply, object: Option<&ObjectFacts>) -> Reply {
    let result = object.and_then(|object| object.result.as_deref()).map(ascii);
    match result.filter(|result| result.len() <= MAX_RESULT_BYTES) {
        Some(result) => reply.with("upload-result", result),
        None => reply,
    }
}

/// The same JSON, whose characters beyond ASCII all stand in texts, with these escaped (RFC 8259, section 7).
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\x20'..='\x7e' => text.push(char),
            _ => text.extend(char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    text
}

/// How an upload stands.
fn standing(status: u16, snapshot: &Snapshot) -> Reply {
    let mut reply = Reply::empty(status).with("cache-control", "no-store");
    if may_be_shown(snapshot) {
        reply = reply.with("upload-offset", snapshot.offset.to_string());
    }
    reply = match snapshot.plan.declared_bytes() {
        Some(file_bytes) => reply.with("upload-length", file_bytes.to_string()),
        // Nobody will declare that of a final upload: it is that of its partial uploads.
        None if is_final(snapshot) => reply,
        None => reply.with("upload-defer-length", "1"),
    };
    for (name, given) in [
        ("upload-metadata", metadata::given(&snapshot.file)),
        ("upload-concat", metadata::given_concat(&snapshot.file)),
    ] {
        reply = given.into_iter().fold(reply, |reply, given| reply.with(name, given));
    }
    with_result(expiring(reply, snapshot.phase, snapshot.expires_at), snapshot.object.as_ref())
}

/// With the time at which the upload ends, unless it has come to its end.
fn expiring(reply: Reply, phase: Phase, expires_at: UnixMs) -> Reply {
    if phase == Phase::Open { reply.with("upload-expires", http_date::written(expires_at)) } else { reply }
}

/// An OPTIONS request need not say what it speaks: it is told of the other protocol at this address too.
fn discovery(limits: &Limits) -> Reply {
    Reply { headers: ietf::discovery(limits), ..Reply::empty(204) }
        .with("tus-version", VERSION)
        .with("tus-extension", EXTENSIONS)
        .with("tus-max-size", limits.largest_file(Mode::Sequential).to_string())
        .with("tus-checksum-algorithm", checksum::algorithms())
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
