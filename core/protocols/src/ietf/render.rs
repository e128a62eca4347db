//! Answers in the words of the newest draft. All of them say where the upload stands, as far as they know it: `Upload-Offset`
//! also where the draft leaves it out, since clients of older drafts need it.

use http::Method;
use serde_json::json;

use super::{
    fields::{self, COMPLETE, LENGTH, LENGTH_NAME, LIMIT, OFFSET, PARTIAL_UPLOAD, written},
    request::upload_id,
};
use crate::{
    Asked, Head, digest, json,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::{ApiError, SOON_SECONDS},
    integrity::{Crc64Nvme, Sha256Digest},
    ledger::StoredObject,
    operation::{Outcome, Reply},
    plan::{Limits, Mode},
    units::{ByteCount, UnixMs, UploadId},
    upload::{ObjectFacts, Phase, Snapshot},
};

/// Where the draft's problem types are explained.
const PROBLEM_BASE: &str = "https://iana.org/assignments/http-problem-types#";

/// What clients of the draft send.
const NAMES: Names = Names { offset: "Upload-Offset", length: LENGTH_NAME, checksum: "Content-Digest" };

/// The largest Integer of a structured field (RFC 9651, section 3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// What a creation target says of itself to OPTIONS: the limits ("Limits"), and what uploads are appended with, which drafts -10 and
/// -11 require here.
pub fn discovery(limits: &Limits) -> Vec<(&'static str, String)> {
    vec![(LIMIT, upload_limit(*limits, None)), ("accept-patch", PARTIAL_UPLOAD.to_owned())]
}

/// The answer to what was done.
pub(super) fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    let reply = match outcome {
        Outcome::Created { snapshot, .. } if snapshot.phase == Phase::Open => {
            state(asked, snapshot).with("location", asked.file_url(snapshot.id))
        }
        Outcome::Created { snapshot, .. } => match &snapshot.object {
            Some(object) => finished(asked, &Finished::of(snapshot.id, snapshot.uploaded_bytes, object)),
            // All content is there, and the object is not. A client that is refused now sends it all again; this one asks, or appends
            // nothing with `?1`, and is told of the object. No offset: the last one would be taken for success.
            None if snapshot.phase.is_finishing() => Reply::empty(201)
                .with(COMPLETE, written(false))
                .with("location", asked.file_url(snapshot.id))
                .with("retry-after", SOON_SECONDS.to_string())
                .with("cache-control", "no-store"),
            None => not_finished(asked, snapshot.phase, snapshot.reason.as_deref(), Some(snapshot.id)),
        },
        // The server "decides to generate an early response" ("Completeness"): it has these bytes.
        Outcome::Duplicate(known) => {
            let StoredObject { upload_id, file_size, etag, sha256, crc64nvme, .. } = known;
            let (id, file_bytes, sha256, crc64nvme) = (*upload_id, *file_size, Some(*sha256), *crc64nvme);
            finished(asked, &Finished { id, file_bytes, etag, sha256, crc64nvme, result: None })
        }
        Outcome::Appended { phase: Phase::Open, uploaded_bytes, file_bytes, expires_at, .. } => {
            standing(asked, false, *uploaded_bytes, *file_bytes, Some(*expires_at))
        }
        Outcome::Appended { id, uploaded_bytes, phase, object, .. } => match object {
            Some(object) => finished(asked, &Finished::of(*id, *uploaded_bytes, object)),
            None => not_finished(asked, *phase, None, Some(*id)),
        },
        Outcome::Probed(snapshot) | Outcome::Status(snapshot) => state(asked, snapshot),
        Outcome::Discovered(limits) => Reply { headers: discovery(limits), ..Reply::empty(204) },
        Outcome::Cancelled => Reply::empty(204),
        // Nothing in this protocol asks for these.
        Outcome::Usage(_)
        | Outcome::Listed { .. }
        | Outcome::Presigned(_)
        | Outcome::Manifest(_)
        | Outcome::History(..)
        | Outcome::Completing(_)
        | Outcome::Found(_)
        | Outcome::Redelivering(_)
        | Outcome::DeletedMany(_)
        | Outcome::Admin(_)
        | Outcome::Linked { .. }
        | Outcome::UploadLinked { .. }
        | Outcome::UploadLinkRevoked(..) => json::reply(asked, outcome),
    };
    let created = matches!(outcome, Outcome::Created { .. });
    // "Servers are RECOMMENDED to use the `201 (Created)` status code" ("Upload Creation").
    let status = if created && reply.status == 204 { 201 } else { reply.status };
    with_limit(asked, Reply { status, ..reply })
}

/// Where an upload stands: the answer to "Offset Retrieval".
pub(super) fn state(asked: &Asked<'_>, snapshot: &Snapshot) -> Reply {
    match snapshot.phase {
        Phase::Open => {
            standing(asked, false, snapshot.offset, snapshot.plan.declared_bytes(), Some(snapshot.expires_at))
        }
        Phase::Completed => {
            let reply = standing(asked, true, snapshot.offset, snapshot.plan.declared_bytes(), None);
            match &snapshot.object {
                Some(object) => reply.with("repr-digest", digest::answer(object.sha256, object.crc64nvme)),
                None => reply,
            }
        }
        phase => not_finished(asked, phase, snapshot.reason.as_deref(), Some(snapshot.id)),
    }
}

fn standing(
    asked: &Asked<'_>,
    complete: bool,
    offset: ByteCount,
    file_bytes: Option<ByteCount>,
    expires_at: Option<UnixMs>,
) -> Reply {
    let reply = Reply::empty(204).with(COMPLETE, written(complete)).with(OFFSET, offset.to_string());
    let reply =
        file_bytes.map(|bytes| bytes.to_string()).into_iter().fold(reply, |reply, bytes| reply.with(LENGTH, bytes));
    let limit = asked.limits.map(|limits| upload_limit(limits, expires_at.map(|at| at.ms_since(asked.now) / 1000)));
    limit.into_iter().fold(reply, |reply, limit| reply.with(LIMIT, limit)).with("cache-control", "no-store")
}

/// A file that is there.
struct Finished<'a> {
    id: UploadId,
    file_bytes: ByteCount,
    etag: &'a str,
    sha256: Option<Sha256Digest>,
    crc64nvme: Crc64Nvme,
    result: Option<&'a str>,
}

impl<'a> Finished<'a> {
    fn of(id: UploadId, file_bytes: ByteCount, object: &'a ObjectFacts) -> Self {
        let ObjectFacts { etag, sha256, crc64nvme, result, .. } = object;
        Self { id, file_bytes, etag, sha256: *sha256, crc64nvme: *crc64nvme, result: result.as_deref() }
    }
}

/// What the creation target answers to a whole file. Said of nothing but what stays the same, so that it is the same again however
/// often it is asked for, and whichever request brought the last byte; but for what the application has to say, once it has.
fn finished(asked: &Asked<'_>, file: &Finished<'_>) -> Reply {
    let location = asked.file_url(file.id);
    let mut body = json!({
        "uploadId": file.id,
        "location": location,
        "fileSize": file.file_bytes,
        "etag": file.etag,
        "crc64nvme": file.crc64nvme,
        "sha256": file.sha256,
    });
    if let Some(result) = file.result {
        body["result"] = json::said(result);
    }
    let mut reply = Reply::empty(200)
        .with(COMPLETE, written(true))
        .with(OFFSET, file.file_bytes.to_string())
        .with(LENGTH, file.file_bytes.to_string())
        .with("location", location)
        .with("repr-digest", digest::answer(file.sha256, file.crc64nvme))
        .with("content-type", "application/json")
        .with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}

/// All bytes are there, and the object is not. No offset is said: a client would take the last one for success.
fn not_finished(asked: &Asked<'_>, phase: Phase, reason: Option<&str>, id: Option<UploadId>) -> Reply {
    let refusal = match phase {
        Phase::Damaged | Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => {
            let phase = if phase == Phase::Damaged { Phase::Failed } else { phase };
            let reason = reason.unwrap_or("The upload has ended without a file.").to_owned();
            ApiError::UploadGone { phase, reason }
        }
        _ => ApiError::Completing,
    };
    problem(asked, &refusal, id)
}

/// The answer to what was not done.
pub(super) fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    let refusal = &offset_first(asked.head, refusal);
    let about = upload_id(asked.head);
    let mut problem = Problem::of(asked, refusal, upload.or(about), &NAMES);
    match refusal {
        ApiError::OffsetMismatch { uploaded_bytes, .. } => {
            problem.status = 409;
            problem.say("type", format!("{PROBLEM_BASE}mismatching-upload-offset"));
            problem.say("title", "offset from request does not match offset of resource");
            problem.say("expected-offset", uploaded_bytes);
            problem.say("provided-offset", fields::byte_count(asked.head, OFFSET));
        }
        ApiError::InconsistentLength { .. } | ApiError::BeyondDeclaredLength { .. } => {
            inconsistent_length(&mut problem);
        }
        // A length of another type is ignored, so this is one that contradicts its own request.
        ApiError::BadRequest { field, .. } if field == LENGTH_NAME => inconsistent_length(&mut problem),
        // The client is to come again, which it would not after a 4xx.
        ApiError::Completing => problem.status = 503,
        _ => {}
    }
    let reply = said(asked, problem);
    let reply = match refusal {
        // "the patch document is of a type that is not supported by the resource" (RFC 5789, section 2.2)
        ApiError::UnsupportedMediaType { .. } => reply.with("accept-patch", PARTIAL_UPLOAD),
        _ => reply,
    };
    // A digest that the file does not have is the creation target's answer, not the protocol's: the upload is over.
    let is_final = matches!(
        refusal,
        ApiError::FileDigestMismatch { .. } | ApiError::UploadGone { phase: Phase::Failed | Phase::Completed, .. }
    );
    let reply = reply.with(COMPLETE, written(is_final));
    // The offset of a creation that was refused belongs to no upload.
    let offset = refusal.uploaded_bytes().filter(|_| about.is_some());
    let reply = offset.into_iter().fold(reply, |reply, offset| reply.with(OFFSET, offset.to_string()));
    with_limit(asked, reply)
}

/// The answer where something of ours went wrong.
pub(super) fn fault(asked: &Asked<'_>, fault_id: &str, upload: Option<UploadId>) -> Reply {
    let reply = said(asked, Problem::of_fault(asked, fault_id, upload.or(upload_id(asked.head))));
    with_limit(asked, reply.with(COMPLETE, written(false)))
}

/// The draft would have clients ask again after a code from 500 on; its published ones, of interop 4 to 6, start over.
fn said(asked: &Asked<'_>, problem: Problem) -> Reply {
    let problem = if asked.head.method == Method::HEAD { problem.asks_for_patience() } else { problem };
    problem.reply()
}

fn inconsistent_length(problem: &mut Problem) {
    problem.status = 400;
    problem.say("type", format!("{PROBLEM_BASE}inconsistent-upload-length"));
    problem.say("title", "inconsistent length values for upload");
    problem.say("field", LENGTH_NAME);
}

/// An append that begins at a wrong offset is told so, whatever else is wrong about where it ends: "If the `Upload-Offset`
/// request header field value does not match the current offset, the server MUST reject the request with a `409`". Of one that did not
/// say how long it is the offset has been looked at before its end was known, and is another one by then.
pub(super) fn offset_first(head: &Head, refusal: &ApiError) -> ApiError {
    let is_sized = head.headers.contains_key("content-length");
    match refusal {
        ApiError::InconsistentLength { uploaded_bytes, .. } | ApiError::BeyondDeclaredLength { uploaded_bytes, .. }
            if is_sized && upload_id(head).is_some() && fields::byte_count(head, OFFSET) != Some(*uploaded_bytes) =>
        {
            ApiError::OffsetMismatch { uploaded_bytes: *uploaded_bytes, is_whole: false }
        }
        other => other.clone(),
    }
}

/// The limits, where the answer does not say them yet.
fn with_limit(asked: &Asked<'_>, reply: Reply) -> Reply {
    match asked.limits {
        Some(limits) if !reply.headers.iter().any(|(name, _)| *name == LIMIT) => {
            reply.with(LIMIT, upload_limit(limits, None))
        }
        _ => reply,
    }
}

/// `Upload-Limit`, with how long the upload still has, in seconds, where there is one that ends.
fn upload_limit(limits: Limits, max_age_seconds: Option<u64>) -> String {
    let integer = |bytes: ByteCount| bytes.get().min(MAX_INTEGER);
    let max_size = integer(limits.largest_file(Mode::Sequential));
    let sizes = format!("max-size={max_size}, max-append-size={}", integer(limits.max_chunk_bytes));
    match max_age_seconds {
        Some(seconds) => format!("{sizes}, max-age={}", seconds.min(MAX_INTEGER)),
        None => sizes,
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
