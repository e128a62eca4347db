//! What a request says of the piece that it brings: fields of its form, or parameters of its query, and its headers.

use crate::{Head, numbers};
use upload_types::{api_error::ApiError, units::ByteCount};

/// All that was said before the first byte of the file.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The request.
    pub head: &'a Head,
    /// Names and values, in order.
    pub fields: &'a [(String, String)],
    /// What the file's part of the form calls it.
    pub file_name: Option<&'a str>,
    /// What the file's part of the form says that it is.
    pub content_type: Option<&'a str>,
}

impl Said<'_> {
    /// A field; the first, where it is there twice.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, ApiError> {
        self.field(name).ok_or_else(|| {
            ApiError::bad_request(name, "is missing: it must come before the file, as the library sends it")
        })
    }

    /// A count of bytes that must be there.
    pub(super) fn bytes(&self, name: &str) -> Result<ByteCount, ApiError> {
        numbers::byte_count(name, self.needed(name)?)
    }

    /// A number of pieces that must be there.
    pub(super) fn count(&self, name: &str) -> Result<u32, ApiError> {
        let count = self.bytes(name)?.get();
        u32::try_from(count).map_err(|_| ApiError::bad_request(name, "is larger than any number of chunks"))
    }
}
