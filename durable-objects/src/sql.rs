//! The only SQL. How a session lies in SQLite, and how it is read back.
//!
//! | table | rows | written |
//! |---|---|---|
//! | `birth` | one | when the upload is created |
//! | `progress` | one | when an attempt begins, and when the upload's phase changes |
//! | `part` | one per counted part | when the part is counted |
//! | `delivery` | one, once the upload has ended | when the telling goes on |
//!
//! So a chunk of one part costs two rows: `progress` at its begin, `part` at its commit. No table has an index beside its
//! key, since each would be one more row to pay per write. Facts that are only ever read together are one JSON text;
//! what it looks like is pinned by a test, since objects written by older builds are read by newer ones.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use upload_core::session::{Birth, Change, Session, StoredPart};
use worker::{Result, SqlStorage, SqlStorageValue, Storage};

use crate::transaction::transaction;

/// The layout of the tables below. A build that finds another number has to migrate first.
const SCHEMA_VERSION: i64 = 1;

const TABLES: [&str; 4] = [
    "CREATE TABLE birth (id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, facts TEXT NOT NULL)",
    "CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)",
    "CREATE TABLE part (number INTEGER PRIMARY KEY, end_bytes INTEGER NOT NULL, etag TEXT NOT NULL, \
     crc64nvme_so_far TEXT NOT NULL, sha256_so_far TEXT)",
    "CREATE TABLE delivery (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)",
];

/// A row of `part`.
#[derive(Deserialize)]
struct PartRow {
    number: u16,
    end_bytes: f64,
    etag: String,
    crc64nvme_so_far: String,
    sha256_so_far: Option<String>,
}

/// One JSON text.
#[derive(Deserialize)]
struct FactsRow {
    facts: String,
}

/// One whole number; SQLite's integers come as JavaScript numbers.
#[derive(Deserialize)]
struct NumberRow {
    number: f64,
}

/// What completion lists: a part's number and its ETag.
#[derive(Deserialize)]
pub(crate) struct PartName {
    /// The number.
    pub(crate) number: u16,
    /// The ETag, as R2 returned it.
    pub(crate) etag: String,
}

/// Reads a session back; `None` where no upload was ever created here, or where it has been forgotten. Writes nothing, so
/// that asking for an unknown id does not create an object.
pub(crate) fn load(storage: &Storage) -> Result<Option<Session>> {
    let sql = storage.sql();
    let tables: Vec<NumberRow> =
        rows(&sql, "SELECT count(*) AS number FROM sqlite_master WHERE type = 'table' AND name = 'birth'", vec![])?;
    if tables.first().is_none_or(|row| row.number == 0.0) {
        return Ok(None);
    }
    let schema: Vec<NumberRow> = rows(&sql, "SELECT schema AS number FROM birth", vec![])?;
    #[allow(clippy::cast_precision_loss)] // schema numbers are small
    if schema.first().is_some_and(|row| row.number != SCHEMA_VERSION as f64) {
        return Err("the upload was written by a build with another schema".into());
    }
    let Some(birth) = fact::<Birth>(&sql, "SELECT facts FROM birth")? else { return Ok(None) };
    let progress = fact(&sql, "SELECT facts FROM progress")?.ok_or("an upload without progress")?;
    let delivery = fact(&sql, "SELECT facts FROM delivery")?;
    let last: Vec<PartRow> = rows(&sql, "SELECT * FROM part ORDER BY number DESC LIMIT 1", vec![])?;
    let last_part = last.into_iter().next().map(stored_part).transpose()?;
    Ok(Some(Session { birth, progress, last_part, delivery }))
}

/// Stores a new upload, with everything `arm` does, in one transaction.
pub(crate) fn create(storage: &Storage, session: &Session, arm: impl Fn() -> Result<()>) -> Result<()> {
    let sql = storage.sql();
    transaction(storage, || {
        for table in TABLES {
            sql.exec(table, None)?;
        }
        let birth = vec![SCHEMA_VERSION.into(), json(&session.birth)?];
        sql.exec("INSERT INTO birth (id, schema, facts) VALUES (1, ?, ?)", birth)?;
        sql.exec("INSERT INTO progress (id, facts) VALUES (1, ?)", vec![json(&session.progress)?])?;
        arm()
    })
}

/// Stores a change, with everything `arm` does, in one transaction.
pub(crate) fn store(storage: &Storage, change: &Change, arm: impl Fn() -> Result<()>) -> Result<()> {
    let sql = storage.sql();
    transaction(storage, || {
        if let Some(progress) = &change.progress {
            sql.exec("UPDATE progress SET facts = ? WHERE id = 1", vec![json(progress)?])?;
        }
        for part in &change.parts {
            insert_part(&sql, part)?;
        }
        if let Some(delivery) = &change.delivery {
            sql.exec("INSERT OR REPLACE INTO delivery (id, facts) VALUES (1, ?)", vec![json(delivery)?])?;
        }
        arm()
    })
}

/// All counted parts, in the order of their numbers, which is that of their bytes.
pub(crate) fn part_names(storage: &Storage) -> Result<Vec<PartName>> {
    rows(&storage.sql(), "SELECT number, etag FROM part ORDER BY number", vec![])
}

fn insert_part(sql: &SqlStorage, part: &StoredPart) -> Result<()> {
    let end_bytes = i64::try_from(part.end.get()).map_err(|_| "an offset above 2^53")?;
    let values = vec![
        i32::from(part.number).into(),
        SqlStorageValue::try_from_i64(end_bytes)?,
        part.etag.clone().into(),
        part.crc64nvme_so_far.to_string().into(),
        part.sha256_so_far.as_ref().map(serde_json::to_string).transpose()?.into(),
    ];
    let insert =
        "INSERT INTO part (number, end_bytes, etag, crc64nvme_so_far, sha256_so_far) VALUES (?, ?, ?, ?, ?)";
    sql.exec(insert, values).map(drop)
}

fn stored_part(row: PartRow) -> Result<StoredPart> {
    // Whole and below 2^53, as `insert_part` stored it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let end = (row.end_bytes as u64).try_into()?;
    Ok(StoredPart {
        number: row.number,
        end,
        etag: row.etag,
        crc64nvme_so_far: row.crc64nvme_so_far.try_into()?,
        sha256_so_far: row.sha256_so_far.as_deref().map(serde_json::from_str).transpose()?,
    })
}

fn fact<T: DeserializeOwned>(sql: &SqlStorage, query: &str) -> Result<Option<T>> {
    let found: Vec<FactsRow> = rows(sql, query, vec![])?;
    found.first().map(|row| serde_json::from_str(&row.facts).map_err(Into::into)).transpose()
}

fn rows<T: DeserializeOwned>(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<Vec<T>> {
    sql.exec(query, values)?.to_array()
}

fn json(facts: &impl Serialize) -> Result<SqlStorageValue> {
    Ok(serde_json::to_string(facts)?.into())
}
