//! Uploads as JSON shows them, whoever asks: how one stands, what has happened to it, what came of doing something to many.

use serde_json::{Value, json};

use crate::{Asked, problem_page::FAULT};
use upload_types::{
    batch::BatchError,
    bucket,
    history::{Entry, History},
    json,
    operation::Reply,
    units::{ByteCount, UnixMs, UploadId},
    upload::{DeliveryState, LiveState, ObjectFacts, ReceiverStatus, Snapshot},
};

const JSON: &str = "application/json";

/// How it stands.
pub(super) fn status(snapshot: &Snapshot) -> Value {
    let mut status = json!({
        "uploadId": snapshot.id,
        "state": snapshot.phase,
        "reason": snapshot.reason,
        "uploadedBytes": snapshot.uploaded_bytes,
        "fileSize": snapshot.plan.declared_bytes(),
        "live": snapshot.live.is_some(),
        "truncated": snapshot.live == Some(LiveState::Truncated),
        "held": snapshot.held,
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
    if let Some(url) = &snapshot.public_url {
        status["publicUrl"] = json!(url);
    }
    if let Some(warning) = &snapshot.quota_warning {
        status["quotaWarning"] = json!(warning);
    }
    if !snapshot.receivers.is_empty() {
        status["receivers"] = snapshot.receivers.iter().map(receiver).collect();
    }
    status
}

/// An upload in the list. `fileSize` is null until it is known.
pub(super) fn listed(asked: &Asked<'_>, upload: &Snapshot) -> Value {
    json!({
        "uploadId": upload.id,
        "uploadUrl": asked.upload_url(upload.id),
        "state": upload.phase,
        "held": upload.held,
        "fileName": upload.file.name,
        "contentType": upload.file.content_type,
        "fileSize": upload.plan.declared_bytes(),
        "uploadedBytes": upload.uploaded_bytes,
        "metadata": upload.file.metadata,
        "createdAt": upload.created_at.rfc3339(),
        "expiresAt": upload.expires_at.rfc3339(),
    })
}

fn receiver(told: &ReceiverStatus) -> Value {
    json!({
        "name": told.name,
        "state": delivery(told.state),
        "attempts": told.attempts,
        "lastError": told.last_error,
    })
}

/// An object, with what the application has to say about it.
pub(crate) fn shown_object(object: &ObjectFacts) -> Value {
    let mut shown = json!(object);
    bucket::show(&mut shown, &object.key);
    if let Some(result) = &object.result {
        shown["result"] = said(result);
    }
    shown
}

/// What the application has to say, which is kept as text.
pub(crate) fn said(result: &str) -> Value {
    json::from_str(result).unwrap_or_default()
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

/// An answer in JSON that nobody keeps.
pub(super) fn json_reply(status: u16, body: &Value) -> Reply {
    let mut reply = Reply::empty(status).with("content-type", JSON).with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}
