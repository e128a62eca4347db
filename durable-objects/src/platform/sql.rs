//! The only SQL: [`session`] for uploads, with their [`facts`], and [`ledger`] for owners, on a [`database`] of few words.

use crate::platform::error::Result;
use crate::platform::metering::count;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use upload_types::{
    json,
    units::{ByteCount, UnixMs},
};
use worker::{SqlStorage, SqlStorageValue};

/// One whole number; SQLite's integers come as JavaScript numbers.
#[derive(Deserialize)]
struct NumberRow {
    number: f64,
}

/// Whether there is such a table. Reads only, so that asking does not create an object.
pub(crate) fn has_table(sql: &SqlStorage, name: &str) -> Result<bool> {
    let query = "SELECT count(*) AS number FROM sqlite_master WHERE type = 'table' AND name = ?";
    let found: Vec<NumberRow> = rows(sql, query, vec![name.into()])?;
    Ok(found.first().is_some_and(|row| row.number > 0.0))
}

pub(crate) fn integer(count: ByteCount) -> Result<SqlStorageValue> {
    let count = i64::try_from(count.get()).map_err(|_| "a byte count above 2^53")?;
    Ok(SqlStorageValue::try_from_i64(count)?)
}

pub(crate) fn byte_count(number: f64) -> Result<ByteCount> {
    // Whole and below 2^53, as `integer` stored it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((number as u64).try_into()?)
}

pub(crate) fn milliseconds(at: UnixMs) -> Result<SqlStorageValue> {
    let at = i64::try_from(at.0).map_err(|_| "an instant above 2^63")?;
    Ok(SqlStorageValue::try_from_i64(at)?)
}

pub(crate) fn instant(number: f64) -> UnixMs {
    // Whole and below 2^53, as `milliseconds` stored it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    UnixMs(number as u64)
}

pub(crate) fn rows<T: DeserializeOwned>(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<Vec<T>> {
    Ok(json::from_str(&rows_as_json(sql, query, values)?)?)
}

/// Rows without bytes in them, as an array of objects. Compiled once, not once per kind of row.
fn rows_as_json(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<String> {
    let mut cursor = sql.exec(query, values)?;
    let found = js_sys::Array::new();
    for row in cursor.by_ref() {
        found.push(&row?);
    }
    count(&cursor);
    Ok(js_sys::JSON::stringify(&found)?.into())
}

pub(crate) fn json(facts: &impl Serialize) -> Result<SqlStorageValue> {
    Ok(serde_json::to_string(facts)?.into())
}
