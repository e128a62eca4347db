//! Links that take one file, in the JSON protocol: `POST /upload/links` makes one, `DELETE /upload/links/{linkId}` takes it back. A body is
//! optional.

use serde_json::{Map, Value};

use super::{
    fields::{self, take},
    init,
};
use crate::Head;
use upload_types::{
    api_error::ApiError,
    media_types::MediaTypes,
    operation::Operation,
    upload_link::{MAX_UPLOAD_LINK_SECONDS, UploadLinkRequest},
};

/// The largest body: metadata and a list of types, and room.
pub(super) const MAX_BODY_BYTES: u32 = 16 * 1024;

/// Where links are.
pub(super) const ROUTE: &str = "links";

const FIELDS: [&str; 4] = ["expiresInSeconds", "maxBytes", "types", "metadata"];

/// `{"expiresInSeconds": 3600, "maxBytes": 1000000, "types": ["image/*"], "metadata": {"album": "7"}}`.
pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let mut fields = if body.is_empty() { Map::new() } else { fields::read(head, body, &FIELDS)? };
    let expires_in_seconds = take(&mut fields, "expiresInSeconds").map(|value| seconds(&value)).transpose()?;
    let max_bytes = init::size(&mut fields, "maxBytes")?;
    let types = take(&mut fields, "types").map(types).transpose()?;
    let metadata = init::metadata(&mut fields)?;
    Ok(Operation::CreateUploadLink(UploadLinkRequest { expires_in_seconds, max_bytes, types, metadata }))
}

fn seconds(value: &Value) -> Result<u64, ApiError> {
    let seconds = value.as_u64().filter(|seconds| (1..=MAX_UPLOAD_LINK_SECONDS).contains(seconds));
    seconds.ok_or_else(|| ApiError::bad_request("expiresInSeconds", "is not 1 to 604800 (7 days)"))
}

fn types(value: Value) -> Result<MediaTypes, ApiError> {
    let list = match value {
        Value::Array(list) => list.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(MediaTypes::parse),
        _ => None,
    };
    let complaint = |why: &str| ApiError::bad_request("types", why);
    list.ok_or_else(|| complaint("is not a list of types"))?.map_err(complaint)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn parsed(body: &str) -> Result<UploadLinkRequest, ApiError> {
        let path = "/upload/links".to_owned();
        let head = Head { method: Method::POST, path, query: String::new(), headers: crate::Headers::default() };
        parse(&head, body.as_bytes()).map(|operation| match operation {
            Operation::CreateUploadLink(wanted) => wanted,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn everything_may_be_left_out() {
        for body in ["", "{}", r#"{"expiresInSeconds":null,"maxBytes":null,"types":null,"metadata":null}"#] {
            assert_eq!(parsed(body), Ok(UploadLinkRequest::default()), "{body}");
        }
        let body = r#"{"expiresInSeconds":604800,"maxBytes":5,"types":["image/*"],"metadata":{"a":"ü"}}"#;
        let wanted = UploadLinkRequest {
            expires_in_seconds: Some(604_800),
            max_bytes: Some(5.into()),
            types: Some(MediaTypes::parse(["image/*"]).unwrap()),
            metadata: [("a".to_owned(), "ü".to_owned())].into(),
        };
        assert_eq!(parsed(body), Ok(wanted));
        assert_eq!(MAX_UPLOAD_LINK_SECONDS, 604_800, "as the complaint says");
    }

    #[test]
    fn every_complaint_names_its_field() {
        for (body, field) in [
            ("{", "body"),
            ("[]", "body"),
            (r#"{"expiresInSeconds":0}"#, "expiresInSeconds"),
            (r#"{"expiresInSeconds":604801}"#, "expiresInSeconds"),
            (r#"{"expiresInSeconds":"60"}"#, "expiresInSeconds"),
            (r#"{"maxBytes":-1}"#, "maxBytes"),
            (r#"{"maxBytes":"5"}"#, "maxBytes"),
            (r#"{"types":[]}"#, "types"),
            (r#"{"types":"image/*"}"#, "types"),
            (r#"{"types":["image"]}"#, "types"),
            (r#"{"types":[1]}"#, "types"),
            (r#"{"metadata":[]}"#, "metadata"),
            (r#"{"metadata":{"a":1}}"#, "metadata"),
            (r#"{"maxFiles":2}"#, "maxFiles"),
        ] {
            match parsed(body) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{body:.60}"),
                other => panic!("{body:.60}: {other:?}"),
            }
        }
    }
}
