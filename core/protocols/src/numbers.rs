//! Whole numbers as headers write them: decimal digits and nothing else; no sign, no space, no exponent.

use upload_types::{api_error::ApiError, units::ByteCount};

/// A count of bytes.
pub(super) fn byte_count(field: &str, text: &str) -> Result<ByteCount, ApiError> {
    let count = is_digits(text).then(|| text.parse().ok().and_then(ByteCount::new)).flatten();
    count.ok_or_else(|| ApiError::bad_request(field, "is not a whole number from 0 to 2^53 - 1"))
}

/// A count of bytes in which one above 2^53 - 1 is as good as that: no file is so long, and none has such an offset, so that
/// it is refused for what it means rather than for how it looks.
pub(super) fn capped_byte_count(field: &str, text: &str) -> Result<ByteCount, ApiError> {
    if !is_digits(text) {
        return Err(ApiError::bad_request(field, "is not a whole number in decimal digits"));
    }
    Ok(text.parse().ok().and_then(ByteCount::new).unwrap_or(ByteCount::MAX))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
