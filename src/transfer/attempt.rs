//! One attempt at storing a chunk: part by part into R2, each committed, or all at once where the chunk's checksum must be right
//! first; and then what is left behind the last whole part.

use durable_objects::{
    platform::{
        error::{Error, Result},
        fault_injection::around,
    },
    rpc::{
        ObjectClient, ask,
        upload::{Status, commit_with_bytes},
    },
};
use js_sys::Uint8Array;
use upload_core::{
    api_error::ApiError,
    integrity::ChunkDigest,
    log_line::LogLine,
    operation::{Append, Outcome},
    session::{
        Commit, Committed, MAX_ROW_SEGMENT_BYTES, RENEW_EVERY_MS, Receipt, Release, ReleaseReason, Remainder,
        SegmentPlace, WriteLease,
    },
    units::{ByteCount, UploadId},
    upload::{Phase, Snapshot},
};
use worker::{Bucket, MultipartUpload};

use crate::{
    context::TransferContext,
    http::server_timing::{Step, Timings},
    log::{self, Stopwatch},
    transfer::{error::TransferError, prefix::Tail, relay::Relay, renewal::while_renewing},
};

/// Why an attempt ended before its chunk was stored.
pub(crate) enum Ended {
    /// The object, or the chunk's checksum, said no.
    Refused(ApiError),
    /// The bytes could not be moved.
    Failed(TransferError),
}

impl From<TransferError> for Ended {
    fn from(broken: TransferError) -> Self {
        Self::Failed(broken)
    }
}

impl From<worker::Error> for Ended {
    fn from(error: worker::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(TransferError::Fault(error))
    }
}

/// One try at storing a chunk.
pub(crate) struct Attempt<'a> {
    id: UploadId,
    objects: &'a ObjectClient,
    bucket: &'a Bucket,
    /// None where the one part of the file is put as the object itself.
    upload: Option<&'a MultipartUpload>,
    grant: &'a WriteLease,
    timings: &'a Timings,
    /// What the chunk's digest must be. With one, nothing counts before everything does.
    digest: Option<&'a ChunkDigest>,
    /// What counts, as far as this attempt knows.
    counted: Committed,
}

impl<'a> Attempt<'a> {
    /// With the right to store this chunk: in parts of this multipart upload, or as the object itself where there is none.
    pub(crate) fn new(
        chunk: &'a Append,
        grant: &'a WriteLease,
        upload: Option<&'a MultipartUpload>,
        storing: &'a TransferContext,
    ) -> Self {
        Self {
            id: chunk.id,
            objects: &storing.objects,
            bucket: &storing.bucket,
            upload,
            grant,
            timings: &storing.timings,
            digest: chunk.digest.as_ref(),
            counted: Committed {
                uploaded_bytes: chunk.offset,
                next_number: None,
                phase: Phase::Open,
                expires_at: grant.expires_at,
                object: None,
            },
        }
    }

    /// Stores whole parts first, then what is left behind the last of them.
    pub(crate) async fn run(&mut self, relay: &mut Relay, end: ByteCount) -> Result<(), Ended> {
        let plan = self.grant.plan;
        let parts_end = plan.whole_parts_end(end);
        let mut held_back = Vec::new();
        let mut number = self.grant.first_number;
        let mut pieces = self.grant.tail.as_slice();
        let mut spans = plan.spans(plan.part_start(self.grant.offset), parts_end).peekable();
        while let Some(span) = spans.next() {
            // Only the first part begins with the tail.
            let tail = Tail {
                pieces: std::mem::take(&mut pieces),
                upload: self.id,
                objects: self.objects,
                bucket: self.bucket,
            };
            let stop = relay.stop.clone();
            let stored = while_renewing(self.objects, self.id, self.grant.attempt, &stop, async {
                match self.upload {
                    Some(upload) => relay.part(upload, number, span.bytes, &tail).await,
                    None => relay.put(&self.grant.key, number, span.bytes, &tail).await,
                }
            });
            let receipt = self.timings.measure(Step::Store, stored).await?;
            number += 1;
            if self.digest.is_some() {
                // Nothing counts before the checksum at the end of the chunk is right.
                held_back.push(receipt);
                continue;
            }
            // Crash here: R2 has the part, or the object under this attempt's key, and nobody counts it; the offset is the old one.
            let committed = self.commit(self.commit_of(vec![receipt], None, relay), None).await?;
            // Crash here: the bytes are durable and count, and the client finds that out when it asks.
            number = match committed.next_number {
                Some(next) => next,
                None if spans.peek().is_none() => number,
                None => return Err(Ended::Refused(self.next_number_is_taken())),
            };
        }
        let rest_bytes = end.saturating_sub(parts_end.max(self.grant.offset));
        if rest_bytes.is_zero() && self.digest.is_none() {
            return Ok(());
        }
        self.rest(relay, held_back, rest_bytes).await
    }

    /// What is left behind the last whole part, and with it all that was held back.
    async fn rest(&mut self, relay: &mut Relay, held_back: Vec<Receipt>, bytes: ByteCount) -> Result<(), Ended> {
        let (mut row, mut broken, mut rest) = (None, None, None);
        if bytes.get() > MAX_ROW_SEGMENT_BYTES {
            let stored = relay.object(self.bucket, &self.grant.rest_key, bytes);
            self.timings.measure(Step::Store, stored).await?;
            rest = Some(Remainder { bytes, place: SegmentPlace::Object });
        } else if !bytes.is_zero() {
            let (arrived, how) = self.timings.measure(Step::Store, relay.row(bytes)).await?;
            if self.digest.is_some()
                && let Some(how) = how
            {
                return Err(how.into());
            }
            // Without a checksum, what arrived counts, to the byte.
            rest = Some(Remainder { bytes: arrived.length().into(), place: SegmentPlace::Row });
            row = Some(arrived).filter(|row| row.length() > 0);
            broken = how;
        }
        if !relay.chunk_is_as_declared().await? {
            self.delete_put().await;
            let uploaded_bytes = self.release(ReleaseReason::GaveUp).await;
            return Err(Ended::Refused(ApiError::ChecksumMismatch { uploaded_bytes }));
        }
        let rest = rest.filter(|rest| !rest.bytes.is_zero());
        if rest.is_some() || !held_back.is_empty() {
            // Crash here: what is in R2 counts for nobody, and the offset is the old one.
            let commit = Commit { digest: self.digest.cloned(), ..self.commit_of(held_back, rest, relay) };
            let committed = self.commit(commit, row.as_ref()).await;
            // Not while the upload is open: an earlier copy of this commit, whose answer was lost, may have counted it.
            if let Err(Ended::Refused(_)) = &committed
                && rest.is_some_and(|rest| rest.place == SegmentPlace::Object)
                && ask(self.objects, self.id, &Status).await?.map_or(true, |now| now.phase != Phase::Open)
            {
                // The upload may have ended meanwhile, and freed what it had. Crash here: it looks once more before it is
                // forgotten.
                self.bucket.delete(&self.grant.rest_key).await?;
            }
            committed?;
        }
        broken.map_or(Ok(()), |broken| Err(broken.into()))
    }

    /// Somebody else may still be writing under the next number. What was stored counts, and the rest has to come again.
    fn next_number_is_taken(&self) -> ApiError {
        let retry_after_seconds = u32::try_from(RENEW_EVERY_MS / 1_000).unwrap_or(1);
        ApiError::WritersPending { uploaded_bytes: self.counted.uploaded_bytes, retry_after_seconds }
    }

    fn commit_of(&self, receipts: Vec<Receipt>, rest: Option<Remainder>, relay: &Relay) -> Commit {
        let sha256_so_far = relay.sha256_so_far();
        Commit { attempt: self.grant.attempt, receipts, rest, sha256_so_far, digest: None }
    }

    async fn commit(&mut self, commit: Commit, row: Option<&Uint8Array>) -> Result<Committed, Ended> {
        let counted = async {
            match row {
                Some(row) => commit_with_bytes(self.objects, self.id, &commit, row).await,
                None => ask(self.objects, self.id, &commit).await,
            }
        };
        let answer = self.timings.measure(Step::Commit, counted).await?;
        if answer.is_err() && self.upload.is_none() && !commit.receipts.is_empty() {
            self.delete_uncounted_put().await;
        }
        let committed = answer.map_err(Ended::Refused)?;
        self.counted.clone_from(&committed);
        Ok(committed)
    }

    /// Deletes what this attempt has put, where that does not count.
    async fn delete_put(&self) {
        if self.upload.is_none() {
            // Crash here, or fails: the upload knows the key, and looks when it ends and once more before it is forgotten.
            let _swept = around("r2.delete", self.bucket.delete(&self.grant.key)).await;
        }
    }

    /// The same after a refused commit. An upload that has ended may have looked already; one that is open looks when it ends, and
    /// an earlier copy of this commit, whose answer was lost, may have counted the object.
    async fn delete_uncounted_put(&self) {
        let is_uncounted = match ask(self.objects, self.id, &Status).await {
            Ok(Ok(Snapshot { phase: Phase::Completed, object: Some(object), .. })) => object.key != self.grant.key,
            Ok(Ok(now)) => matches!(now.phase, Phase::Completed | Phase::Failed),
            Ok(Err(refusal)) => matches!(refusal, ApiError::UploadGone { .. }),
            Err(_) => false,
        };
        if is_uncounted {
            self.delete_put().await;
        }
    }

    pub(crate) fn appended(&self, bytes: ByteCount, watch: &Stopwatch) -> Outcome {
        log::info(&LogLine {
            bytes: Some(bytes),
            attempt: Some(self.grant.attempt),
            duration_ms: Some(watch.elapsed_ms()),
            ..LogLine::of("chunk_committed", self.id)
        });
        Outcome::Appended {
            id: self.id,
            uploaded_bytes: self.counted.uploaded_bytes,
            file_bytes: self.grant.plan.declared_bytes(),
            expires_at: self.counted.expires_at,
            phase: self.counted.phase,
            object: self.counted.object.clone(),
        }
    }

    /// The chunk did not get to its end. What was committed before the break stays counted.
    pub(crate) async fn broken<T>(&self, broken: TransferError) -> Result<Result<T, ApiError>> {
        let (reason, code, detail) = match &broken {
            TransferError::BodyEnded => (ReleaseReason::GaveUp, "body-ended", None),
            TransferError::BodyStalled => (ReleaseReason::GaveUp, "body-stalled", None),
            TransferError::Storage(error) => (ReleaseReason::GaveUp, "storage", Some(error.to_string())),
            TransferError::MultipartGone => (ReleaseReason::MultipartGone, "multipart-gone", None),
            TransferError::SegmentLost => (ReleaseReason::SegmentLost, "segment-lost", None),
            TransferError::Superseded => (ReleaseReason::GaveUp, "superseded", None),
            TransferError::Fault(error) => (ReleaseReason::GaveUp, "fault", Some(error.to_string())),
        };
        let uploaded_bytes = self.release(reason).await;
        let line = LogLine { attempt: Some(self.grant.attempt), ..LogLine::of("chunk_broken", self.id) };
        log::info(&LogLine { code: Some(code), detail, bytes: Some(uploaded_bytes), ..line });
        match broken {
            TransferError::BodyEnded => Ok(Err(ApiError::BodyCutShort { uploaded_bytes })),
            TransferError::BodyStalled => Ok(Err(ApiError::BodyStalled { uploaded_bytes })),
            TransferError::Storage(_) => Ok(Err(ApiError::StorageUnavailable { uploaded_bytes })),
            TransferError::Superseded => Ok(Err(ApiError::Superseded { uploaded_bytes })),
            // Either the object has now ended the upload, and says why; or the upload went on to its end without this
            // attempt, which had been taken over and did not know.
            TransferError::MultipartGone | TransferError::SegmentLost => {
                Ok(match ask(self.objects, self.id, &Status).await? {
                    Ok(Snapshot { phase: phase @ Phase::Failed, reason: Some(reason), .. }) => {
                        Err(ApiError::UploadGone { phase, reason })
                    }
                    Ok(_) => Err(ApiError::Superseded { uploaded_bytes }),
                    Err(gone) => Err(gone),
                })
            }
            TransferError::Fault(error) => Err(error),
        }
    }

    /// Gives the lease back, and says how many bytes count. Where that fails, the next attempt takes the lease anyway.
    async fn release(&self, reason: ReleaseReason) -> ByteCount {
        let release = Release { attempt: self.grant.attempt, reason };
        match ask(self.objects, self.id, &release).await {
            Ok(answer) => answer.unwrap_or(self.counted.uploaded_bytes),
            Err(error) => {
                log::error(&LogLine { detail: Some(error.to_string()), ..LogLine::of("release_failed", self.id) });
                self.counted.uploaded_bytes
            }
        }
    }
}
