//! What an attempt asks its driver to do, and what the driver says came of it.

use crate::session::{Commit, Committed, Receipt, Release, ReleaseReason, RemainderSource};
use upload_types::{api_error::ApiError, integrity::Sha256State, units::ByteCount, upload::Snapshot};

/// What the driver does next. Each but the last is answered with one [`Input`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Has R2 store a part of so many bytes under this number: first the tail, then the next bytes of the body. While that takes
    /// long, the upload's object is told that the writer is there ([`Renew`](crate::session::Renew)).
    /// Answered with [`Input::Stored`].
    ///
    /// As soon as R2 has been given all bytes of this part, the driver may begin with those of the part that is `ahead`: while R2 answers, and
    /// while the next commit is under way. The attempt asks for that part next, unless it ends before: then the driver ends what it has
    /// begun, and waits until that request to R2 is over, before it carries out whatever else is asked.
    StorePart {
        /// The part's number.
        number: u16,
        /// Its length, the tail included.
        bytes: ByteCount,
        /// Accepted bytes that it begins with.
        tail: Vec<RemainderSource>,
        /// The part behind it.
        ahead: Option<PartAhead>,
    },
    /// The same for a file that is put as one object, under the key of this attempt. Answered with [`Input::Stored`].
    PutObject {
        /// The number to say in the receipt.
        number: u16,
        /// The object's length, the tail included.
        bytes: ByteCount,
        /// Accepted bytes that it begins with.
        tail: Vec<RemainderSource>,
    },
    /// Puts the next bytes of the body into an object of their own, under the lease's key for the remainder. Answered with
    /// [`Input::RemainderStored`].
    StoreRemainder {
        /// How many.
        bytes: ByteCount,
    },
    /// Reads the next bytes of the body into memory, to be sent along with the commit. Answered with [`Input::RemainderRead`].
    ReadRemainder {
        /// How many, where the body does not break before.
        bytes: ByteCount,
    },
    /// Compares the chunk's digest with the declared one. Answered with [`Input::DigestIsRight`] or [`Input::DigestIsWrong`].
    CheckDigest,
    /// Has the upload's object count what is stored; where the remainder is kept in a row, with its bytes. Answered with
    /// [`Input::Committed`].
    Commit(Commit),
    /// Asks the upload's object how it stands. Answered with [`Input::Status`].
    AskStatus,
    /// Deletes what this attempt has put under its key. Answered with [`Input::Deleted`].
    DeletePut,
    /// Deletes the object of the remainder. Answered with [`Input::Deleted`].
    DeleteRemainder,
    /// Gives the lease back. Answered with [`Input::Released`].
    Release(Release),
    /// Reads the rest of the body away for a while: a client that is cut off while it sends never sees the answer. Answered with
    /// [`Input::BodyDiscarded`].
    DiscardBody,
    /// It is over.
    Finish(Finish),
}

/// A part that may be begun before it is asked for. It is whole, and begins with bytes of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartAhead {
    /// The part's number.
    pub number: u16,
    /// Its length.
    pub bytes: ByteCount,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All bytes of the chunk count.
    Appended(Committed),
    /// The chunk, or the rest of it, does not count.
    Refused(ApiError),
    /// Something of ours broke: the last failure that the driver reported says what.
    Fault,
}

/// What came of an [`Effect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing has been asked yet.
    Begin,
    /// R2 has the part, or the object.
    Stored {
        /// What it said.
        receipt: Receipt,
        /// The file's SHA-256 up to there, where it is carried along.
        sha256_so_far: Option<Sha256State>,
    },
    /// R2 has the remainder.
    RemainderStored {
        /// The file's SHA-256 up to there, where it is carried along.
        sha256_so_far: Option<Sha256State>,
    },
    /// The remainder has been read, or as much of it as came.
    RemainderRead {
        /// How many bytes.
        bytes: ByteCount,
        /// The file's SHA-256 up to there, where it is carried along.
        sha256_so_far: Option<Sha256State>,
        /// How the body broke, where it did.
        broken: Option<Failure>,
    },
    /// The chunk has the declared digest, or none was declared.
    DigestIsRight,
    /// It has another.
    DigestIsWrong,
    /// What the upload's object says to a commit.
    Committed(Result<Committed, ApiError>),
    /// How the upload stands.
    Status(Result<Box<Snapshot>, ApiError>),
    /// R2 does not have it any more.
    Deleted,
    /// How many bytes count; `None` where the upload's object could not be asked, or refused.
    Released(Option<ByteCount>),
    /// The rest of the body is gone.
    BodyDiscarded,
    /// The effect was not carried out, as far as is known.
    Failed(Failure),
}

/// Why an effect was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The body ended early: the client has gone, or was cut off.
    BodyEnded,
    /// The body brought nothing for too long.
    BodyStalled,
    /// R2 did not take the bytes, for a reason that passes.
    Storage,
    /// R2 says that the multipart upload is not there any more.
    MultipartGone,
    /// Bytes of the tail are not there any more.
    SegmentLost,
    /// The attempt has lost its right, or could not say for too long that it is there.
    Superseded,
    /// Something of ours broke.
    Fault,
}

impl Failure {
    /// The name in logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::BodyEnded => "body-ended",
            Self::BodyStalled => "body-stalled",
            Self::Storage => "storage",
            Self::MultipartGone => "multipart-gone",
            Self::SegmentLost => "segment-lost",
            Self::Superseded => "superseded",
            Self::Fault => "fault",
        }
    }

    /// What the upload's object is told.
    pub(super) fn release_reason(self) -> ReleaseReason {
        match self {
            Self::MultipartGone => ReleaseReason::MultipartGone,
            Self::SegmentLost => ReleaseReason::SegmentLost,
            Self::BodyEnded | Self::BodyStalled | Self::Storage | Self::Superseded | Self::Fault => {
                ReleaseReason::GaveUp
            }
        }
    }

    /// Whether there may be more of the body, which nobody wants.
    pub(super) fn leaves_a_body(self) -> bool {
        !matches!(self, Self::BodyEnded | Self::BodyStalled)
    }
}
