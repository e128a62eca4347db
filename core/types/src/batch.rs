//! What came of doing one thing to several uploads: each decides for itself.

use crate::api_error::ApiError;

/// Why it was not done to one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// It was refused.
    Refused(ApiError),
    /// Nobody knows whether it was: it is to be asked for again.
    Unknown,
}
