//! How an owner's ledger lies in SQLite, and what it costs.
//!
//! | table | a row per | until |
//! |---|---|---|
//! | `open_upload` | open upload, by its creation | its ending, or its latest end and an hour |
//! | `day` | day on which bytes were counted, where they are bounded | the day is over |
//! | `creation_N` | creation under an `Idempotency-Key` on day N | the table goes, when day N + 1 is over |
//! | `stored_N` | verified object of the N-th thirty days | the object is gone, or the table goes |
//!
//! Beside it, `finished` has the table of the files that are there, and `links` that of the links that take one.
//!
//! A written row costs as much as a thousand that are read ($1.00 and $0.001 a million), and so does a deleted one, and each row of an
//! index. So no table has an index beside its key: tables without a rowid are their key, and whoever asks knows it. What is
//! forgotten for its age goes with its table, which writes no row, however many it had.
//!
//! An upload with a key writes three rows: its entry, its key, and the deletion of the entry when it ends: $3.00 for a million.
//! Its creation reads at most three: the key in two tables, and the day. Beside that, each day on which an owner creates anything
//! costs a table and an alarm, three rows, and reading the open entries once, to see which are overdue; so does each waking of the
//! object, where what is open is bounded.

use serde::Deserialize;
use upload_session::retention::{self, CREATIONS, IDEMPOTENCY_MS, Memory, STORED_FILES};
use upload_types::{
    integrity::Sha256Digest,
    json,
    ledger::{Entry, EntryKind, EntryName, Idempotency, StoredObject},
    units::{ByteCount, UnixMs, UploadId},
};

use super::database::{Database, Value};
use crate::platform::error::Result;

const TABLE_OF_OPEN_UPLOADS: &str = "CREATE TABLE IF NOT EXISTS open_upload (created_at_ms INTEGER NOT NULL, \
                                     upload_id TEXT NOT NULL, kind TEXT NOT NULL, bytes INTEGER NOT NULL, \
                                     drop_at_ms INTEGER NOT NULL, PRIMARY KEY (created_at_ms, upload_id)) WITHOUT ROWID";

const TABLE_OF_DAYS: &str = "CREATE TABLE IF NOT EXISTS day (day INTEGER PRIMARY KEY, bytes INTEGER NOT NULL)";

/// The tables of a memory: one for each of its periods.
struct Periodic {
    memory: Memory,
    prefix: &'static str,
    columns: &'static str,
}

const OF_CREATIONS: Periodic = Periodic {
    memory: CREATIONS,
    prefix: "creation_",
    columns: "key TEXT PRIMARY KEY, request TEXT NOT NULL, created_at_ms INTEGER NOT NULL, upload_id TEXT NOT NULL",
};

const OF_STORED_FILES: Periodic = Periodic {
    memory: STORED_FILES,
    prefix: "stored_",
    columns: "sha256 TEXT PRIMARY KEY, upload_id TEXT NOT NULL, facts TEXT NOT NULL",
};

/// The names of the tables that there are: some ten.
pub(crate) struct Tables(Vec<String>);

impl Tables {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|table| table == name)
    }
}

/// A number that a query counts or finds.
#[derive(Deserialize)]
struct NumberRow {
    number: u64,
}

#[derive(Deserialize)]
struct NameRow {
    name: String,
}

#[derive(Deserialize)]
struct FactsRow {
    facts: String,
}

/// What an entry counts.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Counted {
    /// What it is.
    pub(crate) kind: EntryKind,
    /// What it is charged with.
    pub(crate) bytes: ByteCount,
}

/// What all entries of one kind count together.
#[derive(Deserialize)]
pub(crate) struct Total {
    /// What they are.
    pub(crate) kind: EntryKind,
    /// How many there are.
    pub(crate) entries: u64,
    /// What they are charged with. Each is below 2^53, so the sum of a few thousand fits.
    pub(crate) bytes: u64,
}

#[derive(Deserialize)]
struct CreationRow {
    request: String,
    created_at_ms: u64,
    upload_id: UploadId,
}

/// What was created under a key.
pub(crate) struct Remembered {
    /// The SHA-256 of what was asked.
    pub(crate) request: Sha256Digest,
    /// The entry of its upload, if it still has one.
    pub(crate) name: EntryName,
}

impl Periodic {
    /// Its tables that still count, newest first.
    fn kept(&self, tables: &Tables, now: UnixMs) -> Vec<String> {
        let periods = self.periods(tables).filter(|period| self.memory.is_kept(*period, now));
        let mut periods: Vec<u64> = periods.collect();
        // There are some 60 at most.
        let newest = |periods: &mut Vec<u64>| {
            let at = (0..periods.len()).max_by_key(|at| periods[*at])?;
            Some(periods.swap_remove(at))
        };
        std::iter::from_fn(|| newest(&mut periods)).map(|period| self.name(period)).collect()
    }

    fn periods<'a>(&'a self, tables: &'a Tables) -> impl Iterator<Item = u64> + 'a {
        tables.0.iter().filter_map(|table| table.strip_prefix(self.prefix)?.parse().ok())
    }

    fn name(&self, period: u64) -> String {
        format!("{}{period}", self.prefix)
    }

    fn current(&self, now: UnixMs) -> String {
        self.name(self.memory.period(now))
    }

    fn create_current(&self, database: &impl Database, now: UnixMs) -> Result<()> {
        let (name, columns) = (self.current(now), self.columns);
        database.run(&format!("CREATE TABLE IF NOT EXISTS {name} ({columns}) WITHOUT ROWID"), Vec::new())
    }

    fn drop_forgotten(&self, database: &impl Database, tables: &Tables, now: UnixMs) -> Result<()> {
        let forgotten = self.periods(tables).filter(|period| !self.memory.is_kept(*period, now));
        // No row is written for this, however many there were.
        forgotten
            .into_iter()
            .try_for_each(|period| database.run(&format!("DROP TABLE {}", self.name(period)), Vec::new()))
    }
}

/// Which tables there are. Reads only, so that asking does not create an object.
pub(crate) fn tables(database: &impl Database) -> Result<Tables> {
    let found: Vec<NameRow> = database.rows("SELECT name FROM sqlite_master WHERE type = 'table'", Vec::new())?;
    Ok(Tables(found.into_iter().map(|row| row.name).collect()))
}

/// Whether an entry was ever made here.
pub(crate) fn has_entries(tables: &Tables) -> bool {
    tables.contains("open_upload")
}

/// Whether bytes are counted by the day.
pub(crate) fn counts_days(tables: &Tables) -> bool {
    tables.contains("day")
}

/// Whether today has its table of creations.
pub(crate) fn has_today(tables: &Tables, now: UnixMs) -> bool {
    tables.contains(&OF_CREATIONS.current(now))
}

/// Creates the tables that today's first creation needs.
pub(crate) fn create_today(database: &impl Database, now: UnixMs) -> Result<()> {
    database.run(TABLE_OF_OPEN_UPLOADS, Vec::new())?;
    OF_CREATIONS.create_current(database, now)
}

/// What is open, in all. Reads every entry.
pub(crate) fn totals(database: &impl Database) -> Result<Vec<Total>> {
    let query = "SELECT kind, count(*) AS entries, sum(bytes) AS bytes FROM open_upload GROUP BY kind";
    database.rows(query, Vec::new())
}

/// How many bytes were counted today.
pub(crate) fn bytes_today(database: &impl Database, now: UnixMs) -> Result<u64> {
    let query = "SELECT bytes AS number FROM day WHERE day = ?";
    let found: Vec<NumberRow> = database.rows(query, vec![retention::day(now).into()])?;
    Ok(found.first().map_or(0, |row| row.number))
}

/// Counts bytes more today; creates the table where it is not there.
pub(crate) fn count_today(database: &impl Database, tables: &Tables, bytes: ByteCount, now: UnixMs) -> Result<()> {
    if !counts_days(tables) {
        database.run(TABLE_OF_DAYS, Vec::new())?;
    }
    let add =
        "INSERT INTO day (day, bytes) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes";
    database.run(add, vec![retention::day(now).into(), bytes.into()])
}

/// Counts so many more or fewer today, where anything was.
pub(crate) fn correct_today(database: &impl Database, difference: i64, now: UnixMs) -> Result<()> {
    let correct = "UPDATE day SET bytes = max(0, bytes + ?) WHERE day = ?";
    database.run(correct, vec![Value::Number(difference), retention::day(now).into()])
}

/// What an entry counts; `None` where it is not there.
pub(crate) fn counted(database: &impl Database, name: EntryName) -> Result<Option<Counted>> {
    let query = "SELECT kind, bytes FROM open_upload WHERE created_at_ms = ? AND upload_id = ?";
    Ok(database.rows(query, key_of(name))?.into_iter().next())
}

/// Makes an entry.
pub(crate) fn insert(database: &impl Database, entry: &Entry) -> Result<()> {
    let kind = match entry.kind {
        EntryKind::File => "file",
        EntryKind::Partial => "partial",
    };
    let insert = "INSERT INTO open_upload (created_at_ms, upload_id, kind, bytes, drop_at_ms) VALUES (?, ?, ?, ?, ?)";
    let rest = [kind.to_owned().into(), entry.bytes.into(), entry.drop_at.into()];
    database.run(insert, key_of(entry.name).into_iter().chain(rest).collect())
}

/// Keeps an entry until then.
pub(crate) fn keep(database: &impl Database, name: EntryName, drop_at: UnixMs) -> Result<()> {
    let update = "UPDATE open_upload SET drop_at_ms = ? WHERE created_at_ms = ? AND upload_id = ?";
    database.run(update, [drop_at.into()].into_iter().chain(key_of(name)).collect())
}

/// Charges an entry with so many bytes.
pub(crate) fn charge(database: &impl Database, name: EntryName, bytes: ByteCount) -> Result<()> {
    let update = "UPDATE open_upload SET bytes = ? WHERE created_at_ms = ? AND upload_id = ?";
    database.run(update, [bytes.into()].into_iter().chain(key_of(name)).collect())
}

/// Takes an entry out; what it counted, where it was there.
pub(crate) fn take_out(database: &impl Database, name: EntryName) -> Result<Option<Counted>> {
    let delete = "DELETE FROM open_upload WHERE created_at_ms = ? AND upload_id = ? RETURNING kind, bytes";
    Ok(database.rows(delete, key_of(name))?.into_iter().next())
}

/// Remembers what was created under a key.
pub(crate) fn remember_creation(
    database: &impl Database,
    idempotency: &Idempotency,
    name: EntryName,
    now: UnixMs,
) -> Result<()> {
    let table = OF_CREATIONS.current(now);
    let insert = format!("INSERT OR REPLACE INTO {table} (key, request, created_at_ms, upload_id) VALUES (?, ?, ?, ?)");
    let key = [idempotency.key.clone().into(), idempotency.request.to_string().into()];
    database.run(&insert, key.into_iter().chain(key_of(name)).collect())
}

/// What was created under this key, less than a day ago.
pub(crate) fn remembered(
    database: &impl Database,
    tables: &Tables,
    key: &str,
    now: UnixMs,
) -> Result<Option<Remembered>> {
    let since = UnixMs(now.0.saturating_sub(IDEMPOTENCY_MS));
    for table in OF_CREATIONS.kept(tables, now) {
        let query =
            format!("SELECT request, created_at_ms, upload_id FROM {table} WHERE key = ? AND created_at_ms > ?");
        let found: Vec<CreationRow> = database.rows(&query, vec![key.to_owned().into(), since.into()])?;
        if let Some(CreationRow { request, created_at_ms, upload_id }) = found.into_iter().next() {
            let name = EntryName { created_at: UnixMs(created_at_ms), upload_id };
            return Ok(Some(Remembered { request: request.try_into()?, name }));
        }
    }
    Ok(None)
}

/// Whether the current period has its table of stored objects.
pub(crate) fn has_this_months_objects(tables: &Tables, now: UnixMs) -> bool {
    tables.contains(&OF_STORED_FILES.current(now))
}

/// Creates it.
pub(crate) fn create_this_months_objects(database: &impl Database, now: UnixMs) -> Result<()> {
    OF_STORED_FILES.create_current(database, now)
}

/// Remembers a stored object.
pub(crate) fn remember_object(database: &impl Database, object: &StoredObject, now: UnixMs) -> Result<()> {
    let table = OF_STORED_FILES.current(now);
    let facts = serde_json::to_string(object)?;
    let insert = format!("INSERT OR REPLACE INTO {table} (sha256, upload_id, facts) VALUES (?, ?, ?)");
    database.run(&insert, vec![object.sha256.to_string().into(), object.upload_id.to_string().into(), facts.into()])
}

/// Forgets an object by its SHA-256; where an upload is named, only if it was that one's.
pub(crate) fn forget_object(
    database: &impl Database,
    tables: &Tables,
    sha256: Sha256Digest,
    upload: Option<UploadId>,
    now: UnixMs,
) -> Result<()> {
    let only = if upload.is_some() { " AND upload_id = ?" } else { "" };
    for table in OF_STORED_FILES.kept(tables, now) {
        let delete = format!("DELETE FROM {table} WHERE sha256 = ?{only}");
        let upload = upload.map(|upload| upload.to_string().into());
        database.run(&delete, [sha256.to_string().into()].into_iter().chain(upload).collect())?;
    }
    Ok(())
}

/// The object with this SHA-256, and whether it is remembered in the current period already.
pub(crate) fn find_object(
    database: &impl Database,
    tables: &Tables,
    sha256: Sha256Digest,
    now: UnixMs,
) -> Result<Option<(StoredObject, bool)>> {
    for table in OF_STORED_FILES.kept(tables, now) {
        let query = format!("SELECT facts FROM {table} WHERE sha256 = ?");
        let found: Vec<FactsRow> = database.rows(&query, vec![sha256.to_string().into()])?;
        if let Some(row) = found.first() {
            return Ok(Some((json::from_str(&row.facts)?, table == OF_STORED_FILES.current(now))));
        }
    }
    Ok(None)
}

/// Takes out the entries that are overdue. Reads every entry.
pub(crate) fn drop_overdue(database: &impl Database, now: UnixMs) -> Result<()> {
    database.run("DELETE FROM open_upload WHERE drop_at_ms <= ?", vec![now.into()])
}

/// Takes out everything whose time is over.
pub(crate) fn sweep(database: &impl Database, tables: &Tables, now: UnixMs) -> Result<()> {
    OF_CREATIONS.drop_forgotten(database, tables, now)?;
    OF_STORED_FILES.drop_forgotten(database, tables, now)?;
    if counts_days(tables) {
        database.run("DELETE FROM day WHERE day < ?", vec![retention::day(now).into()])?;
    }
    if has_entries(tables) { drop_overdue(database, now) } else { Ok(()) }
}

/// When the first of what is left may go. Reads every entry.
pub(crate) fn next_due(database: &impl Database, tables: &Tables) -> Result<Option<UnixMs>> {
    let of = |periodic: &Periodic| periodic.periods(tables).map(|period| periodic.memory.over_at(period)).min();
    let mut due = [of(&OF_CREATIONS), of(&OF_STORED_FILES), None];
    if has_entries(tables) {
        let query = "SELECT drop_at_ms AS number FROM open_upload ORDER BY drop_at_ms LIMIT 1";
        let found: Vec<NumberRow> = database.rows(query, Vec::new())?;
        due[2] = found.first().map(|row| UnixMs(row.number));
    }
    Ok(due.into_iter().flatten().min())
}

/// What a row of an upload is found by.
pub(super) fn key_of(name: EntryName) -> Vec<Value> {
    vec![name.created_at.into(), name.upload_id.to_string().into()]
}
