//! Whose request it is.

use upload_core::refusal::Refusal;

use crate::config::{Auth, Config};

/// The owner of every upload where anybody may upload.
const ANYBODY: &str = "anonymous";

/// The owner of what this request creates.
pub(crate) fn owner(config: &Config) -> Result<String, Refusal> {
    match config.auth {
        Auth::Open => Ok(ANYBODY.to_owned()),
        Auth::Closed => Err(Refusal::Unauthorized),
    }
}
