//! Every refusal's stable code, HTTP status and title.

use super::ApiError;

impl ApiError {
    /// Stable code, status, title: one line each.
    fn row(&self) -> (&'static str, u16, &'static str) {
        match self {
            Self::UploadNotFound | Self::NotAnUploadId => ("upload-not-found", 404, "There is no such upload"),
            Self::NoSuchRoute => ("no-such-route", 404, "There is nothing at this address"),
            Self::UploadGone { .. } => ("upload-gone", 410, "The upload is gone"),
            Self::OffsetMismatch { .. } => ("offset-mismatch", 409, "The chunk does not begin at the accepted offset"),
            Self::Superseded { .. } => ("superseded", 409, "Another request has taken the upload over"),
            Self::Composed => ("composed", 403, "The upload is put together from others"),
            Self::InvalidPartial { .. } => ("bad-piece", 400, "An upload cannot be put together with others"),
            Self::PartialNotServed => ("piece-not-served", 403, "A piece is not served"),
            Self::BeyondDeclaredLength { .. } => ("beyond-declared-length", 413, "The chunk ends beyond the file"),
            Self::InconsistentLength { .. } => {
                ("inconsistent-length", 400, "The file was declared with another length")
            }
            Self::Busy { .. } => ("busy", 409, "Somebody else is uploading"),
            Self::NotAChunk { .. } => ("not-a-chunk", 400, "The bytes are not one chunk"),
            Self::ChunkAlreadyStored { .. } => ("chunk-already-stored", 409, "The chunk is there already"),
            Self::ChunkDiffers { .. } => ("chunk-differs", 409, "The chunk is there already, with other bytes"),
            Self::ChunkTooLarge { .. } => ("chunk-too-large", 413, "The chunk is too large"),
            Self::UploadTooLarge { .. } => ("upload-too-large", 413, "The file is too large"),
            Self::DirectOnly => ("direct-only", 409, "The upload's parts go to storage directly"),
            Self::NotDirect => ("not-direct", 409, "The upload's bytes come through this service"),
            Self::PartNotStored { .. } => ("part-not-stored", 409, "Storage does not have the part"),
            Self::PartSizeMismatch { .. } => ("part-size-mismatch", 409, "The part is not as long as its chunk"),
            Self::LengthRequired => ("length-required", 411, "The request needs a Content-Length"),
            Self::BodyCutShort { .. } | Self::DocumentCutShort => ("body-cut-short", 400, "The body ended early"),
            Self::BodyStalled { .. } | Self::DocumentStalled => ("body-stalled", 408, "The body stalled"),
            Self::Overloaded => ("overloaded", 503, "Too much is under way just now"),
            Self::StorageUnavailable { .. } | Self::NotCreated => {
                ("storage-unavailable", 503, "Storage is not available just now")
            }
            Self::UnsupportedVersion { .. } => {
                ("unsupported-version", 412, "The protocol's version is not spoken here")
            }
            Self::UnsupportedMediaType { .. } => {
                ("unsupported-media-type", 415, "The body is not of the expected media type")
            }
            Self::BadRequest { .. } => ("bad-request", 400, "The request is malformed"),
            Self::ChecksumMismatch { .. } => ("checksum-mismatch", 422, "The chunk does not have its checksum"),
            Self::FileDigestMismatch { .. } => ("digest-mismatch", 422, "The file does not have its digest"),
            Self::Damaged { .. } => ("damaged", 409, "The file waits to be repaired"),
            Self::NotDamaged { .. } => ("not-damaged", 409, "There is nothing to repair"),
            Self::Incomplete { .. } => ("incomplete", 409, "Bytes are missing"),
            Self::Completing => ("completing", 409, "The upload is being completed"),
            Self::WritersPending { .. } => {
                ("writers-pending", 503, "Earlier requests for these bytes have not ended yet")
            }
            Self::NothingToRedeliver => ("nothing-to-redeliver", 409, "There is no event to send again"),
            Self::RedeliveredRecently { .. } => ("redelivered-recently", 429, "The event was sent again a moment ago"),
            Self::MethodNotAllowed { .. } => ("method-not-allowed", 405, "The method is not allowed here"),
            Self::UpgradeRequired => ("upgrade-required", 426, "No channel was asked for"),
            Self::TooManyWatchers => ("too-many-watchers", 503, "Too many clients watch this upload"),
            Self::QuotaExceeded { .. } => ("quota-exceeded", 429, "The quota is used up"),
            Self::IdempotencyMismatch => {
                ("idempotency-mismatch", 422, "The Idempotency-Key was used for something else")
            }
            Self::BadSignature => ("bad-signature", 403, "The URL's signature is not valid"),
            Self::RangeNotSatisfiable { .. } => ("range-not-satisfiable", 416, "The range lies outside the object"),
            Self::PreconditionFailed { .. } => ("precondition-failed", 412, "The object is another one"),
            Self::NotConfigured { .. } => ("not-configured", 503, "The service is not set up"),
            Self::Unauthorized => ("unauthorized", 401, "Uploading needs a token"),
            Self::InvalidToken { .. } => ("invalid-token", 401, "The token is not valid"),
            Self::TokenExpired => ("token-expired", 401, "The token has expired"),
            Self::NotPermitted { .. } => ("not-permitted", 403, "The token is not for this"),
            Self::TypeNotAllowed { .. } => ("type-not-allowed", 415, "Files of this type are not taken"),
            Self::RateLimited { .. } => ("rate-limited", 429, "Too many uploads in a short time"),
            Self::HeadTooLarge { .. } => ("head-too-large", 431, "The headers are too large"),
            Self::FieldTooLarge { .. } => ("field-too-large", 431, "A header is too long"),
            Self::KeysUnavailable => ("keys-unavailable", 503, "Tokens cannot be checked just now"),
        }
    }

    /// The stable code, the last segment of the problem's `type`.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that fits; a protocol with its own codes maps from the variant instead.
    pub fn status(&self) -> u16 {
        self.row().1
    }

    /// A few words that never change for one code.
    pub fn title(&self) -> &'static str {
        self.row().2
    }
}
