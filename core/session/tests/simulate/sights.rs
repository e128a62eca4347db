//! What some worlds must see, or a run shows nothing.

/// One of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    /// An upload that ended so.
    Completed,
    Failed,
    Expired,
    Aborted,
    /// The origin took the object over.
    Taken,
    /// A write of a Worker that was dead arrived.
    LateWrite,
    /// A commit was refused.
    RefusedCommit,
    /// A commit was repeated.
    RepeatedCommit,
    /// A Worker lost its right while it was storing.
    Superseded,
    /// A Worker deleted what it had put.
    DeletedPut,
    /// Or its remainder.
    DeletedRemainder,
    /// The object died while it waited for a call.
    DeadObject,
    /// A chunk was put as the object.
    Put,
    /// A remainder was too long for a row.
    LongRemainder,
    /// A live upload was read.
    ReadLive,
    /// One ended since its recorder was silent.
    Truncated,
    /// Somebody was asked to put its tail into the last part.
    LastPart,
    /// A part was begun while the one before was on its way.
    Ahead,
    /// A receiver was told of one on the way.
    OnTheWay,
    /// And told the same again.
    OnTheWayAgain,
}

impl Sight {
    /// All of them.
    pub(crate) const ALL: [Self; 20] = [
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Aborted,
        Self::Taken,
        Self::LateWrite,
        Self::RefusedCommit,
        Self::RepeatedCommit,
        Self::Superseded,
        Self::DeletedPut,
        Self::DeletedRemainder,
        Self::DeadObject,
        Self::Put,
        Self::LongRemainder,
        Self::ReadLive,
        Self::Truncated,
        Self::LastPart,
        Self::Ahead,
        Self::OnTheWay,
        Self::OnTheWayAgain,
    ];
}
