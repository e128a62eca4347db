//! A file that its owner has stored before: nothing of it is sent again, and its origin is told all the same.
//!
//! So that the telling is as safe as any other, a duplicate is an upload, with an id and an outbox of its own, that is complete when it is
//! created and shares the object of the upload that brought the bytes. It owns nothing in R2 and has no entry in the ledger: whatever
//! becomes of it, the object stays, and goes with the upload whose it is.

use super::{Content, Mode, Phase, Sequence, Session, Storage, UploadSpec, UploadState};
use crate::{event::EventKind, outbox::Outbox};
use upload_types::{api_error::ApiError, ledger::StoredObject, plan::Plan, units::UploadId};

impl UploadSpec {
    /// The same creation, of a file that is stored already, under an id of its own. Its bytes come in no way at all.
    #[must_use]
    pub fn duplicate_of(self, stored: &StoredObject, id: UploadId) -> Self {
        Self {
            id,
            key: stored.key.clone(),
            plan: Plan { mode: Mode::Sequential, ..self.plan },
            byte_quota: None,
            duplicate_of: Some(stored.upload_id),
            ..self
        }
    }
}

impl Session {
    /// An upload whose object is there already ([`UploadSpec::duplicate_of`]).
    pub fn create_duplicate(spec: UploadSpec, stored: &StoredObject) -> Result<Self, ApiError> {
        let now = spec.created_at;
        let session = Self::create(spec, None)?;
        let progress = UploadState {
            phase: Phase::Completed,
            ended_at: Some(now),
            etag: Some(stored.etag.clone()),
            crc64nvme: Some(stored.crc64nvme),
            holds_storage: false,
            storage: Storage::Shared,
            ..session.progress
        };
        let outbox = Outbox::of(EventKind::Duplicate, now);
        Ok(Self { progress, outbox, content: Content::Sequence(Sequence::default()), ..session })
    }

    /// Whether its object is another upload's.
    pub(super) fn shares_object(&self) -> bool {
        self.progress.storage == Storage::Shared
    }
}
