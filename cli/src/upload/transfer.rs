//! Sends what is missing of a file: every chunk is read, hashed, sent. After a failure the server is asked what it really has before anything
//! is sent again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use upload_types::integrity::Crc64Nvme;

use crate::api::{Chunk, Refusal, SendingBody, UploadRef, Verdict};
use crate::failure::{Failure, Result};
use crate::upload::{
    base::{Agreed, Route, Upload, ended},
    chunk_queue::{ChunkQueue, ChunkRange},
    digest::Hashed,
    direct::NotStored,
    lane::Permit,
    retry::Streak,
};

/// What came of a chunk.
enum Outcome {
    Stored,
    /// It is still missing, after so many failures in a row.
    Again(Streak),
}

impl Upload<'_> {
    /// Returns when nothing is left to send; how far the file is hashed then.
    pub(super) async fn transfer(&self, agreed: &Agreed, missing: &[(u64, u64)], mut hashed: Hashed) -> Result<Hashed> {
        let mut queue = ChunkQueue::new(missing, agreed.chunk_bytes);
        let mut streaks: HashMap<u64, Streak> = HashMap::new();
        let mut running = FuturesUnordered::new();
        loop {
            let may_begin = queue.has_waiting() && (agreed.is_parallel || running.is_empty());
            tokio::select! {
                biased;
                Some((chunk, outcome)) = running.next(), if !running.is_empty() => {
                    let outcome: Result<Outcome> = outcome;
                    match outcome? {
                        Outcome::Stored => queue.stored(chunk),
                        Outcome::Again(streak) => {
                            streaks.insert(chunk.from, streak);
                            queue.give_back(chunk);
                        }
                    }
                    self.progress.confirmed(self.bytes() - queue.remaining_bytes());
                }
                permit = self.seat.enter(), if may_begin => {
                    let Some(chunk) = queue.take() else { continue };
                    if running.is_empty() && streaks.is_empty() {
                        // Other files had the line: nothing of this one has failed.
                        self.patience.was_idle();
                    }
                    let (further, crc) = hashed.read(Arc::clone(&self.source), chunk).await?;
                    hashed = further;
                    self.source.must_be_unchanged()?;
                    self.keep(|journal| journal.hashed(&hashed));
                    let streak = streaks.remove(&chunk.from).unwrap_or_default();
                    running.push(self.send_chunk(agreed, chunk, crc, permit, streak));
                }
                else => return Ok(hashed),
            }
        }
    }

    /// Once. What it came to is the chunk's own business, unless it ends the upload.
    async fn send_chunk(
        &self,
        agreed: &Agreed,
        chunk: ChunkRange,
        crc64nvme: Crc64Nvme,
        permit: Permit<'_>,
        streak: Streak,
    ) -> (ChunkRange, Result<Outcome>) {
        let upload = &agreed.upload;
        let taken = match agreed.route {
            Route::ThroughServer => self.put(upload, chunk, crc64nvme).await.map_err(NotStored::Refused),
            Route::Direct => self.put_direct(upload, chunk, agreed.chunk_bytes).await,
        };
        let outcome = match taken {
            Ok(()) => {
                permit.confirmed(chunk.bytes());
                self.patience.succeeded();
                Ok(Outcome::Stored)
            }
            Err(NotStored::Refused(refusal)) => {
                permit.failed();
                let outcome = self.after_refusal(upload, chunk, refusal, streak).await;
                drop(permit);
                outcome
            }
            Err(NotStored::Failed(failure)) => Err(failure),
        };
        (chunk, outcome)
    }

    async fn put(&self, upload: &UploadRef, chunk: ChunkRange, crc64nvme: Crc64Nvme) -> Result<(), Refusal> {
        let body = SendingBody::new(Arc::clone(&self.source), chunk.from, chunk.to, Arc::clone(&self.shared.throttle));
        let moving = body.moving();
        let taken = self.shared.api.put(upload, Chunk { offset: chunk.from, crc64nvme, body }).await;
        self.sent_bytes.fetch_add(moving.bytes(), Ordering::Relaxed);
        taken
    }

    async fn after_refusal(
        &self,
        upload: &UploadRef,
        chunk: ChunkRange,
        refusal: Refusal,
        mut streak: Streak,
    ) -> Result<Outcome> {
        // A body that could not be read breaks the connection, too.
        self.source.must_be_unchanged()?;
        if refusal.verdict == Verdict::Gone {
            // The status knows how it has ended.
            return Err(match self.shared.api.status(upload).await {
                Ok(status) => ended(&status),
                // Of what is gone there is no status any more. The same command begins another upload.
                Err(refusal) => Failure::resumable(format!("{} Run the command again.", refusal.message)),
            });
        }
        self.patience.wait(refusal, &mut streak).await?;
        let status = self.patience.look(|| self.shared.api.status(upload)).await?;
        let is_missing = self.missing(&status).iter().any(|(from, to)| *from <= chunk.from && chunk.from < *to);
        if is_missing {
            return Ok(Outcome::Again(streak));
        }
        self.patience.succeeded();
        Ok(Outcome::Stored)
    }
}
