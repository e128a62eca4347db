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
    admin::Noted,
    json,
    ledger::EntryName,
    switch::Switch,
    units::{UnixMs, UploadId},
};

use crate::{
    ledger::{
        database::{Database, Value},
        tables::{self, Tables},
    },
    platform::error::Result,
};

const OWNERS: &str = "CREATE TABLE IF NOT EXISTS owner (name TEXT PRIMARY KEY) WITHOUT ROWID";

/// A table of uploads of which something is so, with the time by which a row of it is told from a newer one.
pub(super) struct NotedTable {
    name: &'static str,
    at: &'static str,
}

pub(super) const FAILED: NotedTable = NotedTable { name: "failed_delivery", at: "failed_at_ms" };

pub(super) const HELD: NotedTable = NotedTable { name: "held_upload", at: "created_at_ms" };

impl NotedTable {
    /// A statement, with this table's names for `TABLE_OF` and `AT_MS`.
    fn statement(&self, text: &str) -> String {
        text.replace("TABLE_OF", self.name).replace("AT_MS", self.at)
    }
}

const SWITCH: &str = "CREATE TABLE IF NOT EXISTS switch (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)";

const MARK: &str = "CREATE TABLE IF NOT EXISTS is_registered (id INTEGER PRIMARY KEY)";

#[derive(Deserialize)]
struct NameRow {
    name: String,
}

#[derive(Deserialize)]
struct NotedRow {
    upload_id: UploadId,
    owner: String,
    at_ms: u64,
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
pub(super) fn note(database: &impl Database, table: &NotedTable, noted: &Noted) -> Result<()> {
    let create = "CREATE TABLE IF NOT EXISTS TABLE_OF (upload_id TEXT PRIMARY KEY, owner TEXT NOT NULL, \
                  AT_MS INTEGER NOT NULL) WITHOUT ROWID";
    database.run(&table.statement(create), Vec::new())?;
    let insert = "INSERT OR REPLACE INTO TABLE_OF (upload_id, owner, AT_MS) VALUES (?, ?, ?)";
    let values = vec![noted.upload_id.to_string().into(), noted.owner.clone().into(), noted.at.into()];
    database.run(&table.statement(insert), values)
}

/// Up to so many uploads whose telling was given up, by id, behind this one.
pub(super) fn failed(database: &impl Database, after: Option<UploadId>, most: usize) -> Result<Vec<Noted>> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let query = "SELECT upload_id, owner, AT_MS AS at_ms FROM TABLE_OF WHERE upload_id > ? ORDER BY upload_id LIMIT ?";
    noted(database, &FAILED, query, vec![after.into(), (most as u64).into()])
}

/// Up to so many that are held, oldest first, behind this one. Reads every row.
pub(super) fn held(database: &impl Database, after: Option<EntryName>, most: usize) -> Result<Vec<Noted>> {
    let (since, after) = after.map(|name| (name.created_at, name.upload_id.to_string())).unwrap_or_default();
    let query = "SELECT upload_id, owner, AT_MS AS at_ms FROM TABLE_OF WHERE (AT_MS, upload_id) > (?, ?) \
                 ORDER BY AT_MS, upload_id LIMIT ?";
    noted(database, &HELD, query, vec![since.into(), after.into(), (most as u64).into()])
}

fn noted(database: &impl Database, table: &NotedTable, query: &str, values: Vec<Value>) -> Result<Vec<Noted>> {
    if !has(database, table.name)? {
        return Ok(Vec::new());
    }
    let found: Vec<NotedRow> = database.rows(&table.statement(query), values)?;
    Ok(found
        .into_iter()
        .map(|NotedRow { upload_id, owner, at_ms }| Noted { upload_id, owner, at: UnixMs(at_ms) })
        .collect())
}

/// Takes these out, unless something newer is known of one.
pub(super) fn drop_noted(database: &impl Database, table: &NotedTable, gone: &[Noted]) -> Result<()> {
    if gone.is_empty() || !has(database, table.name)? {
        return Ok(());
    }
    let delete = table.statement("DELETE FROM TABLE_OF WHERE upload_id = ? AND AT_MS = ?");
    gone.iter().try_for_each(|gone| database.run(&delete, vec![gone.upload_id.to_string().into(), gone.at.into()]))
}

/// How many there are. Reads every row.
pub(super) fn count_failed(database: &impl Database) -> Result<u64> {
    if !has(database, "failed_delivery")? {
        return Ok(0);
    }
    let found: Vec<NumberRow> = database.rows("SELECT count(*) AS number FROM failed_delivery", Vec::new())?;
    Ok(found.first().map_or(0, |row| row.number))
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
