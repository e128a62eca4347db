//! What a client is told when it is the client's to mend: one variant per cause, each with a stable code, a title and a
//! status. Protocols render them; nothing else makes error answers for clients.

mod rows;
mod words;

use serde::{Deserialize, Serialize};

use crate::{
    units::{ByteCount, UploadId},
    upload::Phase,
};

/// Why a request was refused. A refused request has changed nothing that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", tag = "code")]
pub enum ApiError {
    /// No upload has this id.
    UploadNotFound,
    /// What stands for an upload's id is none. To a program the same as an id that nobody has.
    NotAnUploadId,
    /// No such route.
    NoSuchRoute,
    /// The upload has ended without an object, or the object is gone.
    UploadGone {
        /// How it ended.
        phase: Phase,
        /// Why, in a sentence.
        reason: String,
    },
    /// The chunk does not begin where the accepted bytes end.
    OffsetMismatch {
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// Another request has taken this upload over; what this one sent since its last whole part is not counted.
    Superseded {
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// The upload is put together from others: nobody adds to it.
    Composed,
    /// An upload that another is to be put together from cannot be had.
    InvalidPartial {
        /// Which one.
        upload: UploadId,
        /// Why, in a sentence.
        reason: String,
    },
    /// The bytes of a piece are asked for: it is there to be put together with others, and for nothing else.
    PartialNotServed,
    /// The chunk would end beyond the length declared at creation.
    BeyondDeclaredLength {
        /// The declared length.
        file_bytes: ByteCount,
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// The request names another length for the whole file than was declared at creation.
    InconsistentLength {
        /// The declared length.
        file_bytes: ByteCount,
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// Somebody else is uploading, and must not be interrupted yet again before anything of theirs counts.
    Busy {
        /// The true offset.
        uploaded_bytes: ByteCount,
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// A chunk of a parallel upload that does not begin at a multiple of the chunk size, or has another length.
    NotAChunk {
        /// The chunk size.
        chunk_bytes: ByteCount,
        /// How many bytes count.
        uploaded_bytes: ByteCount,
    },
    /// A chunk of a parallel upload that is there already.
    ChunkAlreadyStored {
        /// Which, counted from 0; none where all are.
        chunk: Option<u32>,
        /// How many bytes count.
        uploaded_bytes: ByteCount,
    },
    /// A chunk that is there already, with another digest than it comes with now.
    ChunkDiffers {
        /// How many bytes count.
        uploaded_bytes: ByteCount,
    },
    /// The request body is larger than the deployment takes.
    ChunkTooLarge {
        /// The largest body.
        limit_bytes: ByteCount,
    },
    /// The file is larger than the deployment takes.
    UploadTooLarge {
        /// The largest file.
        limit_bytes: ByteCount,
    },
    /// Bytes for an upload whose parts go to storage directly.
    DirectOnly,
    /// A direct part for an upload whose bytes come through this service.
    NotDirect,
    /// A part is recorded that storage does not have, or has with another ETag.
    PartNotStored {
        /// Its number.
        part_number: u16,
        /// How many bytes count.
        uploaded_bytes: ByteCount,
    },
    /// A part is recorded that is not as long as its chunk.
    PartSizeMismatch {
        /// Its number.
        part_number: u16,
        /// How long it is.
        part_bytes: ByteCount,
        /// How long it must be.
        expected_bytes: ByteCount,
        /// How many bytes count.
        uploaded_bytes: ByteCount,
    },
    /// The request has no `Content-Length`.
    LengthRequired,
    /// The body ended before its `Content-Length`.
    BodyCutShort {
        /// The true offset: whole parts that arrived may have been kept.
        uploaded_bytes: ByteCount,
    },
    /// The body brought nothing for too long.
    BodyStalled {
        /// The true offset: whole parts that arrived may have been kept.
        uploaded_bytes: ByteCount,
    },
    /// A body that says what is asked for ended before its `Content-Length`.
    DocumentCutShort,
    /// Such a body brought too little for too long.
    DocumentStalled,
    /// There is no memory for such a body just now.
    Overloaded,
    /// Storage did not take the bytes, for a reason that passes. Nobody's fault; the client goes on at the offset.
    StorageUnavailable {
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// Storage did not take a new upload, for a reason that passes. Nothing of it is left.
    NotCreated,
    /// The request speaks another version of its protocol.
    UnsupportedVersion {
        /// The one that is spoken here.
        supported: String,
    },
    /// The body is declared as something else than what is taken here.
    UnsupportedMediaType {
        /// What is taken.
        expected: String,
    },
    /// A header or a field of the body is malformed.
    BadRequest {
        /// Which one.
        field: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The chunk's bytes do not have the digest that came with it. Nothing of it is counted.
    ChecksumMismatch {
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// The whole file does not have the digest declared at creation.
    FileDigestMismatch {
        /// What the bytes that arrived have, in hexadecimal.
        actual: String,
        /// Whether they are kept for a while, to be repaired. Otherwise the upload has failed.
        kept: bool,
    },
    /// The file has arrived whole, does not have its declared digest, and waits to be repaired: nothing else can be done with it.
    Damaged {
        /// What is wrong with it, in a sentence.
        reason: String,
    },
    /// There is nothing to repair, or not any more.
    NotDamaged {
        /// Where the upload is in its life.
        phase: Phase,
    },
    /// Completion was asked for while bytes are missing.
    Incomplete {
        /// How many; none while the length is still to be declared.
        missing_bytes: Option<ByteCount>,
        /// The true offset.
        uploaded_bytes: ByteCount,
    },
    /// The object is being put together; it cannot be cancelled just now.
    Completing,
    /// Everybody who has begun these bytes before may still be writing to R2, and no part number is free.
    WritersPending {
        /// The true offset, or how many bytes count.
        uploaded_bytes: ByteCount,
        /// When there certainly is one.
        retry_after_seconds: u32,
    },
    /// There is nothing to send again: no event, or one that is still on its way.
    NothingToRedeliver,
    /// The event was sent again a moment ago, by somebody's wish.
    RedeliveredRecently {
        /// When it can be again, in seconds.
        retry_after_seconds: u32,
    },
    /// The route has no such method.
    MethodNotAllowed {
        /// Those it has, as in `Allow`.
        allow: String,
    },
    /// The route speaks only WebSocket.
    UpgradeRequired,
    /// More clients watch this upload already than are told.
    TooManyWatchers,
    /// The owner has used what it may.
    QuotaExceeded {
        /// Which bound.
        quota: String,
        /// When there is room again, where that is known.
        retry_after_seconds: Option<u32>,
    },
    /// The `Idempotency-Key` was used for another request.
    IdempotencyMismatch,
    /// A signed URL that is altered, expired, or for something else.
    BadSignature,
    /// The asked-for byte range lies outside the object.
    RangeNotSatisfiable {
        /// The object's size.
        object_bytes: ByteCount,
    },
    /// The object is not the one that the request is for.
    PreconditionFailed {
        /// The object's ETag, without quotes.
        etag: String,
    },
    /// The deployment lacks a setting and takes no uploads until it is there.
    NotConfigured {
        /// Which one, and how to set it.
        detail: String,
    },
    /// The request comes without a token, and needs one.
    Unauthorized,
    /// The request comes with a token that is not good.
    InvalidToken {
        /// Why not, in a sentence.
        detail: String,
    },
    /// The request comes with a token that was good once, and is not for what it created.
    TokenExpired,
    /// The token is good, and not for this.
    NotPermitted {
        /// Why not, in a sentence.
        detail: String,
    },
    /// Files of this type are not taken, from this client or at all.
    TypeNotAllowed {
        /// Those that are.
        allowed: String,
    },
    /// Too many uploads were created in a short time, by one owner or from one address.
    RateLimited {
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// All headers together, or the address, are larger than any request here needs.
    HeadTooLarge {
        /// How large they may be.
        limit_bytes: ByteCount,
    },
    /// A header that is given back with answers is longer than what every client takes in one.
    FieldTooLarge {
        /// Which one.
        field: String,
        /// How long it may be.
        limit_bytes: ByteCount,
    },
    /// What decides on tokens could not be asked just now.
    KeysUnavailable,
}

impl ApiError {
    /// A malformed header or field.
    pub fn bad_request(field: &str, detail: impl Into<String>) -> Self {
        Self::BadRequest { field: field.to_owned(), detail: detail.into() }
    }

    /// All numbers are taken, the first of them for so long.
    pub(crate) fn writers_pending(uploaded_bytes: ByteCount, free_in_ms: u64) -> Self {
        let retry_after_seconds = u32::try_from(free_in_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        Self::WritersPending { uploaded_bytes, retry_after_seconds }
    }

    /// The true offset, where the refusal knows it.
    pub fn uploaded_bytes(&self) -> Option<ByteCount> {
        match self {
            Self::OffsetMismatch { uploaded_bytes }
            | Self::Superseded { uploaded_bytes }
            | Self::BeyondDeclaredLength { uploaded_bytes, .. }
            | Self::InconsistentLength { uploaded_bytes, .. }
            | Self::Busy { uploaded_bytes, .. }
            | Self::NotAChunk { uploaded_bytes, .. }
            | Self::ChunkAlreadyStored { uploaded_bytes, .. }
            | Self::ChunkDiffers { uploaded_bytes }
            | Self::WritersPending { uploaded_bytes, .. }
            | Self::StorageUnavailable { uploaded_bytes }
            | Self::BodyStalled { uploaded_bytes }
            | Self::BodyCutShort { uploaded_bytes }
            | Self::ChecksumMismatch { uploaded_bytes }
            | Self::PartNotStored { uploaded_bytes, .. }
            | Self::PartSizeMismatch { uploaded_bytes, .. }
            | Self::Incomplete { uploaded_bytes, .. } => Some(*uploaded_bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_no_refusal_is_an_error() {
        for wrong in [r#"{"code":"Nonsense"}"#, r#"{"code":"Busy","uploadedBytes":0}"#, r#"{"uploadedBytes":0}"#] {
            assert!(serde_json::from_str::<ApiError>(wrong).is_err(), "{wrong}");
        }
    }
}
