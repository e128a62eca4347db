//! What whoever shows the progress is told.

use std::sync::Arc;

use upload_types::units::UploadId;

use crate::failure::Failure;
use crate::upload::sent::Sent;

/// Which file of the command, counted from 0.
pub(crate) type FileNumber = usize;

/// A file, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) number: FileNumber,
    pub(crate) name: String,
    /// None of a stream.
    pub(crate) bytes: Option<u64>,
}

/// What all files came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) sent_files: usize,
    /// Sent by an earlier run of the same command.
    pub(crate) earlier_files: usize,
    pub(crate) failed_files: usize,
    /// Of those that failed, the ones that may be sent the next time.
    pub(crate) resumable_files: usize,
    pub(crate) bytes: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) took_ms: u64,
}

/// Whoever shows how far it is.
pub(crate) trait Report: Send + Sync {
    /// So many files, and bytes as far as they are known.
    fn begin(&self, files: usize, bytes: u64);
    /// An upload is there; so much of the file has arrived before.
    fn started(&self, file: &Shown, upload: UploadId, resumed_from_bytes: u64);
    /// So many bytes of the file have arrived.
    fn confirmed(&self, file: &Shown, bytes: u64);
    /// Something that whoever waits should know.
    fn note(&self, file: Option<&Shown>, text: &str);
    /// The file is there.
    fn finished(&self, file: &Shown, sent: &Sent);
    /// It is not.
    fn failed(&self, file: &Shown, failure: &Failure);
    /// That was all.
    fn end(&self, summary: &Summary);
}

/// Tells of one file.
#[derive(Clone)]
pub(crate) struct FileProgress {
    report: Arc<dyn Report>,
    shown: Shown,
}

impl FileProgress {
    pub(crate) fn new(report: Arc<dyn Report>, shown: Shown) -> Self {
        Self { report, shown }
    }

    pub(crate) fn started(&self, upload: UploadId, resumed_from_bytes: u64) {
        self.report.started(&self.shown, upload, resumed_from_bytes);
    }

    pub(crate) fn confirmed(&self, bytes: u64) {
        self.report.confirmed(&self.shown, bytes);
    }

    pub(crate) fn note(&self, text: &str) {
        self.report.note(Some(&self.shown), text);
    }

    pub(crate) fn finished(&self, sent: &Sent) {
        self.report.finished(&self.shown, sent);
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        self.report.failed(&self.shown, failure);
    }
}

/// As `sha256sum` writes it: the upload's id, two spaces, the file.
pub(super) fn result_of(file: &Shown, sent: &Sent) -> String {
    format!("{}  {}", sent.upload_id, file.name)
}
