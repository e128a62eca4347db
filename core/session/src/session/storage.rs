//! How the bytes of an upload lie in R2, and what R2 may hold besides that does not count.
//!
//! ```text
//!  create ──┬─ no bytes ────────────────────────► Empty
//!           ├─ one part ────────────────────────► SingleObject { counted: None } ──┐
//!           ├─ several, but fits one request ───► Deferred ────────────────────────┤ the whole is counted
//!           │                                        │ a chunk needs parts         ▼
//!           ├─ anything else ───────────────────► Multipart { id } ◄─┐      SingleObject { counted: Some }
//!           │                                        └───────────────┘
//!           │                                    a repair has an id of its own
//!           └─ a duplicate ─────────────────────► Shared
//! ```

use serde::{Deserialize, Serialize};

use super::{Session, StateChange, UploadSpec, UploadState};

/// How the bytes of an upload get into R2.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Storage {
    /// There are none: the object is put when the upload is completed.
    Empty,
    /// The file is one part. Every attempt puts the whole as an object under a key of its own.
    SingleObject {
        /// The attempt whose object is the upload's, once one counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counted: Option<u64>,
    },
    /// The file has several parts. An attempt that brings all of it at once puts it like a single object; for any other chunk a
    /// multipart upload is opened first.
    Deferred,
    /// In the parts of a multipart upload.
    Multipart {
        /// R2's id of it.
        id: String,
        /// So many attempts may have put the whole file, each as an object of its own, before it was opened.
        #[serde(default, skip_serializing_if = "is_zero")]
        puts_before: u16,
    },
    /// As the object of another upload, which has the same bytes. Nothing in R2 is this one's.
    Shared,
}

/// What R2 may hold that does not count: tail segments, and objects that attempts have put in vain. An attempt that was writing when the
/// upload ended may finish after they were deleted, so they are deleted once more when the upload is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Leftovers {
    /// Nothing, and nobody who may still write any.
    #[default]
    None,
    /// Something, or somebody may be writing it. Said before the first segment is written, and with the ending.
    Unswept,
    /// They have been deleted since the upload ended.
    SweptOnce,
}

/// What one cleanup deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cleanup {
    /// The leftovers. The object stays.
    Leftovers,
    /// The leftovers, the object and the unfinished multipart upload.
    Everything,
}

impl Storage {
    /// Of a new upload. `multipart_id` is R2's id of the multipart upload that was opened with it.
    pub(super) fn of_new(spec: &UploadSpec, multipart_id: Option<String>) -> Self {
        match multipart_id {
            Some(id) => Self::Multipart { id, puts_before: 0 },
            None if spec.plan.file_bytes.is_zero() => Self::Empty,
            None if spec.plan.part_count() > 1 => Self::Deferred,
            None => Self::SingleObject { counted: None },
        }
    }

    /// Whether an attempt puts the whole file as one object, unless a multipart upload is opened for it first.
    pub(super) fn takes_whole_objects(&self) -> bool {
        matches!(self, Self::SingleObject { .. } | Self::Deferred)
    }

    pub(super) fn multipart_id(&self) -> Option<&str> {
        match self {
            Self::Multipart { id, .. } => Some(id),
            Self::Empty | Self::SingleObject { .. } | Self::Deferred | Self::Shared => None,
        }
    }

    /// The same once R2 has opened a multipart upload, after so many attempts may have put the whole.
    pub(super) fn opened(id: &str, puts_before: u16) -> Self {
        Self::Multipart { id: id.to_owned(), puts_before }
    }
}

impl Leftovers {
    /// There may be some from now on.
    pub(super) fn or_unswept_if(self, may_be: bool) -> Self {
        if may_be && self == Self::None { Self::Unswept } else { self }
    }

    /// There may be more than were deleted.
    pub(super) fn unswept(self) -> Self {
        if self == Self::None { self } else { Self::Unswept }
    }
}

impl Session {
    /// R2's id of the multipart upload, where there is one.
    pub fn multipart_id(&self) -> Option<&str> {
        self.progress.storage.multipart_id()
    }

    /// Where the object is, or would be.
    pub fn object_key(&self) -> String {
        match self.progress.storage {
            Storage::SingleObject { counted: Some(attempt) } => self.spec.put_key(attempt),
            _ => self.repaired_key().unwrap_or_else(|| self.spec.key.clone()),
        }
    }

    /// How many attempts may have put the whole file.
    pub(super) fn puts_begun(&self) -> u16 {
        match (&self.progress.storage, self.progress.lease) {
            (Storage::Multipart { puts_before, .. }, _) => *puts_before,
            (Storage::SingleObject { .. } | Storage::Deferred, Some(lease)) => {
                lease.numbers_before.saturating_add(lease.reserved_parts.min(1))
            }
            (Storage::Empty | Storage::SingleObject { .. } | Storage::Deferred | Storage::Shared, _) => 0,
        }
    }

    /// The attempt whose object is the upload's, where the file was put as one object.
    #[cfg(test)]
    pub(crate) fn counted_attempt(&self) -> Option<u64> {
        match self.progress.storage {
            Storage::SingleObject { counted } => counted,
            _ => None,
        }
    }

    /// Whether there may be objects of attempts ([`is_put`](super::is_put)) beside the upload's own, which never count once it has ended.
    pub(crate) fn may_have_stray_objects(&self) -> bool {
        let counted = matches!(self.progress.storage, Storage::SingleObject { counted: Some(_) });
        self.puts_begun() > u16::from(counted)
    }

    /// Whether R2 may hold something that does not count.
    pub(crate) fn may_have_leftovers(&self) -> bool {
        self.progress.leftovers != Leftovers::None
    }

    /// What a cleanup has to delete that begins now.
    pub(crate) fn cleanup(&self) -> Cleanup {
        if self.is_unwanted() { Cleanup::Everything } else { Cleanup::Leftovers }
    }

    /// R2 has let go of what a cleanup was to delete when it began. What has become unwanted since then is left to the next one.
    pub(crate) fn cleaned_up(&self, done: Cleanup) -> StateChange {
        let frees_storage = done == Cleanup::Everything && self.progress.holds_storage;
        let leftovers = match self.progress.leftovers {
            Leftovers::None => Leftovers::None,
            Leftovers::SweptOnce if !frees_storage => Leftovers::None,
            Leftovers::Unswept | Leftovers::SweptOnce => Leftovers::SweptOnce,
        };
        let holds_storage = self.progress.holds_storage && !frees_storage;
        UploadState { holds_storage, leftovers, job_failures: 0, ..self.progress.clone() }.into()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_zero(count: &u16) -> bool {
    *count == 0
}
