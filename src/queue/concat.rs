//! Copying an upload together from its pieces, a stretch at a time: ranges of their objects go through the relay into parts of
//! equal size, each counted by itself. In the time of a queue message, not of a request, so that nobody waits for it.

use durable_objects::{
    platform::{
        error::{Error, Result},
        object_storage::{self, ObjectStorage},
    },
    rpc::{
        ObjectClient, call, unless_refused,
        upload::{AsPartial, BeginCopyBatch, WantedPartials},
    },
};
use futures_util::{StreamExt as _, stream};
use upload_core::{
    api_error::ApiError,
    caller::Caller,
    log_line::LogLine,
    session::{Commit, CopyBatch, PartialStatus, PartialUpload, Release, ReleaseReason, SourceRange, Wanted},
    units::{ByteCount, UploadId},
};
use worker::{Env, Range};

use crate::{
    log::{self, Stopwatch},
    transfer::{
        error::TransferError,
        prefix::PrefixStream,
        relay,
        renewal::{StopSignal, while_renewing},
    },
};

/// So many pieces are asked at the same time: the platform lets an invocation wait for six answers at once, and this is not the only
/// thing that one does.
const ASKED_AT_ONCE: usize = 4;

/// Copies the next stretch of this upload, if there is one to copy.
pub(crate) async fn run(upload: UploadId, env: &Env) -> Result<()> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    // A copy of a message that came late finds nothing to do, or somebody else at it.
    let wanted = unless_refused(call(&objects, upload, &WantedPartials).await)?.flatten();
    let Some(wanted) = wanted else { return Ok(()) };
    let standings = ask_for(&wanted, &objects).await?.into_iter().map(standing).collect();
    let batch = unless_refused(call(&objects, upload, &BeginCopyBatch(standings)).await)?.flatten();
    let Some(batch) = batch else { return Ok(()) };
    let (watch, bucket) = (Stopwatch::start(), ObjectStorage::open(env)?);
    let line = LogLine { attempt: Some(batch.grant.attempt), ..LogLine::of("batch_copied", upload) };
    match copy(upload, &batch, &objects, &bucket).await {
        Ok(bytes) => log::info(&LogLine { bytes: Some(bytes), duration_ms: Some(watch.elapsed_ms()), ..line }),
        Err(CopyError::Refused(refusal)) => {
            // It has ended meanwhile, or somebody who believed this one dead goes on with it.
            log::info(&LogLine { event: "copying_stopped", code: Some(refusal.code()), ..line });
        }
        Err(CopyError::Failed(broken)) => {
            let (reason, detail) = why(broken, &wanted, &objects).await?;
            log::info(&LogLine { event: "copying_broken", detail: Some(detail), ..line });
            // Fails, or dies here: it is believed dead after a while, and somebody else is asked.
            unless_refused(call(&objects, upload, &Release { attempt: batch.grant.attempt, reason }).await)?;
        }
    }
    Ok(())
}

/// Asks for all of these pieces, which are kept from then on, if that is wanted. What each says, in order.
pub(crate) async fn ask_for(wanted: &Wanted, objects: &ObjectClient) -> Result<Vec<Result<PartialUpload, ApiError>>> {
    let asked = wanted.pieces.iter().map(|id| async move {
        let question = AsPartial { owner: wanted.owner.clone(), until: wanted.until };
        match call(objects, id, &question).await {
            Ok(partial) => Ok(Ok(partial)),
            // One that is somebody else's is not told from one that is not there.
            Err(Error::Refused(ApiError::UploadNotFound)) => {
                Ok(Err(ApiError::InvalidPartial { upload: *id, reason: "There is no such upload.".to_owned() }))
            }
            Err(Error::Refused(refusal)) => Ok(Err(refusal)),
            Err(fault) => Err(fault),
        }
    });
    let answers: Vec<Result<_>> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    answers.into_iter().collect()
}

fn standing(piece: Result<PartialUpload, ApiError>) -> PartialStatus {
    match piece {
        Ok(piece) => PartialStatus::Alive(piece),
        Err(refusal) => PartialStatus::Lost(refusal.to_string()),
    }
}

/// Why a batch was not copied to its end.
pub(crate) enum CopyError {
    /// The object says no.
    Refused(ApiError),
    /// The bytes could not be moved.
    Failed(TransferError),
}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            fault @ Error::Fault(_) => Self::Failed(fault.into()),
        }
    }
}

impl From<TransferError> for CopyError {
    fn from(error: TransferError) -> Self {
        Self::Failed(error)
    }
}

/// Copies part by part; how many bytes it was.
pub(crate) async fn copy(
    upload: UploadId,
    batch: &CopyBatch,
    objects: &ObjectClient,
    bucket: &ObjectStorage,
) -> Result<ByteCount, CopyError> {
    let grant = &batch.grant;
    let id = grant.multipart_id.as_ref().ok_or_else(|| Error::from("a composition without a multipart upload"))?;
    let multipart = bucket.resume_multipart(&grant.key, id)?;
    let (mut number, mut copied) = (grant.first_number, ByteCount::ZERO);
    let bytes = batch.parts.iter().fold(ByteCount::ZERO, |sum, part| sum.checked_add(part.bytes).unwrap_or(sum));
    for part in &batch.parts {
        let (open, stop) = (async |run: &SourceRange| open(run, bucket).await, StopSignal::default());
        let stored = relay::part_of(&multipart, number, part.bytes, &part.runs, &stop, open);
        let receipt = while_renewing(objects, upload, grant.attempt, &stop, stored).await?;
        // Crash here: R2 has the part and nobody counts it; whoever is asked next copies it again, under another number.
        let (receipts, attempt) = (vec![receipt], grant.attempt);
        let commit = Commit { attempt, receipts, rest: None, sha256_so_far: None, digest: None };
        let committed = call(objects, upload, &commit).await?;
        copied = copied.checked_add(part.bytes).unwrap_or(copied);
        number = match committed.next_number {
            Some(next) => next,
            None if copied >= bytes => break,
            // Somebody may still be writing under the next number: the rest is copied later.
            None => return Err(TransferError::Superseded.into()),
        };
    }
    Ok(copied)
}

/// Opens a range of a piece's object; another object under its key is not the one that was counted.
async fn open(run: &SourceRange, bucket: &ObjectStorage) -> Result<PrefixStream, TransferError> {
    let range = Range::OffsetWithLength { offset: run.from.get(), length: run.bytes.get() };
    let got = bucket.get(&run.object.key, Some(range)).await.map_err(|error| TransferError::Storage(error.cause))?;
    let object = got.filter(|object| object.etag() == run.object.etag).ok_or(TransferError::SegmentLost)?;
    let stream = object_storage::stream(&object)?.ok_or(TransferError::SegmentLost)?;
    Ok(PrefixStream { stream, bytes: run.bytes })
}

/// What to give up for, and what to say of it. An object that R2 does not have may have been let go of just now, which its
/// upload knows, and tells when it is asked again; if it believes to have it, the bytes are lost.
async fn why(broken: TransferError, wanted: &Wanted, objects: &ObjectClient) -> Result<(ReleaseReason, String)> {
    Ok(match broken {
        TransferError::SegmentLost => {
            let all_alive = ask_for(wanted, objects).await?.iter().all(Result::is_ok);
            let reason = if all_alive { ReleaseReason::SegmentLost } else { ReleaseReason::GaveUp };
            (reason, "a piece's object is not there".to_owned())
        }
        TransferError::Superseded => (ReleaseReason::GaveUp, "its part number is not its own any more".to_owned()),
        TransferError::MultipartGone => (ReleaseReason::MultipartGone, "the multipart upload is gone".to_owned()),
        TransferError::Storage(error) => (ReleaseReason::GaveUp, error.to_string()),
        TransferError::BodyEnded | TransferError::BodyStalled => {
            (ReleaseReason::GaveUp, "a piece's bytes ended early".to_owned())
        }
        TransferError::Fault(error) => return Err(error),
    })
}
