//! How the register lies in SQLite, and the mark by which an owner's ledger knows that it stands there.
//!
//! | table | a row per | until |
//! |---|---|---|
//! | `owner` | owner who has ever created an upload | never |
//! | `failed_delivery` | upload with an event whose telling was about to be given up | it is sent again, taken, or forgotten |
//! | `held_upload` | upload that is held | it is not held any more |
//! | `switch` | one: how the switch is set, as JSON | it is set anew |
//!
//! An owner costs one row here and two in its own ledger, where the mark is a table without rows: $3.00 for a million, once. A delivery that is
//! given up costs two rows, and so does an upload that is held. No table has an index beside its key.

use serde::Deserialize;
use upload_types::{
    admin::{FailedDelivery, HeldUpload},
    json,
    ledger::EntryName,
    switch::Switch,
    units::{UnixMs, UploadId},
};

use crate::{
    ledger::{
        database::Database,
        tables::{self, Tables},
    },
    platform::error::Result,
};

const OWNERS: &str = "CREATE TABLE IF NOT EXISTS owner (name TEXT PRIMARY KEY) WITHOUT ROWID";

const FAILED_DELIVERIES: &str = "CREATE TABLE IF NOT EXISTS failed_delivery (upload_id TEXT PRIMARY KEY, \
                                 owner TEXT NOT NULL, failed_at_ms INTEGER NOT NULL) WITHOUT ROWID";

const HELD_UPLOADS: &str = "CREATE TABLE IF NOT EXISTS held_upload (created_at_ms INTEGER NOT NULL, upload_id TEXT NOT NULL, \
                            owner TEXT NOT NULL, PRIMARY KEY (created_at_ms, upload_id)) WITHOUT ROWID";

const SWITCH: &str = "CREATE TABLE IF NOT EXISTS switch (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)";

const MARK: &str = "CREATE TABLE IF NOT EXISTS is_registered (id INTEGER PRIMARY KEY)";

#[derive(Deserialize)]
struct NameRow {
    name: String,
}

#[derive(Deserialize)]
struct FailedRow {
    upload_id: UploadId,
    owner: String,
    failed_at_ms: u64,
}

#[derive(Deserialize)]
struct HeldRow {
    created_at_ms: u64,
    upload_id: UploadId,
    owner: String,
}

#[derive(Deserialize)]
struct FactsRow {
    facts: String,
}

#[derive(Deserialize)]
struct NumberRow {
    number: u64,
}

/// Whether this owner's ledger has told the register, and was heard.
pub(crate) fn is_marked(tables: &Tables) -> bool {
    tables.contains("is_registered")
}

/// It has.
pub(crate) fn mark(database: &impl Database) -> Result<()> {
    database.run(MARK, Vec::new())
}

/// Adds an owner. One that is there costs no row.
pub(super) fn note_owner(database: &impl Database, name: &str) -> Result<()> {
    database.run(OWNERS, Vec::new())?;
    database.run("INSERT OR IGNORE INTO owner (name) VALUES (?)", vec![name.to_owned().into()])
}

/// Up to so many owners, by name, behind this one.
pub(super) fn owners(database: &impl Database, after: Option<&str>, most: usize) -> Result<Vec<String>> {
    if !has(database, "owner")? {
        return Ok(Vec::new());
    }
    let query = "SELECT name FROM owner WHERE name > ? ORDER BY name LIMIT ?";
    let found: Vec<NameRow> =
        database.rows(query, vec![after.unwrap_or_default().to_owned().into(), (most as u64).into()])?;
    Ok(found.into_iter().map(|row| row.name).collect())
}

/// Adds an upload, or what is newer of it.
pub(super) fn note_failed(database: &impl Database, failed: &FailedDelivery) -> Result<()> {
    database.run(FAILED_DELIVERIES, Vec::new())?;
    let insert = "INSERT OR REPLACE INTO failed_delivery (upload_id, owner, failed_at_ms) VALUES (?, ?, ?)";
    let values = vec![failed.upload_id.to_string().into(), failed.owner.clone().into(), failed.failed_at.into()];
    database.run(insert, values)
}

/// Up to so many uploads, by id, behind this one.
pub(super) fn failed(database: &impl Database, after: Option<UploadId>, most: usize) -> Result<Vec<FailedDelivery>> {
    if !has(database, "failed_delivery")? {
        return Ok(Vec::new());
    }
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let query =
        "SELECT upload_id, owner, failed_at_ms FROM failed_delivery WHERE upload_id > ? ORDER BY upload_id LIMIT ?";
    let found: Vec<FailedRow> = database.rows(query, vec![after.into(), (most as u64).into()])?;
    let failed = |FailedRow { upload_id, owner, failed_at_ms }| FailedDelivery {
        upload_id,
        owner,
        failed_at: UnixMs(failed_at_ms),
    };
    Ok(found.into_iter().map(failed).collect())
}

/// Takes these out, unless something newer is known of one.
pub(super) fn drop_failed(database: &impl Database, gone: &[FailedDelivery]) -> Result<()> {
    if gone.is_empty() || !has(database, "failed_delivery")? {
        return Ok(());
    }
    let delete = "DELETE FROM failed_delivery WHERE upload_id = ? AND failed_at_ms = ?";
    gone.iter()
        .try_for_each(|gone| database.run(delete, vec![gone.upload_id.to_string().into(), gone.failed_at.into()]))
}

/// How many there are. Reads every row.
pub(super) fn count_failed(database: &impl Database) -> Result<u64> {
    if !has(database, "failed_delivery")? {
        return Ok(0);
    }
    let found: Vec<NumberRow> = database.rows("SELECT count(*) AS number FROM failed_delivery", Vec::new())?;
    Ok(found.first().map_or(0, |row| row.number))
}

/// Adds an upload that is held. One that is there costs no row.
pub(super) fn note_held(database: &impl Database, HeldUpload { name, owner }: HeldUpload) -> Result<()> {
    database.run(HELD_UPLOADS, Vec::new())?;
    let insert = "INSERT OR IGNORE INTO held_upload (created_at_ms, upload_id, owner) VALUES (?, ?, ?)";
    database.run(insert, vec![name.created_at.into(), name.upload_id.to_string().into(), owner.into()])
}

/// Up to so many that are held, oldest first, behind this one.
pub(super) fn held(database: &impl Database, after: Option<EntryName>, most: usize) -> Result<Vec<HeldUpload>> {
    if !has(database, "held_upload")? {
        return Ok(Vec::new());
    }
    let (since, after) = after.map(|name| (name.created_at, name.upload_id.to_string())).unwrap_or_default();
    let query = "SELECT created_at_ms, upload_id, owner FROM held_upload WHERE (created_at_ms, upload_id) > (?, ?) \
                 ORDER BY created_at_ms, upload_id LIMIT ?";
    let found: Vec<HeldRow> = database.rows(query, vec![since.into(), after.into(), (most as u64).into()])?;
    let held = |HeldRow { created_at_ms, upload_id, owner }| HeldUpload {
        name: EntryName { created_at: UnixMs(created_at_ms), upload_id },
        owner,
    };
    Ok(found.into_iter().map(held).collect())
}

/// Takes these out.
pub(super) fn drop_held(database: &impl Database, gone: &[EntryName]) -> Result<()> {
    if gone.is_empty() || !has(database, "held_upload")? {
        return Ok(());
    }
    let delete = "DELETE FROM held_upload WHERE created_at_ms = ? AND upload_id = ?";
    gone.iter()
        .try_for_each(|gone| database.run(delete, vec![gone.created_at.into(), gone.upload_id.to_string().into()]))
}

/// How the switch is set; as if nobody ever had, where nobody has.
pub(super) fn switch(database: &impl Database) -> Result<Switch> {
    if !has(database, "switch")? {
        return Ok(Switch::default());
    }
    let found: Vec<FactsRow> = database.rows("SELECT facts FROM switch", Vec::new())?;
    Ok(found.first().map(|row| json::from_str(&row.facts)).transpose()?.unwrap_or_default())
}

/// Sets it.
pub(super) fn set_switch(database: &impl Database, switch: &Switch) -> Result<()> {
    database.run(SWITCH, Vec::new())?;
    let insert = "INSERT OR REPLACE INTO switch (id, facts) VALUES (1, ?)";
    database.run(insert, vec![serde_json::to_string(switch)?.into()])
}

/// Whether there is such a table. Reads only, so that asking does not create an object.
fn has(database: &impl Database, table: &str) -> Result<bool> {
    Ok(tables::tables(database)?.contains(table))
}
