//! `Idempotency-Key`, for every protocol whose requests create something: repeating a request under its key creates nothing new
//! (draft-ietf-httpapi-idempotency-key-header).

use super::Head;
use upload_types::{api_error::ApiError, integrity::Sha256Digest, ledger::Idempotency};

/// The longest `Idempotency-Key`.
const MAX_KEY_BYTES: usize = 255;

/// The key, where there is one: as the IETF draft has it a quoted string, as most clients send it a bare one. `request` is
/// whatever must be the same when the key comes again.
pub(super) fn parse(head: &Head, request: &[u8]) -> Result<Option<Idempotency>, ApiError> {
    if !head.headers.contains_key("idempotency-key") {
        return Ok(None);
    }
    let key = head.header("idempotency-key").unwrap_or("");
    let key = key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(key);
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        let detail = format!("is not 1 to {MAX_KEY_BYTES} printable characters");
        return Err(ApiError::bad_request("Idempotency-Key", detail));
    }
    Ok(Some(Idempotency { key: key.to_owned(), request: Sha256Digest::of(request) }))
}
