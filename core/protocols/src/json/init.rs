//! The body of `POST /upload/init`. Field by field, so that every complaint names its field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::{self, FILE_NAME, file_name, flag, take, text};
use crate::{
    Head,
    file_words::{MAX_METADATA_BYTES, is_media_type},
    idempotency, live,
};
use upload_types::{
    api_error::ApiError,
    live::{END_AFTER, Live, Liveness, TELL_EVERY},
    operation::{Create, Operation},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::ByteCount,
    upload::{FileInfo, Purpose},
};

/// The largest body: metadata, a name, two digests, and room.
pub(super) const MAX_BODY_BYTES: u32 = 64 * 1024;

const FIELDS: [&str; 12] = [
    "fileName",
    "fileSize",
    "contentType",
    "chunkSize",
    "parallel",
    "direct",
    "sha256",
    "crc64nvme",
    "metadata",
    live::LIVE,
    END_AFTER,
    TELL_EVERY,
];

/// Understands the body.
pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let idempotency = idempotency::parse(head, body)?;
    let mut fields = fields::read(head, body, &FIELDS)?;
    let mode = match (flag(&mut fields, "direct")?, flag(&mut fields, "parallel")?) {
        // Direct parts come in any order, whether that was asked for or not.
        (true, _) => Mode::Direct,
        (false, true) => Mode::Parallel,
        (false, false) => Mode::Sequential,
    };
    let file_bytes = file_size(&mut fields, mode)?;
    let chunk_bytes = size(&mut fields, "chunkSize")?;
    if chunk_bytes.is_some_and(ByteCount::is_zero) {
        return Err(ApiError::bad_request("chunkSize", "is zero"));
    }
    let file = FileInfo {
        name: file_name(&mut fields)?.ok_or_else(|| ApiError::bad_request(FILE_NAME, "is missing"))?,
        content_type: content_type(&mut fields)?,
        metadata: metadata(&mut fields)?,
        sha256: digest(&mut fields, "sha256")?,
        crc64nvme: digest(&mut fields, "crc64nvme")?,
        memo: None,
    };
    let chunking = Chunking::Agreed(chunk_bytes);
    // Of a direct upload nobody here has seen a byte: there is no manifest of it.
    let on_mismatch = if mode == Mode::Direct { OnMismatch::Fail } else { OnMismatch::Keep };
    let purpose = Purpose::File;
    let end_after_seconds = size(&mut fields, END_AFTER)?.map(ByteCount::get);
    let tell_every_bytes = size(&mut fields, TELL_EVERY)?.map(ByteCount::get);
    let live = if flag(&mut fields, live::LIVE)? {
        Liveness::Asked(Live::new(end_after_seconds, tell_every_bytes)?)
    } else {
        Liveness::Unsaid
    };
    let mut create = Create { mode, file, file_bytes, chunking, purpose, idempotency, on_mismatch, live };
    create.live = live::checked(&create)?;
    Ok(Operation::Create(create))
}

/// A number, or `null` where it is not known yet. Who forgets it shall not wait for ever for an upload to be complete.
fn file_size(fields: &mut Map<String, Value>, mode: Mode) -> Result<Option<ByteCount>, ApiError> {
    const FIELD: &str = "fileSize";
    if !fields.contains_key(FIELD) {
        return Err(ApiError::bad_request(FIELD, "is missing: say null where it is not known yet"));
    }
    let file_bytes = size(fields, FIELD)?;
    if file_bytes.is_none() && mode != Mode::Sequential {
        return Err(ApiError::bad_request(FIELD, "is null: parts in any order need to know how long the file is"));
    }
    Ok(file_bytes)
}

pub(super) fn size(fields: &mut Map<String, Value>, name: &str) -> Result<Option<ByteCount>, ApiError> {
    let Some(value) = take(fields, name) else { return Ok(None) };
    let count = value.as_u64().and_then(ByteCount::new);
    count.map(Some).ok_or_else(|| ApiError::bad_request(name, "is not a whole number from 0 to 2^53 - 1"))
}

fn content_type(fields: &mut Map<String, Value>) -> Result<Option<String>, ApiError> {
    const FIELD: &str = "contentType";
    // Browsers give an empty type to files they do not know.
    let Some(media_type) = text(fields, FIELD)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    if !is_media_type(&media_type) {
        return Err(ApiError::bad_request(FIELD, "is not a media type like `video/mp4`"));
    }
    Ok(Some(media_type))
}

pub(super) fn metadata(fields: &mut Map<String, Value>) -> Result<BTreeMap<String, String>, ApiError> {
    const FIELD: &str = "metadata";
    let entries = match take(fields, FIELD) {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(entries)) => entries,
        Some(_) => return Err(ApiError::bad_request(FIELD, "is not an object")),
    };
    let mut metadata = BTreeMap::new();
    for (name, value) in entries {
        let Value::String(value) = value else {
            return Err(ApiError::bad_request(FIELD, format!("the value of {name:?} is not a string")));
        };
        metadata.insert(name, value);
    }
    let total: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if total > MAX_METADATA_BYTES {
        return Err(ApiError::bad_request(FIELD, format!("has more than {MAX_METADATA_BYTES} bytes")));
    }
    Ok(metadata)
}

fn digest<T: TryFrom<String, Error = &'static str>>(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, ApiError> {
    text(fields, name)?
        .map(|text| T::try_from(text).map_err(|complaint| ApiError::bad_request(name, format!("is {complaint}"))))
        .transpose()
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn head(headers: &[(&'static str, &str)]) -> Head {
        Head {
            method: Method::POST,
            path: "/upload/init".to_owned(),
            query: String::new(),
            headers: crate::Headers::of(headers.iter().copied()),
        }
    }

    #[test]
    fn an_idempotency_key_names_the_request() {
        let body = br#"{"fileName":"a","fileSize":1}"#;
        let key = |value: &str| match parse(&head(&[("idempotency-key", value)]), body) {
            Ok(Operation::Create(create)) => create.idempotency.map(|idempotency| idempotency.key),
            _ => None,
        };
        assert_eq!(key("abc").as_deref(), Some("abc"));
        assert_eq!(key("\"abc\"").as_deref(), Some("abc"));
        for wrong in ["", "\"\"", &"k".repeat(256)] {
            assert_eq!(key(wrong), None, "{wrong:?}");
        }
    }

    fn create(body: &str) -> Result<Create, ApiError> {
        parse(&head(&[]), body.as_bytes()).map(|operation| match operation {
            Operation::Create(create) => create,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn all_fields() {
        let parsed = create(
            r#"{"fileName":"🏖 ../../etc/passwd","fileSize":12,"contentType":"text/plain; charset=utf-8","chunkSize":5,
                "parallel":false,"metadata":{"a":"b"},"crc64nvme":"ae8b14860a799888",
                "sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
        )
        .unwrap();
        assert_eq!(parsed.file.name, "🏖 ../../etc/passwd");
        assert_eq!((parsed.file_bytes, parsed.chunking), (Some(12.into()), Chunking::Agreed(Some(5.into()))));
        assert_eq!(parsed.file.content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(parsed.file.metadata["a"], "b");
        assert!(parsed.file.sha256.is_some() && parsed.file.crc64nvme.is_some());
    }

    #[test]
    fn what_may_be_left_out() {
        let parsed = create(r#"{"fileName":"a","fileSize":0,"contentType":"","sha256":null}"#).unwrap();
        assert_eq!((parsed.file.content_type, parsed.file.sha256), (None, None));
    }

    #[test]
    fn every_complaint_names_its_field() {
        let deep = "[".repeat(10_000);
        let long = format!(r#"{{"fileSize":1,"fileName":"{}"}}"#, "n".repeat(1025));
        let much = format!(r#"{{"fileSize":1,"fileName":"n","metadata":{{"a":"{}"}}}}"#, "n".repeat(8192));
        for (body, field) in [
            ("", "body"),
            ("{", "body"),
            ("[]", "body"),
            (deep.as_str(), "body"),
            (r#"{"fileName":"a"}"#, "fileSize"),
            (r#"{"fileName":"a","fileSize":"1"}"#, "fileSize"),
            (r#"{"fileName":"a","fileSize":-1}"#, "fileSize"),
            (r#"{"fileName":"a","fileSize":1.5}"#, "fileSize"),
            (r#"{"fileName":"a","fileSize":9007199254740992}"#, "fileSize"),
            (r#"{"fileName":"a","fileSize":1,"chunkSize":0}"#, "chunkSize"),
            (r#"{"fileSize":1}"#, "fileName"),
            (r#"{"fileName":"","fileSize":1}"#, "fileName"),
            (r#"{"fileName":7,"fileSize":1}"#, "fileName"),
            (r#"{"fileName":"a\u0000b","fileSize":1}"#, "fileName"),
            (long.as_str(), "fileName"),
            (r#"{"fileName":"a","fileSize":1,"contentType":"movie"}"#, "contentType"),
            (r#"{"fileName":"a","fileSize":1,"contentType":"a/b\r\nX: y"}"#, "contentType"),
            (r#"{"fileName":"a","fileSize":1,"metadata":[]}"#, "metadata"),
            (r#"{"fileName":"a","fileSize":1,"metadata":{"a":1}}"#, "metadata"),
            (much.as_str(), "metadata"),
            (r#"{"fileName":"a","fileSize":1,"sha256":"abc"}"#, "sha256"),
            (r#"{"fileName":"a","fileSize":1,"parallel":"yes"}"#, "parallel"),
            (r#"{"fileName":"a","fileSize":1,"direct":1}"#, "direct"),
            (r#"{"fileName":"a","fileSize":1,"live":true}"#, "live"),
            (r#"{"fileName":"a","fileSize":null,"live":"yes"}"#, "live"),
            (r#"{"fileName":"a","fileSize":null,"live":true,"crc64nvme":"ae8b14860a799888"}"#, "live"),
            (r#"{"fileName":"a","fileSize":null,"live":true,"endAfterSeconds":0}"#, "endAfterSeconds"),
            (r#"{"fileName":"a","fileSize":null,"live":true,"endAfterSeconds":86401}"#, "endAfterSeconds"),
            (r#"{"fileName":"a","fileSize":null,"live":true,"tellEveryBytes":8388607}"#, "tellEveryBytes"),
            (r#"{"fileName":"a","fileSize":1,"md5":"abc"}"#, "md5"),
        ] {
            match create(body) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{body:.60}"),
                other => panic!("{body:.60}: {other:?}"),
            }
        }
    }
}
