//! Drives an [`Attempt`] whose bytes are copied from objects in R2: those of the uploads that another is put together from, or the damaged
//! one of the upload itself. When something is stored, counted or given up is decided there.

use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::{
    platform::{
        error::{Error, Result},
        object_storage::{self, Multipart, ObjectStorage},
    },
    rpc::{ObjectClient, call, upload::Status},
};
use upload_session::{
    attempt::{Attempt, Effect, Finish, Input},
    session::{CopyBatch, Release, SourceRange},
};
use upload_types::{
    api_error::ApiError,
    units::{ByteCount, UploadId},
};
use worker::Range;

use crate::{
    log::{self, Stopwatch},
    transfer::{
        attempt::told,
        error::TransferError,
        prefix::PrefixStream,
        relay,
        renewal::{StopSignal, while_renewing},
    },
};

/// What came of a batch.
pub(crate) enum Copied {
    /// All of it counts.
    All,
    /// The object does not count it: the upload has ended meanwhile, or somebody who believed this one dead goes on with it.
    Stopped,
    /// It was given up.
    GivenUp,
}

/// A batch of an upload on its way from elsewhere.
pub(crate) struct Copy<'a> {
    upload: UploadId,
    objects: &'a ObjectClient,
    bucket: &'a ObjectStorage,
    batch: &'a CopyBatch,
    /// How many parts have been asked for.
    parts: usize,
    /// Why it was given up, where it was.
    broken: Option<TransferError>,
}

impl<'a> Copy<'a> {
    /// With the right to store this batch.
    pub(crate) fn new(
        upload: UploadId,
        batch: &'a CopyBatch,
        objects: &'a ObjectClient,
        bucket: &'a ObjectStorage,
    ) -> Self {
        Self { upload, objects, bucket, batch, parts: 0, broken: None }
    }

    /// Copies part by part. `is_lost` says of a source that R2 does not have whether its bytes are lost for ever.
    pub(crate) async fn run(mut self, is_lost: impl AsyncFn() -> Result<bool>) -> Result<Copied> {
        let (watch, lease) = (Stopwatch::start(), &self.batch.lease);
        let id = lease.multipart_id.as_ref().ok_or_else(|| Error::from("a batch without a multipart upload"))?;
        let multipart = self.bucket.resume_multipart(&lease.key, id)?;
        let parts = self.batch.parts.iter();
        let bytes = parts.fold(ByteCount::ZERO, |sum, part| sum.checked_add(part.bytes).unwrap_or(sum));
        let end = lease.offset.checked_add(bytes).unwrap_or(lease.offset);
        let mut attempt = Attempt::new(lease, end, None);
        let line = LogLine { attempt: Some(lease.attempt), ..LogLine::of("batch_copied", self.upload) };
        match self.drive(&mut attempt, &multipart, is_lost).await {
            Finish::Appended(_) => {
                log::chunk(&LogLine { bytes: Some(bytes), duration_ms: Some(watch.elapsed_ms()), ..line });
                Ok(Copied::All)
            }
            Finish::Refused(_) if self.broken.is_some() => Ok(Copied::GivenUp),
            Finish::Refused(refusal @ ApiError::WritersPending { .. }) => {
                log::info(&LogLine { event: "copying_broken", code: Some(refusal.code()), ..line });
                Ok(Copied::GivenUp)
            }
            Finish::Refused(refusal) => {
                log::info(&LogLine { event: "copying_stopped", code: Some(refusal.code()), ..line });
                Ok(Copied::Stopped)
            }
            Finish::Fault => Err(match self.broken {
                Some(TransferError::Fault(error)) => error,
                _ => Error::from("a batch is made of whole parts, and of nothing else"),
            }),
        }
    }

    async fn drive(
        &mut self,
        attempt: &mut Attempt,
        multipart: &Multipart,
        is_lost: impl AsyncFn() -> Result<bool>,
    ) -> Finish {
        let mut input = Input::Begin;
        loop {
            let done = match attempt.next(input) {
                Effect::StorePart { number, bytes, .. } => match self.store(multipart, number, bytes).await {
                    Err(TransferError::SegmentLost) => Err(self.missing(&is_lost).await),
                    stored => stored,
                },
                Effect::Commit(commit) => told(call(self.objects, self.upload, &commit).await, Input::Committed),
                Effect::AskStatus => {
                    let now = call(self.objects, self.upload, &Status).await;
                    told(now, |now| Input::Status(now.map(Box::new)))
                }
                Effect::Release(release) => Ok(Input::Released(self.release(release).await)),
                Effect::DiscardBody => Ok(Input::BodyDiscarded),
                Effect::Finish(finish) => return finish,
                Effect::PutObject { .. }
                | Effect::StoreRemainder { .. }
                | Effect::ReadRemainder { .. }
                | Effect::CheckDigest
                | Effect::DeletePut
                | Effect::DeleteRemainder => {
                    Err(Error::from("a batch is made of whole parts, and of nothing else").into())
                }
            };
            input = done.unwrap_or_else(|broken| {
                let failure = broken.failure();
                self.broken = Some(broken);
                Input::Failed(failure)
            });
        }
    }

    async fn store(&mut self, multipart: &Multipart, number: u16, bytes: ByteCount) -> Result<Input, TransferError> {
        let part = self.batch.parts.get(self.parts).filter(|part| part.bytes == bytes);
        let part = part.ok_or_else(|| Error::from("a batch without this part"))?;
        self.parts += 1;
        let (bucket, stop) = (self.bucket, StopSignal::default());
        let open = async |run: &SourceRange| open(run, bucket).await;
        let stored = Box::pin(relay::part_of(multipart, number, bytes, &part.runs, &stop, open));
        let receipt = while_renewing(self.objects, self.upload, self.batch.lease.attempt, &stop, stored).await?;
        Ok(Input::Stored { receipt, sha256_so_far: None })
    }

    /// R2 does not have the object that is copied. It may have been let go of just now.
    async fn missing(&self, is_lost: &impl AsyncFn() -> Result<bool>) -> TransferError {
        match is_lost().await {
            Ok(true) => TransferError::SegmentLost,
            Ok(false) => TransferError::Storage(Error::from("what is copied from is not there")),
            Err(error) => TransferError::Fault(error),
        }
    }

    /// Fails, or dies here: it is believed dead after a while, and somebody else is asked.
    async fn release(&self, release: Release) -> Option<ByteCount> {
        if let Some(broken) = &self.broken {
            log::info(&LogLine {
                attempt: Some(release.attempt),
                code: Some(broken.failure().code()),
                detail: broken.detail(),
                ..LogLine::of("copying_broken", self.upload)
            });
        }
        call(self.objects, self.upload, &release).await.ok()
    }
}

/// Opens a range of an object; another object under its key is not the one that was counted.
async fn open(run: &SourceRange, bucket: &ObjectStorage) -> Result<PrefixStream, TransferError> {
    let range = Range::OffsetWithLength { offset: run.from.get(), length: run.bytes.get() };
    let got = bucket.get(&run.object.key, Some(range)).await.map_err(|error| TransferError::Storage(error.cause))?;
    let object = got.filter(|object| object.etag() == run.object.etag).ok_or(TransferError::SegmentLost)?;
    let stream = object_storage::stream(&object)?.ok_or(TransferError::SegmentLost)?;
    Ok(PrefixStream { stream, bytes: run.bytes })
}
