//! Answers of the JSON dialect. Their shapes are what clients are written against.

use serde_json::{Value, json};

use crate::{
    event::DeliveryState,
    ledger::OpenUpload,
    operation::{Outcome, Reply},
    refusal::Refusal,
    units::UploadId,
    upload::Snapshot,
};

const JSON: &str = "application/json";

/// Where the problems of this service are explained, one fragment per code.
pub(in crate::dialect) const PROBLEM_BASE: &str = "https://quayside.dev/problems/";

/// The answer to what was done.
pub fn reply(outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Created { snapshot, limits } => {
            let url = upload_url(snapshot.id);
            let body = json!({
                "uploadId": snapshot.id,
                "uploadUrl": url,
                "chunkSize": snapshot.plan.chunk_bytes,
                "uploadedBytes": snapshot.uploaded_bytes,
                "expiresAt": snapshot.expires_at.rfc3339(),
                "limits": {
                    "maxChunkBytes": limits.max_chunk_bytes,
                    "maxUploadBytes": limits.largest_file(snapshot.plan.mode),
                    "partBytes": snapshot.plan.part_bytes,
                },
            });
            json_reply(201, &body).with("location", url)
        }
        Outcome::Duplicate(object) => json_reply(200, &json!({ "duplicate": true, "object": object })),
        Outcome::Listed(uploads) => {
            let uploads: Vec<_> = uploads.iter().map(open_upload).collect();
            json_reply(200, &json!({ "uploads": uploads }))
        }
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
        Outcome::Completing(snapshot) | Outcome::Redelivering(snapshot) => {
            let status_url = format!("{}/status", upload_url(snapshot.id));
            json_reply(202, &json!({ "uploadId": snapshot.id, "state": snapshot.phase, "statusUrl": status_url }))
        }
        Outcome::Cancelled | Outcome::Discovered(_) => Reply::empty(204),
    }
}

/// The answer to what was not done: an RFC 9457 problem document.
pub fn problem(refusal: &Refusal, upload: Option<UploadId>) -> Reply {
    let mut body = json!({
        "type": format!("{PROBLEM_BASE}{}", refusal.code()),
        "title": refusal.title(),
        "status": refusal.status(),
        "detail": refusal.to_string(),
    });
    let mut say = |name: &str, value: Value| {
        if let Some(fields) = body.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    if let Some(upload) = upload {
        say("uploadId", json!(upload));
    }
    if let Some(uploaded_bytes) = refusal.uploaded_bytes() {
        say("uploadedBytes", json!(uploaded_bytes));
    }
    let mut reply = Reply::empty(refusal.status());
    match refusal {
        Refusal::ChunkTooLarge { limit_bytes } | Refusal::UploadTooLarge { limit_bytes } => {
            say("limitBytes", json!(limit_bytes));
        }
        Refusal::BeyondDeclaredLength { file_bytes, .. } => say("fileSize", json!(file_bytes)),
        Refusal::InconsistentLength { file_bytes, .. } => {
            say("field", json!("Content-Range"));
            say("fileSize", json!(file_bytes));
        }
        Refusal::NotAChunk { chunk_bytes, .. } => {
            say("field", json!("X-Upload-Offset"));
            say("chunkSize", json!(chunk_bytes));
        }
        Refusal::QuotaExceeded { retry_after_seconds: Some(seconds), .. } => {
            reply = reply.with("retry-after", seconds.to_string());
        }
        Refusal::Busy { retry_after_seconds, .. } => reply = reply.with("retry-after", retry_after_seconds.to_string()),
        Refusal::Incomplete { missing_bytes, .. } => say("missingBytes", json!(missing_bytes)),
        Refusal::BadRequest { field, .. } => say("field", json!(field)),
        Refusal::UploadGone { phase, .. } => say("state", json!(phase)),
        Refusal::MethodNotAllowed { allow } => reply = reply.with("allow", allow),
        Refusal::RangeNotSatisfiable { object_bytes } => {
            reply = reply.with("content-range", format!("bytes */{object_bytes}"));
        }
        Refusal::Completing | Refusal::StorageUnavailable { .. } => reply = reply.with("retry-after", "1"),
        _ => {}
    }
    reply = reply.with("content-type", "application/problem+json").with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}

/// The answer where something of ours went wrong. The log says more under the same id.
pub fn fault(fault_id: &str, upload: Option<UploadId>) -> Reply {
    let body = json!({
        "type": format!("{PROBLEM_BASE}fault"),
        "title": "Something went wrong here",
        "status": 500,
        "detail": "It is not your fault. Ask for the offset and go on; whoever runs this service finds more under the fault's id.",
        "faultId": fault_id,
        "uploadId": upload,
    });
    let mut reply =
        Reply::empty(500).with("content-type", "application/problem+json").with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}

fn status(snapshot: &Snapshot) -> Value {
    json!({
        "uploadId": snapshot.id,
        "state": snapshot.phase,
        "reason": snapshot.reason,
        "uploadedBytes": snapshot.uploaded_bytes,
        "fileSize": snapshot.plan.declared_bytes(),
        "missing": snapshot.missing,
        "chunks": snapshot.chunks,
        "mode": snapshot.plan.mode,
        "chunkSize": snapshot.plan.chunk_bytes,
        "partBytes": snapshot.plan.part_bytes,
        "fileName": snapshot.file.name,
        "contentType": snapshot.file.content_type,
        "createdAt": snapshot.created_at.rfc3339(),
        "expiresAt": snapshot.expires_at.rfc3339(),
        "delivery": delivery(snapshot.delivery),
        "object": snapshot.object,
    })
}

fn open_upload(upload: &OpenUpload) -> Value {
    json!({
        "uploadId": upload.upload_id,
        "uploadUrl": upload_url(upload.upload_id),
        "fileName": upload.file_name,
        "fileSize": (!upload.open_ended).then_some(upload.file_size),
        "createdAt": upload.created_at.rfc3339(),
        "expiresAt": upload.expires_at.rfc3339(),
    })
}

fn delivery(state: Option<DeliveryState>) -> &'static str {
    match state {
        None => "none",
        Some(DeliveryState::Queued) => "queued",
        Some(DeliveryState::Delivered) => "delivered",
        Some(DeliveryState::Failed) => "failed",
    }
}

fn upload_url(id: UploadId) -> String {
    format!("/upload/{id}")
}

fn json_reply(status: u16, body: &Value) -> Reply {
    let mut reply = Reply::empty(status).with("content-type", JSON).with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_what_helps() {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        let reply = problem(&Refusal::Incomplete { missing_bytes: 3.into(), uploaded_bytes: 4.into() }, Some(id));
        let body: Value = serde_json::from_str(&reply.body.unwrap()).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "https://quayside.dev/problems/incomplete",
                "title": "Bytes are missing",
                "status": 409,
                "detail": "3 bytes have not arrived yet.",
                "uploadId": id,
                "uploadedBytes": 4,
                "missingBytes": 3,
            })
        );
        let reply = problem(&Refusal::MethodNotAllowed { allow: "PUT".to_owned() }, None);
        assert!(reply.headers.contains(&("allow", "PUT".to_owned())));
    }
}
