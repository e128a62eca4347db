//! `Content-Range` of a request: `bytes 0-99/1000` as in HTTP (RFC 9110, section 14.4), and what Google adds to it.

use crate::numbers::byte_count;
use upload_types::{api_error::ApiError, units::ByteCount};

/// What a request says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentRange {
    /// `bytes */*`: there is none; how far do bytes count?
    Question,
    /// `bytes */1000`: there is none; the file has so many bytes.
    Total(ByteCount),
    /// `bytes 0-99/1000`, `bytes 0-99/*`, `bytes 0-*/1000`, `bytes 0-*/*`.
    Bytes {
        /// Where it begins.
        first: ByteCount,
        /// Where it ends, inclusive; none where it goes on as long as the body.
        last: Option<ByteCount>,
        /// How long the file is; none where that is not known yet.
        total: Option<ByteCount>,
    },
}

const FIELD: &str = "Content-Range";

/// Understands the header.
pub(super) fn parse(text: &str) -> Result<ContentRange, ApiError> {
    let malformed = || {
        ApiError::bad_request(
            FIELD,
            "is not of the form `bytes first-last/total`, with inclusive ends, or `bytes */total`",
        )
    };
    let (range, total) = text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(malformed)?;
    let total = known(total)?;
    if range == "*" {
        return Ok(total.map_or(ContentRange::Question, ContentRange::Total));
    }
    let (first, last) = range.split_once('-').ok_or_else(malformed)?;
    let (first, last) = (byte_count(FIELD, first)?, known(last)?);
    if last.is_some_and(|last| last < first) {
        return Err(ApiError::bad_request(FIELD, "ends before it begins"));
    }
    if total.is_some_and(|total| last.is_some_and(|last| last >= total) || first > total) {
        return Err(ApiError::bad_request(FIELD, "ends beyond its own total"));
    }
    Ok(ContentRange::Bytes { first, last, total })
}

/// A number, or none where `*` stands for it.
fn known(text: &str) -> Result<Option<ByteCount>, ApiError> {
    if text == "*" { Ok(None) } else { byte_count(FIELD, text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_questions() {
        let bytes = |first: u32, last: Option<u32>, total: Option<u32>| ContentRange::Bytes {
            first: first.into(),
            last: last.map(Into::into),
            total: total.map(Into::into),
        };
        for (text, expected) in [
            ("bytes */*", ContentRange::Question),
            ("bytes */0", ContentRange::Total(0.into())),
            ("bytes */1000", ContentRange::Total(1000.into())),
            ("bytes 0-99/1000", bytes(0, Some(99), Some(1000))),
            ("bytes 100-999/1000", bytes(100, Some(999), Some(1000))),
            ("bytes 0-0/*", bytes(0, Some(0), None)),
            ("bytes 7-*/1000", bytes(7, None, Some(1000))),
            ("bytes 0-*/*", bytes(0, None, None)),
            ("bytes 0-*/0", bytes(0, None, Some(0))),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "bytes",
            "bytes 0-99",
            "bytes=0-99/1000",
            "bytes 0-99/",
            "bytes 0/1000",
            "bytes -99/1000",
            "bytes *-99/1000",
            "bytes 5-4/1000",
            "bytes 0-1000/1000",
            "bytes 1001-*/1000",
            "bytes 0-99/1e3",
            "bytes +0-99/1000",
            "bytes 0-99/9007199254740992",
            "items 0-99/1000",
        ] {
            match parse(text) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, FIELD, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
