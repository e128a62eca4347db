//! What things cost: the part of [`Cost`] that follows from what an object is asked or does, and SQLite's own counts of rows.

use std::cell::Cell;

use upload_session::session::{BeginAppend, Commit, RemainderSource, SegmentPlace, Session, WriteLease};
use upload_types::cost::Cost;
use worker::{SqlCursor, SqlStorage, SqlStorageValue};

use crate::rpc::upload::UploadCommand;

thread_local! {
    /// Rows since the last reset. Between an object's reset and its look there is no `await`, so they are its own.
    static ROWS: Cell<Cost> = const { Cell::new(Cost::NONE) };
}

/// Does what reads and writes rows, and says how many.
pub(crate) fn metered<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    ROWS.set(Cost::NONE);
    let done = work();
    (done, ROWS.get())
}

/// Runs a statement, whose rows are not wanted, and counts.
pub(crate) fn exec(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> crate::platform::error::Result<()> {
    count(&sql.exec(query, values)?);
    Ok(())
}

/// Counts what a statement has read and written, once its rows have been taken.
pub(crate) fn count(cursor: &SqlCursor) {
    add(Cost { rows_read: cursor.rows_read() as u64, rows_written: cursor.rows_written() as u64, ..Cost::NONE });
}

/// Counts the setting of an alarm, which is charged for as a row.
pub(crate) fn count_alarm() {
    add(Cost { rows_written: 1, ..Cost::NONE });
}

fn add(rows: Cost) {
    let mut sum = ROWS.get();
    sum += rows;
    ROWS.set(sum);
}

/// A creation: a request to the Worker, one to the ledger with an entry and a key (what a day's first creation and its alarm cost is
/// shared by all of that day), one to this object, and R2's multipart upload, where it is opened at once.
pub(crate) fn of_creation(session: &Session) -> Cost {
    let r2_class_a = session.multipart_id().is_some().into();
    Cost { worker_requests: 1, object_requests: 2, rows_written: 2, r2_class_a, ..Cost::NONE }
}

/// A request that leads to the upload's object.
pub(crate) const BY_CLIENT: Cost = Cost { worker_requests: 1, object_requests: 1, ..Cost::NONE };

/// A command, beside its rows. Questions are the asker's.
pub(crate) fn of_command(command: &UploadCommand) -> Cost {
    match command {
        // A creation is counted where the upload is stored, signing, which takes a command for each part, where it is done.
        UploadCommand::CreateUpload(_)
        | UploadCommand::CreateDuplicate(_)
        | UploadCommand::ReadTail(_)
        | UploadCommand::Status(_)
        | UploadCommand::ShowToAdmin(_)
        | UploadCommand::SignParts(_) => Cost::NONE,
        UploadCommand::BeginDelivery(_)
        | UploadCommand::Probe(_)
        | UploadCommand::Declare(_)
        | UploadCommand::Complete(_)
        | UploadCommand::Cancel(_)
        | UploadCommand::Describe(_)
        | UploadCommand::Judge(_)
        | UploadCommand::Redeliver(_)
        | UploadCommand::FindSigned(_)
        | UploadCommand::AssembleParts(_)
        | UploadCommand::RepairUpload(_)
        | UploadCommand::ShowManifest(_) => BY_CLIENT,
        UploadCommand::BeginCopy(_) => Cost { object_requests: 1, r2_class_b: 1, ..Cost::NONE },
        UploadCommand::FindObject(_) | UploadCommand::FindForScanner(_) | UploadCommand::NextSlice(_) => {
            Cost { r2_class_b: 1, ..BY_CLIENT }
        }
        // A record is counted as a request to the Worker where it asks for what was signed; a chunk where it begins.
        UploadCommand::BeginChunk(_)
        | UploadCommand::Renew(_)
        | UploadCommand::Commit(_)
        | UploadCommand::Release(_)
        | UploadCommand::ReadHistory(_)
        | UploadCommand::AwaitObject(_)
        | UploadCommand::AwaitBytes(_)
        | UploadCommand::ReadGrowing(_)
        | UploadCommand::EndDelivery(_)
        | UploadCommand::AsPartial(_)
        | UploadCommand::WantedPartials(_)
        | UploadCommand::BeginCopyBatch(_)
        | UploadCommand::SliceHashed(_)
        | UploadCommand::RecordParts(_) => Cost { object_requests: 1, ..Cost::NONE },
    }
}

/// A chunk's begin, which opens a request unless it is linked to the section before it; and what its tail will be read with.
pub(crate) fn of_begin(begin: &BeginAppend, lease: Option<&WriteLease>) -> Cost {
    let is_object = |source: &&RemainderSource| matches!(source, RemainderSource::Object { .. });
    let r2_class_b = lease.map_or(0, |lease| lease.tail.iter().filter(is_object).count() as u64);
    Cost { worker_requests: begin.continuation.after.is_none().into(), r2_class_b, ..Cost::NONE }
}

/// What a commit says to have stored in R2: of a live upload each part twice.
pub(crate) fn of_commit(commit: &Commit, is_live: bool) -> Cost {
    let segments = commit.remainder.filter(|remainder| remainder.place == SegmentPlace::Object).iter().count();
    let parts = commit.receipts.len() * if is_live { 2 } else { 1 };
    Cost { r2_class_a: (parts + segments) as u64, ..Cost::NONE }
}

/// A multipart upload that was opened for a chunk.
pub(crate) const OPENING: Cost = Cost { r2_class_a: 1, ..Cost::NONE };

/// R2 is asked which parts it has (`ListParts`).
pub(crate) const LISTING: Cost = Cost { r2_class_a: 1, ..Cost::NONE };

/// An alarm.
pub(crate) fn of_alarm() -> Cost {
    Cost { object_requests: 1, rows_written: 1, ..Cost::NONE }
}
