//! Answers in Google's words: 308 with `Range` while bytes are missing, the object's resource with 200 when none is, 499 for what was
//! cancelled. What was not done is a problem document that also has the `error` that Google's clients show.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::request::{SESSION, TYPE, address, bucket};
use crate::{
    Asked, json,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::{ApiError, SOON_SECONDS},
    bucket as buckets,
    integrity::Crc64Nvme,
    operation::{Outcome, Reply},
    units::{ByteCount, UploadId},
    upload::{ObjectFacts, Phase, Snapshot},
};

/// What clients of this protocol send.
const NAMES: Names = Names { offset: "Content-Range", length: "Content-Range", checksum: "X-Goog-Hash" };

/// What Google calls a client that has gone: whoever cancels is told the same.
const CANCELLED: u16 = 499;

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Created { snapshot, .. } if is_whole_in_one(asked) => standing(asked, snapshot),
        Outcome::Created { snapshot, .. } => opened(asked, snapshot),
        Outcome::Probed(snapshot) => standing(asked, snapshot),
        Outcome::Appended { phase: Phase::Open, uploaded_bytes, .. } => incomplete(*uploaded_bytes),
        Outcome::Appended { id, uploaded_bytes, phase, object, .. } => match object {
            Some(object) => resource(asked, &Stored::of(*id, *uploaded_bytes, object)),
            None => not_there(asked, *phase, None, *id),
        },
        Outcome::Duplicate(known) => {
            let (etag, key, crc64nvme) = (known.etag.as_str(), known.key.as_str(), known.crc64nvme);
            resource(
                asked,
                &Stored { id: known.upload_id, file_bytes: known.file_size, etag, key, crc64nvme, result: None },
            )
        }
        Outcome::Cancelled => Reply::empty(CANCELLED),
        // Nothing in this protocol asks for anything else.
        _ => json::reply(asked, outcome),
    }
}

fn is_whole_in_one(asked: &Asked<'_>) -> bool {
    asked.head.query_parameter(TYPE) == Some("media")
}

/// A session, and where it is. The same again where its creation is repeated.
fn opened(asked: &Asked<'_>, snapshot: &Snapshot) -> Reply {
    let name = utf8_percent_encode(&snapshot.file.name, NON_ALPHANUMERIC);
    let url =
        format!("{}{}?{TYPE}=resumable&name={name}&{SESSION}={}", asked.base_url, address(asked.head), snapshot.id);
    Reply::empty(200).with("location", url).with("cache-control", "no-store")
}

/// How an upload stands.
fn standing(asked: &Asked<'_>, snapshot: &Snapshot) -> Reply {
    match (snapshot.phase, &snapshot.object) {
        (Phase::Open, _) if is_whole_in_one(asked) => {
            // Its client knows of no session to go on in: it sends the file again.
            let refusal = ApiError::Incomplete { missing_bytes: None, uploaded_bytes: snapshot.uploaded_bytes };
            restated(asked, &refusal, Some(snapshot.id), Some(503))
        }
        (Phase::Open, _) => incomplete(snapshot.offset),
        (Phase::Completed, Some(object)) => resource(asked, &Stored::of(snapshot.id, snapshot.uploaded_bytes, object)),
        (phase, _) => not_there(asked, phase, snapshot.reason.as_deref(), snapshot.id),
    }
}

/// Bytes are missing; these count.
fn incomplete(offset: ByteCount) -> Reply {
    let reply = Reply::empty(308).with("cache-control", "no-store");
    match offset.get().checked_sub(1) {
        Some(last) => reply.with("range", format!("bytes=0-{last}")),
        None => reply,
    }
}

/// A file that is there.
struct Stored<'a> {
    id: UploadId,
    file_bytes: ByteCount,
    etag: &'a str,
    key: &'a str,
    crc64nvme: Crc64Nvme,
    result: Option<&'a str>,
}

impl<'a> Stored<'a> {
    fn of(id: UploadId, file_bytes: ByteCount, object: &'a ObjectFacts) -> Self {
        let ObjectFacts { key, etag, crc64nvme, result, .. } = object;
        Self { id, file_bytes, etag, key, crc64nvme: *crc64nvme, result: result.as_deref() }
    }
}

/// The object's resource, as Google has it, as far as there is such a thing here; what is ours stands beside it.
fn resource(asked: &Asked<'_>, file: &Stored<'_>) -> Reply {
    let mut body = json!({
        "kind": "storage#object",
        "id": file.id,
        "name": asked.head.query_text("name").unwrap_or_else(|| buckets::split(file.key).1.to_owned()),
        "bucket": bucket(asked.head),
        "size": file.file_bytes.to_string(),
        "etag": file.etag,
        "uploadId": file.id,
        "uploadUrl": asked.upload_url(file.id),
        "object": { "etag": file.etag, "crc64nvme": file.crc64nvme },
    });
    buckets::show(&mut body["object"], file.key);
    if let Some(result) = file.result {
        body["object"]["result"] = json::said(result);
    }
    let reply = Reply::empty(200).with("content-type", "application/json").with("cache-control", "no-store");
    Reply { body: Some(body.to_string()), ..reply }
}

/// All bytes are there and the object is not, or nothing is left to go on with.
fn not_there(asked: &Asked<'_>, phase: Phase, reason: Option<&str>, id: UploadId) -> Reply {
    let refusal = match phase {
        Phase::Failed | Phase::Damaged | Phase::Aborted | Phase::Expired | Phase::Deleted => {
            let phase = if phase == Phase::Damaged { Phase::Failed } else { phase };
            ApiError::UploadGone { phase, reason: reason.unwrap_or("The upload has ended without a file.").to_owned() }
        }
        _ => ApiError::Completing,
    };
    problem(asked, &refusal, Some(id))
}

/// The answer to what was not done. A chunk that begins elsewhere is told how far bytes count, as any other.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    match refusal {
        ApiError::OffsetMismatch { uploaded_bytes, is_whole: false } => incomplete(*uploaded_bytes),
        // After 5xx Google's clients ask and go on; after any other 4xx they give up.
        ApiError::Completing | ApiError::Busy { .. } => restated(asked, refusal, upload, Some(503)),
        _ => restated(asked, refusal, upload, None),
    }
}

fn restated(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>, status: Option<u16>) -> Reply {
    let mut problem = Problem::of(asked, refusal, upload, &NAMES);
    problem.status = status.unwrap_or(problem.status);
    problem.say("error", json!({ "code": problem.status, "message": refusal.to_string() }));
    let reply = problem.reply();
    if reply.status == 503 && !reply.headers.iter().any(|(name, _)| *name == "retry-after") {
        return reply.with("retry-after", SOON_SECONDS.to_string());
    }
    reply
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::{
        Head,
        sample::{self, ID, asked, body, header, snapshot},
    };

    const BUCKET: &str = "/upload/storage/v1/b/photos/o";

    fn put() -> Head {
        sample::head(Method::PUT, &format!("{BUCKET}?uploadType=resumable&name=a%20b.txt&upload_id={ID}"), &[])
    }

    #[test]
    fn a_session_is_where_its_creation_was_posted() {
        for path in [BUCKET, "/upload"] {
            let head = sample::head(Method::POST, &format!("{path}?uploadType=resumable"), &[]);
            let reply = reply(&asked(&head), &sample::created(snapshot(Phase::Open, 0), None));
            let expected = format!("https://u.example{path}?uploadType=resumable&name=a%20b%2Etxt&upload_id={ID}");
            assert_eq!((reply.status, header(&reply, "location")), (200, Some(expected.as_str())));
        }
    }

    #[test]
    fn how_far_bytes_count() {
        let head = put();
        let appended = |offset: u32| Outcome::Appended {
            id: UploadId::parse(ID).unwrap(),
            uploaded_bytes: offset.into(),
            file_bytes: None,
            expires_at: upload_types::units::UnixMs(0),
            phase: Phase::Open,
            object: None,
        };
        let mismatch = |offset: u32| ApiError::OffsetMismatch { uploaded_bytes: offset.into(), is_whole: false };
        for (offset, range) in [(0, None), (1, Some("bytes=0-0")), (40, Some("bytes=0-39"))] {
            for reply in [
                reply(&asked(&head), &Outcome::Probed(snapshot(Phase::Open, offset))),
                reply(&asked(&head), &appended(offset)),
                problem(&asked(&head), &mismatch(offset), None),
            ] {
                assert_eq!((reply.status, header(&reply, "range"), reply.body.is_some()), (308, range, false));
                assert_eq!(header(&reply, "location"), None, "a browser would follow it");
            }
        }
    }

    #[test]
    fn the_object_and_what_is_said_until_it_is_there() {
        let head = put();
        let there = reply(&asked(&head), &Outcome::Probed(snapshot(Phase::Completed, 100)));
        let resource = body(&there);
        assert_eq!((there.status, &resource["size"], &resource["name"]), (200, &json!("100"), &json!("a b.txt")));
        assert_eq!((&resource["bucket"], &resource["object"]["etag"]), (&json!("photos"), &json!("e")));
        for (phase, status) in
            [(Phase::Completing, 503), (Phase::Verifying, 503), (Phase::Failed, 410), (Phase::Aborted, 410)]
        {
            let reply = reply(&asked(&head), &Outcome::Probed(snapshot(phase, 100)));
            assert_eq!((reply.status, header(&reply, "retry-after").is_some()), (status, status == 503), "{phase:?}");
            assert_eq!(body(&reply)["error"]["code"], json!(status));
        }
        assert_eq!(reply(&asked(&head), &Outcome::Cancelled), Reply::empty(499));
    }

    #[test]
    fn a_whole_file_that_did_not_arrive_is_sent_again() {
        let head = sample::head(Method::POST, &format!("{BUCKET}?uploadType=media&name=a"), &[]);
        for (phase, status) in [(Phase::Open, 503), (Phase::Completed, 200), (Phase::Completing, 503)] {
            assert_eq!(reply(&asked(&head), &sample::created(snapshot(phase, 7), None)).status, status, "{phase:?}");
        }
    }
}
