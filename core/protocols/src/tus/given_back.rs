//! What a creation says and every HEAD gives back, `Upload-Metadata` and `Upload-Concat`, must be no longer than what clients
//! take in an answer: what could not be read back is refused at once, with the limit.

use crate::Head;
use upload_types::api_error::ApiError;

/// The longest of each. aiohttp, on which aiotus is built, takes 8,190 bytes a field, in some versions with its name and the colon;
/// the longest name here has 15 bytes. Rounded down.
pub(super) const MAX_FIELD_BYTES: usize = 8_000;

/// Both together. Node takes 16 KiB (16,384 bytes) for all headers of an answer. Those of a HEAD beside these two have up to 1.5 KiB
/// (CORS with its list of exposed headers 0.7, timings 0.3, all others 0.5), and the network in front adds some 1.5 KiB of its own
/// (`cf-ray`, `report-to`, `nel`, `alt-svc`, a cookie); 1.2 KiB are left for what is added tomorrow.
const MAX_TOGETHER_BYTES: usize = 12_000;

/// Refuses what a HEAD could not give back to everybody.
pub(super) fn check(head: &Head) -> Result<(), ApiError> {
    let mut left = MAX_TOGETHER_BYTES;
    for (name, field) in [("upload-concat", "Upload-Concat"), ("upload-metadata", "Upload-Metadata")] {
        let limit = left.min(MAX_FIELD_BYTES);
        let bytes = head.headers.get(name).map_or(0, str::len);
        if bytes > limit {
            let limit_bytes = u32::try_from(limit).unwrap_or(u32::MAX).into();
            return Err(ApiError::FieldTooLarge { field: field.to_owned(), limit_bytes });
        }
        left -= bytes;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn each_fits_a_field_and_both_together_an_answer() {
        let limit_of = |concat: usize, metadata: usize| {
            let (concat, metadata) = ("c".repeat(concat), "m".repeat(metadata));
            let headers = crate::Headers::of([("upload-concat", concat.as_str()), ("upload-metadata", &metadata)]);
            match check(&Head { method: Method::POST, path: String::new(), query: String::new(), headers }) {
                Ok(()) => None,
                Err(ApiError::FieldTooLarge { field, limit_bytes }) => Some((field, limit_bytes.get())),
                Err(other) => panic!("{other:?}"),
            }
        };
        for (concat, metadata, expected) in [
            (0, 8_000, None),
            (0, 8_001, Some(("Upload-Metadata", 8_000))),
            (8_000, 4_000, None),
            (8_000, 4_001, Some(("Upload-Metadata", 4_000))),
            (8_001, 0, Some(("Upload-Concat", 8_000))),
            (4_000, 8_000, None),
        ] {
            let expected = expected.map(|(field, limit)| (field.to_owned(), limit));
            assert_eq!(limit_of(concat, metadata), expected, "{concat} {metadata}");
        }
    }
}
