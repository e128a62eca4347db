//! What protocols share in reading what a client says of its file: the bounds, what a name and a media type may be, and what headers say
//! where the body is the file.

use std::collections::BTreeMap;

use crate::{Head, body_type};
use upload_types::api_error::ApiError;
pub(super) use upload_types::upload::MAX_METADATA_BYTES;

/// The longest file name. File systems stop at 255 bytes; names from elsewhere may be longer.
pub(super) const MAX_NAME_BYTES: usize = 1024;

/// The longest media type (RFC 6838 allows 127 characters each for type and subtype, without parameters).
const MAX_CONTENT_TYPE_BYTES: usize = 255;

/// The longest list of codings: some twenty names of those that are registered.
const MAX_CODING_BYTES: usize = 255;

/// Whether this is a media type like `video/mp4`, with or without parameters, that can stand in a header.
pub(super) fn is_media_type(text: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or("").trim_end();
    let well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    well_formed
        && !text.chars().any(|sign| sign.is_ascii_control() && sign != '\t')
        && text.len() <= MAX_CONTENT_TYPE_BYTES
}

/// The media type in `Content-Type`, where the body is the file or its beginning; none where it is one of those that say something else
/// than what the file is.
pub(super) fn content_type(head: &Head, says_nothing: &[&str]) -> Result<Option<String>, ApiError> {
    let Some(essence) = body_type::media_type(head).filter(|essence| !says_nothing.contains(&essence.as_str())) else {
        return Ok(None);
    };
    let media_type = head.header("content-type").unwrap_or(&essence);
    if !is_media_type(media_type) {
        return Err(ApiError::bad_request("Content-Type", "is not a media type like `video/mp4`"));
    }
    Ok(Some(media_type.to_owned()))
}

/// The codings of the body, where it is the file: they stay on it, and whoever reads it must know them.
pub(super) fn codings(head: &Head) -> Result<BTreeMap<String, String>, ApiError> {
    const FIELD: &str = "Content-Encoding";
    let mut known = BTreeMap::new();
    if let Some(coding) = head.header("content-encoding").filter(|coding| !coding.is_empty()) {
        if coding.len() > MAX_CODING_BYTES {
            return Err(ApiError::bad_request(FIELD, format!("is longer than {MAX_CODING_BYTES} bytes")));
        }
        known.insert(FIELD.to_owned(), coding.to_owned());
    }
    Ok(known)
}

/// A name without control characters, cut to [`MAX_NAME_BYTES`]; `None` where nothing is left of it. For protocols in which a
/// name is a hint that nobody is refused for.
pub(super) fn clean_name(text: &str) -> Option<String> {
    let mut name: String = text.chars().filter(|char| !char.is_control()).collect();
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cleaned_and_cut_between_characters() {
        assert_eq!(clean_name("../a\u{7f}\tb").as_deref(), Some("../ab"));
        assert_eq!(clean_name("\0\r\n"), None);
        let cut = clean_name(&"🏖".repeat(300)).unwrap();
        assert_eq!(cut, "🏖".repeat(256));
        let cut = clean_name(&format!("a{}", "🏖".repeat(300))).unwrap();
        assert_eq!(cut.len(), 1021, "a character is not cut in two");
    }
}
