//! Answers to pieces of a file. All libraries take any 200 for a piece that is stored, and hand what stands in the answer to the page;
//! Fine Uploader wants to read `"success": true` there, blueimp `Range`. What was not done is a problem document, with the two members that
//! these libraries show.

use serde_json::json;

use crate::{
    Asked, Head, json,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::{ApiError, SOON_SECONDS},
    operation::{Outcome, Reply},
    units::UploadId,
    upload::Phase,
};

/// What these libraries send, where a refusal is about it.
const NAMES: Names = Names { offset: "Content-Range", length: "total", checksum: "Content-Digest" };

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Found(true) => Reply::empty(200).with("cache-control", "no-store"),
        Outcome::Found(false) => Reply::empty(204).with("cache-control", "no-store"),
        Outcome::Appended { id, uploaded_bytes, file_bytes, phase, object, .. } => {
            let url = asked.upload_url(*id);
            let body = json!({
                "success": true,
                "uploadId": id,
                "uploadUrl": url,
                "state": phase,
                "uploadedBytes": uploaded_bytes,
                "fileSize": file_bytes,
                "object": object.as_ref().map(json::shown_object),
            });
            let reply = Reply::empty(200).with("content-type", "application/json").with("cache-control", "no-store");
            let reply = match uploaded_bytes.get().checked_sub(1) {
                Some(last) => reply.with("range", format!("bytes=0-{last}")),
                None => reply,
            };
            let reply = if *phase == Phase::Open { reply } else { reply.with("location", url) };
            Reply { body: Some(body.to_string()), ..reply }
        }
        // Nothing here asks for anything else.
        _ => json::reply(asked, outcome),
    }
}

/// The answer to what was not done.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    let mut problem = Problem::of(asked, refusal, upload, &NAMES);
    problem.status = status(asked.head, refusal, problem.status);
    problem.say("success", false);
    problem.say("error", refusal.to_string());
    let reply = problem.reply();
    if reply.status == 503 && !reply.headers.iter().any(|(name, _)| *name == "retry-after") {
        return reply.with("retry-after", SOON_SECONDS.to_string());
    }
    reply
}

/// What passes by itself is 503. Resumable.js repeats a chunk a hundred times, without a pause, after any refusal but these four: what does
/// not pass is 400 for it, whatever it is for others.
fn status(head: &Head, refusal: &ApiError, status: u16) -> u16 {
    const ENDS_RESUMABLE: [u16; 4] = [400, 404, 415, 501];
    // Another token helps, or time does.
    const PASSES: [u16; 3] = [401, 408, 429];
    match refusal {
        ApiError::Completing | ApiError::Busy { .. } | ApiError::Superseded { .. } => 503,
        _ if PASSES.contains(&status) || status >= 500 => status,
        _ if is_resumable(head) && !ENDS_RESUMABLE.contains(&status) => 400,
        _ => status,
    }
}

/// Resumable.js says all its fields in the query as well.
fn is_resumable(head: &Head) -> bool {
    head.query_parameter("resumableIdentifier").is_some()
}
