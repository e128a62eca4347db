//! The record, and the only SQL.
//!
//! Promises: a write is on disk when its call returns (WAL with `synchronous=FULL`); every call is one transaction;
//! calls follow one another, on threads that may block. What a method does is all it does, so the order of writes
//! stands in `webhook` and `intake`, where it can be read.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tokio::task::spawn_blocking;

use crate::clock;
use crate::event::{Described, Event, News, UploadId};
use crate::record::{EventRecord, State, UploadRecord};

/// Digests are in lowercase hex; times are RFC 3339 in UTC. An upload's digests and type are what this origin measured,
/// and absent until it is stored.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        event_id    TEXT PRIMARY KEY,
        type        TEXT NOT NULL,
        upload_id   TEXT,
        received_at TEXT NOT NULL,
        deliveries  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS uploads (
        upload_id       TEXT PRIMARY KEY,
        event_id        TEXT NOT NULL REFERENCES events (event_id),
        owner           TEXT NOT NULL,
        file_name       TEXT NOT NULL,
        file_size_bytes INTEGER NOT NULL,
        content_type    TEXT,
        etag            TEXT NOT NULL,
        state           TEXT NOT NULL CHECK (state IN ('pending', 'stored', 'rejected', 'deleted')),
        reason          TEXT,
        sniffed_type    TEXT,
        sha256          TEXT,
        crc64nvme       TEXT,
        stored_at       TEXT
    ) STRICT;
";

/// The longest list that is given out: the newest so many.
const LISTED_ROWS_MAX: u32 = 1000;

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        [Self::Pending, Self::Stored, Self::Rejected, Self::Deleted]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// What this origin measured of an object.
pub(crate) struct Measured {
    pub(crate) sha256: String,
    pub(crate) crc64nvme: String,
    pub(crate) sniffed_type: Option<&'static str>,
}

/// The database. Clones share it.
#[derive(Clone)]
pub(crate) struct Store(Arc<Mutex<Connection>>);

impl Store {
    /// Opens the database, or makes it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.execute_batch(SCHEMA)?;
            Ok::<_, rusqlite::Error>(Self(Arc::new(Mutex::new(connection))))
        };
        open().with_context(|| format!("cannot open {}", path.display()))
    }

    /// Counts one delivery of an event; returns how many there have been. The first one makes the event's row and, when
    /// an upload has completed, the upload's, `pending`. Another event of its completion changes nothing in the
    /// upload's row; that of its deletion makes it `deleted`, whatever it was, and makes the row where there is none: a late
    /// copy of the completion finds it.
    pub(crate) async fn record_delivery(&self, event: &Event) -> anyhow::Result<u64> {
        let (id, kind) = (event.id.clone(), event.kind.clone());
        let (upload_id, upload) = match &event.news {
            News::Completed(upload) => {
                let described = upload.described.clone();
                (Some(described.id.to_string()), Some((described, State::Pending)))
            }
            News::Deleted(described) => {
                (Some(described.id.to_string()), Some((described.as_ref().clone(), State::Deleted)))
            }
            News::Progressed(upload) => (Some(upload.id.to_string()), None),
            News::Other { upload_id } => (upload_id.clone(), None),
        };
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let deliveries = transaction.query_row(
                "INSERT INTO events (event_id, type, upload_id, received_at, deliveries) VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT (event_id) DO UPDATE SET deliveries = deliveries + 1 RETURNING deliveries",
                params![id, kind, upload_id, clock::now()],
                |row| row.get(0),
            )?;
            if let Some((described, state)) = upload {
                record(&transaction, &id, &described, state)?;
            }
            transaction.commit()?;
            Ok(deliveries)
        })
        .await
    }

    /// What became of a recorded upload.
    pub(crate) async fn state(&self, id: UploadId) -> anyhow::Result<State> {
        self.run(move |connection| {
            connection.query_row("SELECT state FROM uploads WHERE upload_id = ?1", [id.to_string()], |row| row.get(0))
        })
        .await
    }

    /// From `pending` to `stored`: the object is published. `false` where it was deleted meanwhile.
    pub(crate) async fn record_stored(&self, id: UploadId, measured: Measured) -> anyhow::Result<bool> {
        let changed = self.run(move |connection| {
            connection.execute(
                "UPDATE uploads SET state = 'stored', sha256 = ?2, crc64nvme = ?3, sniffed_type = ?4, stored_at = ?5
                 WHERE upload_id = ?1 AND state = 'pending'",
                params![id.to_string(), measured.sha256, measured.crc64nvme, measured.sniffed_type, clock::now()],
            )
        });
        Ok(changed.await? > 0)
    }

    /// From `pending` to `rejected`, for good.
    pub(crate) async fn record_rejected(&self, id: UploadId, reason: String) -> anyhow::Result<()> {
        self.run(move |connection| {
            connection.execute(
                "UPDATE uploads SET state = 'rejected', reason = ?2 WHERE upload_id = ?1 AND state = 'pending'",
                params![id.to_string(), reason],
            )
        })
        .await?;
        Ok(())
    }

    /// The newest uploads, newest first.
    pub(crate) async fn uploads(&self) -> anyhow::Result<Vec<UploadRecord>> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!("{SELECT_UPLOADS} ORDER BY uploads.rowid DESC LIMIT {LISTED_ROWS_MAX}"))?
                .query_map([], upload_record)?
                .collect()
        })
        .await
    }

    /// One upload.
    pub(crate) async fn upload(&self, id: UploadId) -> anyhow::Result<Option<UploadRecord>> {
        self.run(move |connection| {
            connection
                .query_row(&format!("{SELECT_UPLOADS} WHERE uploads.upload_id = ?1"), [id.to_string()], upload_record)
                .optional()
        })
        .await
    }

    /// The newest events of every type, newest first.
    pub(crate) async fn events(&self) -> anyhow::Result<Vec<EventRecord>> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!("SELECT * FROM events ORDER BY rowid DESC LIMIT {LISTED_ROWS_MAX}"))?
                .query_map([], event_record)?
                .collect()
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let connection = Arc::clone(&self.0);
        spawn_blocking(move || {
            // A panic in the middle has rolled its transaction back; the connection is as good as before.
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await?
        .context("database")
    }
}

/// An upload's row: made, or only brought to `deleted`.
fn record(transaction: &Transaction<'_>, event_id: &str, upload: &Described, state: State) -> rusqlite::Result<()> {
    let id = upload.id.to_string();
    transaction.execute(
        "INSERT INTO uploads
             (upload_id, event_id, owner, file_name, file_size_bytes, content_type, etag, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (upload_id) DO NOTHING",
        params![
            id,
            event_id,
            upload.owner,
            upload.file_name,
            upload.size_bytes,
            upload.content_type,
            upload.etag,
            state.name()
        ],
    )?;
    if state == State::Deleted {
        transaction.execute("UPDATE uploads SET state = 'deleted' WHERE upload_id = ?1", [id])?;
    }
    Ok(())
}

const SELECT_UPLOADS: &str =
    "SELECT uploads.*, events.deliveries, events.received_at FROM uploads JOIN events USING (event_id)";

fn upload_record(row: &Row<'_>) -> rusqlite::Result<UploadRecord> {
    Ok(UploadRecord {
        upload_id: row.get("upload_id")?,
        event_id: row.get("event_id")?,
        owner: row.get("owner")?,
        file_name: row.get("file_name")?,
        file_size: row.get("file_size_bytes")?,
        content_type: row.get("content_type")?,
        sniffed_type: row.get("sniffed_type")?,
        sha256: row.get("sha256")?,
        crc64nvme: row.get("crc64nvme")?,
        etag: row.get("etag")?,
        state: row.get("state")?,
        reason: row.get("reason")?,
        deliveries: row.get("deliveries")?,
        received_at: row.get("received_at")?,
        stored_at: row.get("stored_at")?,
    })
}

fn event_record(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        event_id: row.get("event_id")?,
        r#type: row.get("type")?,
        upload_id: row.get("upload_id")?,
        received_at: row.get("received_at")?,
        deliveries: row.get("deliveries")?,
    })
}
