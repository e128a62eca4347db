//! A file of several parts that fits one request may come in one, with a checksum. A cut keeps nothing of such a chunk anyway, so
//! it is put as one object, like a file of one part: one operation instead of three. Whether it will come so is seen when it
//! comes. Until then there is no multipart upload; any other chunk has one opened first, and the upload has it from then on.
//!
//! The id is stored together with the lease of that chunk. So whoever was to put the whole before has lost its lease by then: what
//! it puts counts for nobody, and is found under the keys of its attempts. Part numbers begin at 1 with the multipart upload.

use super::{BeginAppend, Decision, Session, Storage, WriteLease};
use upload_types::{api_error::ApiError, units::UnixMs};

impl Session {
    /// Whether the file has several parts, and the multipart upload for them has not been opened.
    fn is_deferred(&self) -> bool {
        self.progress.storage == Storage::Deferred
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
        let Some(id) = opened else {
            // With one it would be granted, or refused all the same.
            return Decision::no(match self.opened("").begin_as_writer(now, begin).answer {
                Ok(_) => ApiError::StorageUnavailable { uploaded_bytes: self.uploaded_bytes() },
                Err(refusal) => refusal,
            });
        };
        self.opened(id).begin_as_writer(now, begin)
    }

    /// Whether the chunk is all of the file, and counts as a whole or not at all.
    fn comes_whole(&self, begin: BeginAppend) -> bool {
        begin.all_or_nothing && self.fitted(self.spec.plan, begin).part_count() == 1
    }

    /// The same upload with a multipart upload, and the sizes that it had before it was to be one part.
    fn opened(&self, id: &str) -> Self {
        let mut opened = self.clone();
        opened.progress.storage = Storage::opened(id, self.puts_begun());
        opened.progress.plan = None;
        if let Some(lease) = &mut opened.progress.lease {
            // Whoever puts the whole has no part number.
            (lease.numbers_before, lease.reserved_parts) = (0, 0);
        }
        opened
    }
}
