//! The table `playlist`: one row with what was found, from when somebody has found something, until the upload is forgotten or its bytes are given up.

use worker::{SqlStorage, SqlStorageValue};

use crate::platform::{
    error::Result,
    metering::{count, exec},
    sql::has_table,
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS playlist (id INTEGER PRIMARY KEY, found TEXT NOT NULL)";

/// What is kept, behind which comes what was found, if anything.
///
/// One row, which is written anew with each that is found: it has 300 KB at most, and is paid for as one.
pub(super) fn keep(sql: &SqlStorage, found: &str) -> Result<String> {
    let mut kept = String::new();
    if has_table(sql, "playlist")? {
        let cursor = sql.exec("SELECT found FROM playlist", Vec::new())?;
        for row in cursor.raw() {
            if let [SqlStorageValue::String(found)] = &row?[..] {
                kept.clone_from(found);
            }
        }
        count(&cursor);
    }
    if let Some((known, more)) = found.split_once('\n') {
        let cuts = kept.split_once('\n').map_or("", |(_, cuts)| cuts);
        kept = [known, "\n", cuts, more].concat();
        exec(sql, TABLE, Vec::new())?;
        // Crash here: a table without a row is one where nothing was found.
        exec(sql, "INSERT OR REPLACE INTO playlist (id, found) VALUES (1, ?)", vec![kept.as_str().into()])?;
        // Crash here: it is kept, and whoever found it asks again.
    }
    Ok(kept)
}
