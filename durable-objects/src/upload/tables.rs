//! How a session lies in SQLite, and how it is read back.
//!
//! | table | rows | written |
//! |---|---|---|
//! | `upload` | one | when the upload is created, when an attempt begins, when its phase changes, and when the telling goes on |
//! | `part` | one per counted part, unless the file was put in one go | when the part is counted |
//! | `segment` | one per accepted run of bytes behind the last part | when it is counted; gone with the part it ends up in |
//! | `parallel_chunk` | one per chunk of a parallel upload that was begun | when it is begun, and when a writer of it has ended |
//! | `playlist` (`playlist/tables.rs` beside this) | one | when somebody who asked for a playlist has found some |
//!
//! What is in `upload` [`facts`] says. `part` is only there where the file is several, `parallel_chunk` where the upload is parallel, both where it is
//! repaired, and `segment` from the first segment on, since a new table is charged for as two rows.
//! A chunk of one part costs two rows: `upload` (or `parallel_chunk`) at its begin, `part` at its commit. No table has an index beside its
//! key, since each would be one more row to pay per write. The history of what has happened is written with what is written anyway.
//!
//! An addition that an older build overlooks and overwrites without harm leaves the number of the schema as it is, so that two
//! builds can run at the same time while one takes the other's place; anything else counts it up. Facts that are only ever
//! read together are one JSON text; what it looks like is pinned by a test in `upload-session`, since objects written by older
//! builds are read by newer ones.

use crate::platform::error::{Error, Result};
use futures_util::{Stream, stream};
use serde::de::DeserializeOwned;
use upload_session::{
    alarm::CountedPart,
    session::{
        CountedRows, GrowingParts, RemainderSource, Segment, SegmentPlace, Session, StateChange, StoredPart, Uncount,
        UploadSpec,
    },
};
use upload_types::json::from_str;
use upload_types::{
    history::History,
    integrity::{ChunkDigest, Crc64Nvme},
    plan::Mode,
    repair::KeptPart,
    units::{ByteCount, UnixMs},
};
use worker::{SqlStorage, SqlStorageValue, Storage};

use crate::platform::{
    metering::{count, exec},
    transaction::transaction,
};
use crate::{
    platform::sql::{byte_count, has_table, instant, integer, json, milliseconds, rows},
    upload::{
        facts::{self, Facts},
        rows::{CountedRow, EndRow, ParallelChunkRow, PartRow, SegmentRow, segment, stored_part},
    },
};

const TABLE_OF_PARTS: &str = "CREATE TABLE IF NOT EXISTS part (number INTEGER PRIMARY KEY, end_bytes INTEGER NOT NULL, \
                              stored_at INTEGER NOT NULL, etag TEXT NOT NULL, crc64nvme TEXT NOT NULL, sha256_so_far TEXT, digest TEXT)";

const TABLE_OF_SEGMENTS: &str = "CREATE TABLE IF NOT EXISTS segment (start_bytes INTEGER PRIMARY KEY, \
                                 end_bytes INTEGER NOT NULL, stored_at INTEGER NOT NULL, attempt INTEGER NOT NULL, \
                                 content BLOB, sha256_so_far TEXT)";

const TABLE_OF_PARALLEL_CHUNKS: &str =
    "CREATE TABLE IF NOT EXISTS parallel_chunk (chunk INTEGER PRIMARY KEY, facts TEXT NOT NULL)";

/// What lies in an upload's object.
pub(crate) struct Stored {
    /// The session.
    pub(crate) session: Session,
    /// What has happened to it.
    pub(crate) history: History,
}

/// Reads a session back; `None` where no upload was ever created here, or where it has been forgotten. Writes nothing, so
/// that asking for an unknown id does not create an object.
pub(crate) fn load(storage: &Storage, now: UnixMs) -> Result<Option<Stored>> {
    let Some(Facts { spec, state, outbox, history, only_part }) = facts::load(storage)? else { return Ok(None) };
    let sql = storage.sql();
    let counted = match state.mode(&spec) {
        Mode::Sequential => load_sequence(&sql, only_part)?,
        Mode::Parallel | Mode::Direct => load_parallel_chunks(&sql)?,
    };
    Ok(Some(Stored { session: Session::restore(now, spec, state, outbox, counted), history }))
}

/// Two rows, however many there are.
fn load_sequence(sql: &SqlStorage, only_part: Option<StoredPart>) -> Result<CountedRows> {
    let last_part = match only_part {
        None => part_rows::<PartRow>(sql, "SELECT * FROM part ORDER BY number DESC LIMIT 1", vec![])?
            .into_iter()
            .next()
            .map(stored_part)
            .transpose()?,
        only_part => only_part,
    };
    let segments: Vec<SegmentRow> = if has_table(sql, "segment")? {
        rows(sql, &format!("{SEGMENTS} ORDER BY start_bytes DESC LIMIT 1"), vec![])?
    } else {
        Vec::new()
    };
    Ok(CountedRows::Sequence { last_part, last_segment: segments.first().map(segment).transpose()? })
}

/// All begun chunks, once per waking of the object: at most 10,000 of them.
fn load_parallel_chunks(sql: &SqlStorage) -> Result<CountedRows> {
    let parallel_chunks: Vec<ParallelChunkRow> = rows(sql, "SELECT chunk, facts FROM parallel_chunk", vec![])?;
    let counted: Vec<CountedRow> = part_rows(sql, "SELECT number, stored_at FROM part", vec![])?;
    let begun = parallel_chunks.into_iter().map(|row| Ok((row.chunk, from_str(&row.facts)?)));
    let counted = counted.into_iter().map(|row| (row.number, instant(row.stored_at))).collect();
    Ok(CountedRows::Parallel { begun: begun.collect::<Result<_>>()?, counted })
}

/// What is asked of the table of parts: nothing, where none was ever counted there.
fn part_rows<T: DeserializeOwned>(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<Vec<T>> {
    if has_table(sql, "part")? { rows(sql, query, values) } else { Ok(Vec::new()) }
}

/// All counted parts, in the order of their numbers, which is that of their bytes.
fn all_parts(storage: &Storage) -> Result<Vec<StoredPart>> {
    let sql = storage.sql();
    if let Some(only) = facts::only_part(&sql)? {
        return Ok(vec![only]);
    }
    part_rows(&sql, "SELECT * FROM part ORDER BY number", vec![])?.into_iter().map(stored_part).collect()
}

/// Stores a new upload, with everything `arm` does, in one transaction.
pub(crate) fn create(
    storage: &Storage,
    session: &Session,
    history: &History,
    arm: impl Fn() -> Result<()>,
) -> Result<()> {
    let sql = storage.sql();
    transaction(storage, || {
        facts::insert(&sql, session, history)?;
        // A file of one part is put in one go. Should it be repaired, the table comes with the first part.
        if session.spec().needs_multipart() || session.plan().part_count() > 1 {
            exec(&sql, TABLE_OF_PARTS, Vec::new())?;
        }
        if session.plan().mode != Mode::Sequential {
            exec(&sql, TABLE_OF_PARALLEL_CHUNKS, Vec::new())?;
        }
        arm()
    })
}

/// Stores a change of `before`, with everything `arm` does, in one transaction. `content` holds the bytes of a new segment in a
/// row.
pub(crate) fn store(
    storage: &Storage,
    before: &Session,
    change: &StateChange,
    history: &History,
    content: Option<&[u8]>,
    arm: impl Fn() -> Result<()>,
) -> Result<()> {
    let sql = storage.sql();
    transaction(storage, || {
        facts::update(&sql, before, change, history)?;
        uncount(&sql, before, &change.uncount)?;
        if change.only_part().is_none() {
            insert_parts(&sql, &change.parts)?;
        }
        if let Some(last) = change.parts.last()
            && before.has_tail()
        {
            // The parts have taken the tail in.
            exec(&sql, "DELETE FROM segment WHERE start_bytes < ?", vec![integer(last.end)?])?;
        }
        if let Some(segment) = &change.segment {
            insert_segment(&sql, segment, content)?;
        }
        for (chunk, state) in &change.parallel_chunks {
            let values = vec![i64::from(*chunk).into(), json(state)?];
            exec(&sql, "INSERT OR REPLACE INTO parallel_chunk (chunk, facts) VALUES (?, ?)", values)?;
        }
        arm()
    })
}

fn uncount(sql: &SqlStorage, before: &Session, uncount: &Uncount) -> Result<()> {
    if !matches!(uncount, Uncount::Nothing) {
        // Whoever sends them again may send others: where they can be cut is found anew.
        exec(sql, "DROP TABLE IF EXISTS playlist", Vec::new())?;
    }
    let forget_parts = || if has_table(sql, "part")? { exec(sql, "DELETE FROM part", Vec::new()) } else { Ok(()) };
    match uncount {
        Uncount::Nothing => {}
        Uncount::All => forget_parts()?,
        Uncount::Anew => {
            forget_parts()?;
            if has_table(sql, "segment")? {
                exec(sql, "DELETE FROM segment", Vec::new())?;
            }
            exec(sql, TABLE_OF_PARALLEL_CHUNKS, Vec::new())?;
            exec(sql, "DELETE FROM parallel_chunk", Vec::new())?;
        }
        Uncount::Chunks(chunks) => {
            for chunk in chunks {
                let Some(numbers) = before.numbers_of_chunk(*chunk) else { continue };
                let values = vec![i32::from(*numbers.start()).into(), i32::from(*numbers.end()).into()];
                exec(sql, "DELETE FROM part WHERE number BETWEEN ? AND ?", values)?;
            }
        }
    }
    Ok(())
}

/// The CRC of the counted part that ends there. Reads the rows of all parts: asked only where a chunk that is there comes again
/// with a checksum.
pub(crate) fn crc_of_part(storage: &Storage, end: ByteCount) -> Result<Option<Crc64Nvme>> {
    Ok(all_parts(storage)?.into_iter().find(|part| part.end == end).map(|part| part.crc64nvme))
}

/// All counted parts, in order.
pub(crate) fn part_names(storage: &Storage) -> Result<Vec<CountedPart>> {
    let mut start = ByteCount::ZERO;
    let name = |part: StoredPart| {
        let bytes = part.end.saturating_sub(start);
        start = part.end;
        CountedPart { number: part.number, etag: part.etag, crc64nvme: part.crc64nvme, bytes }
    };
    Ok(all_parts(storage)?.into_iter().map(name).collect())
}

/// All counted parts of a whole file, in order, as its client may compare them.
pub(crate) fn kept_parts(storage: &Storage) -> Result<Vec<KeptPart>> {
    let mut offset = ByteCount::ZERO;
    let kept = |part: StoredPart| {
        let kept = KeptPart {
            offset,
            bytes: part.end.saturating_sub(offset),
            crc64nvme: part.crc64nvme,
            sha256: part.digest.and_then(ChunkDigest::sha256),
        };
        offset = part.end;
        kept
    };
    Ok(all_parts(storage)?.into_iter().map(kept).collect())
}

/// Where the bytes of the tail are, from the segment on that has the byte at `from`, in order; neighbours in rows are one source. And where
/// the first begins. Only where there is a tail is there such a table.
pub(crate) fn tail(storage: &Storage, spec: &UploadSpec, from: ByteCount) -> Result<(ByteCount, Vec<RemainderSource>)> {
    // By the key: no row before it is read.
    let first = "SELECT coalesce(max(start_bytes), 0) FROM segment WHERE start_bytes <= ?";
    let query = format!("{SEGMENTS} WHERE start_bytes >= ({first}) ORDER BY start_bytes");
    let found: Vec<SegmentRow> = rows(&storage.sql(), &query, vec![integer(from)?])?;
    let (mut begins, mut sources) = (from, Vec::<RemainderSource>::new());
    for row in found {
        let segment = segment(&row)?;
        if segment.end <= from {
            continue;
        }
        if sources.is_empty() {
            begins = segment.start;
        }
        match (segment.place, sources.last_mut()) {
            (SegmentPlace::Row, Some(RemainderSource::Rows { end, .. })) if *end == segment.start => *end = segment.end,
            (SegmentPlace::Row, _) => sources.push(RemainderSource::Rows { start: segment.start, end: segment.end }),
            (SegmentPlace::Object, _) => sources.push(RemainderSource::Object {
                key: spec.segment_key(segment.attempt),
                bytes: segment.end.saturating_sub(segment.start),
            }),
        }
    }
    Ok((begins, sources))
}

/// So many parts are named at once: 16 of 8 MiB are 128 MiB.
const PARTS_AT_ONCE: usize = 16;

/// Where the bytes of a live upload are, from `from` on: in the copies of its parts, and in its tail. And where the first of these
/// begins. The k-th part has a number of at least k, so few rows before it are read.
pub(crate) fn growing(
    storage: &Storage,
    session: &Session,
    wanted: GrowingParts,
    from: ByteCount,
) -> Result<(ByteCount, Vec<RemainderSource>)> {
    let copies = session.copies_prefix().unwrap_or_default();
    let parts: Vec<EndRow> = match wanted.parts_from {
        None => Vec::new(),
        Some(from) => {
            let query = format!(
                "SELECT number, end_bytes FROM part WHERE number > ? AND end_bytes > ? ORDER BY number LIMIT {PARTS_AT_ONCE}"
            );
            let before = from.get() / session.plan().part_bytes.get().max(1);
            part_rows(&storage.sql(), &query, vec![integer(before.try_into()?)?, integer(from)?])?
        }
    };
    let begins = session.plan().part_start(from);
    let (mut start, mut sources) = (begins, Vec::with_capacity(parts.len()));
    for part in &parts {
        let end = byte_count(part.end_bytes)?;
        sources.push(RemainderSource::Object {
            key: format!("{copies}{}", part.number),
            bytes: end.saturating_sub(start),
        });
        start = end;
    }
    if parts.len() == PARTS_AT_ONCE || !wanted.has_tail || from == ByteCount::MAX {
        return Ok((begins, sources));
    }
    let (tail_begins, tail) = tail(storage, session.spec(), from.max(start))?;
    let begins = if sources.is_empty() { tail_begins } else { begins };
    sources.extend(tail);
    Ok((begins, sources))
}

/// Streams rows to whoever fills a part with them, a few at a time.
pub(crate) fn stream_rows(sql: SqlStorage, start: ByteCount, end: ByteCount) -> impl Stream<Item = Result<Vec<u8>>> {
    stream::try_unfold(start, move |start| {
        let read = read_rows(&sql, start, end);
        async move {
            let (bytes, reached) = read?;
            Ok::<_, Error>((!bytes.is_empty()).then_some((bytes, reached)))
        }
    })
}

/// So much of rows is read at once.
const MOST_ROW_BYTES: usize = 512 * 1024;

/// The bytes of the next few segments in rows from `start` on, before `end`, and where they end. Empty where there are none.
pub(crate) fn read_rows(sql: &SqlStorage, start: ByteCount, end: ByteCount) -> Result<(Vec<u8>, ByteCount)> {
    // 64 rows, and no further one once there is half a mebibyte: whoever reads slowly keeps the object no more in memory.
    let query = "SELECT end_bytes, content FROM segment WHERE start_bytes >= ? AND start_bytes < ? \
                 AND content IS NOT NULL ORDER BY start_bytes LIMIT 64";
    let cursor = sql.exec(query, vec![integer(start)?, integer(end)?])?;
    let mut bytes = Vec::new();
    let mut reached = start;
    for row in cursor.raw() {
        let [end, SqlStorageValue::Blob(content)] = &row?[..] else { return Err("a segment without bytes".into()) };
        bytes.extend_from_slice(content);
        reached = match end {
            SqlStorageValue::Integer(end) => u64::try_from(*end).unwrap_or_default().try_into()?,
            SqlStorageValue::Float(end) => byte_count(*end)?,
            _ => return Err("a segment without an end".into()),
        };
        if bytes.len() >= MOST_ROW_BYTES {
            break;
        }
    }
    count(&cursor);
    Ok((bytes, reached))
}

const SEGMENTS: &str =
    "SELECT start_bytes, end_bytes, stored_at, attempt, content IS NOT NULL AS in_row, sha256_so_far FROM segment";

fn insert_parts(sql: &SqlStorage, parts: &[StoredPart]) -> Result<()> {
    if !parts.is_empty() {
        exec(sql, TABLE_OF_PARTS, Vec::new())?;
    }
    for part in parts {
        let values = vec![
            i32::from(part.number).into(),
            integer(part.end)?,
            milliseconds(part.stored_at)?,
            part.etag.clone().into(),
            part.crc64nvme.to_string().into(),
            part.sha256_so_far.as_ref().map(serde_json::to_string).transpose()?.into(),
            part.digest.clone().map(String::from).into(),
        ];
        let insert = "INSERT INTO part (number, end_bytes, stored_at, etag, crc64nvme, sha256_so_far, digest) VALUES (?, ?, ?, ?, ?, ?, ?)";
        exec(sql, insert, values)?;
    }
    Ok(())
}

fn insert_segment(sql: &SqlStorage, segment: &Segment, content: Option<&[u8]>) -> Result<()> {
    let bytes = segment.end.saturating_sub(segment.start).get();
    let content = match (segment.place, content) {
        (SegmentPlace::Object, None) => None,
        (SegmentPlace::Row, Some(content)) if content.len() as u64 == bytes => Some(content.to_vec()),
        _ => return Err("a segment without its bytes, or with others".into()),
    };
    let attempt = i64::try_from(segment.attempt).map_err(|_| "an attempt above 2^63")?;
    let values = vec![
        integer(segment.start)?,
        integer(segment.end)?,
        milliseconds(segment.stored_at)?,
        SqlStorageValue::try_from_i64(attempt)?,
        content.into(),
        segment.sha256_so_far.as_ref().map(serde_json::to_string).transpose()?.into(),
    ];
    exec(sql, TABLE_OF_SEGMENTS, Vec::new())?;
    let insert = "INSERT INTO segment (start_bytes, end_bytes, stored_at, attempt, content, sha256_so_far) \
                  VALUES (?, ?, ?, ?, ?, ?)";
    exec(sql, insert, values)
}
