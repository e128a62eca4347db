//! Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload-12 and later, interop version 9), below `/files`.
//!
//! `request` says what is asked and `render` what is answered, both in the words of the newest draft and no others. What
//! clients of older drafts say is put into these words before, and the answer into theirs afterwards: `version`.
//! Sections are those of the draft.

mod fields;
mod render;
mod request;
mod version;

pub use render::discovery;

use super::{Asked, Head, Parsed, body_type::media_type};
use fields::{COMPLETE, INCOMPLETE, INTEROP, PARTIAL_UPLOAD};
use upload_types::{
    api_error::ApiError,
    operation::{Operation, Outcome, Reply},
    units::UploadId,
    upload::Snapshot,
};
use version::Version;

/// Whether a request says that it speaks this protocol. Requests that only ask or cancel need not say so.
pub fn is_spoken(head: &Head) -> bool {
    [COMPLETE, INCOMPLETE, INTEROP].iter().any(|name| head.headers.contains_key(name))
        || media_type(head).as_deref() == Some(PARTIAL_UPLOAD)
}

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let version = Version::of(head);
    request::parse(&version.request(head), version.unfinished()).map(|operation| Parsed::Ready(Box::new(operation)))
}

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    adapted(asked, |asked| render::reply(asked, outcome))
}

/// The answer to what was not done.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    adapted(asked, |asked| render::problem(asked, refusal, upload))
}

/// The answer where something of ours went wrong.
pub fn fault(asked: &Asked<'_>, fault_id: &str, upload: Option<UploadId>) -> Reply {
    adapted(asked, |asked| render::fault(asked, fault_id, upload))
}

/// What the answer to a GET says of an upload beside the object's bytes ("Offset Retrieval": such an answer says the same as
/// one to HEAD).
pub fn content_headers(asked: &Asked<'_>, snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let headers = adapted(asked, |asked| render::state(asked, snapshot)).headers;
    // How the bytes may be cached, their own answer says.
    headers.into_iter().filter(|(name, _)| *name != "cache-control").collect()
}

/// What must be done besides when an operation was refused so: an upload that was sent more bytes than it has is invalid
/// from then on ("Upload Append": "marking the upload resource invalid and rejecting any further interaction with it").
pub fn consequence(head: &Head, refusal: &ApiError) -> Option<Operation> {
    match render::offset_first(head, refusal) {
        ApiError::BeyondDeclaredLength { .. } => request::upload_id(head).map(Operation::Cancel),
        _ => None,
    }
}

fn adapted(asked: &Asked<'_>, render: impl FnOnce(&Asked<'_>) -> Reply) -> Reply {
    let version = Version::of(asked.head);
    let head = version.request(asked.head);
    version.reply(render(&Asked { head: &head, ..*asked }))
}
