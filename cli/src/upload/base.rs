//! What every step of an upload stands on: what all files of a command share, what is asked of one of them, and how it stands here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use upload_types::units::{ByteCount, UploadId};
use upload_types::upload::Phase;

use crate::api::documents::{CreateRequest, Status};
use crate::api::{Api, UploadRef};
use crate::failure::{Failure, Result};
use crate::progress::report::FileProgress;
use crate::state::{StateFolder, journal::Journal};
use crate::throttle::Throttle;
use crate::upload::{
    digest::Hashed,
    lane::{Lane, Seat},
    retry::Patience,
    sent::Sent,
    source::Source,
};

/// Between two questions whether the object is whole.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(50);
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// What all files of a command share.
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) state: StateFolder,
    pub(crate) lane: Lane,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) settings: Settings,
}

/// What was asked for on the command line, for every file.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) chunk_bytes: Option<u64>,
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) dedup: bool,
    pub(crate) route: Route,
    pub(crate) restart: bool,
    pub(crate) retry_for: Duration,
}

/// Which way chunks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    ThroughServer,
    /// To R2 itself, where the deployment allows it.
    Direct,
}

/// A file to be sent.
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    /// What the server calls it.
    pub(crate) file_name: String,
    /// What is said of this file besides.
    pub(crate) metadata: BTreeMap<String, String>,
    /// Of what is kept of it.
    pub(crate) state_name: String,
}

/// What the server has given.
pub(super) struct Agreed {
    pub(super) upload: UploadRef,
    pub(super) chunk_bytes: u64,
    /// Chunks in any order, several at once; otherwise one after the other.
    pub(super) is_parallel: bool,
    pub(super) route: Route,
}

impl Agreed {
    pub(super) fn new(upload: UploadRef, chunk_bytes: ByteCount, request: &CreateRequest) -> Self {
        let route = if request.direct { Route::Direct } else { Route::ThroughServer };
        Self { upload, chunk_bytes: chunk_bytes.get().max(1), is_parallel: request.parallel || request.direct, route }
    }
}

/// An upload on its way.
pub(super) struct Upload<'a> {
    pub(super) shared: &'a Shared,
    pub(super) job: &'a Job,
    pub(super) source: Arc<Source>,
    pub(super) progress: FileProgress,
    pub(super) patience: Arc<Patience>,
    /// Whose turn it is, among all files.
    pub(super) seat: Seat<'a>,
    pub(super) journal: Mutex<Journal>,
    pub(super) sent_bytes: AtomicU64,
}

impl Upload<'_> {
    pub(super) fn bytes(&self) -> u64 {
        self.source.fingerprint.bytes
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn missing(&self, status: &Status) -> Vec<(u64, u64)> {
        status.missing.iter().map(|(from, to)| (*from, to.unwrap_or(self.bytes()))).collect()
    }

    pub(super) fn sent(&self, upload_id: UploadId, hashed: &Hashed, resumed_from_bytes: u64, duplicate: bool) -> Sent {
        Sent {
            upload_id,
            bytes: self.bytes(),
            sha256: hashed.sha256().ok(),
            crc64nvme: Some(hashed.crc64nvme()),
            duplicate,
            resumed_from_bytes,
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
        }
    }

    /// Nothing of it shall remain. Where that does not work, it expires by itself.
    pub(super) async fn take_back(&self, upload: &UploadRef) {
        if let Err(refusal) = self.shared.api.delete(upload).await {
            self.progress.note(&format!("What was there of it could not be taken back: {}", refusal.message));
        }
    }

    /// What cannot be kept is no reason not to send the file.
    pub(super) fn keep(&self, keeping: impl FnOnce(&mut Journal) -> Result<()>) {
        if let Err(failure) = keeping(&mut self.journal()) {
            self.progress.note(&format!("{failure} An interruption now means to begin again."));
        }
    }
}

/// What is said where something else answers.
pub(crate) fn no_quayside(endpoint: &str, said: &str) -> Failure {
    Failure::refused(format!("No Quayside answers at {endpoint}: is the endpoint right? {said}"))
}

/// 128 random bits in hexadecimal.
pub(crate) fn fresh_key() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Failure::resumable(format!("There is no randomness: {error}.")))?;
    Ok(hex::encode(random))
}

/// What is said of an upload that has ended without an object. One that was refused is refused again; another can be begun anew.
pub(super) fn ended(status: &Status) -> Failure {
    let reason = status.reason.as_deref().unwrap_or_default();
    let text = format!("The upload is {}. {reason}", status.state.name());
    if status.state == Phase::Failed {
        Failure::refused(text)
    } else {
        Failure::resumable(format!("{text} Run the command again."))
    }
}
