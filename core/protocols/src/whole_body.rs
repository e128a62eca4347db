//! A request that brings a whole file, and nothing but the file: what its headers say of it, whichever protocol it comes in.
//!
//! A digest in its headers is of all its bytes, so whatever is said is checked. Where the body has a length, the bytes that
//! arrive are compared as a whole, and where they differ nothing is created. Where it has none, only what can be carried from gathering to
//! gathering is taken: SHA-256 and CRC-64/NVME.

use crate::{Head, body_type, digest, file_words, idempotency, numbers::byte_count};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    live::Liveness,
    operation::{BodyEnd, Create, FirstChunk, Operation, Wait},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    upload::{FileInfo, Purpose},
};

/// What programs say of a body when nobody has told them what it is (curl's `--data-binary`, wget's `--post-file`).
const SAYS_NOTHING: [&str; 1] = ["application/x-www-form-urlencoded"];

/// The creation of an upload of all bytes of the body, under a name that has been checked.
pub(super) fn creation(head: &Head, name: String) -> Result<Operation, ApiError> {
    body_type::bare_bytes(head, "the file's own `Content-Type`")?;
    let length = head.header("content-length").map(|text| byte_count("Content-Length", text)).transpose()?;
    let digests = digest::of_whole(head)?;
    let (sha256, crc64nvme) = digest::carried(&digests);
    if length.is_none() && sha256.is_none() && crc64nvme.is_none() && !digests.is_empty() {
        return Err(ApiError::LengthRequired);
    }
    let file = FileInfo {
        name,
        content_type: file_words::content_type(head, &SAYS_NOTHING)?,
        metadata: file_words::codings(head)?,
        sha256,
        crc64nvme,
        memo: None,
    };
    let create = Create {
        mode: Mode::Sequential,
        file,
        file_bytes: length,
        chunking: Chunking::Unspoken,
        purpose: Purpose::File,
        idempotency: idempotency::parse(head, fingerprint(head).as_bytes())?,
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    };
    let wait = Wait::ForObject;
    Ok(match length {
        None => Operation::CreateWithUnsized(create, BodyEnd::FileEnds, wait),
        Some(length) => {
            let (digest, completes) = (digest::strongest(digests), Completion::WhenWhole);
            Operation::CreateWith(create, FirstChunk { length, digest, completes, wait })
        }
    })
}

/// What must be the same when a creation is repeated under its `Idempotency-Key`.
fn fingerprint(head: &Head) -> String {
    let names = [
        "content-length",
        "content-type",
        "content-encoding",
        "content-disposition",
        "content-digest",
        "repr-digest",
        "digest",
    ];
    let headers = names.map(|name| head.header(name).unwrap_or_default()).join("\n");
    format!("{} {}?{}\n{headers}", head.method, head.path, head.query)
}
