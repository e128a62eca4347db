//! The tail: accepted bytes that the next part begins with, opened as streams from wherever they are, one after the other.

use durable_objects::{
    platform::object_storage::{self, ObjectStorage},
    rpc::{ObjectClient, upload::read_tail},
};
use upload_session::session::RemainderSource;
use upload_types::units::{ByteCount, UploadId};
use web_sys::ReadableStream;

use crate::transfer::error::TransferError;

/// The sources in order, and where to ask for them.
pub(crate) struct Tail<'a> {
    /// The sources.
    pub(crate) sources: &'a [RemainderSource],
    /// Of which upload.
    pub(crate) upload: UploadId,
    /// Where the rows are.
    pub(crate) objects: &'a ObjectClient,
    /// Where the objects are.
    pub(crate) bucket: &'a ObjectStorage,
}

/// A stream of accepted bytes to be put in front of a part.
pub(crate) struct PrefixStream {
    /// The bytes.
    pub(crate) stream: ReadableStream,
    /// How many they must be.
    pub(crate) bytes: ByteCount,
}

impl Tail<'_> {
    /// Opens a source.
    pub(crate) async fn open(&self, source: &RemainderSource) -> Result<PrefixStream, TransferError> {
        match source {
            RemainderSource::Rows { start, end } => {
                let stream = read_tail(self.objects, self.upload, *start, *end).await?;
                Ok(PrefixStream { stream, bytes: end.saturating_sub(*start) })
            }
            RemainderSource::Object { key, bytes } => {
                let got = self.bucket.get(key, None).await.map_err(|error| TransferError::Storage(error.cause))?;
                let stream = object_storage::stream(&got.ok_or(TransferError::SegmentLost)?)?;
                Ok(PrefixStream { stream: stream.ok_or(TransferError::SegmentLost)?, bytes: *bytes })
            }
        }
    }
}
