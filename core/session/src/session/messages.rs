//! What is asked and answered when bytes come in: an attempt begins, commits part by part (or all at once, where a checksum must be
//! right first), says that it is there, and is released.

use serde::{Deserialize, Serialize};

use super::{Phase, SegmentPlace};
use upload_types::{
    chunk::{Completion, Named},
    integrity::{ChunkDigest, Crc64Nvme, Sha256State},
    plan,
    units::{ByteCount, UnixMs},
    upload::ObjectFacts,
};

/// Somebody has a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginAppend {
    /// Where it begins in the file.
    pub offset: ByteCount,
    /// How long it is.
    pub length: ByteCount,
    /// How long its sender says the whole file is, where it does.
    pub file_bytes: Option<ByteCount>,
    /// Whether it counts as a whole or not at all, since its checksum is known only at its end.
    pub all_or_nothing: bool,
    /// How its sender has said where it begins.
    #[serde(default)]
    pub named: Named,
    /// When the upload is complete, where these are the last bytes that were missing.
    #[serde(default)]
    pub completes: Completion,
    /// How it hangs together with others, where it is a section of a longer body.
    #[serde(default)]
    pub continuation: Continuation,
}

/// A body of unknown length is stored section by section, each an attempt of its own. Nobody may come between two of them: who
/// asks in the meantime where to go on is told an offset that must stay true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// The attempt that brought the section before, and must hold the lease still.
    pub after: Option<u64>,
    /// Whether another section may follow.
    pub has_more: bool,
}

/// The right to store a chunk, and all that is needed for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteLease {
    /// The attempt, to be named in every commit.
    pub attempt: u64,
    /// The object's key; where the file is put as one object, that of this attempt's.
    pub key: String,
    /// R2's id of the multipart upload. None where the one part of the file is put as the object itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipart_id: Option<String>,
    /// The sizes.
    pub plan: plan::Plan,
    /// Where the chunk begins.
    pub offset: ByteCount,
    /// The number of the first part to store. Where the file is put as one object there are no parts, and it is 1.
    pub first_number: u16,
    /// How many numbers from there on are this attempt's: of a chunk that counts as a whole all, of another up to
    /// [`PARTS_IN_FLIGHT`], and each commit hands out more. With none, the chunk fills no part.
    pub reserved_parts: u16,
    /// Accepted bytes to be put in front of the first part, in order. Filled in by whoever knows where they are.
    pub tail: Vec<RemainderSource>,
    /// Where to put bytes behind the last whole part, if they are too many for a row.
    pub remainder_key: String,
    /// Of a live upload: every part is put as an object, too, whose key begins so and ends with its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_prefix: Option<String>,
    /// When the upload ends unless bytes come in before, or it is complete by then.
    pub expires_at: UnixMs,
    /// Whether the file's SHA-256 was declared, so that it must be carried along.
    pub carry_sha256: bool,
    /// Where to take it up; none before the first byte.
    pub sha256_so_far: Option<Sha256State>,
}

/// A run of tail bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RemainderSource {
    /// In rows of the upload's object, one behind the other.
    Rows {
        /// Where they begin in the file.
        start: ByteCount,
        /// And end.
        end: ByteCount,
    },
    /// In an R2 object.
    Object {
        /// Under this key.
        key: String,
        /// So many.
        bytes: ByteCount,
    },
}

impl RemainderSource {
    /// How many there are.
    pub fn bytes(&self) -> ByteCount {
        match self {
            Self::Rows { start, end } => end.saturating_sub(*start),
            Self::Object { bytes, .. } => *bytes,
        }
    }
}

/// What R2 said about a part it stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receipt {
    /// Its number.
    pub number: u16,
    /// Its length.
    pub bytes: ByteCount,
    /// Its ETag.
    pub etag: String,
    /// The CRC of its bytes.
    pub crc64nvme: Crc64Nvme,
}

/// Parts are stored; count them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Commit {
    /// On whose behalf.
    pub attempt: u64,
    /// The parts, in order, directly behind the parts that count already.
    pub receipts: Vec<Receipt>,
    /// The bytes behind the last whole part.
    pub remainder: Option<Remainder>,
    /// The file's SHA-256 up to the end of the last of them, where it is carried along.
    pub sha256_so_far: Option<Sha256State>,
    /// The digest of the whole chunk, where it came with one, and this commit counts all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ChunkDigest>,
    /// Whether the part behind these may be under way to R2 already, or will be by the time that a late copy of this arrives. Then a refusal is
    /// not the end of the attempt's requests: it says when they are over ([`Release`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_writing_on: bool,
}

/// Bytes that do not fill a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remainder {
    /// How many.
    pub bytes: ByteCount,
    /// Where they are.
    pub place: SegmentPlace,
}

/// What counts now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// How many bytes.
    pub uploaded_bytes: ByteCount,
    /// The number for the attempt's next part; none where it has no more whole parts to store, or the next number is not free
    /// yet: then the rest of the chunk has to come again.
    pub next_number: Option<u16>,
    /// The number for the part behind that one, which may be stored before the next one counts; none where there is no such part, or the
    /// number is not free yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_number: Option<u16>,
    /// Where the upload is in its life.
    pub phase: Phase,
    /// When it ends now, unless more comes in.
    #[serde(default)]
    pub expires_at: UnixMs,
    /// The object, where there is one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectFacts>,
}

impl Committed {
    /// So much counts. When the upload ends, and its object, [`Session::commit`](super::Session::commit) adds.
    pub(crate) fn so_far(uploaded_bytes: ByteCount, phase: Phase) -> Self {
        let (next_number, ahead_number) = (None, None);
        Self { uploaded_bytes, next_number, ahead_number, phase, expires_at: UnixMs::default(), object: None }
    }
}

/// A part of an attempt is still under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// Of which.
    pub attempt: u64,
}

/// An attempt ends, and with it its requests to R2: early, or because it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which.
    pub attempt: u64,
    /// Why.
    pub reason: ReleaseReason,
}

/// Why an attempt ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseReason {
    /// Its body ended, or storage did not take it: the next attempt may well succeed.
    GaveUp,
    /// R2 says that the multipart upload is not there any more: nothing can ever be added.
    MultipartGone,
    /// Accepted bytes are not there any more: the file can never become whole. Believed only of the attempt that holds the
    /// lease.
    SegmentLost,
}
