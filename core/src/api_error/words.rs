//! Refusals in words: what is wrong and what helps, one sentence or two for each.

use std::fmt;

use super::ApiError;

/// What is wrong and what helps, in a sentence for a person.
impl fmt::Display for ApiError {
    #[allow(clippy::too_many_lines, reason = "a sentence for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UploadNotFound => write!(f, "No upload has this id. It may have been forgotten long after it ended."),
            Self::NotAnUploadId => write!(
                f,
                "What stands for its id in the address is none: an id is a UUID, in lower case and with hyphens, as `uploadId` and \
                 `Location` in the answer to its creation have it."
            ),
            Self::NoSuchRoute => {
                write!(f, "Uploads are created by POST /upload/init, and in tus and the IETF draft by POST /files.")
            }
            Self::UploadGone { reason, .. } => write!(f, "{reason}"),
            Self::OffsetMismatch { uploaded_bytes } => {
                write!(f, "{uploaded_bytes} bytes have been accepted; send the chunk that begins there.")
            }
            Self::Superseded { uploaded_bytes } => {
                write!(f, "A newer request holds this upload. {uploaded_bytes} bytes have been accepted.")
            }
            Self::Composed => {
                write!(f, "Its bytes are those of the uploads that it was created with. None can be added.")
            }
            Self::InvalidPartial { upload, reason } => write!(f, "{upload}: {reason}"),
            Self::PartialNotServed => {
                write!(f, "It is a piece, to be put together with others. Ask for the upload that it became part of.")
            }
            Self::BeyondDeclaredLength { file_bytes, .. } | Self::InconsistentLength { file_bytes, .. } => {
                write!(f, "The file was declared with {file_bytes} bytes, and that cannot change.")
            }
            Self::Busy { uploaded_bytes, retry_after_seconds } => write!(
                f,
                "Another client has been interrupted again and again and is given {retry_after_seconds} s to get on. \
                 {uploaded_bytes} bytes have been accepted."
            ),
            Self::NotAChunk { chunk_bytes, .. } => write!(
                f,
                "A chunk of a parallel upload begins at a multiple of {chunk_bytes} bytes and has exactly that many, \
                 but for the last."
            ),
            Self::ChunkAlreadyStored { chunk: Some(chunk), .. } => {
                write!(f, "The bytes of chunk {chunk} count. Ask for the status to see what is missing.")
            }
            Self::ChunkAlreadyStored { chunk: None, .. } => write!(f, "All bytes count. Nothing is missing."),
            Self::ChunkDiffers { .. } => {
                write!(f, "These bytes of the file were stored before, with another digest. They cannot change.")
            }
            Self::ChunkTooLarge { limit_bytes } => write!(
                f,
                "A chunk has at most {limit_bytes} bytes: the network in front of this service refuses bodies above \
                 100 MB. Send the file in smaller chunks."
            ),
            Self::UploadTooLarge { limit_bytes } => write!(f, "A file has at most {limit_bytes} bytes here."),
            Self::DirectOnly => write!(f, "It was created with `direct`: ask for signed URLs, and send chunks there."),
            Self::NotDirect => write!(f, "It was not created with `direct`: send its chunks here."),
            Self::PartNotStored { part_number, .. } => {
                write!(f, "Part {part_number} is not there, or is not the one with this ETag. Sign its chunk again.")
            }
            Self::PartSizeMismatch { part_number, part_bytes, expected_bytes, .. } => {
                write!(
                    f,
                    "Part {part_number} has {part_bytes} bytes and must have {expected_bytes}. Sign its chunk again."
                )
            }
            Self::LengthRequired => write!(
                f,
                "Send Content-Length, and no Transfer-Encoding: storage takes a body only when its length is known beforehand. A \
                 stream whose length is not known can be sent in tus or the IETF draft, without a checksum."
            ),
            Self::BodyCutShort { uploaded_bytes } => {
                write!(f, "The connection ended before the body did. Go on at {uploaded_bytes}.")
            }
            Self::BodyStalled { uploaded_bytes } => {
                write!(f, "Too little arrived for too long. Go on at {uploaded_bytes}.")
            }
            Self::DocumentCutShort => write!(f, "The connection ended before the body did. Send it again."),
            Self::DocumentStalled => write!(f, "Too little of the body arrived for too long. Send it again."),
            Self::Overloaded => {
                write!(f, "Too many bodies are on their way. Send it again, after a pause.")
            }
            Self::StorageUnavailable { uploaded_bytes } => {
                write!(f, "The bytes could not be stored. Go on at {uploaded_bytes}, after a pause.")
            }
            Self::NotCreated => {
                write!(f, "The upload was not created, and nothing of it is left. Ask for it again after a pause.")
            }
            Self::UnsupportedVersion { supported } => write!(f, "Send `{supported}`."),
            Self::UnsupportedMediaType { expected } => write!(f, "Send {expected}."),
            Self::BadRequest { field, detail } => write!(f, "{field}: {detail}"),
            Self::ChecksumMismatch { uploaded_bytes } => {
                write!(
                    f,
                    "The bytes that arrived do not have the checksum that came with them: either is wrong. Nothing of the chunk \
                     counts: send it again at {uploaded_bytes}, and its checksum computed anew."
                )
            }
            Self::FileDigestMismatch { actual, kept: false } => {
                write!(f, "The bytes that arrived have the digest {actual}. The upload has failed; begin a new one.")
            }
            Self::FileDigestMismatch { actual, kept: true } => write!(
                f,
                "The bytes that arrived have the digest {actual}. They are kept for a while: once the upload is `damaged`, compare \
                 your file with its manifest, and send again what differs (`POST …/repair`)."
            ),
            Self::Damaged { reason } => {
                write!(
                    f,
                    "{reason} Compare your file with its manifest, and send again what differs, or delete the upload."
                )
            }
            Self::NotDamaged { phase } => {
                write!(
                    f,
                    "The upload is {}. Only one that is damaged has a manifest and can be repaired.",
                    phase.name()
                )
            }
            Self::Incomplete { missing_bytes: Some(bytes), .. } => write!(f, "{bytes} bytes have not arrived yet."),
            Self::Incomplete { missing_bytes: None, .. } => {
                write!(f, "How long the file is has not been declared yet, and so nobody knows that it is whole.")
            }
            Self::Completing => {
                write!(f, "All bytes are there and the object is being put together. Ask again in a second.")
            }
            Self::WritersPending { uploaded_bytes, retry_after_seconds } => write!(
                f,
                "Requests that were cut off may still reach storage. Go on at {uploaded_bytes}, in {retry_after_seconds} s \
                 at the latest."
            ),
            Self::NothingToRedeliver => write!(f, "The upload has no event, or its event is on its way."),
            Self::MethodNotAllowed { allow } => write!(f, "Allowed are {allow}."),
            Self::UpgradeRequired => {
                write!(
                    f,
                    "Open it as a WebSocket or with `Accept: text/event-stream`, or ask for the status, which says the same once."
                )
            }
            Self::TooManyWatchers => write!(f, "Ask for the status now and then; it says the same."),
            Self::QuotaExceeded { quota, .. } => write!(f, "The owner has no room left: {quota}."),
            Self::IdempotencyMismatch => {
                write!(f, "Repeat a request exactly under its key, or take a fresh key for a new one.")
            }
            Self::BadSignature => write!(f, "It was altered, has expired, or was made for something else."),
            Self::RangeNotSatisfiable { object_bytes } => write!(f, "The object has {object_bytes} bytes."),
            Self::PreconditionFailed { etag } => {
                write!(f, "It is not the one that If-Match or If-Unmodified-Since asks for: its ETag is \"{etag}\".")
            }
            Self::Unauthorized => write!(f, "Send an upload token: `Authorization: Bearer …`."),
            Self::NotConfigured { detail } | Self::InvalidToken { detail } | Self::NotPermitted { detail } => {
                write!(f, "{detail}")
            }
            Self::TokenExpired => {
                write!(f, "Get a new one. Uploads that were created with this one can still be finished with it.")
            }
            Self::TypeNotAllowed { allowed } => write!(f, "Declare the file's type; these are taken: {allowed}."),
            Self::RateLimited { retry_after_seconds: seconds }
            | Self::RedeliveredRecently { retry_after_seconds: seconds } => write!(f, "Try again in {seconds} s."),
            Self::HeadTooLarge { limit_bytes } => write!(f, "They may have {limit_bytes} bytes in all."),
            Self::FieldTooLarge { field, limit_bytes } => write!(
                f,
                "{field} may have {limit_bytes} bytes here. It comes back with every answer to HEAD, and longer ones cannot be \
                 read by every client: shorten it, or keep what is in it elsewhere, under the upload's id."
            ),
            Self::KeysUnavailable => write!(f, "The public keys could not be fetched. Try again in a few seconds."),
        }
    }
}
