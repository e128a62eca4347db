//! Where an upload's file can be cut for a playlist: kept here for whoever asks next, found by whoever asked. What it means the Worker knows.
//!
//! Nothing else is derived of it, and it is derived of nothing but the bytes that count: what is lost is found again.

use upload_types::cost::Cost;
use worker::{Response, SqlStorage, SqlStorageValue};

use crate::{
    platform::{
        error::Result,
        metering::{count, exec, metered},
        sql::has_table,
    },
    upload::UploadSession,
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS playlist (id INTEGER PRIMARY KEY, found TEXT NOT NULL)";

impl UploadSession {
    /// Takes what was found, if it begins where what is kept ends, and answers with all that is kept. Whether whoever asks may read the file
    /// was found out before.
    pub(crate) fn keep_cuts(&self, found: &str) -> Result<Response> {
        let cost = Cost { object_requests: 1, ..Cost::NONE };
        self.take(cost, None, &mut |session, _| session.status())?;
        let (kept, rows) = metered(|| keep(&self.state.storage().sql(), found));
        self.charge(rows);
        Ok(Response::ok(kept?)?)
    }
}

/// One row, which is written anew with each that is found: it has 300 KB at most, and is paid for as one.
fn keep(sql: &SqlStorage, found: &str) -> Result<String> {
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
    let (known, cuts) = kept.split_once('\n').unwrap_or_default();
    if let Some((before, found)) = found.split_once('\n')
        && let Some((now_known, more)) = found.split_once('\n')
        && before == known
    {
        kept = [now_known, "\n", cuts, more].concat();
        exec(sql, TABLE, Vec::new())?;
        // Crash here: a table without a row is one where nothing was found.
        exec(sql, "INSERT OR REPLACE INTO playlist (id, found) VALUES (1, ?)", vec![kept.as_str().into()])?;
        // Crash here: it is kept, and whoever found it asks again.
    }
    Ok(kept)
}
