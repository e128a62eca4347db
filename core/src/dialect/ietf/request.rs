//! Requests in the words of the newest draft: which operation each asks for. Requests of older drafts have been put into these
//! words before.

use std::collections::BTreeMap;

use http::Method;

use super::{
    digest, disposition,
    fields::{self, COMPLETE, LENGTH, LENGTH_NAME, OFFSET, PARTIAL_UPLOAD},
};
use crate::{
    chunk::Named,
    dialect::{FILES_PATH, Head, body_type, file_words::is_media_type, idempotency, numbers::byte_count},
    operation::{Append, Content, Create, FirstChunk, Operation, Wait},
    plan::{Chunking, Mode},
    refusal::Refusal,
    repair::OnMismatch,
    units::{ByteCount, UploadId},
    upload::{FileInfo, Purpose},
};

/// The longest list of codings: some twenty names of those that are registered.
const MAX_CODING_BYTES: usize = 255;

/// Understands a request.
pub(super) fn parse(head: &Head) -> Result<Operation, Refusal> {
    if head.method == Method::OPTIONS {
        return Ok(Operation::Discover);
    }
    let rest = head.path.strip_prefix(FILES_PATH).ok_or(Refusal::NoSuchRoute)?;
    if rest.trim_start_matches('/').is_empty() {
        return match head.method {
            // "all request methods that allow content are possible" ("Upload Creation")
            Method::POST | Method::PUT | Method::PATCH => creation(head),
            _ => Err(Refusal::MethodNotAllowed { allow: "POST, PUT, PATCH, OPTIONS".to_owned() }),
        };
    }
    let id = upload_id(head).ok_or(Refusal::NotAnUploadId)?;
    match head.method {
        Method::HEAD => Ok(Operation::Probe(id, Wait::ForObject)),
        Method::GET => Ok(Operation::Content(Content { id, head_only: false, conditions: head.conditions() })),
        Method::PATCH => append(id, head).map(Operation::Append),
        Method::DELETE => Ok(Operation::Cancel(id)),
        _ => Err(Refusal::MethodNotAllowed { allow: "GET, HEAD, PATCH, DELETE, OPTIONS".to_owned() }),
    }
}

/// The upload that a request is about; none where it creates one.
pub(super) fn upload_id(head: &Head) -> Option<UploadId> {
    UploadId::parse(head.path.strip_prefix(FILES_PATH)?.strip_prefix('/')?)
}

/// "Upload Creation".
fn creation(head: &Head) -> Result<Operation, Refusal> {
    // Also where no content comes with it: what is appended would be the form.
    body_type::bare_bytes(head, "the file's own `Content-Type`")?;
    let complete = completeness(head)?;
    // A creation may have no content, and says so by having no length. Where a content of unknown length is meant, nothing of it
    // counts, and the answer says so. But a whole file of unknown length cannot be stored.
    let content = match content_length(head)? {
        Some(length) => length,
        None if complete || head.headers.contains("transfer-encoding") => return Err(Refusal::LengthRequired),
        None => ByteCount::ZERO,
    };
    let declared = fields::byte_count(head, LENGTH);
    let file_bytes = if complete { Some(content) } else { declared };
    if declared.is_some_and(|declared| file_bytes != Some(declared) || content > declared) {
        return Err(contradiction("contradicts Content-Length"));
    }
    let (sha256, crc64nvme) = digest::of_file(head)?;
    let file = FileInfo {
        name: disposition::file_name(head),
        content_type: content_type(head)?,
        metadata: metadata(head)?,
        sha256,
        crc64nvme,
        memo: None,
    };
    let idempotency = idempotency::parse(head, fingerprint(head).as_bytes())?;
    let (chunking, purpose, on_mismatch) = (Chunking::Unspoken, Purpose::File, OnMismatch::Fail);
    let create = Create { mode: Mode::Sequential, file, file_bytes, chunking, purpose, idempotency, on_mismatch };
    let digest = digest::of_content(head)?;
    // A file that is known to be empty is complete at once, whoever says so: the server may complete an upload early.
    if content.is_zero() && file_bytes != Some(ByteCount::ZERO) {
        return Ok(Operation::Create(create));
    }
    Ok(Operation::CreateWith(create, FirstChunk { length: content, digest, wait: Wait::ForObject }))
}

/// "Upload Append".
fn append(id: UploadId, head: &Head) -> Result<Append, Refusal> {
    body_type::bare_bytes(head, &format!("`Content-Type: {PARTIAL_UPLOAD}`"))?;
    if body_type::media_type(head).as_deref() != Some(PARTIAL_UPLOAD) {
        return Err(Refusal::UnsupportedMediaType { expected: format!("`Content-Type: {PARTIAL_UPLOAD}`") });
    }
    let complete = completeness(head)?;
    let offset = fields::byte_count(head, OFFSET)
        .ok_or_else(|| Refusal::bad_request("Upload-Offset", "is missing, or is no non-negative Integer"))?;
    let length = content_length(head)?.ok_or(Refusal::LengthRequired)?;
    let declared = fields::byte_count(head, LENGTH);
    let end = offset
        .checked_add(length)
        .ok_or_else(|| Refusal::bad_request("Upload-Offset", "and Content-Length are together above 2^53 - 1"))?;
    let file_bytes = if complete { Some(end) } else { declared };
    if declared.is_some() && file_bytes != declared {
        return Err(contradiction("is not where this content ends, which ends the file"));
    }
    let named = Named::ByOffset;
    Ok(Append { id, offset, named, length, file_bytes, digest: digest::of_content(head)?, wait: Wait::ForObject })
}

/// Two lengths in one request that are not the same ("Length").
fn contradiction(detail: &str) -> Refusal {
    Refusal::bad_request(LENGTH_NAME, detail)
}

fn completeness(head: &Head) -> Result<bool, Refusal> {
    fields::boolean(head, COMPLETE)
        .ok_or_else(|| Refusal::bad_request("Upload-Complete", "is missing, or is neither ?1 nor ?0"))
}

/// `Content-Length`, which the platform has checked against the content.
fn content_length(head: &Head) -> Result<Option<ByteCount>, Refusal> {
    head.header("content-length").map(|text| byte_count("Content-Length", text)).transpose()
}

/// The file's media type; none where the content is said to be a part of an upload, which is no type of the file's.
fn content_type(head: &Head) -> Result<Option<String>, Refusal> {
    let Some(essence) = body_type::media_type(head).filter(|essence| essence != PARTIAL_UPLOAD) else {
        return Ok(None);
    };
    let media_type = head.header("content-type").unwrap_or(&essence);
    if !is_media_type(media_type) {
        return Err(Refusal::bad_request("Content-Type", "is not a media type like `video/mp4`"));
    }
    Ok(Some(media_type.to_owned()))
}

/// What else is known of the file: its codings, which stay on it ("Content Codings").
fn metadata(head: &Head) -> Result<BTreeMap<String, String>, Refusal> {
    const FIELD: &str = "Content-Encoding";
    let mut known = BTreeMap::new();
    if let Some(coding) = head.header("content-encoding").filter(|coding| !coding.is_empty()) {
        if coding.len() > MAX_CODING_BYTES {
            return Err(Refusal::bad_request(FIELD, format!("is longer than {MAX_CODING_BYTES} bytes")));
        }
        known.insert(FIELD.to_owned(), coding.to_owned());
    }
    Ok(known)
}

/// What must be the same when a creation is repeated under its `Idempotency-Key`.
fn fingerprint(head: &Head) -> String {
    let names = [
        COMPLETE,
        LENGTH,
        "content-length",
        "content-type",
        "content-encoding",
        "content-disposition",
        "content-digest",
        "repr-digest",
    ];
    names.map(|name| head.header(name).unwrap_or_default()).join("\n")
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
