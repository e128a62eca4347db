//! `PATCH /upload/{id}` in the JSON protocol: other metadata, as RFC 7396 has it. What is named is set or, by null, taken out; the rest stays.

use serde_json::Value;

use super::{
    fields::{self, take},
    init::metadata,
    presigned::upload,
};
use crate::Head;
use upload_types::{api_error::ApiError, operation::Operation, upload::MetadataPatch};

/// The largest body: metadata whose characters are all escaped, and room.
pub(super) const MAX_BODY_BYTES: u32 = 64 * 1024;

const FIELD: &str = "metadata";

/// `{"metadata": {"title": "Holidays", "draft": null}}`.
pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let id = upload(head)?;
    let mut fields = fields::read(head, body, &[FIELD])?;
    let Some(Value::Object(mut entries)) = take(&mut fields, FIELD) else {
        return Err(ApiError::bad_request(FIELD, "is not an object"));
    };
    let mut unset = Vec::new();
    entries.retain(|name, value| {
        if value.is_null() {
            unset.push(name.clone());
        }
        !value.is_null()
    });
    fields.insert(FIELD.to_owned(), Value::Object(entries));
    let set = metadata(&mut fields)?;
    Ok(Operation::Describe(id, MetadataPatch { set, unset }))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::file_words::MAX_METADATA_BYTES;
    use upload_types::units::UploadId;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn parsed(body: &str) -> Result<Operation, ApiError> {
        let path = format!("/upload/{ID}");
        let head = Head { method: Method::PATCH, path, query: String::new(), headers: crate::Headers::default() };
        parse(&head, body.as_bytes())
    }

    #[test]
    fn what_is_named_is_set_or_taken_out() {
        let id = UploadId::parse(ID).unwrap();
        let set = [("a".to_owned(), "b".to_owned()), (String::new(), String::new())].into();
        let wanted = MetadataPatch { set, unset: vec!["c".to_owned()] };
        let body = r#"{"metadata":{"a":"b","":"","c":null}}"#;
        assert_eq!(parsed(body), Ok(Operation::Describe(id, wanted)));
        assert_eq!(parsed(r#"{"metadata":{}}"#), Ok(Operation::Describe(id, MetadataPatch::default())));
        let largest = format!(r#"{{"metadata":{{"":"{}"}}}}"#, "\\u0001".repeat(MAX_METADATA_BYTES));
        assert!(largest.len() < MAX_BODY_BYTES as usize && parsed(&largest).is_ok(), "escaped as it may be");
    }

    #[test]
    fn every_complaint_names_its_field() {
        let long = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "n".repeat(MAX_METADATA_BYTES));
        for (body, field) in [
            ("", "body"),
            ("[]", "body"),
            ("{}", "metadata"),
            (r#"{"metadata":null}"#, "metadata"),
            (r#"{"metadata":[]}"#, "metadata"),
            (r#"{"metadata":{"a":1}}"#, "metadata"),
            (r#"{"metadata":{"a":{}}}"#, "metadata"),
            (r#"{"metadata":{},"fileName":"b"}"#, "fileName"),
            (long.as_str(), "metadata"),
        ] {
            match parsed(body) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{body:.60}"),
                other => panic!("{body:.60}: {other:?}"),
            }
        }
    }
}
