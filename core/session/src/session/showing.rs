//! What anybody may know of an upload, and what it has to give.

use super::{Content, Session};
use upload_types::{
    api_error::ApiError,
    upload::{ObjectFacts, Phase, Snapshot},
};

impl Session {
    /// What anybody may know.
    pub fn snapshot(&self) -> Snapshot {
        let file_bytes = self.plan().file_bytes;
        let (missing, received_chunks_bitmap) = match &self.content {
            Content::Sequence(sequence) if !self.plan().open_ended && sequence.offset() == file_bytes => {
                (Vec::new(), None)
            }
            Content::Sequence(sequence) => (vec![(sequence.offset(), file_bytes)], None),
            Content::Parallel(parallel_chunks) => {
                (self.missing_of_client(parallel_chunks), Some(parallel_chunks.bitmap()))
            }
        };
        Snapshot {
            id: self.spec.id,
            phase: self.progress.phase,
            reason: self.progress.reason.clone(),
            uploaded_bytes: self.uploaded_bytes(),
            offset: missing.first().map_or(file_bytes, |(from, _)| *from),
            missing,
            received_chunks_bitmap,
            plan: self.plan(),
            file: self.spec.file.clone(),
            created_at: self.spec.created_at,
            expires_at: self.expires_at(),
            delivery: self.outbox.state(),
            object: self.object(),
            deleted_at: self.progress.deleted_at,
            completes: self.progress.completes,
            cost: self.progress.cost,
        }
    }

    /// The object of a completed upload. That its origin may have taken it over changes nothing in what it was.
    pub fn object(&self) -> Option<ObjectFacts> {
        self.object_facts().filter(|_| self.progress.phase == Phase::Completed)
    }

    /// The same, as long as its bytes can be had.
    pub fn stored_object(&self) -> Option<ObjectFacts> {
        self.object().filter(|_| !self.is_unwanted())
    }

    /// What the object is, or was, once there has been one.
    pub fn object_facts(&self) -> Option<ObjectFacts> {
        let (etag, crc64nvme) = self.progress.etag.clone().zip(self.progress.crc64nvme)?;
        Some(ObjectFacts { key: self.object_key(), etag, crc64nvme, sha256: self.spec.file.sha256 })
    }

    /// The answer to whoever asks for the object where there is none: not yet, or not any more.
    pub fn no_object(&self) -> ApiError {
        match self.progress.phase {
            Phase::Open => self.incomplete(),
            Phase::Completing | Phase::Verifying => ApiError::Completing,
            Phase::Damaged => self.damaged_refusal(),
            Phase::Completed | Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => self.gone(),
        }
    }
}
