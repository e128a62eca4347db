//! Repair in the JSON protocol: `GET …/manifest` shows the parts of a damaged upload, `POST …/repair` says which bytes are sent again.

use serde::Deserialize;
use serde_json::{Value, json};

use super::presigned::{read, upload};
use crate::Head;
use upload_types::{
    api_error::ApiError,
    operation::Operation,
    repair::{KeptPart, MAX_RANGES, Manifest, SentAgain},
    units::ByteCount,
};

/// The largest body: [`MAX_RANGES`] ranges with the longest numbers, which take some 56 bytes each, and room.
pub(super) const MAX_BODY_BYTES: u32 = 640 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    offset: ByteCount,
    length: ByteCount,
}

/// `{"ranges": [{"offset": 0, "length": 8388608}]}`.
pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    const FIELD: &str = "ranges";
    let Body { ranges } = read(head, body)?;
    if ranges.is_empty() || ranges.len() > MAX_RANGES {
        return Err(ApiError::bad_request(FIELD, format!("are not 1 to {MAX_RANGES}")));
    }
    let named = ranges.into_iter().map(|Range { offset, length }| {
        let to = offset.checked_add(length).filter(|_| !length.is_zero());
        to.map(|to| SentAgain { from: offset, to })
            .ok_or_else(|| ApiError::bad_request(FIELD, format!("has one at {offset} that is no bytes of any file")))
    });
    Ok(Operation::Repair(upload(head)?, named.collect::<Result<_, _>>()?))
}

/// The parts, in order.
pub(super) fn manifest(manifest: &Manifest) -> Value {
    let parts: Vec<Value> = manifest.parts.iter().map(part).collect();
    json!({ "uploadId": manifest.id, "fileSize": manifest.file_bytes, "parts": parts })
}

fn part(part: &KeptPart) -> Value {
    let mut shown = json!({ "offset": part.offset, "length": part.bytes, "crc64nvme": part.crc64nvme });
    if let Some(sha256) = part.sha256 {
        shown["sha256"] = json!(sha256);
    }
    shown
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use upload_types::{
        integrity::{Crc64Nvme, Sha256Digest},
        units::UploadId,
    };

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn parsed(body: &str) -> Result<Operation, ApiError> {
        let path = format!("/upload/{ID}/repair");
        let head = Head { method: Method::POST, path, query: String::new(), headers: crate::Headers::default() };
        parse(&head, body.as_bytes())
    }

    #[test]
    fn ranges_are_read_in_any_order() {
        let range = |from: u32, to: u32| SentAgain { from: from.into(), to: to.into() };
        let body = r#"{"ranges":[{"offset":8,"length":2},{"offset":0,"length":1}]}"#;
        let id = UploadId::parse(ID).unwrap();
        assert_eq!(parsed(body), Ok(Operation::Repair(id, vec![range(8, 10), range(0, 1)])));
        let longest = r#"{"offset":9007199254740990,"length":0000000000000001},"#.len();
        assert!(MAX_RANGES * (longest + 2) < MAX_BODY_BYTES as usize, "as many as are allowed fit the body");
    }

    #[test]
    fn what_is_no_bytes_of_any_file_is_refused() {
        let many =
            format!(r#"{{"ranges":[{}{{"offset":0,"length":1}}]}}"#, r#"{"offset":0,"length":1},"#.repeat(MAX_RANGES));
        for (body, field) in [
            ("", "body"),
            ("[]", "body"),
            (r#"{"ranges":{}}"#, "body"),
            (r#"{"ranges":[[0,8]]}"#, "body"),
            (r#"[[{"offset":0,"length":1}]]"#, "body"),
            (r#"{"ranges":[{"offset":0,"length":1}],"a":1}"#, "body"),
            (r#"{"ranges":[{"offset":-1,"length":1}]}"#, "body"),
            (r#"{"ranges":[{"offset":0}]}"#, "body"),
            (r#"{"ranges":[{"offset":0,"length":9007199254740992}]}"#, "body"),
            (r#"{"ranges":[]}"#, "ranges"),
            (r#"{"ranges":[{"offset":0,"length":0}]}"#, "ranges"),
            (r#"{"ranges":[{"offset":9007199254740991,"length":1}]}"#, "ranges"),
            (many.as_str(), "ranges"),
        ] {
            match parsed(body) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{body:.60}"),
                other => panic!("{body:.60}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_manifest_shows_a_digest_only_where_one_came() {
        let part = |offset: u32, sha256| KeptPart {
            offset: offset.into(),
            bytes: 5.into(),
            crc64nvme: Crc64Nvme(0xab),
            sha256,
        };
        let parts = vec![part(0, Some(Sha256Digest([0xcd; 32]))), part(5, None)];
        let shown = manifest(&Manifest { id: UploadId::parse(ID).unwrap(), file_bytes: 10.into(), parts });
        let sha256 = "cd".repeat(32);
        assert_eq!(
            shown,
            json!({ "uploadId": ID, "fileSize": 10, "parts": [
                { "offset": 0, "length": 5, "crc64nvme": "00000000000000ab", "sha256": sha256 },
                { "offset": 5, "length": 5, "crc64nvme": "00000000000000ab" },
            ] })
        );
    }
}
