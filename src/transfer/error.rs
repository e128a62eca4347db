//! Why bytes were not stored.

use durable_objects::platform::error::Error;

/// Why bytes were not stored.
pub(crate) enum TransferError {
    /// The body ended early: the client has gone, or was cut off.
    BodyEnded,
    /// The body brought nothing for too long.
    BodyStalled,
    /// R2 did not take them, for a reason that passes.
    Storage(Error),
    /// R2 says that the multipart upload is not there any more.
    MultipartGone,
    /// Bytes of the tail are not there any more.
    SegmentLost,
    /// The attempt has lost its right, or could not say for too long that it is there.
    Superseded,
    /// Our fault.
    Fault(Error),
}

impl From<worker::Error> for TransferError {
    fn from(error: worker::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for TransferError {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}
