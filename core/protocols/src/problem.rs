//! Problem documents (RFC 9457): what every protocol says, to a person and to a program, of what was not done. A protocol that
//! has codes and words of its own restates them.

use serde_json::{Value, json};

use crate::{
    Asked,
    problem_page::{FAULT, FAULT_TITLE},
};
use upload_types::{
    api_error::{ApiError, NamedHeader, SOON_SECONDS},
    operation::Reply,
    units::UploadId,
};

/// What a protocol's client calls what a refusal may be about: the headers that it sends.
pub(super) struct Names {
    /// Where a chunk begins.
    pub(super) offset: &'static str,
    /// How long the file is.
    pub(super) length: &'static str,
    /// What a chunk's digest is.
    pub(super) checksum: &'static str,
}

impl Names {
    fn of(&self, named: NamedHeader) -> &'static str {
        match named {
            NamedHeader::Offset => self.offset,
            NamedHeader::Length => self.length,
            NamedHeader::Checksum => self.checksum,
        }
    }
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
    pub(super) fn of(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>, names: &Names) -> Self {
        let detail = detail(asked.base_url, refusal);
        let mut problem = Self::coded(asked, refusal.status(), refusal.code(), refusal.title(), &detail);
        if let Some(upload) = upload {
            problem.say("uploadId", upload);
        }
        if let Some(uploaded_bytes) = refusal.uploaded_bytes() {
            problem.say("uploadedBytes", uploaded_bytes);
        }
        if let Some(named) = refusal.header_named() {
            problem.say("field", names.of(named));
        }
        for (name, value) in refusal.members().into_iter().filter(|(_, value)| !value.is_null()) {
            problem.say(name, value);
        }
        problem.headers.extend(refusal.header());
        if let Some(seconds) = refusal.retry_after_seconds() {
            problem.header("retry-after", seconds.to_string());
        }
        if let Some(challenge) = refusal.challenge() {
            problem.header("www-authenticate", challenge);
        }
        problem
    }

    /// Where something of ours went wrong. The log says more under the same id.
    pub(super) fn of_fault(asked: &Asked<'_>, fault_id: &str, upload: Option<UploadId>) -> Self {
        let detail = "It is not your fault. Ask for the offset and go on; whoever runs this service finds more under the fault's id.";
        let mut problem = Self::coded(asked, 500, FAULT, FAULT_TITLE, detail);
        problem.say("faultId", fault_id);
        problem.say("uploadId", upload);
        problem
    }

    /// The `code` is said by itself too: what stands before it in `type` differs from one deployment to the next, and in the IETF draft
    /// some types are the draft's.
    fn coded(asked: &Asked<'_>, status: u16, code: &str, title: &str, detail: &str) -> Self {
        let kind = format!("{}{code}", asked.problems_url);
        let body = json!({ "type": kind, "code": code, "title": title, "detail": detail });
        Self { status, headers: Vec::new(), body }
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

/// Whoever is at a wrong address is told where uploads are created.
fn detail(base_url: &str, refusal: &ApiError) -> String {
    match refusal {
        ApiError::NoSuchRoute => format!(
            "Uploads are created by POST {base_url}/upload/init, and in tus and the IETF draft by POST {base_url}/files."
        ),
        _ => refusal.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::sample;

    const NAMES: Names = Names { offset: "O", length: "L", checksum: "C" };

    #[test]
    fn a_problem_names_what_helps() {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        let incomplete = ApiError::Incomplete { missing_bytes: Some(3.into()), uploaded_bytes: 4.into() };
        let head = sample::head(Method::GET, "/", &[]);
        let asked = sample::asked(&head);
        let reply = Problem::of(&asked, &incomplete, Some(id), &NAMES).reply();
        let body: Value = serde_json::from_str(&reply.body.unwrap()).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "https://u.example/problems/incomplete",
                "code": "incomplete",
                "title": "Bytes are missing",
                "status": 409,
                "detail": "3 bytes have not arrived yet.",
                "uploadId": id,
                "uploadedBytes": 4,
                "missingBytes": 3,
            })
        );
        let reply = Problem::of(&asked, &ApiError::MethodNotAllowed { allow: "PUT".to_owned() }, None, &NAMES).reply();
        assert!(reply.headers.contains(&("allow", "PUT".to_owned())));
        let reply = Problem::of(&asked, &ApiError::UpgradeRequired, Some(id), &NAMES).reply();
        for (refusal, field) in [
            (ApiError::OffsetMismatch { uploaded_bytes: 4.into(), is_whole: false }, "O"),
            (ApiError::InconsistentLength { file_bytes: 5.into(), uploaded_bytes: 4.into() }, "L"),
            (ApiError::ChecksumMismatch { uploaded_bytes: 4.into() }, "C"),
            (ApiError::ChunkMisaligned { chunk_bytes: 5.into(), uploaded_bytes: 4.into() }, "O"),
        ] {
            assert_eq!(Problem::of(&asked, &refusal, None, &NAMES).body["field"], field, "{refusal:?}");
        }
        assert!(reply.status == 426 && reply.headers.contains(&("upgrade", "websocket".to_owned())));
    }
}
