//! A file of one part is that part: nothing has to be put together. So no multipart upload is made for it, and whoever brings its
//! last byte *puts* the whole into R2 as one object, the tail in front: one operation instead of three.
//!
//! R2 would let a late writer replace an object under the same key. So every attempt that puts has a key of its own, which ends
//! with the number that it was given: numbers are never given twice, and the counted part says by its number which object is the
//! upload's. What other attempts have put, or will yet put, counts for nobody. All numbers that were ever given are known from the
//! lease, so what does not count is found without looking for it: when the upload ends, and once more when it is forgotten.

use super::{Birth, Change, Content, Phase, Session, StoredPart};
use crate::{plan::Mode, units::UnixMs, upload::Purpose};

impl Birth {
    /// Whether R2 is to be asked for a multipart upload at once. Not where the file can come in one body, and be put: it has one
    /// part at most, or fits a request.
    pub fn needs_multipart(&self) -> bool {
        let is_composed = matches!(self.purpose, Purpose::Composition(_));
        let is_sized = self.plan.mode == Mode::Sequential && !self.plan.open_ended;
        let may_be_put = is_sized && (self.fits_request || self.plan.part_count() <= 1);
        !self.plan.file_bytes.is_zero() && (is_composed || !may_be_put)
    }

    /// Where the attempt that was given this number puts the whole file. No two attempts ever share a key.
    pub fn put_key(&self, number: u16) -> String {
        format!("{}/{number}", self.key)
    }
}

impl Session {
    /// Whether the file is put as one object, or will be unless a chunk needs a multipart upload first. Of an upload that an older
    /// build has created with several parts it never is.
    pub fn is_put(&self) -> bool {
        self.multipart_id().is_none() && !self.birth.plan.file_bytes.is_zero()
    }

    /// Where the object is, or would be.
    pub fn object_key(&self) -> String {
        self.counted_put().map_or_else(|| self.birth.key.clone(), |part| self.birth.put_key(part.number))
    }

    /// Where there may be objects of this upload that do not count, and never will once it has ended.
    pub fn stray_keys(&self) -> Vec<String> {
        self.stray_puts().map(|number| self.birth.put_key(number)).collect()
    }

    pub(super) fn has_stray_puts(&self) -> bool {
        self.stray_puts().next().is_some()
    }

    /// What a change makes of an upload whose whole file it counts: where that was put, R2 has the object, and the upload is
    /// complete at once. Unless its first bytes must be looked at, which the assembling does.
    pub(super) fn complete_if_put(&self, now: UnixMs, change: &mut Change) -> Phase {
        let mut after = self.clone();
        after.apply(change.clone());
        let put = after.counted_put().filter(|_| after.birth.types.is_none()).cloned();
        if let Some(part) = put {
            let end = after.assembled(now, part.etag, part.crc64nvme);
            (change.progress, change.outbox) = (end.progress, end.outbox);
            after.apply(change.clone());
        }
        after.progress.phase
    }

    /// The CRC that the whole file has instead of the declared one, where a change counts it and it was put.
    pub(super) fn put_crc64nvme_mismatch(&self, change: &Change) -> Option<String> {
        let part = change.parts.last().filter(|_| self.is_put())?;
        let declared = self.birth.file.crc64nvme?;
        (declared != part.crc64nvme).then(|| format!("crc64nvme {}", part.crc64nvme))
    }

    /// The part that is the object.
    fn counted_put(&self) -> Option<&StoredPart> {
        match &self.content {
            Content::Sequence(sequence) if self.is_put() => sequence.last_part.as_ref(),
            Content::Sequence(_) | Content::Lanes(_) => None,
        }
    }

    /// The highest number that was given to an attempt at putting.
    pub(super) fn highest_put(&self) -> u16 {
        match (&self.progress.multipart, &self.content) {
            (Some(late), _) => late.numbers_before,
            (None, Content::Sequence(sequence)) if self.is_put() => self.highest_number(sequence),
            (None, _) => 0,
        }
    }

    /// The numbers that were given to attempts at putting, but for the one that counts.
    fn stray_puts(&self) -> impl Iterator<Item = u16> + use<> {
        let highest = self.highest_put();
        let counted = self.counted_put().map(|part| part.number);
        (1..=highest).filter(move |number| Some(*number) != counted)
    }
}
