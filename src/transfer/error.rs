//! Why bytes were not stored, with what was said of it.

use durable_objects::platform::error::Error;
use upload_session::attempt::Failure;

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

impl TransferError {
    /// The same, as an attempt is told of it.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::BodyEnded => Failure::BodyEnded,
            Self::BodyStalled => Failure::BodyStalled,
            Self::Storage(_) => Failure::Storage,
            Self::MultipartGone => Failure::MultipartGone,
            Self::SegmentLost => Failure::SegmentLost,
            Self::Superseded => Failure::Superseded,
            Self::Fault(_) => Failure::Fault,
        }
    }

    /// What was said of it.
    pub(crate) fn detail(&self) -> Option<String> {
        match self {
            Self::Storage(error) | Self::Fault(error) => Some(error.to_string()),
            Self::BodyEnded | Self::BodyStalled | Self::MultipartGone | Self::SegmentLost | Self::Superseded => None,
        }
    }
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
