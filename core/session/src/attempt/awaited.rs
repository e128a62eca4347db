//! What an attempt waits for: the effect that has not been answered yet, and what is to be known when it is.

use super::messages::Failure;
use crate::session::Remainder;
use upload_types::{api_error::ApiError, units::ByteCount};

/// Which effect has not been answered yet, and what is remembered until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Begin,
    Stored,
    RemainderStored(ByteCount),
    RemainderRead,
    Digest { remainder: Option<Remainder>, broken: Option<Failure> },
    Committed { sent: Sent, then: Then },
    StatusAfterRefusal { sent: Sent, refusal: ApiError },
    DeletedAfterRefusal { sent: Sent, refusal: ApiError },
    DeletedAfterWrongDigest,
    Released(GivenUp),
    BodyDiscarded(Discarded),
    StatusAtEnd { uploaded_bytes: ByteCount },
    Nothing,
}

/// What of a commit is an object that nobody finds by itself if it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sent {
    OnlyPartsAndRows,
    /// And the next part may be under way.
    PartsBeforeAnother,
    Put,
    RemainderObject,
}

/// What follows a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Then {
    /// The next part, or the remainder.
    GoOn,
    /// The end: all is committed that has come.
    End { broken: Option<Failure> },
}

/// Why the lease was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    WrongDigest,
    NextNumberTaken,
    /// A commit was refused while the next part may have been under way, and now it is not any more.
    Refused(ApiError),
    Failed(Failure),
}

/// What follows once the body is discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    ThenRefused(ApiError),
    ThenReleased(Failure),
}
