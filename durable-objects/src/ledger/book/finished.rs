//! Files that are there: listed and counted from when their upload says so until it says that they are gone, and the list of these and of what
//! is open. An upload says the same as often as it likes; only what is new is written.

use upload_session::quota::PAGE_ENTRIES;
use upload_types::{
    ledger::{ListQuery, Page},
    units::{ByteCount, UnixMs},
};

use super::Ledger;
use crate::{
    ledger::{database::Database, finished, tables::Tables},
    platform::error::Result,
    rpc::ledger::CloseUpload,
};

/// What the files of an owner together are.
#[derive(Clone, Copy, Default)]
pub(super) struct Stored {
    /// How many there are.
    pub(super) objects: u64,
    /// Their bytes. Each is below 2^53, and so is what one owner can have.
    pub(super) bytes: u64,
}

/// How long the file of an upload is, where it is listed: before it said something, and after.
pub(super) struct FileChange {
    was: Option<ByteCount>,
    is: Option<ByteCount>,
}

impl FileChange {
    /// Whether its row is the first of all.
    pub(super) fn is_first(&self, tables: &Tables) -> bool {
        self.is.is_some() && !finished::are_kept(tables)
    }

    /// What is stored in all, with it.
    pub(super) fn counted_in(&self, stored: Stored) -> Stored {
        let count = |file: Option<ByteCount>| (u64::from(file.is_some()), file.unwrap_or_default().get());
        let ((fewer, less), (more, much)) = (count(self.was), count(self.is));
        Stored {
            objects: stored.objects.saturating_sub(fewer).saturating_add(more),
            bytes: stored.bytes.saturating_sub(less).saturating_add(much),
        }
    }
}

impl<D: Database> Ledger<D> {
    /// What comes of the file of an upload that says this.
    pub(super) fn file_of(&self, settle: &CloseUpload, tables: &Tables) -> Result<FileChange> {
        let was = finished::bytes_of(&self.database, tables, settle.name)?;
        let is = if settle.is_gone { None } else { settle.file_bytes.or(was) };
        Ok(FileChange { was, is })
    }

    /// Writes it.
    pub(super) fn list_file(&self, file: &FileChange, settle: &CloseUpload, tables: &Tables) -> Result<()> {
        match (&settle.file_name, file.is) {
            (Some(file_name), Some(bytes)) if file.was != file.is => {
                finished::insert(&self.database, tables, settle.name, file_name, bytes)
            }
            (_, None) if file.was.is_some() => finished::take_out(&self.database, settle.name),
            _ => Ok(()),
        }
    }

    /// A page of what is listed, newest first.
    pub(crate) fn list(&self, query: &ListQuery, now: UnixMs) -> Result<Page> {
        let mut entries = finished::list(&self.database, &*self.tables()?, query, PAGE_ENTRIES + 1, now)?;
        let has_more = entries.len() > PAGE_ENTRIES;
        entries.truncate(PAGE_ENTRIES);
        let next = entries.last().copied().filter(|_| has_more);
        Ok(Page { entries, next })
    }
}
