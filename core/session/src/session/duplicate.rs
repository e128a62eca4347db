//! A file that its owner has stored before: nothing of it is sent again, and its origin is told all the same.
//!
//! So that the telling is as safe as any other, a duplicate is an upload, with an id and an outbox of its own, that is complete when it is
//! created and shares the object of the upload that brought the bytes. It owns nothing in R2 and has no entry in the ledger: whatever
//! becomes of it, the object stays, and goes with the upload whose it is.

use super::{Content, Mode, Phase, Sequence, Session, Storage, UploadSpec, UploadState};
use crate::{event::EventKind, outbox::Outbox, retention};
use upload_types::{
    api_error::ApiError,
    integrity::Sha256Digest,
    ledger::{Idempotency, StoredObject},
    plan::Plan,
    units::{UnixMs, UploadId},
    upload::{DeliveryState, Snapshot},
};

/// Whether nobody is about to have the object of this upload deleted. Its origin may, with its answer to an event that it has not
/// acknowledged: the first, one that is told again, and one that was given up, since that can be told again. Where there is nobody to
/// tell, nobody does.
pub fn may_be_shared(first: &Snapshot) -> bool {
    matches!(first.delivery, None | Some(DeliveryState::Delivered))
}

/// Under which ids the duplicates of a creation are told that is repeated under its `Idempotency-Key`, so that one whose answer was lost
/// is told of once. The ledger remembers no key of what it opens nothing for.
///
/// The day, in UTC, is part of the id: a key is good for a day, and the same creation after that is told of anew. So no id is ever used
/// again: its upload is remembered for longer than a creation asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatableIds {
    /// Of one that is told of now.
    pub today: UploadId,
    /// Of one that was told of on the day before: to be asked about first ([`was_repeated_in_time`]).
    pub yesterday: UploadId,
}

/// Whether a creation now repeats one that was told of at `told_at`, rather than being another one under a key that is free again.
pub fn was_repeated_in_time(told_at: UnixMs, now: UnixMs) -> bool {
    now.ms_since(told_at) < retention::IDEMPOTENCY_MS
}

impl UploadSpec {
    /// The same creation, of a file that is stored already, under an id of its own. Its bytes come in no way at all.
    #[must_use]
    pub fn duplicate_of(self, stored: &StoredObject, id: UploadId) -> Self {
        Self {
            id,
            key: stored.key.clone(),
            plan: Plan { mode: Mode::Sequential, ..self.plan },
            byte_quota: None,
            live: None,
            duplicate_of: Some(stored.upload_id),
            ..self
        }
    }

    /// Whether anybody hears of a duplicate of it.
    pub fn tells_of_duplicates(&self) -> bool {
        self.policy.tell_origin || !self.receivers.hearing(EventKind::Duplicate).is_empty()
    }

    /// The ids that a duplicate can have which is created under this key.
    pub fn repeatable_ids(&self, idempotency: &Idempotency, stored: &StoredObject) -> RepeatableIds {
        let today = retention::day(self.created_at);
        let on = |day| id_on(day, &self.owner, idempotency, stored);
        RepeatableIds { today: on(today), yesterday: on(today.saturating_sub(1)) }
    }

    /// Whether these are the first bytes of a file of the type that it was declared as, where only some types are allowed.
    pub fn check_first_bytes(&self, first_bytes: &[u8]) -> Result<(), ApiError> {
        let Some(types) = &self.types else { return Ok(()) };
        let declared = self.file.content_type.as_deref().unwrap_or_default();
        types.check_first_bytes(declared, first_bytes).map_err(|_| ApiError::TypeNotAllowed { allowed: types.shown() })
    }
}

fn id_on(day: u64, owner: &str, Idempotency { key, request }: &Idempotency, stored: &StoredObject) -> UploadId {
    let (request, first, day) = (request.to_string(), stored.upload_id.to_string(), day.to_string());
    let mut all = Vec::new();
    // Each of them ends where the next begins, whatever is in it.
    for part in [owner, key, &request, &first, &day] {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend(part.as_bytes());
    }
    let Sha256Digest(digest) = Sha256Digest::of(&all);
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    UploadId::from_random_bytes(id)
}

impl Session {
    /// An upload whose object is there already ([`UploadSpec::duplicate_of`]).
    pub fn create_duplicate(spec: UploadSpec, stored: &StoredObject) -> Result<Self, ApiError> {
        let now = spec.created_at;
        let session = Self::create(spec, None)?;
        let hearing = session.hearing(EventKind::Duplicate);
        let progress = UploadState {
            phase: Phase::Completed,
            ended_at: Some(now),
            etag: Some(stored.etag.clone()),
            crc64nvme: Some(stored.crc64nvme),
            holds_storage: false,
            storage: Storage::Shared,
            ..session.progress
        };
        let outbox = Outbox::default().with(EventKind::Duplicate, &hearing, now);
        Ok(Self { progress, outbox, content: Content::Sequence(Sequence::default()), ..session })
    }

    /// Whether its object is another upload's.
    pub(super) fn shares_object(&self) -> bool {
        self.progress.storage == Storage::Shared
    }
}
