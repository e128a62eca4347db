//! The links that take one file, as they lie in an owner's ledger: what became of those that somebody has come with, or that were taken back.
//!
//! | table | a row per | until |
//! |---|---|---|
//! | `upload_link` | link that has opened an upload or was taken back | the link has expired |
//!
//! A link costs two rows, one written when it is used and one deleted when it is over: $2.00 for a million. One that nobody comes with costs
//! none.

use serde::Deserialize;
use upload_types::{
    ledger::EntryName,
    units::{UnixMs, UploadId},
    upload_link::{LinkId, LinkUse},
};

use super::{
    database::{Database, Value},
    tables::Tables,
};
use crate::platform::error::Result;

/// The id of a link that was taken back before it has opened anything is kept with no upload.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS upload_link (link_id TEXT PRIMARY KEY, is_revoked INTEGER NOT NULL, \
                     created_at_ms INTEGER NOT NULL, upload_id TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID";

/// What became of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkState {
    /// The upload that it has opened, where it has.
    pub(crate) opened: Option<EntryName>,
    /// Whether it was taken back.
    pub(crate) is_revoked: bool,
}

#[derive(Deserialize)]
struct Row {
    is_revoked: u8,
    created_at_ms: u64,
    upload_id: String,
}

#[derive(Deserialize)]
struct TimeRow {
    until_ms: u64,
}

/// Whether there is a table of links.
pub(crate) fn are_kept(tables: &Tables) -> bool {
    tables.contains("upload_link")
}

fn create(database: &impl Database, tables: &Tables) -> Result<()> {
    if are_kept(tables) { Ok(()) } else { database.run(TABLE, Vec::new()) }
}

/// What became of this link; `None` of one that nobody has come with.
pub(crate) fn find(database: &impl Database, tables: &Tables, id: LinkId) -> Result<Option<LinkState>> {
    if !are_kept(tables) {
        return Ok(None);
    }
    let query = "SELECT is_revoked, created_at_ms, upload_id FROM upload_link WHERE link_id = ?";
    let found: Vec<Row> = database.rows(query, vec![id.to_string().into()])?;
    Ok(found.first().map(|row| {
        let name = |upload_id| EntryName { created_at: UnixMs(row.created_at_ms), upload_id };
        LinkState { opened: UploadId::parse(&row.upload_id).map(name), is_revoked: row.is_revoked != 0 }
    }))
}

/// It has opened this upload, and is not taken back.
pub(crate) fn opened(database: &impl Database, tables: &Tables, link: &LinkUse, name: EntryName) -> Result<()> {
    create(database, tables)?;
    let insert = "INSERT OR REPLACE INTO upload_link (link_id, is_revoked, created_at_ms, upload_id, until_ms) \
                  VALUES (?, 0, ?, ?, ?)";
    let values =
        vec![link.id.to_string().into(), name.created_at.into(), name.upload_id.to_string().into(), link.until.into()];
    database.run(insert, values)
}

/// It was taken back. What it has opened stays known.
pub(crate) fn revoke(database: &impl Database, tables: &Tables, id: LinkId, until: UnixMs) -> Result<()> {
    create(database, tables)?;
    let insert = "INSERT INTO upload_link (link_id, is_revoked, created_at_ms, upload_id, until_ms) VALUES (?, 1, 0, '', ?) \
                  ON CONFLICT (link_id) DO UPDATE SET is_revoked = 1";
    database.run(insert, vec![id.to_string().into(), Value::from(until)])
}

/// As if nobody had come with it. One that was taken back stays so.
pub(crate) fn forget(database: &impl Database, id: LinkId) -> Result<()> {
    database.run("DELETE FROM upload_link WHERE link_id = ? AND is_revoked = 0", vec![id.to_string().into()])
}

/// Takes out those that are over.
pub(crate) fn drop_overdue(database: &impl Database, tables: &Tables, now: UnixMs) -> Result<()> {
    if are_kept(tables) {
        database.run("DELETE FROM upload_link WHERE until_ms <= ?", vec![now.into()])?;
    }
    Ok(())
}

/// When the first of them is over. Reads every one.
pub(crate) fn next_due(database: &impl Database, tables: &Tables) -> Result<Option<UnixMs>> {
    if !are_kept(tables) {
        return Ok(None);
    }
    let found: Vec<TimeRow> =
        database.rows("SELECT until_ms FROM upload_link ORDER BY until_ms LIMIT 1", Vec::new())?;
    Ok(found.first().map(|row| UnixMs(row.until_ms)))
}
