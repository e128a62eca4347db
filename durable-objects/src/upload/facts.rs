//! The facts of an upload that every decision needs: how it was created, how far it is, how its events are told, and its history.
//! One row, so a change is charged for as one row however many of them it touches. Of a file that was put in one go its only part is among
//! them: such an upload has no other table.

use crate::platform::error::Result;
use serde::Deserialize;
use upload_session::{
    outbox::Outbox,
    session::{Session, StateChange, StoredPart, Uncount, UploadSpec, UploadState},
};
use upload_types::bucket;
use upload_types::history::History;
use upload_types::json::from_str;
use worker::{SqlStorage, SqlStorageValue, Storage};

use crate::platform::metering::exec;
use crate::platform::sql::{has_table, json, rows};

/// The layout of the tables, and what their rows mean. A build that finds a number it does not know refuses the upload.
const SCHEMA_VERSION: i64 = 1;

/// The same where the key names a bucket: a build that takes all of it for a key would look in another one.
const WITH_BUCKET: i64 = 2;

const TABLE: &str = "CREATE TABLE upload (id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, \
                     facts TEXT NOT NULL, progress TEXT NOT NULL, outbox TEXT, history TEXT, only_part TEXT)";

/// The facts, as they are stored.
pub(super) struct Facts {
    pub(super) spec: UploadSpec,
    pub(super) state: UploadState,
    pub(super) outbox: Outbox,
    pub(super) history: History,
    pub(super) only_part: Option<StoredPart>,
}

/// The row of `upload`.
#[derive(Deserialize)]
struct UploadRow {
    schema: f64,
    facts: String,
    progress: String,
    outbox: Option<String>,
    history: Option<String>,
    only_part: Option<String>,
}

#[derive(Deserialize)]
struct OnlyPartRow {
    only_part: Option<String>,
}

/// Reads them; `None` where no upload was ever created here, or where it has been forgotten.
pub(super) fn load(storage: &Storage) -> Result<Option<Facts>> {
    let sql = storage.sql();
    if !has_table(&sql, "upload")? {
        return Ok(None);
    }
    let found: Vec<UploadRow> = rows(&sql, "SELECT * FROM upload", vec![])?;
    let Some(row) = found.into_iter().next() else { return Ok(None) };
    #[allow(clippy::cast_possible_truncation)] // schema numbers are small
    if ![SCHEMA_VERSION, WITH_BUCKET].contains(&(row.schema as i64)) {
        return Err("the upload was written by a build with another schema".into());
    }
    Ok(Some(Facts {
        spec: from_str(&row.facts)?,
        state: from_str(&row.progress)?,
        outbox: row.outbox.as_deref().map(from_str).transpose()?.unwrap_or_default(),
        // A history that cannot be read is no reason not to go on with the upload.
        history: row.history.and_then(|history| from_str(&history).ok()).unwrap_or_default(),
        only_part: part_of(row.only_part.as_deref())?,
    }))
}

/// The part of a file that was put in one go, where it is counted.
pub(super) fn only_part(sql: &SqlStorage) -> Result<Option<StoredPart>> {
    let found: Vec<OnlyPartRow> = rows(sql, "SELECT only_part FROM upload", vec![])?;
    part_of(found.first().and_then(|row| row.only_part.as_deref()))
}

fn part_of(stored: Option<&str>) -> Result<Option<StoredPart>> {
    Ok(stored.map(from_str).transpose()?)
}

/// Writes those of a new upload. One row, and a table.
pub(super) fn insert(sql: &SqlStorage, session: &Session, history: &History) -> Result<()> {
    exec(sql, TABLE, Vec::new())?;
    let outbox = if session.outbox().is_empty() { SqlStorageValue::Null } else { json(session.outbox())? };
    let schema = if bucket::split(&session.spec().key).0.is_empty() { SCHEMA_VERSION } else { WITH_BUCKET };
    let values = vec![schema.into(), json(session.spec())?, json(session.state())?, outbox, json(history)?];
    exec(sql, "INSERT INTO upload (id, schema, facts, progress, outbox, history) VALUES (1, ?, ?, ?, ?, ?)", values)
}

/// Writes those that a change of `before` touches. One row at most; the progress is always in it, for what has been charged since.
pub(super) fn update(sql: &SqlStorage, before: &Session, change: &StateChange, history: &History) -> Result<()> {
    if change.progress.is_none() && change.outbox.is_none() {
        return Ok(());
    }
    let or_null = |value: Option<SqlStorageValue>| value.unwrap_or(SqlStorageValue::Null);
    let progress = json(change.progress.as_ref().unwrap_or(before.state()))?;
    let outbox = or_null(change.outbox.as_ref().map(json).transpose()?);
    let only_part = or_null(change.only_part().map(json).transpose()?);
    let query = if change.uncount == Uncount::Nothing {
        "UPDATE upload SET progress = ?, outbox = coalesce(?, outbox), history = ?, only_part = coalesce(?, only_part) \
         WHERE id = 1"
    } else {
        "UPDATE upload SET progress = ?, outbox = coalesce(?, outbox), history = ?, only_part = ? WHERE id = 1"
    };
    exec(sql, query, vec![progress, outbox, json(history)?, only_part])
}
