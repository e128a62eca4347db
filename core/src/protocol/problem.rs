//! Problem documents (RFC 9457): what every protocol says, to a person and to a program, of what was not done. A protocol that
//! has codes and words of its own restates them.

use serde_json::{Value, json};

use crate::{api_error::ApiError, api_error_advice::SOON_SECONDS, operation::Reply, units::UploadId, upload::Phase};

/// Where the problems of this service are explained, one fragment per code.
const BASE: &str = "https://quayside.dev/problems/";

/// What a protocol's client calls what a refusal may be about: the headers that it sends.
pub(super) struct Names {
    /// Where a chunk begins.
    pub(super) offset: &'static str,
    /// How long the file is.
    pub(super) length: &'static str,
    /// What a chunk's digest is.
    pub(super) checksum: &'static str,
}

/// A problem, not written yet.
pub(super) struct Problem {
    /// The HTTP status, in the answer and in the document.
    pub(super) status: u16,
    /// Headers that help.
    headers: Vec<(&'static str, String)>,
    /// The document: an object.
    body: Value,
}

impl Problem {
    /// What is to be said of a refusal, to a client that knows its headers by these names.
    pub(super) fn of(refusal: &ApiError, upload: Option<UploadId>, names: &Names) -> Self {
        let body = json!({
            "type": format!("{BASE}{}", refusal.code()),
            "title": refusal.title(),
            "detail": refusal.to_string(),
        });
        let mut problem = Self { status: refusal.status(), headers: Vec::new(), body };
        if let Some(upload) = upload {
            problem.say("uploadId", upload);
        }
        if let Some(uploaded_bytes) = refusal.uploaded_bytes() {
            problem.say("uploadedBytes", uploaded_bytes);
        }
        problem.help(refusal, names);
        problem
    }

    /// What this refusal has beside the others.
    fn help(&mut self, refusal: &ApiError, names: &Names) {
        match refusal {
            ApiError::ChunkTooLarge { limit_bytes } | ApiError::UploadTooLarge { limit_bytes } => {
                self.say("limitBytes", limit_bytes);
            }
            ApiError::BeyondDeclaredLength { file_bytes, .. } => self.say("fileSize", file_bytes),
            ApiError::InconsistentLength { file_bytes, .. } => {
                self.say("field", names.length);
                self.say("fileSize", file_bytes);
            }
            ApiError::NotAChunk { chunk_bytes, .. } => {
                self.say("field", names.offset);
                self.say("chunkSize", chunk_bytes);
            }
            ApiError::OffsetMismatch { .. } => self.say("field", names.offset),
            ApiError::ChecksumMismatch { .. } => self.say("field", names.checksum),
            ApiError::ChunkAlreadyStored { chunk: Some(chunk), .. } => self.say("chunk", chunk),
            ApiError::Incomplete { missing_bytes: Some(missing_bytes), .. } => self.say("missingBytes", missing_bytes),
            ApiError::BadRequest { field, .. } => self.say("field", field),
            ApiError::UploadGone { phase, .. } | ApiError::NotDamaged { phase } => self.say("state", phase),
            ApiError::Damaged { .. } => self.say("state", Phase::Damaged),
            ApiError::FileDigestMismatch { kept, .. } => self.say("repairable", kept),
            ApiError::MethodNotAllowed { allow } => self.header("allow", allow.clone()),
            ApiError::RangeNotSatisfiable { object_bytes } => {
                self.header("content-range", format!("bytes */{object_bytes}"));
            }
            ApiError::PreconditionFailed { etag } => self.header("etag", format!("\"{etag}\"")),
            ApiError::HeadTooLarge { limit_bytes } => self.say("limitBytes", limit_bytes),
            ApiError::FieldTooLarge { field, limit_bytes } => {
                self.say("field", field);
                self.say("limitBytes", limit_bytes);
            }
            // RFC 9110, section 15.5.22: the answer must name the protocol.
            ApiError::UpgradeRequired => self.header("upgrade", "websocket".to_owned()),
            _ => {}
        }
        if let Some(seconds) = refusal.retry_after_seconds() {
            self.header("retry-after", seconds.to_string());
        }
        if let Some(challenge) = refusal.challenge() {
            self.header("www-authenticate", challenge);
        }
    }

    /// Where something of ours went wrong. The log says more under the same id.
    pub(super) fn of_fault(fault_id: &str, upload: Option<UploadId>) -> Self {
        let body = json!({
            "type": format!("{BASE}fault"),
            "title": "Something went wrong here",
            "detail": "It is not your fault. Ask for the offset and go on; whoever runs this service finds more under the fault's id.",
            "faultId": fault_id,
            "uploadId": upload,
        });
        Self { status: 500, headers: Vec::new(), body }
    }

    /// What the question for an offset is answered with where the answer cannot be given just now. Published clients begin a new upload
    /// after any code from 500 on, and after most from 400 on; after 423 they ask again (tus/tus-js-client#579).
    pub(super) fn asks_for_patience(mut self) -> Self {
        if self.status >= 500 {
            self.status = 423;
            if !self.headers.iter().any(|(name, _)| *name == "retry-after") {
                self.header("retry-after", SOON_SECONDS.to_string());
            }
        }
        self
    }

    /// Says so in the document, instead of what was said under this name before.
    pub(super) fn say(&mut self, name: &str, value: impl serde::Serialize) {
        self.body[name] = json!(value);
    }

    fn header(&mut self, name: &'static str, value: String) {
        self.headers.push((name, value));
    }

    /// The answer.
    pub(super) fn reply(mut self) -> Reply {
        self.say("status", self.status);
        let reply = Reply { status: self.status, headers: self.headers, body: Some(self.body.to_string()) };
        reply.with("content-type", "application/problem+json").with("cache-control", "no-store")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names { offset: "O", length: "L", checksum: "C" };

    #[test]
    fn a_problem_names_what_helps() {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        let incomplete = ApiError::Incomplete { missing_bytes: Some(3.into()), uploaded_bytes: 4.into() };
        let reply = Problem::of(&incomplete, Some(id), &NAMES).reply();
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
        let reply = Problem::of(&ApiError::MethodNotAllowed { allow: "PUT".to_owned() }, None, &NAMES).reply();
        assert!(reply.headers.contains(&("allow", "PUT".to_owned())));
        let reply = Problem::of(&ApiError::UpgradeRequired, Some(id), &NAMES).reply();
        for (refusal, field) in [
            (ApiError::OffsetMismatch { uploaded_bytes: 4.into() }, "O"),
            (ApiError::InconsistentLength { file_bytes: 5.into(), uploaded_bytes: 4.into() }, "L"),
            (ApiError::ChecksumMismatch { uploaded_bytes: 4.into() }, "C"),
            (ApiError::NotAChunk { chunk_bytes: 5.into(), uploaded_bytes: 4.into() }, "O"),
        ] {
            assert_eq!(Problem::of(&refusal, None, &NAMES).body["field"], field, "{refusal:?}");
        }
        assert!(reply.status == 426 && reply.headers.contains(&("upgrade", "websocket".to_owned())));
    }
}
