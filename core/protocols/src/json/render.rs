//! Answers of the JSON protocol. Their shapes are what clients are written against.

use http::Method;
use serde_json::json;

use super::shown::{batch, json_reply, listed, log, status};
use crate::{
    Asked, Head, by_link,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::ApiError,
    operation::{Outcome, Reply},
    units::UploadId,
    upload::{Phase, Snapshot},
};

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
