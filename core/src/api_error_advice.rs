//! What a refused client is told to do about it, in headers: when to come again, and with what token.

use crate::api_error::ApiError;

/// After so many seconds what passes by itself may have passed.
pub(crate) const SOON_SECONDS: u32 = 1;

/// After so many seconds another upload may have ended and given its room back.
const ROOM_SECONDS: u32 = 60;

impl ApiError {
    /// What a client that needs another token is told about it in `WWW-Authenticate` (RFC 6750, section 3).
    pub fn challenge(&self) -> Option<String> {
        let invalid =
            |detail: &str| format!("Bearer realm=\"uploads\", error=\"invalid_token\", error_description=\"{detail}\"");
        match self {
            Self::Unauthorized => Some("Bearer realm=\"uploads\"".to_owned()),
            // Quotes and backslashes would have to be escaped; no detail of ours has any.
            Self::InvalidToken { detail } => Some(invalid(&detail.replace(['"', '\\'], ""))),
            Self::TokenExpired => Some(invalid("The token has expired.")),
            Self::NotPermitted { .. } => Some("Bearer realm=\"uploads\", error=\"insufficient_scope\"".to_owned()),
            _ => None,
        }
    }

    /// When to try again, in seconds, where that helps and is known.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::Busy { retry_after_seconds, .. }
            | Self::WritersPending { retry_after_seconds, .. }
            | Self::RateLimited { retry_after_seconds }
            | Self::RedeliveredRecently { retry_after_seconds }
            | Self::QuotaExceeded { retry_after_seconds: Some(retry_after_seconds), .. } => Some(*retry_after_seconds),
            Self::QuotaExceeded { retry_after_seconds: None, .. } => Some(ROOM_SECONDS),
            Self::Completing | Self::StorageUnavailable { .. } | Self::NotCreated => Some(SOON_SECONDS),
            Self::KeysUnavailable | Self::Overloaded => Some(5),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_one_header_whatever_was_wrong() {
        let detail = "it \"was\" \\ bad".to_owned();
        let challenge = ApiError::InvalidToken { detail }.challenge().unwrap();
        assert_eq!(challenge, r#"Bearer realm="uploads", error="invalid_token", error_description="it was  bad""#);
        assert_eq!(ApiError::Unauthorized.challenge().unwrap(), r#"Bearer realm="uploads""#);
        assert_eq!(ApiError::UploadNotFound.challenge(), None);
    }
}
