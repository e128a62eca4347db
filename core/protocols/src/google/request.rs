//! Requests of Google's protocol: which operation each asks for.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

use crate::{
    Head, Parsed, body_type,
    content_range::{self, ContentRange},
    disposition,
    file_words::{MAX_METADATA_BYTES, clean_name, is_media_type},
    idempotency, live,
    numbers::byte_count,
    whole_body,
};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    json,
    live::Liveness,
    operation::{Append, BodyEnd, Create, Operation, Unsized, Wait},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::{ByteCount, UploadId},
    upload::{FileInfo, Purpose},
};

/// Where Google's own clients post, with a bucket and `/o` behind it.
const BUCKETS_PATH: &str = "/upload/storage/v1/b/";

/// Where others post.
const SHORT_PATH: &str = "/upload";

/// The parameter that says which kind of upload it is.
pub(super) const TYPE: &str = "uploadType";

/// The parameter that names a session.
pub(super) const SESSION: &str = "upload_id";

/// The largest description of a file.
const MAX_BODY_BYTES: u32 = 64 * 1024;

/// Whether a request is one of these.
pub fn is_spoken(head: &Head) -> bool {
    bucket(head).is_some() || (head.path == SHORT_PATH && head.query_parameter(TYPE).is_some())
}

/// The bucket that stands in the address. One of the characters that [names of buckets](https://cloud.google.com/storage/docs/buckets#naming)
/// have, so that the address can be given back as it came.
pub(super) fn bucket(head: &Head) -> Option<&str> {
    let bucket = head.path.strip_prefix(BUCKETS_PATH)?.strip_suffix("/o")?;
    let is_in_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    (!bucket.is_empty() && bucket.chars().all(is_in_names)).then_some(bucket)
}

/// Where a request was sent, of the two addresses that there are.
pub(super) fn address(head: &Head) -> String {
    bucket(head).map_or_else(|| SHORT_PATH.to_owned(), |bucket| format!("{BUCKETS_PATH}{bucket}/o"))
}

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let ready = |operation| Ok(Parsed::Ready(Box::new(operation)));
    if let Some(id) = head.query_parameter(SESSION) {
        let id = UploadId::parse(id).ok_or(ApiError::NotAnUploadId)?;
        return match head.method {
            Method::PUT | Method::POST => ready(continuation(id, head)?),
            Method::DELETE => ready(Operation::Cancel(id)),
            _ => Err(ApiError::MethodNotAllowed { allow: "PUT, POST, DELETE, OPTIONS".to_owned() }),
        };
    }
    if head.method != Method::POST {
        return Err(ApiError::MethodNotAllowed { allow: "POST, OPTIONS".to_owned() });
    }
    match head.query_parameter(TYPE) {
        Some("media") => ready(whole_body::creation(head, name(head, None))?),
        Some("resumable") if is_described(head) => {
            body_type::json(head)?;
            Ok(Parsed::NeedsBody { max_bytes: MAX_BODY_BYTES, finish: described })
        }
        Some("resumable") => ready(session(head, &Map::new())?),
        _ => Err(ApiError::bad_request(TYPE, "is neither `resumable` nor `media`, the two that are taken here")),
    }
}

/// Whether a description of the file comes with the creation of a session.
fn is_described(head: &Head) -> bool {
    match head.header("content-length") {
        Some(length) => length != "0",
        None => body_type::media_type(head).as_deref() == Some("application/json"),
    }
}

fn described(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    match json::from_slice(body).map_err(|error| body_type::not_json(head, &error))? {
        Value::Object(fields) => session(head, &fields),
        _ => Err(ApiError::bad_request("body", "is not a JSON object")),
    }
}

/// Opens a session. Of the description only what a file here has is taken: its name, its type, and its metadata.
fn session(head: &Head, fields: &Map<String, Value>) -> Result<Operation, ApiError> {
    for digest in ["md5Hash", "crc32c"] {
        if fields.get(digest).is_some_and(|value| !value.is_null()) {
            // To overlook it would promise what nobody checks.
            return Err(ApiError::bad_request(
                digest,
                "cannot be checked here: leave it out (`checksum=None`, `validation: false`)",
            ));
        }
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let content_type = head.present("x-upload-content-type").or_else(|| text("contentType"));
    if content_type.is_some_and(|text| !is_media_type(text)) {
        return Err(ApiError::bad_request("X-Upload-Content-Type", "is not a media type like `video/mp4`"));
    }
    let length = head.present("x-upload-content-length");
    let file_bytes = length.map(|text| byte_count("X-Upload-Content-Length", text)).transpose()?;
    let file = FileInfo {
        name: name(head, text("name")),
        content_type: content_type.map(str::to_owned),
        metadata: metadata(fields.get("metadata"))?,
        sha256: None,
        crc64nvme: None,
        memo: None,
    };
    let described = serde_json::to_string(fields).unwrap_or_default();
    let asked = format!("{}?{}\n{length:?}\n{content_type:?}\n{described}", head.path, head.query);
    let create = Create {
        mode: Mode::Sequential,
        file,
        file_bytes,
        chunking: Chunking::Unspoken,
        purpose: Purpose::File,
        idempotency: idempotency::parse(head, asked.as_bytes())?,
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    };
    live::by_address(head, create).map(Operation::Create)
}

/// The name of an object in Google's storage may look like a path; here it is a name.
fn name(head: &Head, described: Option<&str>) -> String {
    let said = head.query_text("name").or_else(|| described.map(str::to_owned));
    let name = said.and_then(|name| clean_name(&name)).or_else(|| disposition::given_name(head));
    name.unwrap_or_else(|| disposition::FALLBACK.to_owned())
}

fn metadata(said: Option<&Value>) -> Result<BTreeMap<String, String>, ApiError> {
    const FIELD: &str = "metadata";
    let mut metadata = BTreeMap::new();
    match said {
        None | Some(Value::Null) => {}
        Some(Value::Object(pairs)) => {
            for (name, value) in pairs {
                let text =
                    value.as_str().ok_or_else(|| ApiError::bad_request(FIELD, "has a value that is not a string"))?;
                metadata.insert(name.clone(), text.to_owned());
            }
        }
        Some(_) => return Err(ApiError::bad_request(FIELD, "is not an object of strings")),
    }
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_BYTES {
        return Err(ApiError::bad_request(FIELD, format!("has more than {MAX_METADATA_BYTES} bytes")));
    }
    Ok(metadata)
}

/// Bytes for a session, or a question about it.
fn continuation(id: UploadId, head: &Head) -> Result<Operation, ApiError> {
    body_type::bare_bytes(head, "`Content-Range`")?;
    let length = head.header("content-length").map(|text| byte_count("Content-Length", text)).transpose()?;
    let has_bytes = length.is_some_and(|length| !length.is_zero());
    let range = head.present("content-range").map(content_range::parse).transpose()?;
    match range {
        Some(ContentRange::Question | ContentRange::Total(_)) if has_bytes => {
            Err(ApiError::bad_request("Content-Range", "says that there is no body, and there is one"))
        }
        Some(ContentRange::Question) => Ok(Operation::Probe(id, Wait::ForObject)),
        // At any other offset nothing changes, and the answer says which is the right one.
        Some(ContentRange::Total(total)) => Ok(append(id, total, ByteCount::ZERO, Some(total))),
        Some(ContentRange::Bytes { first, last, total }) => bytes(id, length, first, last, total),
        None => bytes(id, length, ByteCount::ZERO, None, None),
    }
}

/// Bytes from `first` on. Where nothing says how long the file is, and nothing where the range ends, it ends with them.
fn bytes(
    id: UploadId,
    length: Option<ByteCount>,
    first: ByteCount,
    last: Option<ByteCount>,
    total: Option<ByteCount>,
) -> Result<Operation, ApiError> {
    const FIELD: &str = "Content-Range";
    let Some(length) = length else {
        let end = if last.is_none() && total.is_none() { BodyEnd::FileEnds } else { BodyEnd::Nothing };
        return Ok(Operation::AppendUnsized(Unsized {
            id,
            offset: first,
            file_bytes: total,
            end,
            wait: Wait::ForObject,
        }));
    };
    let end = first
        .checked_add(length)
        .ok_or_else(|| ApiError::bad_request(FIELD, "and Content-Length are together above 2^53 - 1"))?;
    if last.is_some_and(|last| last.get() + 1 != end.get()) {
        let detail = "names another number of bytes than Content-Length; both ends are inclusive";
        return Err(ApiError::bad_request(FIELD, detail));
    }
    let file_bytes = total.or_else(|| last.is_none().then_some(end));
    if file_bytes.is_some_and(|file_bytes| end > file_bytes) {
        return Err(ApiError::bad_request(FIELD, "has a total that the body goes beyond"));
    }
    Ok(append(id, first, length, file_bytes))
}

fn append(id: UploadId, offset: ByteCount, length: ByteCount, file_bytes: Option<ByteCount>) -> Operation {
    // As Google does it: a client that was cut off sends the whole chunk again, and knows of no other beginning.
    let (named, overlap, completes, wait) =
        (Named::ByRange, Overlap::PassedOver, Completion::WhenWhole, Wait::ForObject);
    Operation::Append(Append { id, offset, named, overlap, completes, length, file_bytes, digest: None, wait })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
