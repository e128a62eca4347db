//! A file of one part is that part: nothing has to be put together. So no multipart upload is made for it, and whoever brings its
//! last byte *puts* the whole into R2 as one object, the tail in front: one operation instead of three.
//!
//! R2 would let a late writer replace an object under the same key. So every attempt that puts has a key of its own, in which its
//! number stands; which of them is the upload's object is stored with the part that counts. What other attempts have put, or will
//! yet put, counts for nobody, and is looked for where there may be some: when the upload ends, and once more when it is forgotten.

use super::{Content, Phase, Session, StateChange, Storage, StoredPart, UploadSpec, UploadState};
use upload_types::{
    object_key,
    plan::Mode,
    units::{UnixMs, UploadId},
    upload::Purpose,
};

/// What the mark of an attempt begins with.
const PUT: char = '-';

impl UploadSpec {
    /// Whether R2 is to be asked for a multipart upload at once. Not where the file can come in one body, and be put: it has one
    /// part at most, or fits a request.
    pub fn needs_multipart(&self) -> bool {
        let is_composed = matches!(self.purpose, Purpose::Composition(_));
        let is_sized = self.plan.mode == Mode::Sequential && !self.plan.open_ended;
        let may_be_put = is_sized && (self.fits_request || self.plan.part_count() <= 1);
        !self.plan.file_bytes.is_zero() && (is_composed || !may_be_put)
    }

    /// Where this attempt puts the whole file. No two attempts ever share a key.
    pub fn put_key(&self, attempt: u64) -> String {
        object_key::with_mark(&self.key, self.id, PUT, attempt)
    }
}

/// What the keys begin with under which attempts of this upload put the whole file, among others' perhaps. `key` is the upload's own.
pub fn put_prefix(key: &str, upload: UploadId) -> String {
    object_key::mark_prefix(key, upload, PUT)
}

/// Whether `found` is one of these keys.
pub fn is_put(found: &str, key: &str, upload: UploadId) -> bool {
    object_key::is_marked(found, key, upload, PUT)
}

impl Session {
    /// Whether the object that counts was put as a whole: nothing has to be put together.
    pub(crate) fn is_single_object(&self) -> bool {
        matches!(self.progress.storage, Storage::SingleObject { counted: Some(_) })
    }

    /// Stores which attempt's object is the upload's, where a change counts it.
    pub(super) fn count_single_object(&self, attempt: u64, change: &mut StateChange) {
        if self.progress.storage.takes_whole_objects() && !change.parts.is_empty() {
            let progress = change.progress.take().unwrap_or_else(|| self.progress.clone());
            let storage = Storage::SingleObject { counted: Some(attempt) };
            change.progress = Some(UploadState { storage, ..progress });
        }
    }

    /// What a change makes of an upload whose whole file it counts: where that was put, R2 has the object, and the upload is
    /// complete at once. Unless its first bytes must be looked at, which the assembling does.
    pub(super) fn complete_if_put(&self, now: UnixMs, change: &mut StateChange) -> Phase {
        let mut after = self.clone();
        after.apply(change.clone());
        let put = after.counted_put().filter(|_| after.spec.types.is_none()).cloned();
        if let Some(part) = put {
            let end = after.assembled(now, part.etag, part.crc64nvme);
            (change.progress, change.outbox) = (end.progress, end.outbox);
            after.apply(change.clone());
        }
        after.progress.phase
    }

    /// The CRC that the whole file has instead of the declared one, where a change counts it and it was put.
    pub(super) fn put_crc64nvme_mismatch(&self, change: &StateChange) -> Option<String> {
        let declared = self.spec.file.crc64nvme?;
        let mut after = self.clone();
        after.apply(change.clone());
        let part = after.counted_put()?;
        (declared != part.crc64nvme).then(|| format!("crc64nvme {}", part.crc64nvme))
    }

    /// The part that is the object.
    fn counted_put(&self) -> Option<&StoredPart> {
        match &self.content {
            Content::Sequence(sequence) if self.is_single_object() => sequence.last_part.as_ref(),
            Content::Sequence(_) | Content::Parallel(_) => None,
        }
    }
}
