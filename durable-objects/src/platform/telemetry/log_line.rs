//! One structured log line per step. The shape is shared by the Worker and the object; printing is theirs.
//!
//! Never put a secret, a signature, a file name or a query string into one.

use serde::Serialize;

use upload_types::{
    cost::Cost,
    units::{ByteCount, UploadId},
};

/// A step in an upload's life.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine<'a> {
    /// What happened: one of [`crate::platform::telemetry::EVENTS`].
    pub event: &'a str,
    /// To which upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<UploadId>,
    /// How many bytes it concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteCount>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The answer's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A refusal's stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    /// The number of an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// How many parts it concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// How long ago that happened which is being told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// A sentence for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the upload has cost so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

impl<'a> LogLine<'a> {
    /// A line about an upload.
    pub fn of(event: &'a str, upload_id: UploadId) -> Self {
        Self { event, upload_id: Some(upload_id), ..Self::default() }
    }

    /// The line.
    pub fn json(&self) -> String {
        // Strings and numbers only: serialising cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_only_what_is_known() {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        let line = LogLine { bytes: Some(5.into()), duration_ms: Some(7), ..LogLine::of("chunk_committed", id) };
        assert_eq!(
            line.json(),
            r#"{"event":"chunk_committed","uploadId":"067e6162-3b6f-4ae2-a171-2470b63dff00","bytes":5,"durationMs":7}"#
        );
    }
}
