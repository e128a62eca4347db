//! Requests in the words of the newest draft: which operation each asks for. Requests of older drafts have been put into these
//! words before.

use http::Method;

use super::fields::{self, COMPLETE, LENGTH, LENGTH_NAME, OFFSET, PARTIAL_UPLOAD};
use crate::{FILES_PATH, Head, body_type, digest, disposition, file_words, idempotency, numbers::byte_count};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    link::Served,
    live::Liveness,
    operation::{Append, BodyEnd, Content, Create, FirstChunk, MissingObject, Operation, Unsized, Wait},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::{ByteCount, UploadId},
    upload::{FileInfo, Purpose},
};

/// Understands a request. `unfinished` is what `Upload-Complete: ?0` means where no byte is missing.
pub(super) fn parse(head: &Head, unfinished: Completion) -> Result<Operation, ApiError> {
    if head.method == Method::OPTIONS {
        return Ok(Operation::Discover);
    }
    let rest = head.path.strip_prefix(FILES_PATH).ok_or(ApiError::NoSuchRoute)?;
    if rest.trim_start_matches('/').is_empty() {
        return match head.method {
            // "all request methods that allow content are possible" ("Upload Creation")
            Method::POST | Method::PUT | Method::PATCH => creation(head, unfinished),
            _ => Err(ApiError::MethodNotAllowed { allow: "POST, PUT, PATCH, OPTIONS".to_owned() }),
        };
    }
    let id = upload_id(head).ok_or(ApiError::NotAnUploadId)?;
    match head.method {
        Method::HEAD => Ok(Operation::Probe(id, Wait::ForObject)),
        Method::GET => Ok(Operation::Content(Content {
            id,
            head_only: false,
            conditions: head.conditions(),
            missing: MissingObject::Status,
            served: Served::Bytes,
        })),
        Method::PATCH => append(id, head, unfinished),
        Method::DELETE => Ok(Operation::Cancel(id)),
        _ => Err(ApiError::MethodNotAllowed { allow: "GET, HEAD, PATCH, DELETE, OPTIONS".to_owned() }),
    }
}

/// The upload that a request is about; none where it creates one.
pub(super) fn upload_id(head: &Head) -> Option<UploadId> {
    UploadId::parse(head.path.strip_prefix(FILES_PATH)?.strip_prefix('/')?)
}

/// "Upload Creation".
fn creation(head: &Head, unfinished: Completion) -> Result<Operation, ApiError> {
    // Also where no content comes with it: what is appended would be the form.
    body_type::bare_bytes(head, "the file's own `Content-Type`")?;
    let complete = completeness(head)?;
    let (content, digest) = (content_length(head)?, digest::of_content(head)?);
    let declared = fields::byte_count(head, LENGTH);
    let file_bytes = if complete { content.or(declared) } else { declared };
    if declared
        .is_some_and(|declared| file_bytes != Some(declared) || content.is_some_and(|content| content > declared))
    {
        return Err(contradiction("contradicts Content-Length"));
    }
    let (sha256, crc64nvme) = digest::of_file(head)?;
    let file = FileInfo {
        name: disposition::file_name(head),
        content_type: file_words::content_type(head, &[PARTIAL_UPLOAD])?,
        metadata: file_words::codings(head)?,
        sha256,
        crc64nvme,
        memo: None,
    };
    let idempotency = idempotency::parse(head, fingerprint(head).as_bytes())?;
    let (chunking, purpose, on_mismatch) = (Chunking::Unspoken, Purpose::File, OnMismatch::Fail);
    let create = Create {
        mode: Mode::Sequential,
        file,
        file_bytes,
        chunking,
        purpose,
        idempotency,
        on_mismatch,
        live: Liveness::Never,
    };
    let (completes, wait) = (if complete { Completion::WhenWhole } else { unfinished }, Wait::ForObject);
    match content {
        // With a digest nothing could count before its end, and its end is unknown.
        None if digest.is_some() => Err(ApiError::LengthRequired),
        // Nobody has said how long it is, or that there is none: "this header field might not be present".
        None => Ok(Operation::CreateWithUnsized(create, body_end(complete, unfinished), wait)),
        // A file that is known to be empty is complete at once, whoever says so: the server may complete an upload early.
        Some(ByteCount::ZERO) if file_bytes != Some(ByteCount::ZERO) => Ok(Operation::Create(create)),
        Some(length) => Ok(Operation::CreateWith(create, FirstChunk { length, digest, completes, wait })),
    }
}

/// What the end of a content means that did not say how long it is.
fn body_end(complete: bool, unfinished: Completion) -> BodyEnd {
    match (complete, unfinished) {
        (true, _) => BodyEnd::FileEnds,
        (false, Completion::WhenTold) => BodyEnd::MoreFollows,
        (false, Completion::WhenWhole) => BodyEnd::Nothing,
    }
}

/// "Upload Append".
fn append(id: UploadId, head: &Head, unfinished: Completion) -> Result<Operation, ApiError> {
    body_type::bare_bytes(head, &format!("`Content-Type: {PARTIAL_UPLOAD}`"))?;
    if body_type::media_type(head).as_deref() != Some(PARTIAL_UPLOAD) {
        return Err(ApiError::UnsupportedMediaType { expected: format!("`Content-Type: {PARTIAL_UPLOAD}`") });
    }
    let complete = completeness(head)?;
    let offset = fields::byte_count(head, OFFSET)
        .ok_or_else(|| ApiError::bad_request("Upload-Offset", "is missing, or is no non-negative Integer"))?;
    let (digest, wait) = (digest::of_content(head)?, Wait::ForObject);
    let declared = fields::byte_count(head, LENGTH);
    let Some(length) = content_length(head)? else {
        if digest.is_some() {
            return Err(ApiError::LengthRequired);
        }
        let end = body_end(complete, unfinished);
        return Ok(Operation::AppendUnsized(Unsized { id, offset, file_bytes: declared, end, wait }));
    };
    let end = offset
        .checked_add(length)
        .ok_or_else(|| ApiError::bad_request("Upload-Offset", "and Content-Length are together above 2^53 - 1"))?;
    let file_bytes = if complete { Some(end) } else { declared };
    if declared.is_some() && file_bytes != declared {
        return Err(contradiction("is not where this content ends, which ends the file"));
    }
    let (named, overlap) = (Named::ByOffset, Overlap::Refused);
    let completes = if complete { Completion::WhenWhole } else { unfinished };
    Ok(Operation::Append(Append { id, offset, named, overlap, completes, length, file_bytes, digest, wait }))
}

/// Two lengths in one request that are not the same ("Length").
fn contradiction(detail: &str) -> ApiError {
    ApiError::bad_request(LENGTH_NAME, detail)
}

fn completeness(head: &Head) -> Result<bool, ApiError> {
    fields::boolean(head, COMPLETE)
        .ok_or_else(|| ApiError::bad_request("Upload-Complete", "is missing, or is neither ?1 nor ?0"))
}

/// `Content-Length`, which the platform has checked against the content.
fn content_length(head: &Head) -> Result<Option<ByteCount>, ApiError> {
    head.header("content-length").map(|text| byte_count("Content-Length", text)).transpose()
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
