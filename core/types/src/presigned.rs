//! Presigned uploads: what a client may ask whose parts never pass this service, and what it is answered. Its bytes go to R2's S3
//! API under URLs that are signed one by one; here only numbers, ETags and sizes change hands.

use serde::{Deserialize, Serialize};

use crate::units::{ByteCount, UploadId};

/// The most chunks whose URLs are signed in one request, and the most parts that are recorded in one. Each is a row of the
/// upload's object, and an answer of so many URLs is about 100 kB.
pub const MAX_AT_ONCE: usize = 100;

/// What is wanted of a direct upload, beside what any upload can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresignRequest {
    /// A URL for each of these chunks, counted from 0.
    Sign(Vec<u32>),
    /// These parts are stored: count them, once R2 has said so too.
    Record(Vec<ReportedPart>),
    /// Which chunks R2 has.
    List,
    /// The file is these chunks and no others.
    Assemble(Vec<CompletedPart>),
}

/// A client says that it has stored a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedPart {
    /// Under this number, as its URL has it.
    pub number: u16,
    /// With this ETag, as R2 answered.
    pub etag: Option<String>,
}

/// A chunk of a file whose sizes nobody has declared, with the ETag that its sender got for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedPart {
    /// Counted from 0.
    pub chunk: u32,
    /// As R2 answered, without quotes.
    pub etag: String,
}

/// What came of a [`PresignRequest`], where it is no more than how the upload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresignResponse {
    /// The URLs, in the order in which they were asked for.
    Signed(UploadId, Vec<SignedPart>),
    /// What R2 has.
    Listed(Vec<Listed>),
}

/// The right to store one part, once or more often, until the URL expires. Only what is recorded counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPart {
    /// Of this chunk, counted from 0.
    pub chunk: u32,
    /// Under this number.
    pub number: u16,
    /// Where it begins in the file, and how long it must be; none where the sizes were not declared.
    pub span: Option<(ByteCount, ByteCount)>,
    /// By a `PUT` to this URL.
    pub url: String,
    /// Which works for so many seconds.
    pub valid_seconds: u64,
}

/// A chunk that R2 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Counted from 0.
    pub chunk: u32,
    /// Its ETag.
    pub etag: String,
    /// Its length.
    pub bytes: ByteCount,
}
