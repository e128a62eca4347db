//! A chunk past the server: a URL is asked for, the chunk goes to R2 under it, and that is recorded. R2 compares nothing with a digest of
//! ours; the server reads the whole object back before the upload is complete, and its CRC-64/NVME is compared here as of any other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::api::direct::StoredPart;
use crate::api::{Refusal, SendingBody, UploadRef};
use crate::failure::Failure;
use crate::upload::base::Upload;
use crate::upload::chunk_queue::ChunkRange;
use crate::upload::retry::Streak;

/// Why a chunk is not there.
pub(super) enum NotStored {
    /// Trouble of this chunk.
    Refused(Refusal),
    /// There is no point in another try.
    Failed(Failure),
}

impl Upload<'_> {
    /// Once. Its record is repeated, since R2 has the bytes by then.
    pub(super) async fn put_direct(
        &self,
        upload: &UploadRef,
        chunk: ChunkRange,
        chunk_bytes: u64,
    ) -> Result<(), NotStored> {
        let api = &self.shared.api;
        let part = api.sign(upload, chunk.from / chunk_bytes).await.map_err(NotStored::Refused)?;
        if (part.offset, part.bytes) != (chunk.from, chunk.bytes()) {
            let said =
                format!("The server has signed {} bytes from {}, and others were asked for.", part.bytes, part.offset);
            return Err(NotStored::Failed(Failure::refused(said)));
        }
        let body = SendingBody::new(Arc::clone(&self.source), chunk.from, chunk.to, Arc::clone(&self.shared.throttle));
        let moving = body.moving();
        let stored = api.store(&part, body).await;
        self.sent_bytes.fetch_add(moving.bytes(), Ordering::Relaxed);
        self.record(upload, &stored.map_err(NotStored::Refused)?).await
    }

    async fn record(&self, upload: &UploadRef, stored: &StoredPart) -> Result<(), NotStored> {
        let mut streak = Streak::default();
        loop {
            match self.shared.api.record(upload, stored).await {
                Ok(()) => return Ok(()),
                // The line or the server: not about what is stored.
                Err(refusal) if refusal.status.is_none_or(|status| status == 429 || status >= 500) => {
                    self.patience.wait(refusal, &mut streak).await.map_err(NotStored::Failed)?;
                }
                Err(refusal) => return Err(NotStored::Refused(refusal)),
            }
        }
    }
}
