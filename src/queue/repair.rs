//! What a damaged file's client does not send again is copied from the damaged object, a chunk at a time.

use durable_objects::{
    platform::{error::Result, object_storage::ObjectStorage},
    rpc::{ObjectClient, call, repair::BeginCopy, unless_refused},
};
use upload_core::{
    caller::Caller,
    log_line::LogLine,
    session::{Release, ReleaseReason},
    units::UploadId,
};
use worker::Env;

use crate::{
    log::{self, Stopwatch},
    queue::concat::{self, CopyError},
    transfer::error::TransferError,
};

/// Copies chunks of this upload from its damaged object, for as long as it is this message's turn.
pub(crate) async fn copy(upload: UploadId, env: &Env) -> Result<()> {
    let (objects, bucket) = (ObjectClient::to_uploads(env, Caller::System)?, ObjectStorage::open(env)?);
    let mut after = None;
    // A copy of a message that came late finds nothing to do, or somebody else at it.
    while let Some(batch) = unless_refused(call(&objects, upload, &BeginCopy { after }).await)?.flatten() {
        let (watch, attempt) = (Stopwatch::start(), batch.grant.attempt);
        let line = LogLine { attempt: Some(attempt), ..LogLine::of("batch_copied", upload) };
        match concat::copy(upload, &batch, &objects, &bucket).await {
            Ok(bytes) => log::info(&LogLine { bytes: Some(bytes), duration_ms: Some(watch.elapsed_ms()), ..line }),
            // Its client sends this chunk itself, or the upload has ended: which of them, the next question tells.
            Err(CopyError::Refused(refusal)) => {
                log::info(&LogLine { event: "copying_stopped", code: Some(refusal.code()), ..line });
            }
            Err(CopyError::Failed(broken)) => {
                let (reason, detail) = why(broken)?;
                log::info(&LogLine { event: "copying_broken", detail: Some(detail), ..line });
                // Crash here, or fails: it is believed dead after a while, and somebody else is asked.
                unless_refused(call(&objects, upload, &Release { attempt, reason }).await)?;
                break;
            }
        }
        after = Some(attempt);
    }
    Ok(())
}

/// What to give up for, and what to say of it.
fn why(broken: TransferError) -> Result<(ReleaseReason, String)> {
    Ok(match broken {
        TransferError::SegmentLost => (ReleaseReason::SegmentLost, "the damaged object is not there".to_owned()),
        TransferError::Superseded => (ReleaseReason::GaveUp, "it was taken over".to_owned()),
        TransferError::MultipartGone => (ReleaseReason::MultipartGone, "the multipart upload is gone".to_owned()),
        TransferError::Storage(error) => (ReleaseReason::GaveUp, error.to_string()),
        TransferError::BodyEnded | TransferError::BodyStalled => {
            (ReleaseReason::GaveUp, "the object's bytes ended early".to_owned())
        }
        TransferError::Fault(error) => return Err(error),
    })
}
