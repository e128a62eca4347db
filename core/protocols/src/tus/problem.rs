//! Answers of tus to what was not done. The code is the protocol's where it has one, and else such that clients do what
//! helps: they come back after 409 and 423, and give an upload up after any other code from 400 to 499.

use http::Method;

use super::{VERSION, request};
use crate::{
    Asked, Head, numbers,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::ApiError,
    operation::Reply,
    units::{ByteCount, UploadId},
    upload::Phase,
};

/// What clients of tus send.
const NAMES: Names = Names { offset: "Upload-Offset", length: "Upload-Length", checksum: "Upload-Checksum" };

/// The answer to what was not done: the protocol's headers, and for a person an RFC 9457 problem document.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    let mut problem = Problem::of(asked, refusal, upload, &NAMES);
    problem.status = status(asked.head, refusal);
    let reply = said(asked, problem);
    let reply = match refusal.uploaded_bytes() {
        Some(uploaded_bytes) => reply.with("upload-offset", uploaded_bytes.to_string()),
        None => reply,
    };
    match refusal {
        ApiError::UnsupportedVersion { .. } => reply.with("tus-version", VERSION),
        _ => reply,
    }
}

/// The answer where something of ours went wrong.
pub fn fault(asked: &Asked<'_>, fault_id: &str, upload: Option<UploadId>) -> Reply {
    said(asked, Problem::of_fault(asked, fault_id, upload))
}

fn said(asked: &Asked<'_>, problem: Problem) -> Reply {
    let is_head = request::method(asked.head).is_ok_and(|method| method == Method::HEAD);
    let problem = if is_head { problem.asks_for_patience() } else { problem };
    problem.reply().with("tus-resumable", VERSION)
}

fn status(head: &Head, refusal: &ApiError) -> u16 {
    match refusal {
        ApiError::ChecksumMismatch { .. } => 460,
        // Somebody has the upload, or the object is just being made: it passes.
        ApiError::Busy { .. } | ApiError::Completing => 423,
        // The chunk did not get to its end. The client is to ask for the offset and go on, and not to give up.
        ApiError::BodyCutShort { .. } | ApiError::BodyStalled { .. } => 409,
        // Where a chunk begins is looked at before where it ends.
        ApiError::BeyondDeclaredLength { uploaded_bytes, .. }
            if offset(head).is_some_and(|offset| offset != *uploaded_bytes) =>
        {
            409
        }
        // Terminated, and nothing is left of it that could be spoken of.
        ApiError::UploadGone { phase: Phase::Aborted | Phase::Deleted, .. } => 404,
        _ => refusal.status(),
    }
}

/// Where the request's chunk begins; none where it creates an upload.
fn offset(head: &Head) -> Option<ByteCount> {
    head.header("upload-offset").and_then(|text| numbers::capped_byte_count("Upload-Offset", text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: Method, headers: &[(&str, &str)]) -> Head {
        Head {
            method,
            path: "/files/x".to_owned(),
            query: String::new(),
            headers: crate::Headers::of(headers.iter().copied()),
        }
    }

    fn asked(head: &Head) -> Asked<'_> {
        Asked { limits: None, ..crate::sample::asked(head) }
    }

    fn answer(refusal: &ApiError) -> Reply {
        problem(&asked(&head(Method::PATCH, &[("upload-offset", "70")])), refusal, None)
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn codes_and_offsets() {
        let (uploaded_bytes, file_bytes) = (70.into(), 100.into());
        let gone = |phase| ApiError::UploadGone { phase, reason: "why".to_owned() };
        for (refusal, status, offset) in [
            (ApiError::UploadNotFound, 404, None),
            (gone(Phase::Aborted), 404, None),
            (gone(Phase::Deleted), 404, None),
            (gone(Phase::Completed), 410, None),
            (gone(Phase::Expired), 410, None),
            (gone(Phase::Failed), 410, None),
            (ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }, 409, Some("70")),
            (ApiError::Superseded { uploaded_bytes }, 409, Some("70")),
            (ApiError::BodyCutShort { uploaded_bytes }, 409, Some("70")),
            (ApiError::BodyStalled { uploaded_bytes }, 409, Some("70")),
            (ApiError::Busy { uploaded_bytes, retry_after_seconds: 5 }, 423, Some("70")),
            (ApiError::Completing, 423, None),
            (ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes }, 413, Some("70")),
            (ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes: 60.into() }, 409, Some("60")),
            (ApiError::InconsistentLength { file_bytes, uploaded_bytes }, 400, Some("70")),
            (ApiError::ChunkTooLarge { limit_bytes: 1.into() }, 413, None),
            (ApiError::UploadTooLarge { limit_bytes: 1.into() }, 413, None),
            (ApiError::LengthRequired, 411, None),
            (ApiError::ChecksumMismatch { uploaded_bytes }, 460, Some("70")),
            (ApiError::StorageUnavailable { uploaded_bytes }, 503, Some("70")),
            (ApiError::UnsupportedMediaType { expected: String::new() }, 415, None),
        ] {
            let reply = answer(&refusal);
            assert_eq!((reply.status, header(&reply, "upload-offset")), (status, offset), "{refusal:?}");
            assert_eq!(header(&reply, "tus-resumable"), Some("1.0.0"));
            let body: serde_json::Value = serde_json::from_str(&reply.body.unwrap()).unwrap();
            assert_eq!(body["status"], status);
        }
    }

    #[test]
    fn what_was_wrong_is_named_as_the_client_sent_it() {
        let (file_bytes, uploaded_bytes) = (100.into(), 70.into());
        for (refusal, field) in [
            (ApiError::InconsistentLength { file_bytes, uploaded_bytes }, "Upload-Length"),
            (ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }, "Upload-Offset"),
            (ApiError::ChecksumMismatch { uploaded_bytes }, "Upload-Checksum"),
        ] {
            let body: serde_json::Value = serde_json::from_str(&answer(&refusal).body.unwrap()).unwrap();
            assert_eq!(body["field"], field, "{refusal:?}");
        }
    }

    #[test]
    fn what_helps_is_said() {
        let version = answer(&ApiError::UnsupportedVersion { supported: "x".to_owned() });
        assert_eq!((version.status, header(&version, "tus-version")), (412, Some("1.0.0")));
        let busy = answer(&ApiError::Busy { uploaded_bytes: 1.into(), retry_after_seconds: 5 });
        assert_eq!(header(&busy, "retry-after"), Some("5"));
        assert_eq!(header(&answer(&ApiError::Completing), "retry-after"), Some("1"));
        let method = answer(&ApiError::MethodNotAllowed { allow: "POST".to_owned() });
        assert_eq!((method.status, header(&method, "allow")), (405, Some("POST")));
    }

    #[test]
    fn what_passes_never_makes_whoever_asks_for_the_offset_start_over() {
        let passing = [
            ApiError::StorageUnavailable { uploaded_bytes: 70.into() },
            ApiError::KeysUnavailable,
            ApiError::NotConfigured { detail: String::new() },
            ApiError::Completing,
        ];
        let overridden = head(Method::POST, &[("x-http-method-override", "HEAD")]);
        for head in [head(Method::HEAD, &[]), overridden] {
            let refused = passing.iter().map(|refusal| problem(&asked(&head), refusal, None));
            for reply in refused.chain([fault(&asked(&head), "f", None)]) {
                assert_eq!((reply.status, header(&reply, "tus-resumable")), (423, Some("1.0.0")));
                assert!(header(&reply, "retry-after").is_some());
                let body: serde_json::Value = serde_json::from_str(reply.body.as_deref().unwrap()).unwrap();
                assert_eq!(body["status"], 423);
            }
            assert_eq!(problem(&asked(&head), &ApiError::UploadNotFound, None).status, 404, "which does not pass");
        }
        let patch = head(Method::PATCH, &[]);
        assert_eq!(fault(&asked(&patch), "f", None).status, 500);
        assert_eq!(header(&fault(&asked(&patch), "f", None), "tus-resumable"), Some("1.0.0"));
    }
}
