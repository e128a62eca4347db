//! Sends what is missing of a file: every chunk is read, hashed, sent. After a failure the server is asked what it really has before anything
//! is sent again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use upload_types::integrity::Crc64Nvme;

use crate::api::{Chunk, Refusal, SendingBody, UploadRef, Verdict};
use crate::failure::Result;
use crate::upload::{
    base::{Agreed, Upload, ended},
    digest::Hashed,
    lane::Permit,
    pieces::{Piece, Pieces},
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
        let mut pieces = Pieces::new(missing, agreed.chunk_bytes);
        let mut streaks: HashMap<u64, Streak> = HashMap::new();
        let mut running = FuturesUnordered::new();
        loop {
            let may_begin = pieces.has_waiting() && (agreed.is_parallel || running.is_empty());
            tokio::select! {
                biased;
                Some((piece, outcome)) = running.next(), if !running.is_empty() => {
                    let outcome: Result<Outcome> = outcome;
                    match outcome? {
                        Outcome::Stored => pieces.stored(piece),
                        Outcome::Again(streak) => {
                            streaks.insert(piece.from, streak);
                            pieces.give_back(piece);
                        }
                    }
                    self.progress.confirmed(self.bytes() - pieces.remaining_bytes());
                }
                permit = self.shared.lane.enter(), if may_begin => {
                    let Some(piece) = pieces.take() else { continue };
                    let (further, crc) = hashed.read(Arc::clone(&self.source), piece).await?;
                    hashed = further;
                    self.source.must_be_unchanged()?;
                    self.keep(|journal| journal.hashed(&hashed));
                    let streak = streaks.remove(&piece.from).unwrap_or_default();
                    running.push(self.send_piece(&agreed.upload, piece, crc, permit, streak));
                }
                else => return Ok(hashed),
            }
        }
    }

    /// Once. What it came to is the piece's own business, unless it ends the upload.
    async fn send_piece(
        &self,
        upload: &UploadRef,
        piece: Piece,
        crc64nvme: Crc64Nvme,
        permit: Permit<'_>,
        streak: Streak,
    ) -> (Piece, Result<Outcome>) {
        let body = SendingBody::new(Arc::clone(&self.source), piece.from, piece.to, Arc::clone(&self.shared.throttle));
        let moving = body.moving();
        let taken = self.shared.api.put(upload, Chunk { offset: piece.from, crc64nvme, body }).await;
        self.sent_bytes.fetch_add(moving.bytes(), Ordering::Relaxed);
        let outcome = match taken {
            Ok(()) => {
                permit.confirmed(piece.bytes());
                self.patience.succeeded();
                Ok(Outcome::Stored)
            }
            Err(refusal) => {
                permit.failed();
                self.after_refusal(upload, piece, refusal, streak).await
            }
        };
        (piece, outcome)
    }

    async fn after_refusal(
        &self,
        upload: &UploadRef,
        piece: Piece,
        refusal: Refusal,
        mut streak: Streak,
    ) -> Result<Outcome> {
        // A body that could not be read breaks the connection, too.
        self.source.must_be_unchanged()?;
        if refusal.verdict == Verdict::Gone {
            // The status knows how it has ended.
            return Err(ended(&self.shared.api.status(upload).await?));
        }
        self.patience.wait(refusal, &mut streak).await?;
        let status = self.patience.ask(|| self.shared.api.status(upload)).await?;
        let is_missing = self.missing(&status).iter().any(|(from, to)| *from <= piece.from && piece.from < *to);
        Ok(if is_missing { Outcome::Again(streak) } else { Outcome::Stored })
    }
}
