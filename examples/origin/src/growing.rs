//! A recording that goes on: what is new of it is appended to one file, from its front, which can be read at any time. Here a player or a
//! transcriber would begin; `ffprobe objects/<upload id>.growing` does.
//!
//! Promises: every byte of the file is at its place, also after a crash: what was not acknowledged is cut off and fetched again. A range that is
//! there already is not fetched twice. At most one append per upload runs at a time. The file goes when the upload has ended: the object takes its
//! place, or nothing.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use reqwest::Client;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::data_dir::DataDir;
use crate::download::{DownloadError, download_range};
use crate::event::{GrowingUpload, UploadId};
use crate::{log, spool};

/// The growing files, and who writes to one just now.
pub(crate) struct Growing {
    data_dir: Arc<DataDir>,
    client: Client,
    stopping: CancellationToken,
    written: Mutex<HashSet<UploadId>>,
}

impl Growing {
    /// `stopping` ends downloads early.
    pub(crate) fn new(data_dir: Arc<DataDir>, client: Client, stopping: CancellationToken) -> Self {
        Self { data_dir, client, stopping, written: Mutex::default() }
    }

    /// Appends what is new. `false`: not this time, since another delivery is at it, or the network was in the way.
    pub(crate) async fn append(&self, upload: &GrowingUpload) -> anyhow::Result<bool> {
        let Some(_place) = Place::take(self, upload.id) else { return Ok(false) };
        let path = self.data_dir.growing(upload.id);
        let there_bytes = spawn_blocking({
            let path = path.clone();
            move || match std::fs::metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
                found => found.map(|file| file.len()),
            }
        });
        let there_bytes = there_bytes.await?.context("cannot look at the growing file")?;
        if there_bytes >= upload.to_bytes {
            return Ok(true);
        }
        // What lies behind `from` is of an attempt that was never acknowledged. What is missing before it, if the file was lost, is
        // fetched too: the link leads to all of it.
        let range = there_bytes.min(upload.from_bytes)..upload.to_bytes;
        let fetched = download_range(&self.client, &upload.download_url, range, path, &self.stopping).await;
        match fetched {
            Ok(spooled) => spool::sync(spooled).await.context("cannot keep the bytes")?,
            Err(DownloadError::Passing(error)) => {
                let reason = format!("{error:#}");
                log::warn("not_grown", json!({ "uploadId": upload.id.to_string(), "reason": reason }));
                return Ok(false);
            }
            Err(DownloadError::Mismatch(reason)) => {
                log::warn("not_grown", json!({ "uploadId": upload.id.to_string(), "reason": reason }));
                return Ok(false);
            }
        }
        // Dying here: the next delivery of the same range finds it there.
        log::info("grown", json!({ "uploadId": upload.id.to_string(), "bytes": upload.to_bytes }));
        Ok(true)
    }

    /// The upload has ended: the file goes, if there is one.
    pub(crate) async fn end(&self, id: UploadId) -> anyhow::Result<()> {
        spool::discard(self.data_dir.growing(id)).await.context("cannot remove the growing file")
    }

    fn written(&self) -> MutexGuard<'_, HashSet<UploadId>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write to the file of an upload, until it is dropped.
struct Place<'a> {
    growing: &'a Growing,
    id: UploadId,
}

impl<'a> Place<'a> {
    fn take(growing: &'a Growing, id: UploadId) -> Option<Self> {
        growing.written().insert(id).then_some(Self { growing, id })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.growing.written().remove(&self.id);
    }
}
