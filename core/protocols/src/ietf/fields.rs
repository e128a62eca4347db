//! The draft's fields by name, and reading them as structured fields (RFC 9651). A value of another type than its field has is
//! as good as none: "Other values MUST cause the entire header field to be ignored" ("State").

use sfv::{BareItem, Parser};

use crate::Head;
use upload_types::units::ByteCount;

/// `Upload-Complete`: a Boolean.
pub(super) const COMPLETE: &str = "upload-complete";

/// `Upload-Incomplete`: what drafts before -02 had in its place, the other way round.
pub(super) const INCOMPLETE: &str = "upload-incomplete";

/// `Upload-Offset`: a non-negative Integer, in bytes.
pub(super) const OFFSET: &str = "upload-offset";

/// `Upload-Length`: a non-negative Integer, in bytes.
pub(super) const LENGTH: &str = "upload-length";

/// The same, as refusals name it.
pub(super) const LENGTH_NAME: &str = "Upload-Length";

/// `Upload-Limit`: a Dictionary of Integers.
pub(super) const LIMIT: &str = "upload-limit";

/// `Upload-Draft-Interop-Version`: an Integer, as long as the standard is a draft.
pub(super) const INTEROP: &str = "upload-draft-interop-version";

/// The media type of an append.
pub(super) const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// A field that is an Item; `None` where it is missing or is none.
fn item(head: &Head, name: &str) -> Option<BareItem> {
    // A field sent twice is a list, whose Items are none.
    let mut values = head.headers.get_all(name);
    let (value, None) = (values.next()?, values.next()) else { return None };
    Parser::new(value).parse_item().ok()
}

/// A field that is a Boolean.
pub(super) fn boolean(head: &Head, name: &str) -> Option<bool> {
    item(head, name)?.as_boolean()
}

/// A field that is a non-negative Integer.
pub(super) fn byte_count(head: &Head, name: &str) -> Option<ByteCount> {
    integer(head, name).and_then(ByteCount::new)
}

/// A field that is a non-negative Integer.
pub(super) fn integer(head: &Head, name: &str) -> Option<u64> {
    i64::from(item(head, name)?.as_integer()?).try_into().ok()
}

/// A Boolean, written.
pub(super) fn written(complete: bool) -> &'static str {
    if complete { "?1" } else { "?0" }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::Headers;

    fn with(name: &'static str, values: &[&str]) -> Head {
        let headers = Headers::of(values.iter().map(|value| (name, *value)));
        Head { method: Method::POST, path: "/files".to_owned(), query: String::new(), headers }
    }

    #[test]
    fn values_of_another_type_are_ignored() {
        for (value, expected) in [
            ("?1", Some(true)),
            ("?0", Some(false)),
            ("?1;because=reasons", Some(true)), // parameters change nothing
            (" ?1 ", Some(true)),
            ("true", None),
            ("1", None),
            ("\"?1\"", None),
            ("?2", None),
            ("?1, ?1", None),
            ("", None),
        ] {
            assert_eq!(boolean(&with(COMPLETE, &[value]), COMPLETE), expected, "{value:?}");
        }
        for (value, expected) in [
            ("0", Some(0)),
            ("12500000", Some(12_500_000)),
            ("00012", Some(12)),
            ("999999999999999", Some(999_999_999_999_999)),
            ("1000000000000000", None), // sixteen digits are no Integer
            ("-1", None),
            ("1.0", None),
            ("1e3", None),
            ("?1", None),
            ("\"1\"", None),
            ("1 2", None),
            ("", None),
        ] {
            assert_eq!(integer(&with(OFFSET, &[value]), OFFSET), expected, "{value:?}");
        }
        assert_eq!(integer(&with(OFFSET, &["1", "1"]), OFFSET), None, "sent twice");
        assert_eq!(integer(&with(OFFSET, &[]), OFFSET), None);
    }
}
