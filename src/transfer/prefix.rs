//! The tail: accepted bytes that the next part begins with, opened as streams from wherever they are, one after the other.

use durable_objects::{
    platform::fault_injection::around,
    rpc::{Door, upload::read_tail},
};
use upload_core::{
    session::TailPiece,
    units::{ByteCount, UploadId},
};
use web_sys::ReadableStream;
use worker::{Bucket, ResponseBody};

use crate::transfer::error::Broken;

/// The pieces in order, and where to ask for them.
pub(crate) struct Tail<'a> {
    /// The pieces.
    pub(crate) pieces: &'a [TailPiece],
    /// Of which upload.
    pub(crate) upload: UploadId,
    /// Where the rows are.
    pub(crate) objects: &'a Door,
    /// Where the objects are.
    pub(crate) bucket: &'a Bucket,
}

/// A stream of accepted bytes to be put in front of a part.
pub(crate) struct Front {
    /// The bytes.
    pub(crate) stream: ReadableStream,
    /// How many they must be.
    pub(crate) bytes: ByteCount,
}

impl Tail<'_> {
    /// Opens a piece.
    pub(crate) async fn open(&self, piece: &TailPiece) -> Result<Front, Broken> {
        match piece {
            TailPiece::Rows { start, end } => {
                let stream = read_tail(self.objects, self.upload, *start, *end).await?;
                Ok(Front { stream, bytes: end.saturating_sub(*start) })
            }
            TailPiece::Object { key, bytes } => {
                let got = around("r2.get", self.bucket.get(key).execute()).await.map_err(Broken::Storage)?;
                let object = got.ok_or(Broken::SegmentLost)?;
                match object.body().ok_or(Broken::SegmentLost)?.response_body()? {
                    ResponseBody::Stream(stream) => Ok(Front { stream, bytes: *bytes }),
                    _ => Err(Broken::SegmentLost),
                }
            }
        }
    }
}
