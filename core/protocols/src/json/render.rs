//! Answers of the JSON protocol. Their shapes are what clients are written against.

use http::Method;
use serde_json::{Value, json};

use crate::{
    Asked, Head, by_link,
    problem::{Names, Problem},
    problem_page::FAULT,
};
use upload_types::{
    api_error::ApiError,
    history::{Entry, History},
    operation::{BatchError, Outcome, Reply},
    units::{ByteCount, UnixMs, UploadId},
    upload::{DeliveryState, LiveState, ObjectFacts, Phase, Snapshot},
};

const JSON: &str = "application/json";

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Created { snapshot, limits, upload_token } => {
            let url = asked.upload_url(snapshot.id);
            let mut body = json!({
                "uploadId": snapshot.id,
                "uploadUrl": url,
                "chunkSize": snapshot.plan.chunk_bytes,
                "uploadedBytes": snapshot.uploaded_bytes,
                "expiresAt": snapshot.expires_at.rfc3339(),
                "limits": {
                    "maxChunkBytes": limits.max_chunk(snapshot.plan.mode),
                    "maxUploadBytes": limits.largest_file(snapshot.plan.mode),
                    "partBytes": snapshot.plan.part_bytes,
                },
            });
            if let Some(token) = upload_token {
                body["uploadToken"] = json!(token);
            }
            if let Some(warning) = &snapshot.quota_warning {
                body["quotaWarning"] = json!(warning);
            }
            json_reply(201, &body).with("location", url)
        }
        Outcome::Duplicate(object) => json_reply(200, &json!({ "duplicate": true, "object": object })),
        Outcome::Listed { uploads, next } => {
            let uploads: Vec<_> = uploads.iter().map(|upload| listed(asked, upload)).collect();
            let mut body = json!({ "uploads": uploads });
            if let Some(next) = next {
                body["next"] = json!(next.to_string());
            }
            json_reply(200, &body)
        }
        Outcome::Usage(usage) => json_reply(200, &json!(usage)),
        Outcome::Appended { id, uploaded_bytes, file_bytes, phase, .. } => json_reply(
            200,
            &json!({ "uploadId": id, "uploadedBytes": uploaded_bytes, "fileSize": file_bytes, "state": phase }),
        )
        .with("upload-offset", uploaded_bytes.to_string()),
        Outcome::Probed(snapshot) => {
            let reply =
                Reply::empty(200).with("upload-offset", snapshot.offset.to_string()).with("cache-control", "no-store");
            match snapshot.plan.declared_bytes() {
                Some(file_bytes) => reply.with("upload-length", file_bytes.to_string()),
                None => reply,
            }
        }
        Outcome::Status(snapshot) => json_reply(200, &status(snapshot)),
        Outcome::Manifest(manifest) => json_reply(200, &super::repair::manifest(manifest)),
        Outcome::History(id, history) => json_reply(200, &log(*id, history)),
        Outcome::Completing(snapshot) | Outcome::Redelivering(snapshot) => {
            let status_url = format!("{}/status", asked.upload_url(snapshot.id));
            json_reply(202, &json!({ "uploadId": snapshot.id, "state": snapshot.phase, "statusUrl": status_url }))
        }
        Outcome::Linked { path_and_query, expires_at } => {
            let url = format!("{}{path_and_query}", asked.base_url);
            json_reply(201, &json!({ "url": url, "expiresAt": expires_at.rfc3339() }))
        }
        Outcome::UploadLinked { id, token, expires_at } => {
            let url = format!("{}{}", asked.base_url, by_link::below(token));
            json_reply(201, &json!({ "linkId": id, "url": url, "expiresAt": expires_at.rfc3339() }))
        }
        Outcome::UploadLinkRevoked(id, upload) => json_reply(200, &json!({ "linkId": id, "uploadId": upload })),
        Outcome::Presigned(leased) => json_reply(200, &crate::json::presigned::leased(leased)),
        Outcome::DeletedMany(uploads) => json_reply(200, &batch("deleted", uploads)),
        Outcome::Admin(outcome) => super::admin::reply(asked, outcome),
        Outcome::Found(true) => Reply::empty(200),
        Outcome::Found(false) | Outcome::Cancelled | Outcome::Discovered(_) => Reply::empty(204),
    }
}

/// Deleting what its client has deleted before changes nothing, and is answered as it was then.
pub fn repeated(head: &Head, refusal: &ApiError) -> Option<Outcome> {
    let is_deleted = matches!(refusal, ApiError::UploadGone { phase: Phase::Aborted | Phase::Deleted, .. });
    (head.method == Method::DELETE && is_deleted).then_some(Outcome::Cancelled)
}

/// The answer to what was not done: an RFC 9457 problem document.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    Problem::of(asked, refusal, upload, &names(asked.head)).reply()
}

/// The headers of this protocol, or the standard ones, where the request has those.
pub(crate) fn names(head: &Head) -> Names {
    let or = |ours: &'static str, standard: &'static str| {
        let has_only_standard = head.headers.contains_key(standard) && !head.headers.contains_key(ours);
        if has_only_standard { standard } else { ours }
    };
    Names {
        offset: or("X-Upload-Offset", "Content-Range"),
        length: "Content-Range",
        checksum: or("X-Chunk-Checksum", "Content-Digest"),
    }
}

/// How an upload stands, as it is pushed to whoever watches it: the same text that asking for the status gives.
pub fn event(snapshot: &Snapshot) -> String {
    status(snapshot).to_string()
}

pub(super) fn status(snapshot: &Snapshot) -> Value {
    let mut status = json!({
        "uploadId": snapshot.id,
        "state": snapshot.phase,
        "reason": snapshot.reason,
        "uploadedBytes": snapshot.uploaded_bytes,
        "fileSize": snapshot.plan.declared_bytes(),
        "live": snapshot.live.is_some(),
        "truncated": snapshot.live == Some(LiveState::Truncated),
        "missing": missing(snapshot),
        "receivedChunksBitmap": snapshot.received_chunks_bitmap,
        "mode": snapshot.plan.mode,
        "chunkSize": snapshot.plan.chunk_bytes,
        "partBytes": snapshot.plan.part_bytes,
        "fileName": snapshot.file.name,
        "contentType": snapshot.file.content_type,
        "metadata": snapshot.file.metadata,
        "createdAt": snapshot.created_at.rfc3339(),
        "expiresAt": snapshot.expires_at.rfc3339(),
        "delivery": delivery(snapshot.delivery),
        "cost": snapshot.cost,
        "object": snapshot.object.as_ref().map(shown_object),
        "deletedAt": snapshot.deleted_at.map(UnixMs::rfc3339),
    });
    if let Some(warning) = &snapshot.quota_warning {
        status["quotaWarning"] = json!(warning);
    }
    status
}

/// An object, with what the application has to say about it.
pub(crate) fn shown_object(object: &ObjectFacts) -> Value {
    let mut shown = json!(object);
    if let Some(result) = &object.result {
        shown["result"] = said(result);
    }
    shown
}

/// What the application has to say, which is kept as text.
pub(crate) fn said(result: &str) -> Value {
    serde_json::from_str(result).unwrap_or_default()
}

/// Which bytes are missing. Where the length is still to be declared, the last of them have no end yet: null.
fn missing(snapshot: &Snapshot) -> Vec<(ByteCount, Option<ByteCount>)> {
    let is_open = |to: ByteCount| snapshot.plan.open_ended && to == snapshot.plan.file_bytes;
    snapshot.missing.iter().map(|(from, to)| (*from, Some(*to).filter(|to| !is_open(*to)))).collect()
}

/// `total` is more than the entries account for where old ones have been dropped.
pub(super) fn log(id: UploadId, history: &History) -> Value {
    let entry = |entry: &Entry| {
        json!({
            "at": entry.at.rfc3339(),
            "until": entry.until.rfc3339(),
            "times": entry.times,
            "event": entry.event,
            "uploadedBytes": entry.uploaded_bytes,
            "detail": entry.detail,
        })
    };
    let entries: Vec<_> = history.entries.iter().map(entry).collect();
    json!({ "uploadId": id, "total": history.noted, "entries": entries })
}

/// An upload in the list. `fileSize` is null until it is known.
fn listed(asked: &Asked<'_>, upload: &Snapshot) -> Value {
    json!({
        "uploadId": upload.id,
        "uploadUrl": asked.upload_url(upload.id),
        "state": upload.phase,
        "fileName": upload.file.name,
        "contentType": upload.file.content_type,
        "fileSize": upload.plan.declared_bytes(),
        "uploadedBytes": upload.uploaded_bytes,
        "metadata": upload.file.metadata,
        "createdAt": upload.created_at.rfc3339(),
        "expiresAt": upload.expires_at.rfc3339(),
    })
}

/// What became of each: those to which it was done, under this name, and why it was not to the others.
pub(super) fn batch(name: &str, uploads: &[(UploadId, Result<(), BatchError>)]) -> Value {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for (id, answer) in uploads {
        let (code, status, detail) = match answer {
            Ok(()) => {
                done.push(json!(id));
                continue;
            }
            Err(BatchError::Refused(error)) => (error.code(), error.status(), error.to_string()),
            Err(BatchError::Unknown) => (FAULT, 500, "Something of ours went wrong. Ask again.".to_owned()),
        };
        refused.push(json!({ "uploadId": id, "code": code, "status": status, "detail": detail }));
    }
    let mut said = json!({ "refused": refused });
    said[name] = done.into();
    said
}

fn delivery(state: Option<DeliveryState>) -> &'static str {
    match state {
        None => "none",
        Some(DeliveryState::Queued) => "queued",
        Some(DeliveryState::Delivered) => "delivered",
        Some(DeliveryState::Failed) => "failed",
    }
}

pub(super) fn json_reply(status: u16, body: &Value) -> Reply {
    let mut reply = Reply::empty(status).with("content-type", JSON).with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}
