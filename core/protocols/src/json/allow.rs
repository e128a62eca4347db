//! Which methods an address has.

use http::Method;

use crate::Head;
use upload_types::api_error::ApiError;

/// Refuses any other.
pub(super) fn allow(head: &Head, methods: &[Method]) -> Result<(), ApiError> {
    if methods.contains(&head.method) {
        return Ok(());
    }
    let allow: Vec<_> = methods.iter().map(Method::as_str).chain(["OPTIONS"]).collect();
    Err(ApiError::MethodNotAllowed { allow: allow.join(", ") })
}
