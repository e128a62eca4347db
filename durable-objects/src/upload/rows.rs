//! Rows of an upload's tables as they are read back, and what they are rows of. What is asked for stands in `tables`.

use serde::Deserialize;
use upload_session::session::{Segment, SegmentPlace, StoredPart};
use upload_types::integrity::ChunkDigest;
use upload_types::json::from_str;

use crate::platform::{
    error::Result,
    sql::{byte_count, instant},
};

/// A row of `part`.
#[derive(Deserialize)]
pub(crate) struct PartRow {
    pub(crate) number: u16,
    pub(crate) end_bytes: f64,
    pub(crate) stored_at: f64,
    pub(crate) etag: String,
    pub(crate) crc64nvme: String,
    pub(crate) sha256_so_far: Option<String>,
    pub(crate) digest: Option<String>,
}

/// A row of `segment`, without its bytes.
#[derive(Deserialize)]
pub(crate) struct SegmentRow {
    pub(crate) start_bytes: f64,
    pub(crate) end_bytes: f64,
    pub(crate) stored_at: f64,
    pub(crate) attempt: f64,
    pub(crate) in_row: f64,
    pub(crate) sha256_so_far: Option<String>,
}

/// A row of `parallel_chunk`.
#[derive(Deserialize)]
pub(crate) struct ParallelChunkRow {
    pub(crate) chunk: u32,
    pub(crate) facts: String,
}

/// Which part ends where.
#[derive(Deserialize)]
pub(crate) struct EndRow {
    pub(crate) number: u16,
    pub(crate) end_bytes: f64,
}

/// Which part was counted, and when.
#[derive(Deserialize)]
pub(crate) struct CountedRow {
    pub(crate) number: u16,
    pub(crate) stored_at: f64,
}

pub(crate) fn stored_part(row: PartRow) -> Result<StoredPart> {
    Ok(StoredPart {
        number: row.number,
        end: byte_count(row.end_bytes)?,
        stored_at: instant(row.stored_at),
        etag: row.etag,
        crc64nvme: row.crc64nvme.try_into()?,
        sha256_so_far: row.sha256_so_far.as_deref().map(from_str).transpose()?,
        digest: row.digest.map(ChunkDigest::try_from).transpose()?,
    })
}

pub(crate) fn segment(row: &SegmentRow) -> Result<Segment> {
    // Attempts are counted from 1, one by one.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let attempt = row.attempt as u64;
    Ok(Segment {
        start: byte_count(row.start_bytes)?,
        end: byte_count(row.end_bytes)?,
        stored_at: instant(row.stored_at),
        attempt,
        place: if row.in_row == 0.0 { SegmentPlace::Object } else { SegmentPlace::Row },
        sha256_so_far: row.sha256_so_far.as_deref().map(from_str).transpose()?,
    })
}
