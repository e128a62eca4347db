//! A file of several parts that fits one request may come in one, with a checksum. A cut keeps nothing of such a chunk anyway, so
//! it is put as one object, like a file of one part: one operation instead of three. Whether it will come so is seen when it
//! comes. Until then there is no multipart upload; any other chunk has one opened first, and the upload has it from then on.
//!
//! The id is stored together with the lease of that chunk. So whoever was to put the whole before has lost its lease by then: what
//! it puts counts for nobody, and is found under the keys of its attempts. Part numbers begin at 1 with the multipart upload.

use super::{BeginAppend, Decision, LateMultipart, Session, WriteLease};
use upload_types::{api_error::ApiError, units::UnixMs};

impl Session {
    /// R2's id of the multipart upload, where there is one.
    pub fn multipart_id(&self) -> Option<&str> {
        let repair = self.progress.damage.repair.as_ref().map(|repair| &repair.multipart_id);
        let late = self.progress.multipart.as_ref().map(|late| &late.id);
        repair.or(self.spec.multipart_id.as_ref()).or(late).map(String::as_str)
    }

    /// Whether the file has several parts, and the multipart upload for them has not been opened.
    pub fn is_deferred(&self) -> bool {
        self.is_put() && self.spec.plan.part_count() > 1
    }

    /// Whether all that this chunk lacks is a multipart upload.
    pub fn lacks_multipart(&self, now: UnixMs, begin: BeginAppend) -> bool {
        self.is_deferred() && matches!(self.begin(now, begin).answer, Err(ApiError::StorageUnavailable { .. }))
    }

    /// Takes the right to store a chunk, from whoever had it. `opened` is R2's id of a multipart upload that was opened for it
    /// meanwhile; it is not used where none is needed, since the upload has one by now, or the chunk is refused.
    pub fn begin_opened(&self, now: UnixMs, begin: BeginAppend, opened: Option<&str>) -> Decision<WriteLease> {
        if self.is_concatenation() && !self.is_gone() {
            return Decision::no(ApiError::ConcatenationTakesNoBytes);
        }
        if !self.is_deferred() || self.comes_whole(begin) {
            return self.begin_as_writer(now, begin);
        }
        let mut decision = self.opened(opened.unwrap_or_default()).begin_as_writer(now, begin);
        if opened.is_none() {
            if decision.answer.is_ok() {
                return Decision::no(ApiError::StorageUnavailable { uploaded_bytes: self.uploaded_bytes() });
            }
            if let Some(progress) = &mut decision.change.progress {
                progress.multipart = None;
            }
        }
        decision
    }

    /// Whether the chunk is all of the file, and counts as a whole or not at all.
    fn comes_whole(&self, begin: BeginAppend) -> bool {
        begin.all_or_nothing && self.fitted(self.spec.plan, begin).part_count() == 1
    }

    /// The same upload with a multipart upload, and the sizes that it had before it was to be one part.
    fn opened(&self, id: &str) -> Self {
        let mut opened = self.clone();
        opened.progress.multipart = Some(LateMultipart { id: id.to_owned(), puts_before: self.puts_begun() });
        opened.progress.plan = None;
        if let Some(lease) = &mut opened.progress.lease {
            // Whoever puts the whole has no part number.
            (lease.numbers_before, lease.reserved_parts) = (0, 0);
        }
        opened
    }
}
