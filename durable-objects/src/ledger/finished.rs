//! The finished uploads of an owner, as they lie in the ledger, and the list of these and of the open ones.
//!
//! | table | a row per | until |
//! |---|---|---|
//! | `finished_upload` | upload whose file is there | the file is deleted or taken, or the upload is forgotten |
//!
//! A finished upload costs two rows, one written when its file is there and one deleted when it is listed no longer: $2.00 for a million.
//! A list reads the rows of its page, and with a prefix those that it passes over; what is stored is added up from all rows, once for each
//! waking of the object, so no sum is kept that could differ from them.

use serde::Deserialize;
use upload_types::{
    ledger::{EntryName, ListQuery, Listed},
    units::{ByteCount, UnixMs, UploadId},
};

use super::{
    database::{Database, Value},
    tables::{self, Counted, Tables, Total},
};
use crate::platform::error::Result;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS finished_upload (created_at_ms INTEGER NOT NULL, upload_id TEXT NOT NULL, \
                     name TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (created_at_ms, upload_id)) WITHOUT ROWID";

#[derive(Deserialize)]
struct EntryNameRow {
    created_at_ms: u64,
    upload_id: UploadId,
}

/// Whether there is a table of them.
pub(crate) fn are_kept(tables: &Tables) -> bool {
    tables.contains("finished_upload")
}

/// How long the file of this upload is; `None` where it is not among them.
pub(crate) fn bytes_of(database: &impl Database, tables: &Tables, name: EntryName) -> Result<Option<ByteCount>> {
    if !are_kept(tables) {
        return Ok(None);
    }
    let query = "SELECT 'file' AS kind, bytes FROM finished_upload WHERE created_at_ms = ? AND upload_id = ?";
    let found: Vec<Counted> = database.rows(query, tables::key_of(name))?;
    Ok(found.first().map(|row| row.bytes))
}

/// The upload has left this file.
pub(crate) fn insert(
    database: &impl Database,
    tables: &Tables,
    name: EntryName,
    file_name: &str,
    bytes: ByteCount,
) -> Result<()> {
    if !are_kept(tables) {
        database.run(TABLE, Vec::new())?;
    }
    let insert = "INSERT OR REPLACE INTO finished_upload (created_at_ms, upload_id, name, bytes) VALUES (?, ?, ?, ?)";
    let file = [file_name.to_owned().into(), bytes.into()];
    database.run(insert, tables::key_of(name).into_iter().chain(file).collect())
}

/// Takes an upload out.
pub(crate) fn take_out(database: &impl Database, name: EntryName) -> Result<()> {
    database.run("DELETE FROM finished_upload WHERE created_at_ms = ? AND upload_id = ?", tables::key_of(name))
}

/// What there is, in all. Reads every row.
pub(crate) fn total(database: &impl Database) -> Result<Option<Total>> {
    let query = "SELECT 'file' AS kind, count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM finished_upload";
    Ok(database.rows(query, Vec::new())?.into_iter().next())
}

/// The names of up to so many uploads, newest first, from behind one on. An open one that is overdue is none. Open uploads have no names
/// here, so a prefix leaves none of them out.
pub(crate) fn list(
    database: &impl Database,
    tables: &Tables,
    query: &ListQuery,
    most: usize,
    now: UnixMs,
) -> Result<Vec<EntryName>> {
    let after = match query.after {
        Some(after) => tables::key_of(after),
        // Newer than any, whatever is said of its id.
        None => vec![ByteCount::MAX.into(), String::new().into()],
    };
    let (mut parts, mut values): (Vec<&str>, Vec<Value>) = Default::default();
    if query.listed != Listed::Completed && tables::has_entries(tables) {
        parts.push(
            "SELECT created_at_ms, upload_id FROM open_upload WHERE (created_at_ms, upload_id) < (?, ?) \
             AND kind = 'file' AND drop_at_ms > ?",
        );
        values.extend(after.iter().cloned().chain([now.into()]));
    }
    if query.listed != Listed::Open && are_kept(tables) {
        // Compared character by character: nothing in a prefix means anything but itself.
        parts.push(
            "SELECT created_at_ms, upload_id FROM finished_upload WHERE (created_at_ms, upload_id) < (?, ?) \
             AND substr(name, 1, length(?)) = ?",
        );
        let prefix = Value::from(query.prefix.clone());
        values.extend(after.into_iter().chain([prefix.clone(), prefix]));
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    values.push((most as u64).into());
    let statement = format!("{} ORDER BY created_at_ms DESC, upload_id DESC LIMIT ?", parts.join(" UNION ALL "));
    let found: Vec<EntryNameRow> = database.rows(&statement, values)?;
    let name = |row: EntryNameRow| EntryName { created_at: UnixMs(row.created_at_ms), upload_id: row.upload_id };
    Ok(found.into_iter().map(name).collect())
}
