//! What parts of a form are told apart by: the boundary in its `Content-Type` (RFC 2046, section 5.1.1).

use crate::{Head, disposition::parameters};
use upload_types::api_error::ApiError;

/// The longest that the RFC allows.
const MAX_BYTES: usize = 70;

/// A boundary that is one: 1 to 70 of the characters that the RFC allows, none of which ends a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// The boundary that the request names.
    pub fn of(head: &Head) -> Result<Self, ApiError> {
        const FIELD: &str = "Content-Type";
        let parameters = parameters(head.header("content-type").unwrap_or_default());
        let Some((_, boundary)) = parameters.into_iter().find(|(name, _)| name == "boundary") else {
            let detail = "names no boundary. Leave the header to whatever makes the form: FormData, curl -F and HTTP libraries set it";
            return Err(ApiError::bad_request(FIELD, detail));
        };
        Self::parse(boundary).map_err(|detail| ApiError::bad_request(FIELD, detail))
    }

    fn parse(text: String) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err("has a boundary that is not 1 to 70 characters long");
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        if !text.bytes().all(is_allowed) || text.ends_with(' ') {
            return Err("has a boundary with a character that none may have");
        }
        Ok(Self(text))
    }

    /// As it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn of(content_type: &str) -> Result<Boundary, ApiError> {
        let headers = crate::Headers::of([("content-type", content_type)]);
        Boundary::of(&Head { method: Method::POST, path: String::new(), query: String::new(), headers })
    }

    #[test]
    fn it_stands_with_and_without_quotes() {
        let longest = format!("multipart/form-data; boundary={}", "b".repeat(70));
        for (content_type, expected) in [
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            ),
            ("multipart/form-data;boundary=\"a b:c\"; charset=utf-8", "a b:c"),
            ("multipart/form-data; charset=utf-8; Boundary=x", "x"),
            (longest.as_str(), &"b".repeat(70)),
        ] {
            assert_eq!(of(content_type).unwrap().as_str(), expected, "{content_type}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let too_long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        for wrong in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=a\u{e9}",
            "multipart/form-data; boundary=a@b",
            "multipart/form-data; x=\"boundary=a\"",
            too_long.as_str(),
        ] {
            match of(wrong) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, "Content-Type", "{wrong}"),
                other => panic!("{wrong}: {other:?}"),
            }
        }
    }
}
