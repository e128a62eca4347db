//! Requests of the Companion protocol. An upload's id stands where S3's would; `key` comes along with every request and is not
//! looked at, since the id says all.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Head, Parsed, body_type,
    companion::PATH,
    file_words::{MAX_METADATA_BYTES, clean_name, is_media_type},
};
use upload_types::{
    api_error::ApiError,
    json,
    live::Liveness,
    operation::{Create, Operation},
    plan::{Chunking, Mode},
    presigned::{CompletedPart, MAX_AT_ONCE, PresignRequest},
    repair::OnMismatch,
    units::UploadId,
    upload::{FileInfo, Purpose},
};

/// The largest body of a creation: metadata, a name, and room.
const MAX_CREATION_BYTES: u32 = 64 * 1024;

/// The largest body of a completion: 2,500 parts with ETags, which R2's simulator makes some 170 characters long. Companion's own
/// bound is 1 MB too.
const MAX_COMPLETION_BYTES: u32 = 1024 * 1024;

#[derive(Deserialize)]
struct Creation {
    filename: String,
    #[serde(default)]
    metadata: BTreeMap<String, Value>,
    #[serde(rename = "type")]
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Completion {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    part_number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let rest = head.path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')).ok_or(ApiError::NoSuchRoute)?;
    let segments: Vec<_> = rest.split('/').collect();
    match (&head.method, segments.as_slice()) {
        (&Method::GET, ["params"]) => {
            Err(ApiError::bad_request("shouldUseMultipart", "must be true: R2 takes no S3 POST policies"))
        }
        (&Method::POST, ["multipart"]) => {
            body_type::json(head)?;
            Ok(Parsed::NeedsBody { max_bytes: MAX_CREATION_BYTES, finish: create })
        }
        (&Method::POST, ["multipart", _, "complete"]) => {
            body_type::json(head)?;
            Ok(Parsed::NeedsBody { max_bytes: MAX_COMPLETION_BYTES, finish: complete })
        }
        (&Method::GET, ["multipart", id]) => ready(Operation::Direct(upload(id)?, PresignRequest::List)),
        (&Method::DELETE, ["multipart", id]) => ready(Operation::Cancel(upload(id)?)),
        (&Method::GET, ["multipart", id, "batch"]) => {
            let numbers = head.query_parameter("partNumbers").unwrap_or("").replace("%2C", ",");
            let chunks: Vec<u32> = numbers.split(',').map(chunk).collect::<Result<_, _>>()?;
            if chunks.len() > MAX_AT_ONCE {
                return Err(ApiError::bad_request("partNumbers", format!("are more than {MAX_AT_ONCE}")));
            }
            ready(Operation::Direct(upload(id)?, PresignRequest::Sign(chunks)))
        }
        (&Method::GET, ["multipart", id, number]) => {
            ready(Operation::Direct(upload(id)?, PresignRequest::Sign(vec![chunk(number)?])))
        }
        (_, ["multipart", ..]) => Err(ApiError::MethodNotAllowed { allow: "GET, POST, DELETE, OPTIONS".to_owned() }),
        _ => Err(ApiError::NoSuchRoute),
    }
}

#[allow(clippy::unnecessary_wraps)] // the answer of a match's arms
fn ready(operation: Operation) -> Result<Parsed, ApiError> {
    Ok(Parsed::Ready(Box::new(operation)))
}

fn upload(id: &str) -> Result<UploadId, ApiError> {
    UploadId::parse(id).ok_or(ApiError::NotAnUploadId)
}

/// Parts are counted from 1.
fn chunk(number: &str) -> Result<u32, ApiError> {
    let chunk = number.parse::<u32>().ok().and_then(|number| number.checked_sub(1));
    chunk.ok_or_else(|| ApiError::bad_request("partNumber", "is not a whole number from 1"))
}

fn create(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let Creation { filename, metadata, media_type } = read(head, body)?;
    let name = clean_name(&filename).ok_or_else(|| ApiError::bad_request("filename", "is empty"))?;
    // Uppy sends whatever an application has put there; what is not set comes as null.
    let mut said = BTreeMap::new();
    for (name, value) in metadata {
        match value {
            Value::Null => continue,
            Value::String(text) => said.insert(name, text),
            other => said.insert(name, other.to_string()),
        };
    }
    let metadata = said;
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_BYTES {
        return Err(ApiError::bad_request("metadata", format!("has more than {MAX_METADATA_BYTES} bytes")));
    }
    let content_type = media_type.filter(|text| is_media_type(text));
    let file = FileInfo { name, content_type, metadata, sha256: None, crc64nvme: None, memo: None };
    Ok(Operation::Create(Create {
        mode: Mode::Direct,
        file,
        file_bytes: None,
        chunking: Chunking::Agreed(None),
        purpose: Purpose::File,
        idempotency: None,
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    }))
}

fn complete(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let id = upload(head.path.split('/').nth(3).unwrap_or(""))?;
    let Completion { parts } = read(head, body)?;
    let chosen = parts.into_iter().map(|Part { part_number, etag }| {
        let chunk = part_number.checked_sub(1).ok_or_else(|| ApiError::bad_request("PartNumber", "is zero"))?;
        Ok(CompletedPart { chunk, etag: etag.trim_matches('"').to_owned() })
    });
    let mut chosen = chosen.collect::<Result<Vec<_>, ApiError>>()?;
    chosen.sort_unstable_by_key(|part| part.chunk);
    Ok(Operation::Direct(id, PresignRequest::Assemble(chosen)))
}

fn read<T: DeserializeOwned>(head: &Head, body: &[u8]) -> Result<T, ApiError> {
    json::from_slice(body).map_err(|error| body_type::not_json(head, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn asked(method: &str, target: &str, body: &str) -> Result<Operation, ApiError> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.replace("{id}", ID), query.to_owned());
        let head = Head { method: method.parse().unwrap(), path, query, headers: crate::Headers::default() };
        match parse(&head)? {
            Parsed::Ready(operation) => Ok(*operation),
            Parsed::NeedsBody { finish, .. } => finish(&head, body.as_bytes()),
            Parsed::Form(_) => panic!("a form"),
        }
    }

    #[test]
    fn routes() {
        let id = UploadId::parse(ID).unwrap();
        let chosen = |chunk, etag: &str| CompletedPart { chunk, etag: etag.to_owned() };
        for (method, target, body, wish) in [
            ("GET", "/s3/multipart/{id}?key=uploads%2Fa", "", PresignRequest::List),
            ("GET", "/s3/multipart/{id}/7?key=a", "", PresignRequest::Sign(vec![6])),
            ("GET", "/s3/multipart/{id}/batch?key=a&partNumbers=1%2C3,4", "", PresignRequest::Sign(vec![0, 2, 3])),
            (
                "POST",
                "/s3/multipart/{id}/complete?key=a",
                r#"{"parts":[{"PartNumber":2,"ETag":"\"b\""},{"PartNumber":1,"ETag":"a","Size":5}]}"#,
                PresignRequest::Assemble(vec![chosen(0, "a"), chosen(1, "b")]),
            ),
        ] {
            assert_eq!(asked(method, target, body), Ok(Operation::Direct(id, wish)), "{method} {target}");
        }
        assert_eq!(asked("DELETE", "/s3/multipart/{id}?key=a", ""), Ok(Operation::Cancel(id)));
    }

    #[test]
    fn a_creation_as_uppy_sends_it() {
        let body = r#"{"filename":"holiday.mp4","metadata":{"relativePath":null,"name":"holiday.mp4","n":7},"type":"video/mp4"}"#;
        let Ok(Operation::Create(create)) = asked("POST", "/s3/multipart", body) else { panic!("not a creation") };
        assert_eq!((create.mode, create.file_bytes), (Mode::Direct, None));
        assert_eq!(create.file.name, "holiday.mp4");
        assert_eq!(create.file.content_type.as_deref(), Some("video/mp4"));
        assert_eq!(create.file.metadata.get("n").map(String::as_str), Some("7"));
        assert_eq!(create.file.metadata.get("relativePath"), None);
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for (method, target, body) in [
            ("POST", "/s3/multipart", ""),
            ("POST", "/s3/multipart", r#"{"filename":""}"#),
            ("POST", "/s3/multipart", r#"{"type":"a/b"}"#),
            ("GET", "/s3/multipart/{id}/0", ""),
            ("GET", "/s3/multipart/{id}/x", ""),
            ("GET", "/s3/multipart/{id}/batch", ""),
            ("POST", "/s3/multipart/{id}/complete", r#"{"parts":[{"PartNumber":0,"ETag":"a"}]}"#),
            ("GET", "/s3/params?filename=a", ""),
        ] {
            let refused = asked(method, target, body);
            assert!(matches!(refused, Err(ApiError::BadRequest { .. })), "{method} {target} {body}: {refused:?}");
        }
        assert_eq!(asked("GET", "/s3/multipart/nobody", ""), Err(ApiError::NotAnUploadId));
        let headers = crate::Headers::of([("content-type", "multipart/form-data")]);
        for path in ["/s3/multipart".to_owned(), format!("/s3/multipart/{ID}/complete")] {
            let form = Head { method: Method::POST, path, query: String::new(), headers: headers.clone() };
            assert!(matches!(parse(&form), Err(ApiError::UnsupportedMediaType { .. })), "{}", form.path);
        }
        assert_eq!(asked("GET", "/s3/sts", ""), Err(ApiError::NoSuchRoute));
    }
}
