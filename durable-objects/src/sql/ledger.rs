//! How an owner's ledger lies in SQLite.
//!
//! | table | a row per | until |
//! |---|---|---|
//! | `open_upload` | open upload | its ending, or its expiry and an hour |
//! | `day` | day on which something was opened | the day is over |
//! | `fingerprint` | verified object | the object is gone |
//! | `idempotency` | creation under an `Idempotency-Key` | a day later |

use crate::fault::Result;
use serde::Deserialize;
use upload_core::{
    integrity::Sha256Digest,
    ledger::{ENTRY_GRACE_MS, Fingerprint, IDEMPOTENCY_MS, Idempotency, OpenUpload, Quota, Usage},
    units::{UnixMs, UploadId},
};
use worker::{SqlStorageValue, Storage};

use super::{NumberRow, fact, has_table, integer, json, rows};
use crate::transaction::transaction;

const MS_PER_DAY: u64 = 86_400_000;

const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS open_upload (upload_id TEXT PRIMARY KEY, bytes INTEGER NOT NULL, \
     drop_at_ms INTEGER NOT NULL, facts TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS day (day INTEGER PRIMARY KEY, bytes INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS fingerprint (sha256 TEXT PRIMARY KEY, upload_id TEXT NOT NULL, facts TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, request TEXT NOT NULL, upload_id TEXT NOT NULL, \
     drop_at_ms INTEGER NOT NULL)",
];

#[derive(Deserialize)]
struct IdempotencyRow {
    request: String,
    upload_id: UploadId,
}

/// What was created under a key.
pub(crate) struct Remembered {
    /// The SHA-256 of what was asked.
    pub(crate) request: Sha256Digest,
    /// The upload.
    pub(crate) upload_id: UploadId,
}

/// Whether anything was ever written here.
pub(crate) fn exists(storage: &Storage) -> Result<bool> {
    has_table(&storage.sql(), "open_upload")
}

/// Creates the tables that are not there: all, or none.
pub(crate) fn prepare(storage: &Storage) -> Result<()> {
    let sql = storage.sql();
    transaction(storage, || Ok(TABLES.iter().try_for_each(|table| sql.exec(table, None).map(drop))?))
}

/// What the owner uses of what is bounded. The rest is zero: counting reads a row for each open upload.
pub(crate) fn usage(storage: &Storage, quota: Quota, now: UnixMs) -> Result<Usage> {
    let sql = storage.sql();
    let number = |bound: Option<u64>, query: &str, values| -> Result<u64> {
        if bound.is_none() {
            return Ok(0);
        }
        let found: Vec<NumberRow> = rows(&sql, query, values)?;
        // Sums of byte counts, each below 2^53; a sum above it is refused by any quota.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(found.first().map_or(0, |row| row.number as u64))
    };
    Ok(Usage {
        open_uploads: number(quota.open_uploads, "SELECT count(*) AS number FROM open_upload", vec![])?,
        open_bytes: number(quota.open_bytes, "SELECT coalesce(sum(bytes), 0) AS number FROM open_upload", vec![])?,
        bytes_today: number(
            quota.bytes_per_day,
            "SELECT coalesce(sum(bytes), 0) AS number FROM day WHERE day = ?",
            vec![day(now)],
        )?,
    })
}

/// Makes an entry, with everything `arm` does, in one transaction; it is told when the first of what is new is over.
pub(crate) fn open(
    storage: &Storage,
    upload: &OpenUpload,
    idempotency: Option<&Idempotency>,
    now: UnixMs,
    arm: impl Fn(UnixMs) -> Result<()>,
) -> Result<()> {
    let sql = storage.sql();
    let drop_at = upload.expires_at.plus_ms(ENTRY_GRACE_MS);
    let forgotten_at = idempotency.map(|_| now.plus_ms(IDEMPOTENCY_MS));
    transaction(storage, || {
        // Said twice, it counts once.
        let id = vec![upload.upload_id.to_string().into()];
        let known: Vec<NumberRow> = rows(&sql, "SELECT 1 AS number FROM open_upload WHERE upload_id = ?", id)?;
        if !known.is_empty() {
            return Ok(());
        }
        let values =
            vec![upload.upload_id.to_string().into(), integer(upload.file_size)?, instant(drop_at), json(upload)?];
        let insert = "INSERT INTO open_upload (upload_id, bytes, drop_at_ms, facts) VALUES (?, ?, ?, ?)";
        sql.exec(insert, values)?;
        let add =
            "INSERT INTO day (day, bytes) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes";
        sql.exec(add, vec![day(now), integer(upload.file_size)?])?;
        if let Some((idempotency, forgotten_at)) = idempotency.zip(forgotten_at) {
            let values = vec![
                idempotency.key.clone().into(),
                idempotency.request.to_string().into(),
                upload.upload_id.to_string().into(),
                instant(forgotten_at),
            ];
            let insert = "INSERT OR REPLACE INTO idempotency (key, request, upload_id, drop_at_ms) VALUES (?, ?, ?, ?)";
            sql.exec(insert, values)?;
        }
        arm(forgotten_at.map_or(drop_at, |at| at.min(drop_at)))
    })
}

/// Takes an entry out, and remembers the object that it left, or forgets the one that is gone.
pub(crate) fn settle(storage: &Storage, upload_id: UploadId, object: Option<&Fingerprint>) -> Result<()> {
    let sql = storage.sql();
    transaction(storage, || {
        let id: SqlStorageValue = upload_id.to_string().into();
        sql.exec("DELETE FROM open_upload WHERE upload_id = ?", vec![id.clone()])?;
        match object {
            Some(object) => {
                let values = vec![object.sha256.to_string().into(), id, json(object)?];
                sql.exec("INSERT OR REPLACE INTO fingerprint (sha256, upload_id, facts) VALUES (?, ?, ?)", values)?;
            }
            None => drop(sql.exec("DELETE FROM fingerprint WHERE upload_id = ?", vec![id])?),
        }
        Ok(())
    })
}

/// Forgets an object by its SHA-256.
pub(crate) fn forget(storage: &Storage, sha256: Sha256Digest) -> Result<()> {
    storage.sql().exec("DELETE FROM fingerprint WHERE sha256 = ?", vec![sha256.to_string().into()])?;
    Ok(())
}

/// The object with this SHA-256.
pub(crate) fn find(storage: &Storage, sha256: Sha256Digest) -> Result<Option<Fingerprint>> {
    fact(&storage.sql(), "SELECT facts FROM fingerprint WHERE sha256 = ?", vec![sha256.to_string().into()])
}

/// What was created under this key, less than a day ago.
pub(crate) fn remembered(storage: &Storage, key: &str, now: UnixMs) -> Result<Option<Remembered>> {
    let query = "SELECT request, upload_id FROM idempotency WHERE key = ? AND drop_at_ms > ?";
    let found: Vec<IdempotencyRow> = rows(&storage.sql(), query, vec![key.into(), instant(now)])?;
    let row = found.into_iter().next();
    row.map(|row| Ok(Remembered { request: row.request.try_into()?, upload_id: row.upload_id })).transpose()
}

/// The open uploads, newest first. An entry whose upload's time is over is not one of them, though it may still be here: its
/// upload was never made, or has not told yet how it ended.
pub(crate) fn list(storage: &Storage, now: UnixMs) -> Result<Vec<OpenUpload>> {
    let query = "SELECT facts FROM open_upload WHERE drop_at_ms > ? ORDER BY drop_at_ms DESC LIMIT 1000";
    let found: Vec<super::FactsRow> = rows(&storage.sql(), query, vec![instant(now.plus_ms(ENTRY_GRACE_MS))])?;
    found.iter().map(|row| Ok(serde_json::from_str(&row.facts)?)).collect()
}

/// Takes out everything whose time is over, and says when the next one's is.
pub(crate) fn sweep(storage: &Storage, now: UnixMs) -> Result<Option<UnixMs>> {
    let sql = storage.sql();
    transaction(storage, || {
        sql.exec("DELETE FROM open_upload WHERE drop_at_ms <= ?", vec![instant(now)])?;
        sql.exec("DELETE FROM idempotency WHERE drop_at_ms <= ?", vec![instant(now)])?;
        sql.exec("DELETE FROM day WHERE day < ?", vec![day(now)])?;
        Ok(())
    })?;
    next_sweep(storage)
}

/// When something's time is over.
pub(crate) fn next_sweep(storage: &Storage) -> Result<Option<UnixMs>> {
    let query = "SELECT min(at) AS number FROM (SELECT min(drop_at_ms) AS at FROM open_upload UNION ALL \
                 SELECT min(drop_at_ms) FROM idempotency) WHERE at IS NOT NULL HAVING min(at) IS NOT NULL";
    let found: Vec<NumberRow> = rows(&storage.sql(), query, vec![])?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // milliseconds since 1970
    Ok(found.first().map(|row| UnixMs(row.number as u64)))
}

fn instant(at: UnixMs) -> SqlStorageValue {
    #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are far below 2^53
    SqlStorageValue::Float(at.0 as f64)
}

fn day(now: UnixMs) -> SqlStorageValue {
    instant(UnixMs(now.0 / MS_PER_DAY))
}
