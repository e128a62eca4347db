//! `--json`: one document per line on stdout, each with its `event`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use upload_types::units::UploadId;

use crate::failure::{Failure, Kind};
use crate::progress::report::{FileNumber, Report, Shown, Summary};
use crate::results::{is_behind, print};
use crate::upload::sent::Sent;

/// So often a file's progress is told at most.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Json {
    /// When progress was told last, by file.
    told: Mutex<HashMap<FileNumber, Instant>>,
}

fn tell(event: &str, file: Option<&Shown>, mut more: Value) {
    more["event"] = json!(event);
    if let Some(file) = file {
        more["file"] = json!(file.name);
    }
    print(more);
}

impl Report for Json {
    fn begin(&self, files: usize, bytes: u64) {
        tell("begin", None, json!({ "files": files, "bytes": bytes }));
    }

    fn started(&self, file: &Shown, upload: UploadId, resumed_from_bytes: u64) {
        let more = json!({ "uploadId": upload, "bytes": file.bytes, "resumedFromBytes": resumed_from_bytes });
        tell("started", Some(file), more);
    }

    fn confirmed(&self, file: &Shown, bytes: u64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // To whoever reads later it would be stale.
        if is_behind() {
            return;
        }
        let is_soon = told.get(&file.number).is_some_and(|at| at.elapsed() < PAUSE);
        if !is_soon {
            told.insert(file.number, Instant::now());
            tell("progress", Some(file), json!({ "uploadedBytes": bytes, "bytes": file.bytes }));
        }
    }

    fn note(&self, file: Option<&Shown>, text: &str) {
        tell("note", file, json!({ "text": text }));
    }

    fn finished(&self, file: &Shown, sent: &Sent) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(&file.number);
        tell("finished", Some(file), json!(sent));
    }

    fn failed(&self, file: &Shown, failure: &Failure) {
        let is_resumable = failure.kind == Kind::Resumable;
        tell("failed", Some(file), json!({ "message": failure.message, "resumable": is_resumable }));
    }

    fn end(&self, summary: &Summary) {
        let Summary { sent_files, earlier_files, failed_files, bytes, sent_bytes, took_ms, .. } = *summary;
        let more = json!({
            "sentFiles": sent_files,
            "earlierFiles": earlier_files,
            "failedFiles": failed_files,
            "bytes": bytes,
            "sentBytes": sent_bytes,
            "tookMs": took_ms,
        });
        tell("end", None, more);
    }
}
