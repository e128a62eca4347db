//! Presigned uploads in the JSON protocol: `POST …/parts/sign` asks for URLs, `POST …/parts` says what was stored under them.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{Head, body_type};
use upload_types::{
    api_error::ApiError,
    json,
    operation::Operation,
    presigned::{MAX_AT_ONCE, PresignRequest, PresignResponse, ReportedPart, SignedPart},
    units::UploadId,
};

/// The largest body: [`MAX_AT_ONCE`] parts with ETags, which R2's simulator makes some 170 characters long, and room.
pub(super) const MAX_BODY_BYTES: u32 = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignBody {
    chunks: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordBody {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Part {
    part_number: u16,
    etag: Option<String>,
}

/// `{"chunks": [0, 1]}`.
pub(super) fn sign(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let SignBody { chunks } = read(head, body)?;
    some_of("chunks", &mut chunks.iter().copied())?;
    Ok(Operation::Direct(upload(head)?, PresignRequest::Sign(chunks)))
}

/// `{"parts": [{"partNumber": 1, "etag": "…"}]}`.
pub(super) fn record(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let RecordBody { parts } = read(head, body)?;
    some_of("parts", &mut parts.iter().map(|part| part.part_number.into()))?;
    let unquoted = |etag: String| etag.trim_matches('"').to_owned();
    let claims = parts.into_iter().map(|part| ReportedPart { number: part.part_number, etag: part.etag.map(unquoted) });
    Ok(Operation::Direct(upload(head)?, PresignRequest::Record(claims.collect())))
}

/// What is granted.
pub(super) fn leased(leased: &PresignResponse) -> Value {
    match leased {
        PresignResponse::Signed(id, parts) => {
            json!({ "uploadId": id, "parts": parts.iter().map(signed).collect::<Vec<_>>() })
        }
        PresignResponse::Listed(chunks) => chunks
            .iter()
            .map(|listed| json!({ "chunk": listed.chunk, "etag": listed.etag, "bytes": listed.bytes }))
            .collect(),
    }
}

fn signed(part: &SignedPart) -> Value {
    json!({
        "chunk": part.chunk,
        "partNumber": part.number,
        "offset": part.span.map(|(offset, _)| offset),
        "bytes": part.span.map(|(_, bytes)| bytes),
        "method": "PUT",
        "url": part.url,
        "validSeconds": part.valid_seconds,
    })
}

pub(super) fn read<T: DeserializeOwned>(head: &Head, body: &[u8]) -> Result<T, ApiError> {
    json::from_slice(body).map_err(|error| body_type::not_json(head, &error))
}

/// Each once, and not too many.
fn some_of(field: &str, numbers: &mut dyn Iterator<Item = u32>) -> Result<(), ApiError> {
    let numbers: Vec<_> = numbers.collect();
    if numbers.is_empty() || numbers.len() > MAX_AT_ONCE {
        return Err(ApiError::bad_request(field, format!("are not 1 to {MAX_AT_ONCE}")));
    }
    if numbers.iter().enumerate().any(|(count, number)| numbers.iter().take(count).any(|earlier| earlier == number)) {
        return Err(ApiError::bad_request(field, "names something twice"));
    }
    Ok(())
}

pub(super) fn upload(head: &Head) -> Result<UploadId, ApiError> {
    let id = head.path.split('/').nth(2).and_then(UploadId::parse);
    id.ok_or(ApiError::NotAnUploadId)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn head() -> Head {
        let path = format!("/upload/{ID}/parts");
        Head { method: Method::POST, path, query: String::new(), headers: crate::Headers::default() }
    }

    #[test]
    fn chunks_and_parts_are_read() {
        let id = UploadId::parse(ID).unwrap();
        assert_eq!(sign(&head(), br#"{"chunks":[3,0]}"#), Ok(Operation::Direct(id, PresignRequest::Sign(vec![3, 0]))));
        let claims =
            vec![ReportedPart { number: 9, etag: Some("abc".to_owned()) }, ReportedPart { number: 10_000, etag: None }];
        let body = br#"{"parts":[{"partNumber":9,"etag":"\"abc\""},{"partNumber":10000}]}"#;
        assert_eq!(record(&head(), body), Ok(Operation::Direct(id, PresignRequest::Record(claims))));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let many = format!(r#"{{"chunks":{:?}}}"#, (0..101).collect::<Vec<_>>());
        for body in [
            "",
            "[]",
            r#"{"chunks":[]}"#,
            r#"{"chunks":[-1]}"#,
            r#"{"chunks":[1,1]}"#,
            r#"{"chunks":[1],"a":1}"#,
            &many,
        ] {
            assert!(matches!(sign(&head(), body.as_bytes()), Err(ApiError::BadRequest { .. })), "{body:.40}");
        }
        for body in [r#"{"parts":[]}"#, r#"{"parts":[{"partNumber":65536}]}"#, r#"{"parts":[{"etag":"a"}]}"#] {
            assert!(matches!(record(&head(), body.as_bytes()), Err(ApiError::BadRequest { .. })), "{body}");
        }
    }
}
