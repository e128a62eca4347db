//! A document whose members are read field by field, so that every complaint names its field.

use serde_json::{Map, Value};

use crate::{Head, body_type, file_words::MAX_NAME_BYTES};
use upload_types::{api_error::ApiError, json, units::UploadId};

/// What a file is called.
pub(super) const FILE_NAME: &str = "fileName";

/// The members of a JSON object, all of them known.
pub(super) fn read(head: &Head, body: &[u8], known: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let body: Value = json::from_slice(body).map_err(|error| body_type::not_json(head, &error))?;
    let Value::Object(fields) = body else {
        return Err(ApiError::bad_request("body", "is not a JSON object"));
    };
    // Silently ignoring what a client asked for (a digest under another name, say) would promise what nobody checks.
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(ApiError::bad_request(unknown, "is not a known field"));
    }
    Ok(fields)
}

/// The upload whose id stands before the last word of the path.
pub(super) fn upload(head: &Head) -> Result<UploadId, ApiError> {
    head.path.rsplit('/').nth(1).and_then(UploadId::parse).ok_or(ApiError::NotAnUploadId)
}

/// A field that may be missing or null.
pub(super) fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.remove(name).filter(|value| !value.is_null())
}

pub(super) fn flag(fields: &mut Map<String, Value>, name: &str) -> Result<bool, ApiError> {
    match take(fields, name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(ApiError::bad_request(name, "is neither true nor false")),
    }
}

pub(super) fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match take(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(name, "is not a string")),
    }
}

/// A name that is metadata only, and never a path.
pub(super) fn file_name(fields: &mut Map<String, Value>) -> Result<Option<String>, ApiError> {
    let Some(name) = text(fields, FILE_NAME)? else { return Ok(None) };
    if name.is_empty() {
        return Err(ApiError::bad_request(FILE_NAME, "is empty"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(ApiError::bad_request(FILE_NAME, format!("is longer than {MAX_NAME_BYTES} bytes")));
    }
    if name.chars().any(char::is_control) {
        return Err(ApiError::bad_request(FILE_NAME, "contains control characters"));
    }
    Ok(Some(name))
}
