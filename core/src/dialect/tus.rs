//! tus 1.0.0 (<https://tus.io/protocols/resumable-upload>), below `/files`.

use super::{Asked, Head, Parsed, json};
use crate::{
    operation::{Outcome, Reply},
    refusal::Refusal,
    units::UploadId,
};

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

/// The answer where something of ours went wrong.
pub fn fault(fault_id: &str, upload: Option<UploadId>) -> Reply {
    json::fault(fault_id, upload)
}
