//! What anybody may know of an upload, and what it has to give.

use super::{Content, Session};
use upload_types::{
    api_error::ApiError,
    ledger::{Listing, StoredObject},
    public_file,
    units::UnixMs,
    upload::{ObjectFacts, Phase, Purpose, Snapshot},
};

impl Session {
    /// What anybody may know.
    pub fn snapshot(&self) -> Snapshot {
        let file_bytes = self.plan().file_bytes;
        let (missing, received_chunks_bitmap) = match &self.content {
            Content::Sequence(_) if !self.plan().open_ended && self.uploaded_bytes() == file_bytes => {
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
            // Doubts about what is held are not for whoever has sent it.
            reason: self.reason().filter(|_| !self.is_held()),
            uploaded_bytes: self.uploaded_bytes(),
            offset: missing.first().map_or(file_bytes, |(from, _)| *from),
            missing,
            received_chunks_bitmap,
            plan: self.plan(),
            file: self.file(),
            created_at: self.spec.created_at,
            expires_at: self.expires_at(),
            delivery: self.outbox.state(),
            object: self.object(),
            deleted_at: self.progress.deleted_at,
            completes: self.progress.completes,
            cost: self.progress.cost,
            live: self.live_state(),
            held: self.is_held(),
            public_url: self
                .is_public()
                .then(|| public_file::url(&self.spec.public_files, self.spec.id, &self.spec.file.name)),
            // Whoever came by a link is not told what its owner stores.
            quota_warning: self.spec.quota_warning.filter(|_| self.spec.link.is_none()),
            // Nor whom its owner's application tells.
            receivers: if self.spec.link.is_none() { self.receiver_statuses() } else { Vec::new() },
        }
    }

    /// Why it ended, or was left held: for whoever runs the service.
    pub fn reason(&self) -> Option<String> {
        self.progress.reason.clone()
    }

    /// Whether its object is being made: put together, read back, or copied from others.
    pub fn is_making_object(&self) -> bool {
        self.progress.phase.is_finishing() || self.is_composing()
    }

    /// Whether whoever has asked for its object should wait for what the application has to say, `longest_ms` from when the object was there.
    pub fn awaits_result(&self, now: UnixMs, longest_ms: u64) -> bool {
        self.outbox.may_bring_result(now, longest_ms)
    }

    /// What an origin or a client gets of it. A piece is served to nobody: it takes room for as long as an upload may be put together from it,
    /// and is no file.
    pub fn find_object(&self) -> Result<ObjectFacts, ApiError> {
        match self.stored_object() {
            Some(_) if self.spec.purpose == Purpose::Partial => Err(ApiError::PartialNotServed),
            Some(object) => Ok(object),
            None => Err(self.no_object()),
        }
    }

    /// Whether everybody gets it.
    pub fn is_public(&self) -> bool {
        !self.spec.public_files.is_empty() && self.stored_object().is_some()
    }

    /// The object that the upload has left, where its SHA-256 is known and its bytes can be had.
    pub fn fingerprint(&self) -> Option<StoredObject> {
        let object = self.stored_object()?;
        Some(StoredObject {
            sha256: object.sha256?,
            upload_id: self.spec.id,
            key: object.key,
            etag: object.etag,
            crc64nvme: object.crc64nvme,
            file_size: self.plan().file_bytes,
        })
    }

    /// Whether it is among the finished uploads of its owner: a piece is no file, and a duplicate has none of its own.
    pub fn listing(&self) -> Listing {
        let is_there = self.stored_object().is_some() || self.is_held();
        if !is_there || self.spec.purpose == Purpose::Partial || self.shares_object() {
            return Listing::Gone;
        }
        Listing::Finished { file_name: self.spec.file.name.clone(), bytes: self.plan().file_bytes }
    }

    /// The object of a completed upload. That its origin may have taken it over changes nothing in what it was.
    pub(crate) fn object(&self) -> Option<ObjectFacts> {
        self.object_facts().filter(|_| self.progress.phase == Phase::Completed)
    }

    /// The same, as long as its bytes can be had: not while it is held.
    pub fn stored_object(&self) -> Option<ObjectFacts> {
        self.object().filter(|_| !self.is_unwanted() && !self.is_held())
    }

    /// What the object is, or was, once there has been one.
    pub fn object_facts(&self) -> Option<ObjectFacts> {
        let (etag, crc64nvme) = self.progress.etag.clone().zip(self.progress.crc64nvme)?;
        let result = self.outbox.result().cloned();
        Some(ObjectFacts { key: self.object_key(), etag, crc64nvme, sha256: self.spec.file.sha256, result })
    }

    /// The answer to whoever asks for the object where there is none: not yet, or not any more.
    pub(super) fn no_object(&self) -> ApiError {
        match self.progress.phase {
            Phase::Open => self.incomplete(),
            Phase::Completing | Phase::Verifying => ApiError::Completing,
            Phase::Damaged => self.damaged_refusal(),
            Phase::Completed if self.is_held() => ApiError::Held,
            Phase::Completed | Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => self.gone(),
        }
    }
}
