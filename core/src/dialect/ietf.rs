//! Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload), below `/files`.

use super::{Asked, Head, Parsed, json};
use crate::{
    operation::{Outcome, Reply},
    refusal::Refusal,
    units::UploadId,
};

/// Whether a request says that it speaks this dialect.
pub fn is_spoken(_head: &Head) -> bool {
    false
}

/// Understands a request's head.
pub fn parse(_head: &Head) -> Result<Parsed, Refusal> {
    Err(Refusal::NoSuchRoute)
}

/// The answer to what was done.
pub fn reply(_asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    json::reply(outcome)
}

/// The answer to what was not done.
pub fn problem(_asked: &Asked<'_>, refusal: &Refusal, upload: Option<UploadId>) -> Reply {
    json::problem(refusal, upload)
}
