//! Drives an [`Attempt`]: carries out what it asks for, with R2, the upload's object and the body, and says what came of it. When
//! something is stored, counted, given up or deleted is decided there.

use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::{
    platform::{
        error::{Error, Result},
        object_storage::{Multipart, ObjectStorage},
    },
    rpc::{
        ObjectClient, call,
        upload::{Status, commit_with_bytes},
    },
};
use js_sys::Uint8Array;
use upload_session::{
    attempt::{Attempt, Effect, Finish, Input, PartAhead},
    session::{Commit, Committed, Release, RemainderSource, SegmentPlace, WriteLease},
};
use upload_types::{
    api_error::ApiError,
    operation::{Append, Outcome},
    units::{ByteCount, UploadId},
};

use crate::{
    context::TransferContext,
    http::server_timing::{Step, Timings},
    log::{self, Stopwatch},
    transfer::{error::TransferError, pipeline::Pipeline, prefix::Tail, relay::Relay, renewal::while_renewing},
};

/// Stores a chunk with the right to do so, in parts of this multipart upload, or as the object itself where there is none.
pub(crate) async fn store(
    chunk: &Append,
    lease: &WriteLease,
    upload: Option<&Multipart>,
    relay: Relay,
    storing: &TransferContext,
) -> Result<Outcome> {
    let watch = Stopwatch::start();
    let end = chunk.offset.checked_add(chunk.length).unwrap_or(chunk.offset);
    let attempt = Attempt::new(lease, end, chunk.digest.clone()).going_ahead();
    let attempt = if chunk.is_all_or_nothing() { attempt.all_or_nothing() } else { attempt };
    let TransferContext { objects, bucket, timings, .. } = storing;
    let (row, broken) = (None, None);
    let (id, pipeline) = (chunk.id, Pipeline::new(relay));
    let mut driver = Driver { id, objects, bucket, upload, lease, timings, pipeline, attempt, row, broken };
    match driver.run().await {
        Finish::Appended(committed) => Ok(appended(chunk, lease, committed, &watch)),
        Finish::Refused(refusal) => Err(refusal.into()),
        Finish::Fault => Err(driver.fault()),
    }
}

fn appended(chunk: &Append, lease: &WriteLease, committed: Committed, watch: &Stopwatch) -> Outcome {
    log::chunk(&LogLine {
        bytes: Some(chunk.length),
        attempt: Some(lease.attempt),
        duration_ms: Some(watch.elapsed_ms()),
        ..LogLine::of("chunk_committed", chunk.id)
    });
    let Committed { uploaded_bytes, expires_at, phase, object, .. } = committed;
    Outcome::Appended {
        id: chunk.id,
        uploaded_bytes,
        file_bytes: lease.plan.declared_bytes(),
        expires_at,
        phase,
        object,
    }
}

struct Driver<'a> {
    id: UploadId,
    objects: &'a ObjectClient,
    bucket: &'a ObjectStorage,
    upload: Option<&'a Multipart>,
    lease: &'a WriteLease,
    timings: &'a Timings,
    pipeline: Pipeline<'a>,
    attempt: Attempt,
    /// The remainder that has been read, to be sent along with its commit.
    row: Option<Uint8Array>,
    /// The last failure, with what was said of it.
    broken: Option<TransferError>,
}

impl Driver<'_> {
    async fn run(&mut self) -> Finish {
        let mut input = Input::Begin;
        loop {
            let effect = self.attempt.next(input);
            if !matches!(effect, Effect::StorePart { .. } | Effect::Commit(_)) {
                self.settle().await;
            }
            let done = match effect {
                Effect::StorePart { number, bytes, tail, ahead } => {
                    self.timings.measure(Step::Store, self.store(number, bytes, &tail, ahead)).await
                }
                Effect::PutObject { number, bytes, tail } => {
                    self.timings.measure(Step::Store, self.put(number, bytes, &tail)).await
                }
                Effect::StoreRemainder { bytes } => {
                    self.timings.measure(Step::Store, self.store_remainder(bytes)).await
                }
                Effect::ReadRemainder { bytes } => self.timings.measure(Step::Store, self.read_remainder(bytes)).await,
                Effect::CheckDigest => self.check_digest().await,
                Effect::Commit(commit) => self.timings.measure(Step::Commit, self.commit(&commit)).await,
                Effect::AskStatus => self.ask_status().await,
                Effect::DeletePut => self.delete_put().await,
                Effect::DeleteRemainder => self.delete_remainder().await,
                Effect::Release(release) => Ok(Input::Released(self.release(release).await)),
                Effect::DiscardBody => {
                    if let Ok(relay) = self.pipeline.relay() {
                        relay.drain().await;
                    }
                    Ok(Input::BodyDiscarded)
                }
                Effect::Finish(finish) => return finish,
            };
            input = done.unwrap_or_else(|broken| {
                let failure = broken.failure();
                self.broken = Some(broken);
                Input::Failed(failure)
            });
        }
    }

    fn fault(self) -> Error {
        match self.broken {
            Some(TransferError::Fault(error)) => error,
            _ => Error::from("an attempt at storing a chunk and its driver do not agree"),
        }
    }

    /// A part, and the beginning of the next one; meanwhile the upload's object hears that the writer is there.
    async fn store(
        &mut self,
        number: u16,
        bytes: ByteCount,
        tail: &[RemainderSource],
        ahead: Option<PartAhead>,
    ) -> Result<Input, TransferError> {
        let Driver { id, objects, bucket, upload: Some(multipart), lease, .. } = *self else {
            return Err(Error::from("a part without a multipart upload").into());
        };
        let tail = Tail { sources: tail, upload: id, objects, bucket };
        let copy = lease.copies_prefix.as_ref().map(|prefix| (bucket, format!("{prefix}{number}")));
        // What is copied, too, is stored one by one.
        let ahead = ahead.filter(|_| copy.is_none());
        let stop = self.pipeline.stop.clone();
        let storing = Box::pin(self.pipeline.part(multipart, (number, bytes), &tail, copy, ahead));
        let (receipt, sha256_so_far) = while_renewing(objects, id, lease.attempt, &stop, storing).await?;
        Ok(Input::Stored { receipt, sha256_so_far })
    }

    /// The whole object, likewise.
    async fn put(&mut self, number: u16, bytes: ByteCount, tail: &[RemainderSource]) -> Result<Input, TransferError> {
        let Driver { id, objects, bucket, lease, .. } = *self;
        let tail = Tail { sources: tail, upload: id, objects, bucket };
        let (stop, relay) = (self.pipeline.stop.clone(), self.pipeline.relay()?);
        let storing = Box::pin(async {
            let given = relay.put(bucket, &lease.key, number, bytes, Some(&tail)).await?;
            let sha256_so_far = given.sha256_so_far.clone();
            Ok::<_, TransferError>(Input::Stored { receipt: given.answered().await?, sha256_so_far })
        });
        while_renewing(objects, id, lease.attempt, &stop, storing).await
    }

    /// Nothing is under way any more that was begun ahead.
    async fn settle(&mut self) {
        let Driver { id, objects, lease, .. } = *self;
        let stop = self.pipeline.stop.clone();
        while_renewing(objects, id, lease.attempt, &stop, Box::pin(self.pipeline.settle())).await;
    }

    async fn store_remainder(&mut self, bytes: ByteCount) -> Result<Input, TransferError> {
        let Driver { id, objects, bucket, lease, .. } = *self;
        let (stop, relay) = (self.pipeline.stop.clone(), self.pipeline.relay()?);
        let storing = Box::pin(relay.object(bucket, &lease.remainder_key, bytes));
        while_renewing(objects, id, lease.attempt, &stop, storing).await?;
        Ok(Input::RemainderStored { sha256_so_far: self.pipeline.relay()?.sha256_so_far() })
    }

    async fn read_remainder(&mut self, bytes: ByteCount) -> Result<Input, TransferError> {
        let Driver { id, objects, lease, .. } = *self;
        let (stop, relay) = (self.pipeline.stop.clone(), self.pipeline.relay()?);
        let (row, broken) = while_renewing(objects, id, lease.attempt, &stop, Box::pin(relay.row(bytes))).await?;
        let (bytes, sha256_so_far) = (row.length().into(), self.pipeline.relay()?.sha256_so_far());
        let failure = broken.as_ref().map(TransferError::failure);
        (self.row, self.broken) = (Some(row), broken);
        Ok(Input::RemainderRead { bytes, sha256_so_far, broken: failure })
    }

    async fn check_digest(&mut self) -> Result<Input, TransferError> {
        let is_right = self.pipeline.relay()?.chunk_is_as_declared().await?;
        Ok(if is_right { Input::DigestIsRight } else { Input::DigestIsWrong })
    }

    async fn ask_status(&self) -> Result<Input, TransferError> {
        let status = call(self.objects, self.id, &Status).await;
        told(status, |now| Input::Status(now.map(Box::new)))
    }

    async fn delete_put(&self) -> Result<Input, TransferError> {
        self.bucket.delete(&self.lease.key).await.map_err(Error::from)?;
        Ok(Input::Deleted)
    }

    async fn delete_remainder(&self) -> Result<Input, TransferError> {
        self.bucket.delete(&self.lease.remainder_key).await.map_err(Error::from)?;
        Ok(Input::Deleted)
    }

    /// While the bytes of the next part flow.
    async fn commit(&mut self, commit: &Commit) -> Result<Input, TransferError> {
        let Driver { id, objects, .. } = *self;
        let asked_at = Stopwatch::start();
        let is_row = commit.remainder.is_some_and(|remainder| remainder.place == SegmentPlace::Row);
        let committed = if let Some(row) = self.row.as_ref().filter(|_| is_row) {
            commit_with_bytes(objects, id, commit, row).await
        } else {
            let stop = self.pipeline.stop.clone();
            let committing = Box::pin(self.pipeline.beside(call(objects, id, commit)));
            while_renewing(objects, id, self.lease.attempt, &stop, committing).await
        };
        if committed.is_ok() {
            self.pipeline.stop.heard(asked_at);
        }
        told(committed, Input::Committed)
    }

    /// How many bytes count; `None` where the upload's object does not say.
    async fn release(&self, release: Release) -> Option<ByteCount> {
        let counted = match call(self.objects, self.id, &release).await {
            Ok(counted) => Some(counted),
            Err(Error::Refused(_)) => None,
            Err(Error::Fault(fault)) => {
                log::error(&LogLine { detail: Some(fault.to_string()), ..LogLine::of("release_failed", self.id) });
                None
            }
        };
        if let Some(broken) = &self.broken {
            log::info(&LogLine {
                attempt: Some(release.attempt),
                code: Some(broken.failure().code()),
                detail: broken.detail(),
                bytes: Some(counted.unwrap_or(self.attempt.counted_bytes())),
                ..LogLine::of("chunk_broken", self.id)
            });
        }
        counted
    }
}

/// What an attempt is told: the answer or the refusal. A fault is the Worker's own affair.
pub(crate) fn told<T>(
    answer: Result<T>,
    input: impl FnOnce(Result<T, ApiError>) -> Input,
) -> Result<Input, TransferError> {
    match answer {
        Ok(answer) => Ok(input(Ok(answer))),
        Err(Error::Refused(refusal)) => Ok(input(Err(refusal))),
        Err(fault) => Err(fault.into()),
    }
}
