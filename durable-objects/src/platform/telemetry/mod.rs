//! What an operator sees: which steps are logged, with which fields, and how each becomes a row of metrics. One table of
//! events and one of columns; the documentation, the queries and the dashboard are tested against them, and so is what a
//! running Worker prints.
//!
//! Every log line is a data point too, so that there is nothing that is counted and cannot be found, or the other way round.

pub mod log_line;

use crate::platform::telemetry::log_line::LogLine;

/// A step that leaves a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name: the field `event` of the line, and the column `event` of the metrics.
    pub name: &'static str,
    /// The fields that its lines may have beside `event`, as the line writes them.
    pub fields: &'static str,
    /// Whether somebody should look.
    pub level: Level,
}

/// How a line is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be, or a client's mistake.
    Info,
    /// Somebody should look.
    Error,
}

const fn info(name: &'static str, fields: &'static str) -> Event {
    Event { name, fields, level: Level::Info }
}

const fn error(name: &'static str, fields: &'static str) -> Event {
    Event { name, fields, level: Level::Error }
}

/// Every event.
pub const EVENTS: &[Event] = &[
    info("created", "uploadId bytes durationMs"),
    info("duplicate", "uploadId bytes"),
    info("chunk_committed", "uploadId bytes attempt durationMs"),
    info("chunk_broken", "uploadId bytes attempt code detail"),
    error("release_failed", "uploadId detail"),
    error("object_not_awaited", "uploadId detail"),
    info("refused", "uploadId bytes status code durationMs"),
    info("completing", "uploadId bytes durationMs"),
    info("verifying", "uploadId bytes durationMs"),
    info("damaged", "uploadId bytes durationMs detail"),
    info("reopened", "uploadId bytes durationMs detail"),
    info("slice_hashed", "uploadId bytes durationMs"),
    info("batch_copied", "uploadId bytes attempt durationMs"),
    info("copying_stopped", "uploadId attempt code"),
    info("copying_broken", "uploadId attempt code detail"),
    info("live_read_broken", "uploadId detail"),
    info("completed", "uploadId bytes durationMs cost"),
    info("failed", "uploadId bytes durationMs detail cost"),
    info("aborted", "uploadId bytes durationMs detail cost"),
    info("expired", "uploadId bytes durationMs detail cost"),
    info("deleted", "uploadId bytes durationMs detail cost"),
    info("alarm_overdue", "uploadId detail"),
    info("link_created", "detail"),
    info("link_revoked", "detail"),
    info("parts_signed", "uploadId attempt parts"),
    info("parts_recorded", "uploadId bytes parts"),
    info("assembly_postponed", "uploadId detail"),
    info("delivered", "uploadId bytes attempt durationMs ageMs cost"),
    info("not_delivered", "uploadId bytes attempt status detail durationMs ageMs"),
    error("delivery_failed", "uploadId bytes attempt status detail durationMs ageMs cost"),
    error("dead_letter", "uploadId detail"),
    error("message_not_queued", "uploadId detail"),
    error("message_failed", "uploadId detail"),
    error("unreadable_message", "detail"),
    error("accept_failed", "uploadId status detail durationMs"),
    info("auth_open", "detail"),
    info("admin", "uploadId code detail"),
    error("switch_unread", "detail"),
    error("jwks_unavailable", "detail"),
    error("fault", "uploadId status code detail durationMs"),
];

/// A column of the dataset in Workers Analytics Engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// What it is called in Analytics Engine's SQL.
    pub sql: &'static str,
    /// The field of the log line that it holds; behind a dot, what of the field.
    pub field: &'static str,
}

const fn column(sql: &'static str, field: &'static str) -> Column {
    Column { sql, field }
}

/// Every column that is written. What a line does not have is an empty text or a zero. `index1` is what Analytics Engine
/// samples by: so that rare events are kept beside many chunks.
pub const COLUMNS: &[Column] = &[
    column("index1", "event"),
    column("blob1", "event"),
    column("blob2", "code"),
    column("blob3", "uploadId"),
    column("double1", "bytes"),
    column("double2", "durationMs"),
    column("double3", "status"),
    column("double4", "attempt"),
    column("double5", "ageMs"),
    column("double6", "parts"),
    column("double7", "cost.workerRequests"),
    column("double8", "cost.objectRequests"),
    column("double9", "cost.rowsRead"),
    column("double10", "cost.rowsWritten"),
    column("double11", "cost.r2ClassA"),
    column("double12", "cost.r2ClassB"),
    column("double13", "cost.queueOperations"),
];

/// One row of metrics: what [`COLUMNS`] says, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPoint {
    /// `index1`.
    pub index: String,
    /// `blob1` and on.
    pub blobs: [String; 3],
    /// `double1` and on.
    pub doubles: [f64; 13],
}

/// The row that a log line is.
pub fn data_point(line: &LogLine<'_>) -> DataPoint {
    // Counts and times are below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let number = |value: Option<u64>| value.unwrap_or_default() as f64;
    let cost = line.cost.unwrap_or_default();
    DataPoint {
        index: line.event.to_owned(),
        blobs: [
            line.event.to_owned(),
            // A fault's code is an id of its own: as a column it would be as many values as there are faults.
            if line.event == "fault" { String::new() } else { line.code.unwrap_or_default().to_owned() },
            line.upload_id.map(|id| id.to_string()).unwrap_or_default(),
        ],
        doubles: [
            number(line.bytes.map(upload_types::units::ByteCount::get)),
            number(line.duration_ms),
            number(line.status.map(u64::from)),
            number(line.attempt),
            number(line.age_ms),
            number(line.parts),
            number(Some(cost.worker_requests)),
            number(Some(cost.object_requests)),
            number(Some(cost.rows_read)),
            number(Some(cost.rows_written)),
            number(Some(cost.r2_class_a)),
            number(Some(cost.r2_class_b)),
            number(Some(cost.queue_operations)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use upload_types::{cost::Cost, units::UploadId};

    fn line() -> LogLine<'static> {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        LogLine {
            bytes: Some(5.into()),
            duration_ms: Some(7),
            status: Some(409),
            code: Some("offset-mismatch"),
            attempt: Some(3),
            age_ms: Some(11),
            parts: Some(13),
            detail: Some("why".to_owned()),
            cost: Some(Cost {
                worker_requests: 17,
                object_requests: 19,
                rows_read: 23,
                rows_written: 29,
                r2_class_a: 31,
                r2_class_b: 37,
                queue_operations: 41,
            }),
            ..LogLine::of("refused", id)
        }
    }

    #[test]
    fn a_row_holds_what_the_table_of_columns_says() {
        let point = data_point(&line());
        let json: serde_json::Value = serde_json::from_str(&line().json()).unwrap();
        let number_of = |field: &str| json.pointer(&format!("/{}", field.replace('.', "/"))).unwrap().as_f64();
        let text = |field: &str| json[field].as_str().unwrap().to_owned();
        for Column { sql, field } in COLUMNS {
            let (kind, number) = sql.split_at(sql.find(|c: char| c.is_ascii_digit()).unwrap());
            let at = number.parse::<usize>().unwrap() - 1;
            match kind {
                "index" => assert_eq!(point.index, text(field)),
                "blob" => assert_eq!(point.blobs[at], text(field), "{sql}"),
                _ => assert_eq!(Some(point.doubles[at]), number_of(field), "{sql}"),
            }
        }
        assert_eq!(COLUMNS.len(), 1 + point.blobs.len() + point.doubles.len());
        // https://developers.cloudflare.com/analytics/analytics-engine/limits/
        assert!(point.blobs.len() <= 20 && point.doubles.len() <= 20);
    }

    #[test]
    fn every_fault_is_one_kind_of_row() {
        let fault = LogLine { event: "fault", code: Some("9f0c"), ..LogLine::default() };
        assert_eq!(data_point(&fault).blobs, ["fault", "", ""]);
    }

    #[test]
    fn the_table_names_only_fields_that_a_line_can_have() {
        let json: serde_json::Value = serde_json::from_str(&line().json()).unwrap();
        for event in EVENTS {
            for field in event.fields.split(' ') {
                assert!(json.get(field).is_some(), "{} has no field {field}", event.name);
            }
        }
        let names: BTreeSet<_> = EVENTS.iter().map(|event| event.name).collect();
        assert_eq!(names.len(), EVENTS.len());
    }

    /// Rows of the markdown table under a heading: the text of each cell, without its code marks.
    fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
        let section = document.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
    }

    #[test]
    fn the_documentation_has_the_same_tables() {
        let document = include_str!("../../../../docs/operations/monitoring.md");
        let documented: BTreeSet<_> = rows(document, "## Events")
            .into_iter()
            .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
            .collect();
        let level = |event: &Event| if event.level == Level::Error { "error" } else { "info" };
        let ours: BTreeSet<_> = EVENTS
            .iter()
            .map(|event| (event.name.to_owned(), level(event).to_owned(), event.fields.replace(' ', ", ")))
            .collect();
        assert_eq!(documented, ours);
        let columns: Vec<_> =
            rows(document, "## Metrics").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        let ours: Vec<_> = COLUMNS.iter().map(|column| (column.sql.to_owned(), column.field.to_owned())).collect();
        assert_eq!(columns, ours);
    }
}
