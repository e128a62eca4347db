//! A damaged file is repaired: its client says what it sends again, and the rest is copied from the damaged object.

use durable_objects::rpc::{ask, repair::RepairUpload};
use upload_core::{
    operation::Outcome,
    plan::Limits,
    repair::SentAgain,
    units::{ByteCount, UploadId},
};

use crate::context::{HandlerResult, RequestContext};

/// Has the file put together anew, and shows how the upload stands then.
pub(crate) async fn handle(id: UploadId, sent_again: Vec<SentAgain>, call: RequestContext<'_>) -> HandlerResult {
    // How long the file may be was looked at when it was created.
    let limits = Limits { max_upload_bytes: ByteCount::MAX, ..call.config.limits };
    let repaired = ask(&call.uploads()?, id, &RepairUpload { sent_again, limits }).await?;
    Ok(repaired.map(Outcome::Status))
}
