//! Taking an upload in: from the recorded event to the stored object, exactly once, whoever asks and however often.
//!
//! Every delivery of an event comes through [`Intake::take`]. The first one starts a task; all others, now or after a
//! restart, join that task or find its result in the store. The task belongs to no request: it goes on when the
//! delivery that started it stops waiting. At most one runs per upload, and it looks into the store before it does
//! anything, so there is never a second download of what is settled.
//!
//! [`Intake::remove`] is the other way, once an upload has been deleted. That is on record before anything is removed, and
//! final: a download that runs meanwhile finds it there at its end, and removes what it has published.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::Client;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::data_dir::DataDir;
use crate::download::{DownloadError, download};
use crate::event::{CompletedUpload, UploadId};
use crate::record::State;
use crate::spool::{self, Spooled};
use crate::store::{Measured, Store};
use crate::{log, sniff};

/// What a delivery learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing yet.
    Running,
    /// The object is here, checked and on record. Final.
    Stored,
    /// The object was not what the event said; that is on record. Final.
    Rejected,
    /// The upload has been deleted, and its object is not here any more. Final.
    Deleted,
    /// Not this time; the next delivery tries again.
    Failed,
}

/// The tasks that run, and what they need.
pub(crate) struct Intake {
    store: Store,
    data_dir: Arc<DataDir>,
    client: Client,
    stopping: CancellationToken,
    tasks: TaskTracker,
    running: Mutex<HashMap<UploadId, watch::Receiver<Outcome>>>,
}

impl Intake {
    /// `stopping` ends downloads early, and with them the waits for them.
    pub(crate) fn new(store: Store, data_dir: Arc<DataDir>, client: Client, stopping: CancellationToken) -> Self {
        Self { store, data_dir, client, stopping, tasks: TaskTracker::new(), running: Mutex::default() }
    }

    /// Takes the upload in, or joins who is doing so, and waits for the outcome no longer than `wait`. The event must
    /// have been recorded. An upload that is settled is answered from the record, without any wait.
    pub(crate) async fn take(self: &Arc<Self>, upload: CompletedUpload, wait: Duration) -> anyhow::Result<Outcome> {
        if let Some(outcome) = self.settled(upload.described.id).await? {
            return Ok(outcome);
        }
        let mut outcome = self.join_or_start(upload);
        let decided = outcome.wait_for(|outcome| *outcome != Outcome::Running);
        Ok(tokio::select! {
            biased;
            // A task that panicked announces nothing, but its end of the channel is gone.
            decided = decided => decided.map_or(Outcome::Failed, |outcome| *outcome),
            () = tokio::time::sleep(wait) => Outcome::Running,
        })
    }

    /// Removes the object of an upload whose deletion is on record. Doing it twice removes nothing the second time.
    pub(crate) async fn remove(&self, id: UploadId) -> anyhow::Result<()> {
        // Dying before it leaves the event unacknowledged: the next delivery removes it.
        spool::discard(self.data_dir.object(id)).await.context("cannot remove the file")?;
        // What a task is writing at this moment it removes itself; what one left that died, nobody else would.
        let is_running = self.running().contains_key(&id);
        if !is_running {
            spool::discard(self.data_dir.part(id)).await.context("cannot remove the part")?;
        }
        log::info("removed", json!({ "uploadId": id.to_string() }));
        Ok(())
    }

    /// Returns when no task runs any more. To be called once the server has stopped.
    pub(crate) async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn join_or_start(self: &Arc<Self>, upload: CompletedUpload) -> watch::Receiver<Outcome> {
        let mut running = self.running();
        let id = upload.described.id;
        if let Some(outcome) = running.get(&id) {
            return outcome.clone();
        }
        let (announce, outcome) = watch::channel(Outcome::Running);
        running.insert(id, outcome.clone());
        let place = Place { intake: Arc::clone(self), id };
        self.tasks.spawn(async move {
            let outcome = place.intake.settle(&upload).await.unwrap_or_else(|error| {
                let reason = format!("{error:#}");
                log::warn("failed", json!({ "uploadId": id.to_string(), "reason": reason }));
                Outcome::Failed
            });
            // First leave, then tell: who hears of a failure and delivers again at once must start anew.
            drop(place);
            announce.send_replace(outcome);
        });
        outcome
    }

    fn running(&self) -> MutexGuard<'_, HashMap<UploadId, watch::Receiver<Outcome>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the record says, if that is final.
    async fn settled(&self, id: UploadId) -> anyhow::Result<Option<Outcome>> {
        Ok(match self.store.state(id).await? {
            State::Pending => None,
            State::Stored => Some(Outcome::Stored),
            State::Rejected => Some(Outcome::Rejected),
            State::Deleted => Some(Outcome::Deleted),
        })
    }

    /// The way from `pending` to `stored` or `rejected`. Dying anywhere on it leaves the record `pending` and the event
    /// unacknowledged, so the next delivery goes the whole way again.
    async fn settle(&self, upload: &CompletedUpload) -> anyhow::Result<Outcome> {
        let id = upload.described.id;
        // Asked again: since `take` looked, another task may have come to its end.
        if let Some(outcome) = self.settled(id).await? {
            return Ok(outcome);
        }
        let started = Instant::now();
        let part = self.data_dir.part(id);
        // Dying in here leaves a part that the next attempt cuts off and writes anew.
        match download(&self.client, upload, part.clone(), &self.stopping).await {
            Ok(spooled) => self.keep(id, spooled, part, started).await,
            Err(DownloadError::Mismatch(reason)) => self.reject(id, reason, part).await,
            Err(DownloadError::Passing(error)) => {
                // Only to give the space back, which may be what was missing: the next attempt starts over anyway.
                let _ = spool::discard(part).await;
                Err(error)
            }
        }
    }

    async fn keep(&self, id: UploadId, spooled: Spooled, part: PathBuf, started: Instant) -> anyhow::Result<Outcome> {
        let size_bytes = spooled.size_bytes;
        let measured = Measured {
            sha256: hex::encode(spooled.sha256),
            crc64nvme: hex::encode(spooled.crc64nvme),
            sniffed_type: sniff::media_type(&spooled.head),
        };
        spool::publish(spooled, part, self.data_dir.object(id), self.data_dir.objects())
            .await
            .context("cannot keep the file")?;
        // Dying here leaves a whole object that nobody counts: it is fetched again and replaced by itself.
        if !self.store.record_stored(id, measured).await? {
            // Deleted while it was being fetched: whoever recorded that found nothing to remove yet.
            self.remove(id).await?;
            return Ok(Outcome::Deleted);
        }
        // Dying here loses nothing: the next delivery finds `stored`.
        let took_ms = log::millis(started);
        log::info("stored", json!({ "uploadId": id.to_string(), "bytes": size_bytes, "durationMs": took_ms }));
        Ok(Outcome::Stored)
    }

    async fn reject(&self, id: UploadId, reason: String, part: PathBuf) -> anyhow::Result<Outcome> {
        // The part goes first: once the record says `rejected`, nobody would come back for it.
        spool::discard(part).await.context("cannot remove the part")?;
        // Dying here: the next delivery fetches it again, finds the same and rejects it then.
        self.store.record_rejected(id, reason.clone()).await?;
        log::warn("rejected", json!({ "uploadId": id.to_string(), "reason": reason }));
        Ok(Outcome::Rejected)
    }
}

/// A task's entry among the running ones; leaves with the task, however that ends.
struct Place {
    intake: Arc<Intake>,
    id: UploadId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.intake.running().remove(&self.id);
    }
}
