//! What protocols and sessions both know of a file that has arrived whole and does not have the digest that was declared for it: what
//! is to be done with it, what its client is shown of it, and what it sends again.

use serde::{Deserialize, Serialize};

use crate::{
    integrity::{Crc64Nvme, Sha256Digest},
    units::{ByteCount, UploadId},
};

/// So many ranges may be named at once.
pub const MAX_RANGES: usize = 10_000;

/// What is done with a file that does not have its declared digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMismatch {
    /// The upload fails, and nothing is kept.
    #[default]
    Fail,
    /// What arrived is kept for a while, so that its client can send again what is wrong.
    Keep,
}

/// Bytes of the file that its client sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAgain {
    /// Where they begin.
    pub from: ByteCount,
    /// And end.
    pub to: ByteCount,
}

/// All parts of a kept file, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The upload.
    pub id: UploadId,
    /// How long the file is.
    pub file_bytes: ByteCount,
    /// Its parts.
    pub parts: Vec<KeptPart>,
}

/// A part of a kept file, for its client to compare with what it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPart {
    /// Where it begins.
    pub offset: ByteCount,
    /// How long it is.
    pub bytes: ByteCount,
    /// The CRC of what was stored.
    pub crc64nvme: Crc64Nvme,
    /// Its SHA-256, where it came as a chunk of its own with one.
    pub sha256: Option<Sha256Digest>,
}
