//! The facts of an upload that every decision needs: how it was created, how far it is, how its event is told, and its trail.
//!
//! They are one row, of `birth`, so a change is charged for as one row however many of them it touches, and a new upload has one
//! table for them all. In uploads that builds before schema 4 have created they are a row each, in `birth`, `progress` and
//! `delivery`; those stay as they are, so that after a rollback the older build goes on with what it has created.
//!
//! The table has kept its name, since that is where every build looks for the schema: an older one that finds a newer schema
//! refuses the upload for the moment, while one that finds no table would say that there is no such upload.

use crate::fault::{Error, Result};
use serde::Deserialize;
use upload_core::{
    event::Delivery,
    json::from_str,
    session::{Birth, Change, Progress, Session},
    trail::Trail,
};
use worker::{SqlStorage, SqlStorageValue, Storage};

use super::{FactsRow, NumberRow, fact, has_table, json, rows};
use crate::{metering::exec, transaction::transaction};

/// The layout of the tables, and what their rows mean. A build that finds a number it does not know refuses the upload. 1 to 3
/// are [`Layout::Apart`]: 2 with a file of one part as an object of its own, 3 with a multipart upload that is opened late, where
/// `birth` and `progress` say so.
const SCHEMA_VERSION: i64 = 4;

const TABLE: &str = "CREATE TABLE birth (id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, \
                     facts TEXT NOT NULL, progress TEXT NOT NULL, delivery TEXT, trail TEXT)";

/// What the first builds' tables lack, and how it is added. The new column is in both or in neither.
const ADDED_TRAIL: [&str; 2] =
    ["ALTER TABLE progress ADD COLUMN trail TEXT", "ALTER TABLE delivery ADD COLUMN trail TEXT"];

/// Where the facts are. Fixed when the upload is created.
#[derive(Clone, Copy, Default)]
pub(crate) enum Layout {
    /// In one row of `birth`.
    #[default]
    OneRow,
    /// In a row each of `birth`, `progress` and `delivery`.
    Apart,
}

/// The facts, as they are stored.
pub(super) struct Facts {
    pub(super) birth: Birth,
    pub(super) progress: Progress,
    pub(super) delivery: Option<Delivery>,
    pub(super) trail: Trail,
    pub(super) layout: Layout,
}

/// The row of `birth`, in either layout.
#[derive(Deserialize)]
struct BirthRow {
    schema: f64,
    facts: String,
    progress: Option<String>,
    delivery: Option<String>,
    trail: Option<String>,
}

/// Reads them; `None` where no upload was ever created here, or where it has been forgotten.
pub(super) fn load(storage: &Storage) -> Result<Option<Facts>> {
    let sql = storage.sql();
    if !has_table(&sql, "birth")? {
        return Ok(None);
    }
    let found: Vec<BirthRow> = rows(&sql, "SELECT * FROM birth", vec![])?;
    let Some(row) = found.into_iter().next() else { return Ok(None) };
    #[allow(clippy::cast_possible_truncation)] // schema numbers are small
    if !(1..=SCHEMA_VERSION).contains(&(row.schema as i64)) {
        return Err("the upload was written by a build with another schema".into());
    }
    let birth = from_str(&row.facts)?;
    let Some(progress) = row.progress else { return load_apart(storage, birth).map(Some) };
    let delivery = row.delivery.as_deref().map(from_str).transpose()?;
    // A trail that cannot be read is no reason not to go on with the upload.
    let trail = row.trail.and_then(|trail| from_str(&trail).ok()).unwrap_or_default();
    Ok(Some(Facts { birth, progress: from_str(&progress)?, delivery, trail, layout: Layout::OneRow }))
}

fn load_apart(storage: &Storage, birth: Birth) -> Result<Facts> {
    let sql = storage.sql();
    let progress =
        fact(&sql, "SELECT facts FROM progress", vec![])?.ok_or_else(|| Error::from("an upload without progress"))?;
    let delivery = fact(&sql, "SELECT facts FROM delivery", vec![])?;
    Ok(Facts { birth, progress, delivery, trail: load_trail_apart(storage)?, layout: Layout::Apart })
}

/// The newest trail there is. Adds the columns that hold it where one of the first builds has created the tables.
fn load_trail_apart(storage: &Storage) -> Result<Trail> {
    let sql = storage.sql();
    let with_trail = "SELECT count(*) AS number FROM sqlite_master WHERE name = 'progress' AND sql LIKE '%trail TEXT%'";
    let found: Vec<NumberRow> = rows(&sql, with_trail, vec![])?;
    if found.first().is_none_or(|row| row.number == 0.0) {
        transaction(storage, || Ok(ADDED_TRAIL.iter().try_for_each(|column| sql.exec(column, None).map(drop))?))?;
        return Ok(Trail::default());
    }
    let newest = "SELECT trail AS facts FROM progress WHERE trail IS NOT NULL \
                  UNION ALL SELECT trail FROM delivery WHERE trail IS NOT NULL";
    let stored: Vec<FactsRow> = rows(&sql, newest, vec![])?;
    let trails = stored.iter().filter_map(|row| from_str::<Trail>(&row.facts).ok());
    Ok(trails.reduce(Trail::newer).unwrap_or_default())
}

/// Writes those of a new upload. One row, and a table.
pub(super) fn insert(sql: &SqlStorage, session: &Session, trail: &Trail) -> Result<()> {
    exec(sql, TABLE, Vec::new())?;
    let values = vec![SCHEMA_VERSION.into(), json(&session.birth)?, json(&session.progress)?, json(trail)?];
    exec(sql, "INSERT INTO birth (id, schema, facts, progress, trail) VALUES (1, ?, ?, ?, ?)", values)
}

/// Writes those that a change of `before` touches. One row at most; the progress is always in it, for what has been charged since.
pub(super) fn update(sql: &SqlStorage, layout: Layout, before: &Session, change: &Change, trail: &Trail) -> Result<()> {
    if change.progress.is_none() && change.delivery.is_none() {
        return Ok(());
    }
    if let Layout::Apart = layout {
        return update_apart(sql, change, trail);
    }
    let progress = json(change.progress.as_ref().unwrap_or(&before.progress))?;
    let delivery = change.delivery.as_ref().map(json).transpose()?.unwrap_or(SqlStorageValue::Null);
    let query = "UPDATE birth SET progress = ?, delivery = coalesce(?, delivery), trail = ? WHERE id = 1";
    exec(sql, query, vec![progress, delivery, json(trail)?])
}

fn update_apart(sql: &SqlStorage, change: &Change, trail: &Trail) -> Result<()> {
    if let Some(progress) = &change.progress {
        exec(sql, "UPDATE progress SET facts = ?, trail = ? WHERE id = 1", vec![json(progress)?, json(trail)?])?;
    }
    if let Some(delivery) = &change.delivery {
        let values = vec![json(delivery)?, json(trail)?];
        exec(sql, "INSERT OR REPLACE INTO delivery (id, facts, trail) VALUES (1, ?, ?)", values)?;
    }
    Ok(())
}
