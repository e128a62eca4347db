//! Answers in FilePond's words: the id as plain text, and offsets at which it cuts its chunks.

use crate::{
    Asked, json,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::ApiError,
    operation::{Outcome, Reply},
    units::{ByteCount, UploadId},
    upload::{Phase, Snapshot},
};

/// What FilePond sends.
const NAMES: Names = Names { offset: "Upload-Offset", length: "Upload-Length", checksum: "Content-Digest" };

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Created { snapshot, .. } => {
            let reply = Reply::empty(201).with("content-type", "text/plain").with("cache-control", "no-store");
            let reply = reply.with("location", asked.upload_url(snapshot.id));
            Reply { body: Some(snapshot.id.to_string()), ..reply }
        }
        Outcome::Probed(snapshot) => probed(asked, snapshot),
        Outcome::Appended { uploaded_bytes, .. } => at(Reply::empty(204), *uploaded_bytes),
        // Nothing in this protocol asks for anything else.
        _ => json::reply(asked, outcome),
    }
}

fn at(reply: Reply, offset: ByteCount) -> Reply {
    reply.with("upload-offset", offset.to_string()).with("cache-control", "no-store")
}

fn probed(asked: &Asked<'_>, snapshot: &Snapshot) -> Reply {
    if matches!(snapshot.phase, Phase::Failed | Phase::Damaged) {
        let reason = snapshot.reason.clone().unwrap_or_default();
        return problem(asked, &ApiError::UploadGone { phase: Phase::Failed, reason }, Some(snapshot.id));
    }
    let reply = at(Reply::empty(200), chunk_start(snapshot));
    match snapshot.plan.declared_bytes() {
        Some(file_bytes) => reply.with("upload-length", file_bytes.to_string()),
        None => reply,
    }
}

/// Where the chunk begins of which not all bytes count. FilePond takes every chunk for sent that begins before the offset it is told, also
/// one of which only the front counts. The first chunk has shown how long they are.
fn chunk_start(snapshot: &Snapshot) -> ByteCount {
    let (offset, plan) = (snapshot.offset, &snapshot.plan);
    if plan.declared_bytes() == Some(offset) || plan.chunk_bytes.is_zero() {
        return offset;
    }
    ByteCount::new(offset.get() / plan.chunk_bytes.get() * plan.chunk_bytes.get()).unwrap_or_default()
}

/// The answer to what was not done.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    Problem::of(asked, refusal, upload, &NAMES).reply()
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::sample::{self, ID, asked, header, snapshot};

    #[test]
    fn an_upload_is_its_id_and_nothing_else() {
        let head = sample::head(Method::POST, "/upload", &[]);
        let reply = reply(&asked(&head), &sample::created(snapshot(Phase::Open, 0), Some("t")));
        assert_eq!((reply.status, reply.body.as_deref()), (201, Some(ID)));
        assert_eq!(header(&reply, "content-type"), Some("text/plain"));
    }

    #[test]
    fn an_offset_is_where_a_chunk_begins() {
        let head = sample::head(Method::HEAD, &format!("/upload?patch={ID}"), &[]);
        for (offset, told) in [(0, "0"), (29, "0"), (30, "30"), (59, "30"), (60, "60"), (99, "90"), (100, "100")] {
            let mut now = snapshot(if offset == 100 { Phase::Completed } else { Phase::Open }, offset);
            now.plan.chunk_bytes = 30.into();
            let reply = reply(&asked(&head), &Outcome::Probed(now));
            assert_eq!((reply.status, header(&reply, "upload-offset")), (200, Some(told)), "{offset}");
            assert_eq!(header(&reply, "upload-length"), Some("100"));
        }
        let gone = reply(&asked(&head), &Outcome::Probed(snapshot(Phase::Failed, 100)));
        assert_eq!((gone.status, header(&gone, "upload-offset")), (410, None));
    }
}
