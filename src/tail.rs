//! The tail: accepted bytes that the next part begins with, opened as streams from wherever they are.

use durable_objects::{faults::around, rpc::upload::read_tail};
use upload_core::{session::TailPiece, units::UploadId};
use worker::{Bucket, ObjectNamespace, ResponseBody, Result};

use crate::relay::{Broken, Front};

/// Opens the pieces in order.
pub(crate) async fn open(
    pieces: &[TailPiece],
    upload: UploadId,
    objects: &ObjectNamespace,
    bucket: &Bucket,
) -> Result<Vec<Front>, Broken> {
    let mut fronts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        fronts.push(match piece {
            TailPiece::Rows { start, end } => {
                Front { stream: read_tail(objects, upload, *start, *end).await?, bytes: end.saturating_sub(*start) }
            }
            TailPiece::Object { key, bytes } => {
                let object = around("r2.get", bucket.get(key).execute())
                    .await
                    .map_err(Broken::Storage)?
                    .ok_or(Broken::SegmentLost)?;
                let body = object.body().ok_or(Broken::SegmentLost)?;
                match body.response_body()? {
                    ResponseBody::Stream(stream) => Front { stream, bytes: *bytes },
                    _ => return Err(Broken::SegmentLost),
                }
            }
        });
    }
    Ok(fronts)
}
