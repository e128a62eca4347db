//! What a damaged file's client does not send again is copied from the damaged object, a chunk at a time.

use durable_objects::{
    platform::error::Result,
    rpc::{ObjectClient, ask, repair::BeginCopy},
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
    queue::concat::{self, PumpError},
    storage::bucket::BUCKET_BINDING,
    transfer::error::TransferError,
};

/// Copies chunks of this upload from its damaged object, for as long as it is this message's turn.
pub(crate) async fn copy(upload: UploadId, env: &Env) -> Result<()> {
    let (objects, bucket) = (ObjectClient::to_uploads(env, Caller::System)?, env.bucket(BUCKET_BINDING)?);
    let mut after = None;
    // A copy of a message that came late finds nothing to do, or somebody else at it.
    while let Ok(Some(stretch)) = ask(&objects, upload, &BeginCopy { after }).await? {
        let (watch, attempt) = (Stopwatch::start(), stretch.grant.attempt);
        let line = LogLine { attempt: Some(attempt), ..LogLine::of("batch_copied", upload) };
        match concat::copy(upload, &stretch, &objects, &bucket).await? {
            Ok(bytes) => log::info(&LogLine { bytes: Some(bytes), duration_ms: Some(watch.elapsed_ms()), ..line }),
            // Its client sends this chunk itself, or the upload has ended: which of them, the next question tells.
            Err(PumpError::Refused(refusal)) => {
                log::info(&LogLine { event: "copying_stopped", code: Some(refusal.code()), ..line });
            }
            Err(PumpError::TransferError(broken)) => {
                let (reason, detail) = why(broken)?;
                log::info(&LogLine { event: "copying_broken", detail: Some(detail), ..line });
                // Crash here, or fails: it is believed dead after a while, and somebody else is asked.
                let _counted = ask(&objects, upload, &Release { attempt, reason }).await?;
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
