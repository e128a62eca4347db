//! What a client is told when it is the client's to mend, or has only to wait. Protocols render it; nothing else makes error answers for
//! clients.
//!
//! * `table`: one row per error, with all that is known of it. The only place where errors are listed.
//! * `macros`: what makes the enum, and the columns as functions, of it.
//! * `fields`: what is read of an error that crosses between object and Worker.
//! * `sample`: what stands in the fields of an error that is only shown. core/protocols/tests/errors.rs makes docs/reference/errors.md and the SDK's
//!   list of codes of the rows.

mod fields;
mod macros;
mod sample;
mod table;

pub use table::{ApiError, RECOVERY_SECONDS, Row, SOON_SECONDS, rows};

use crate::units::ByteCount;

/// A header that a client sends under its protocol's own name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedHeader {
    /// Where a chunk begins.
    Offset,
    /// How long the file is.
    Length,
    /// What a chunk's digest is.
    Checksum,
}

impl ApiError {
    /// A malformed header or field.
    pub fn bad_request(field: &str, detail: impl Into<String>) -> Self {
        Self::BadRequest { field: field.to_owned(), detail: detail.into() }
    }

    /// All numbers are taken, the first of them for so long.
    pub fn writers_pending(uploaded_bytes: ByteCount, free_in_ms: u64) -> Self {
        let retry_after_seconds = u32::try_from(free_in_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        Self::WritersPending { uploaded_bytes, retry_after_seconds }
    }
}

/// `WWW-Authenticate` of a token that is not good.
fn invalid_token(description: &str) -> String {
    format!("Bearer realm=\"uploads\", error=\"invalid_token\", error_description=\"{description}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{units::ByteCount, upload::Phase};

    #[test]
    fn a_refusal_crosses_between_object_and_worker_unchanged() {
        let bytes = ByteCount::from;
        for (refusal, json) in [
            (ApiError::Completing, r#"{"code":"Completing"}"#),
            (
                ApiError::Incomplete { missing_bytes: Some(bytes(3)), uploaded_bytes: bytes(4) },
                r#"{"code":"Incomplete","missingBytes":3,"uploadedBytes":4}"#,
            ),
            (
                ApiError::UploadGone { phase: Phase::Expired, reason: "late".to_owned() },
                r#"{"code":"UploadGone","phase":"expired","reason":"late"}"#,
            ),
            (
                ApiError::QuotaExceeded { quota: "q".to_owned(), retry_after_seconds: None },
                r#"{"code":"QuotaExceeded","quota":"q","retryAfterSeconds":null}"#,
            ),
            (
                ApiError::Busy { uploaded_bytes: bytes(0), retry_after_seconds: 5 },
                r#"{"code":"Busy","uploadedBytes":0,"retryAfterSeconds":5}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&refusal).unwrap(), json);
            assert_eq!(serde_json::from_str::<ApiError>(json).unwrap(), refusal);
        }
    }

    #[test]
    fn every_error_crosses_unchanged() {
        for Row { sample, .. } in rows() {
            let json = serde_json::to_string(&sample).unwrap();
            assert_eq!(serde_json::from_str::<ApiError>(&json).unwrap(), sample, "{json}");
        }
    }

    #[test]
    fn a_challenge_is_one_header_whatever_was_wrong() {
        let detail = "it \"was\" \\ bad".to_owned();
        let challenge = ApiError::InvalidToken { detail }.challenge().unwrap();
        assert_eq!(challenge, r#"Bearer realm="uploads", error="invalid_token", error_description="it was  bad""#);
        assert_eq!(ApiError::Unauthorized.challenge().unwrap(), r#"Bearer realm="uploads""#);
        assert_eq!(ApiError::UploadNotFound.challenge(), None);
    }

    #[test]
    fn what_is_no_refusal_is_an_error() {
        for wrong in [r#"{"code":"Nonsense"}"#, r#"{"code":"Busy","uploadedBytes":0}"#, r#"{"uploadedBytes":0}"#] {
            assert!(serde_json::from_str::<ApiError>(wrong).is_err(), "{wrong}");
        }
    }
}
