//! Requests of tus: routes, and the headers that come with a creation and with a chunk.

use http::Method;

use super::{BYTES, VERSION, checksum, concat, given_back, metadata};
use crate::{FILES_PATH, Head, Parsed, body_type, idempotency, numbers::capped_byte_count};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    integrity::{ChunkDigest, Sha256Digest},
    ledger::Idempotency,
    link::Served,
    live::Liveness,
    operation::{Append, BodyEnd, Content, Create, FirstChunk, MissingObject, Operation, Unsized, Wait},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::{ByteCount, UploadId},
    upload::Purpose,
};

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let method = method(head)?;
    // A browser that follows a link sends no version, and whoever asks what is spoken here cannot know it.
    if method != Method::GET && method != Method::OPTIONS && head.header("tus-resumable") != Some(VERSION) {
        return Err(ApiError::UnsupportedVersion { supported: format!("Tus-Resumable: {VERSION}") });
    }
    let operation = match head.path.strip_prefix(FILES_PATH) {
        Some("" | "/") => for_all(&method, head)?,
        Some(rest) => {
            let id = rest.strip_prefix('/').ok_or(ApiError::NoSuchRoute)?;
            for_one(&method, UploadId::parse(id).ok_or(ApiError::NotAnUploadId)?, head)?
        }
        None => return Err(ApiError::NoSuchRoute),
    };
    Ok(Parsed::Ready(Box::new(operation)))
}

/// The method that counts: where `X-HTTP-Method-Override` is, that one, and the request's own means nothing.
pub(super) fn method(head: &Head) -> Result<Method, ApiError> {
    head.present("x-http-method-override").map_or(Ok(head.method.clone()), |name| {
        name.parse().map_err(|_| ApiError::bad_request("X-HTTP-Method-Override", "is not a method"))
    })
}

fn for_all(method: &Method, head: &Head) -> Result<Operation, ApiError> {
    match *method {
        Method::POST => create(head),
        Method::OPTIONS => Ok(Operation::Discover),
        _ => Err(ApiError::MethodNotAllowed { allow: "POST, OPTIONS".to_owned() }),
    }
}

fn for_one(method: &Method, id: UploadId, head: &Head) -> Result<Operation, ApiError> {
    match *method {
        Method::HEAD => Ok(Operation::Probe(id, Wait::ForObject)),
        Method::PATCH => append(id, head),
        Method::DELETE => Ok(Operation::Cancel(id)),
        Method::GET => Ok(Operation::Content(Content {
            id,
            head_only: false,
            conditions: head.conditions(),
            missing: MissingObject::Status,
            served: Served::Bytes,
        })),
        Method::OPTIONS => Ok(Operation::Discover),
        _ => Err(ApiError::MethodNotAllowed { allow: "GET, HEAD, PATCH, DELETE, OPTIONS".to_owned() }),
    }
}

/// Creation, creation-with-upload, creation-defer-length and concatenation.
fn create(head: &Head) -> Result<Operation, ApiError> {
    given_back::check(head)?;
    // Other types are no bytes, and what is sent under them is not looked at. A form was meant to be stored.
    body_type::bare_bytes(head, &format!("`Content-Type: {BYTES}`"))?;
    let purpose = concat::purpose(head)?;
    if let Purpose::Composition(partials) = &purpose {
        return compose(head, partials);
    }
    let file_bytes = declared_length(head)?;
    let create = Create {
        mode: Mode::Sequential,
        file: metadata::file_info(head)?,
        file_bytes,
        chunking: Chunking::Unspoken,
        purpose,
        idempotency: idempotency::parse(head, as_asked(head).as_bytes())?,
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    };
    // Without its length a body cannot be stored. The answer says how many bytes were taken, and none is a number.
    let length = match head.header("content-length").filter(|_| has_bytes(head)) {
        Some(text) => capped_byte_count("Content-Length", text)?,
        None => ByteCount::ZERO,
    };
    let digest = digest(head)?;
    let is_empty = has_bytes(head) && head.present("content-length") == Some("0");
    if is_empty && digest.as_ref().is_some_and(|digest| !digest.is_of_nothing()) {
        return Err(ApiError::ChecksumMismatch { uploaded_bytes: ByteCount::ZERO });
    }
    // A file of no bytes is complete at once, and the answer shall wait for its object as for any other.
    if length.is_zero() && file_bytes != Some(ByteCount::ZERO) {
        return Ok(Operation::Create(create));
    }
    let completes = Completion::WhenWhole;
    Ok(Operation::CreateWith(create, FirstChunk { length, digest, completes, wait: Wait::ForObject }))
}

/// A final upload: its length is that of its partial uploads, and its bytes are theirs. Repeating a request whose answer was lost
/// creates nothing new, whether or not the client has a key for it: the same partial uploads with the same metadata are the same
/// upload (tus/tusd#1364 is what happens without).
fn compose(head: &Head, partials: &[UploadId]) -> Result<Operation, ApiError> {
    for (name, field) in [("upload-length", "Upload-Length"), ("upload-defer-length", "Upload-Defer-Length")] {
        if head.headers.contains_key(name) {
            return Err(ApiError::bad_request(field, "of a final upload is that of its partial uploads"));
        }
    }
    if has_bytes(head) && head.present("content-length") != Some("0") {
        return Err(ApiError::bad_request(
            "Content-Length",
            "of a final upload is 0: its bytes are those of its partial uploads",
        ));
    }
    let by_key = idempotency::parse(head, as_asked(head).as_bytes())?;
    let ids: Vec<_> = partials.iter().map(ToString::to_string).collect();
    let asked = format!("{}\n{}", ids.join(" "), head.present("upload-metadata").unwrap_or(""));
    let create = Create {
        mode: Mode::Sequential,
        file: metadata::file_info(head)?,
        file_bytes: None,
        chunking: Chunking::Agreed(None),
        purpose: Purpose::Composition(partials.to_vec()),
        idempotency: by_key.or_else(|| Some(Idempotency::implied(Sha256Digest::of(asked.as_bytes())))),
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    };
    Ok(Operation::Compose(create, Wait::ForObject))
}

/// `Upload-Length`, or none with `Upload-Defer-Length: 1`; never both, never neither.
fn declared_length(head: &Head) -> Result<Option<ByteCount>, ApiError> {
    const FIELD: &str = "Upload-Length";
    match (head.present("upload-length"), head.present("upload-defer-length")) {
        (Some(length), None) => capped_byte_count(FIELD, length).map(Some),
        (None, Some("1")) => Ok(None),
        (None, Some(_)) => Err(ApiError::bad_request("Upload-Defer-Length", "can only be 1")),
        (Some(_), Some(_)) => Err(ApiError::bad_request(FIELD, "and Upload-Defer-Length: send one of them")),
        (None, None) => Err(ApiError::bad_request(FIELD, "is missing, and so is Upload-Defer-Length: 1")),
    }
}

/// What a creation asks for, as one text: an `Idempotency-Key` stands for it.
fn as_asked(head: &Head) -> String {
    let fields = ["upload-length", "upload-defer-length", "upload-metadata", "upload-concat"];
    fields.map(|name| head.present(name).unwrap_or("")).join("\n")
}

/// A chunk; where nothing says how long it is, one without a checksum.
fn append(id: UploadId, head: &Head) -> Result<Operation, ApiError> {
    const OFFSET: &str = "Upload-Offset";
    let header = format!("`Content-Type: {BYTES}`");
    body_type::bare_bytes(head, &header)?;
    if !has_bytes(head) {
        return Err(ApiError::UnsupportedMediaType { expected: header });
    }
    let offset = head.present("upload-offset").ok_or_else(|| ApiError::bad_request(OFFSET, "is missing"))?;
    let offset = capped_byte_count(OFFSET, offset)?;
    let file_bytes = head.present("upload-length").map(|text| capped_byte_count("Upload-Length", text)).transpose()?;
    let (digest, wait) = (digest(head)?, Wait::ForObject);
    match head.present("content-length") {
        Some(length) => {
            let length = capped_byte_count("Content-Length", length)?;
            let (named, overlap, completes) = (Named::ByOffset, Overlap::Refused, Completion::WhenWhole);
            Ok(Operation::Append(Append { id, offset, named, overlap, completes, length, file_bytes, digest, wait }))
        }
        None if digest.is_some() => Err(ApiError::LengthRequired),
        None => Ok(Operation::AppendUnsized(Unsized { id, offset, file_bytes, end: BodyEnd::Nothing, wait })),
    }
}

/// Whether the body is said to be bytes of the upload.
fn has_bytes(head: &Head) -> bool {
    let media_type = head.header("content-type").and_then(|text| text.split(';').next());
    media_type.is_some_and(|text| text.trim_end().eq_ignore_ascii_case(BYTES))
}

fn digest(head: &Head) -> Result<Option<ChunkDigest>, ApiError> {
    head.present("upload-checksum").map(checksum::parse).transpose()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
