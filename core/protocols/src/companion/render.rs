//! Answers of the Companion protocol. Errors are problem documents: Uppy shows their status text only.

use serde_json::{Map, Value, json};

use crate::{Asked, json as ours, problem::Problem};
use upload_types::{
    api_error::ApiError,
    operation::{Outcome, Reply},
    presigned::PresignResponse,
    units::UploadId,
};

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Created { snapshot, .. } => json_reply(&json!({ "uploadId": snapshot.id, "key": snapshot.id })),
        Outcome::Presigned(PresignResponse::Signed(_, parts)) if asked.head.path.ends_with("/batch") => {
            // One by one: a map that is collected brings a sort of its own along.
            let mut urls = Map::new();
            for part in parts {
                urls.insert((part.chunk + 1).to_string(), part.url.clone().into());
            }
            json_reply(&json!({ "presignedUrls": urls }))
        }
        Outcome::Presigned(PresignResponse::Signed(_, parts)) => {
            let part = parts.first();
            json_reply(&json!({
                "url": part.map(|part| part.url.as_str()),
                "expires": part.map(|part| part.valid_seconds),
            }))
        }
        Outcome::Presigned(PresignResponse::Listed(chunks)) => {
            let parts = chunks
                .iter()
                .map(|listed| json!({ "PartNumber": listed.chunk + 1, "ETag": listed.etag, "Size": listed.bytes }));
            json_reply(&parts.collect())
        }
        Outcome::Completing(snapshot) => json_reply(&json!({
            "location": asked.upload_url(snapshot.id),
            "key": snapshot.id,
        })),
        Outcome::Cancelled => json_reply(&json!({})),
        // Nothing that this protocol asks for has another outcome.
        _ => ours::reply(asked, outcome),
    }
}

/// The answer to what was not done.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    Problem::of(asked, refusal, upload, &ours::names(asked.head)).reply()
}

fn json_reply(body: &Value) -> Reply {
    let mut reply = Reply::empty(200).with("content-type", "application/json").with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}
