//! A damaged file is repaired: its client says what it sends again, and the rest is copied from the damaged object.

use durable_objects::rpc::{call, repair::RepairUpload};
use upload_types::{
    operation::Outcome,
    plan::Limits,
    repair::SentAgain,
    units::{ByteCount, UploadId},
};

use crate::context::{HandlerResult, RequestContext};

/// Has the file put together anew, and shows how the upload stands then.
pub(crate) async fn handle(id: UploadId, sent_again: Vec<SentAgain>, context: RequestContext<'_>) -> HandlerResult {
    // How long the file may be was looked at when it was created.
    let limits = Limits { max_upload_bytes: ByteCount::MAX, ..context.config.limits };
    call(&context.uploads()?, id, &RepairUpload { sent_again, limits }).await.map(Outcome::Status)
}
