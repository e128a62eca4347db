//! The life of one upload: found or created, sent, waited for, compared. Whatever interrupts it, the same call goes on.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use upload_types::integrity::Sha256Digest;
use upload_types::plan::PREFERRED_PART_BYTES;
use upload_types::units::{ByteCount, UploadId};
use upload_types::upload::Phase;

use crate::api::documents::{CreateRequest, Created, Creation, Status};
use crate::api::{UploadRef, Verdict};
use crate::failure::{Failure, Result};
use crate::progress::report::FileProgress;
use crate::state::journal::{Intent, Journal, Remembered};
use crate::upload::base::{
    Agreed, FIRST_LOOK, Job, LONGEST_LOOK, Route, Settings, Shared, Upload, ended, fresh_key, no_quayside,
};
use crate::upload::chunk_queue::ChunkRange;
use crate::upload::digest::Hashed;
use crate::upload::retry::{Patience, Streak};
use crate::upload::sent::Sent;
use crate::upload::small;
use crate::upload::source::Source;

/// Sends one file, or what is missing of it. `keep` is told that it is there, before it is forgotten how to go on with it.
pub(crate) async fn send(
    shared: &Shared,
    job: &Job,
    progress: FileProgress,
    keep: impl FnOnce(&Source, &Sent) -> Result<()>,
) -> Result<Sent> {
    let source = Arc::new(Source::open(&job.path)?);
    let lock = shared.state.lock(&job.state_name).map_err(|error| {
        Failure::resumable(format!("{} cannot be claimed in the state folder: {error}.", job.path.display()))
    })?;
    let Some(_lock) = lock else {
        let shown = job.path.display();
        return Err(Failure::resumable(format!("{shown} is being sent by another `quay put` just now.")));
    };
    let told = progress.clone();
    let patience = Patience::new(shared.settings.retry_for, move |text| told.note(text));
    let journal = Mutex::new(Journal::of(&shared.state, &job.state_name));
    let upload = Upload {
        shared,
        job,
        source,
        progress,
        patience,
        seat: shared.lane.seat(),
        journal,
        sent_bytes: AtomicU64::new(0),
    };
    let sent = upload.run().await?;
    upload.keep(|_| keep(&upload.source, &sent));
    upload.journal().remove();
    Ok(sent)
}

/// What is found at the server.
enum Found {
    Duplicate(UploadId),
    Open { agreed: Agreed, status: Option<Box<Status>> },
}

impl Upload<'_> {
    async fn run(&self) -> Result<Sent> {
        let remembered = self.remembered().await;
        let mut hashed = remembered.as_ref().map(|remembered| remembered.hashed.clone()).unwrap_or_default();
        if let Some(remembered) = &remembered
            && remembered.created.is_some()
            && let Some(found) = self.found_again(remembered).await?
        {
            self.keep(|journal| journal.go_on(remembered));
            return self.finish(found, hashed).await;
        }
        if self.shared.settings.dedup && hashed.bytes < self.bytes() {
            self.progress.note("Hashing it, to ask whether it is there already.");
            hashed = self.read_to_the_end(hashed).await?;
        }
        let intent = self.intent(remembered, &hashed)?;
        self.keep(|journal| journal.begin(&intent));
        if let Some(along) = small::goes_along(&intent.request)
            && let Some(sent) = small::send(self, &intent, along).await?
        {
            return Ok(sent);
        }
        let found = self.create(intent).await?;
        self.finish(found, hashed).await
    }

    /// What earlier runs have left of this file as it is now. Of another content of it, nothing shall remain.
    async fn remembered(&self) -> Option<Remembered> {
        let remembered = self.journal().read()?;
        let is_same = remembered.intent.fingerprint == self.source.fingerprint
            && self.is_same_request(&remembered.intent.request)
            && !self.shared.settings.restart;
        if is_same {
            return Some(remembered);
        }
        self.progress.note("It is not what an earlier run has begun to send: it begins again.");
        if let Some(created) = &remembered.created {
            self.take_back(&upload_of(created)).await;
        }
        None
    }

    fn is_same_request(&self, earlier: &CreateRequest) -> bool {
        let now = self.request(earlier.sha256);
        let is_dedup = earlier.sha256.is_some() == self.shared.settings.dedup;
        // How it goes is what was agreed with the server, whatever is asked for now.
        let CreateRequest { chunk_size, parallel, direct, .. } = *earlier;
        is_dedup && CreateRequest { chunk_size, parallel, direct, ..now } == *earlier
    }

    fn request(&self, sha256: Option<Sha256Digest>) -> CreateRequest {
        let Settings { chunk_bytes, content_type, metadata, route, .. } = &self.shared.settings;
        // Three requests for a small file would be no faster.
        let direct = *route == Route::Direct && self.bytes() > small::MAX_BYTES;
        let metadata = metadata.iter().chain(&self.job.metadata).map(|(key, value)| (key.clone(), value.clone()));
        CreateRequest {
            file_name: self.job.file_name.clone(),
            file_size: ByteCount::new(self.bytes()).unwrap_or(ByteCount::MAX),
            content_type: content_type.clone(),
            chunk_size: *chunk_bytes,
            parallel: !direct && self.bytes() > chunk_bytes.unwrap_or(PREFERRED_PART_BYTES),
            direct,
            sha256,
            metadata: metadata.collect(),
        }
    }

    /// What is asked for; under the key of the run before where that may have been heard.
    fn intent(&self, remembered: Option<Remembered>, hashed: &Hashed) -> Result<Intent> {
        if let Some(Remembered { intent, created: None, .. }) = remembered {
            return Ok(intent);
        }
        let sha256 = if self.shared.settings.dedup { Some(hashed.sha256()?) } else { None };
        let shown = self.job.path.display().to_string();
        Ok(Intent::new(shown, self.source.fingerprint.clone(), self.request(sha256), fresh_key()?))
    }

    /// The upload that an earlier run has made; `None` where it is gone.
    async fn found_again(&self, remembered: &Remembered) -> Result<Option<Found>> {
        let Some(created) = &remembered.created else { return Ok(None) };
        self.shared.api.is_known();
        let upload = upload_of(created);
        let status = self
            .patience
            .ask(|| async {
                match self.shared.api.status(&upload).await {
                    Err(refusal) if refusal.verdict == Verdict::Gone => Ok(None),
                    answer => answer.map(Some),
                }
            })
            .await?;
        match status {
            Some(status) if !status.is_over() || status.state == Phase::Completed => {
                let agreed = Agreed::new(upload, status.chunk_size, &remembered.intent.request);
                Ok(Some(Found::Open { agreed, status: Some(Box::new(status)) }))
            }
            _ => {
                self.progress.note("The upload that an earlier run has begun is gone at the server: it begins again.");
                Ok(None)
            }
        }
    }

    async fn create(&self, mut intent: Intent) -> Result<Found> {
        let api = &self.shared.api;
        let mut streak = Streak::default();
        let creation = loop {
            match api.create(&intent.request, &intent.idempotency_key).await {
                Ok(creation) => break creation,
                // About no upload yet: where nothing answers here, the address is wrong.
                Err(refusal) if refusal.is_of_no_quayside() => {
                    return Err(no_quayside(api.endpoint(), &refusal.message));
                }
                Err(refusal) if intent.request.direct && refusal.code.as_deref() == Some("not-configured") => {
                    self.progress.note("This deployment has no direct way to R2: it goes through the server.");
                    intent.request = CreateRequest { parallel: true, direct: false, ..intent.request };
                    intent.idempotency_key = fresh_key()?;
                    self.keep(|journal| journal.begin(&intent));
                }
                Err(refusal) => self.patience.wait(refusal, &mut streak).await?,
            }
        };
        self.patience.succeeded();
        match creation {
            Creation::Duplicate { object } => Ok(Found::Duplicate(object.upload_id)),
            Creation::Created(created) => {
                self.keep(|journal| journal.created(&created));
                let agreed = Agreed::new(upload_of(&created), created.chunk_size, &intent.request);
                Ok(Found::Open { agreed, status: None })
            }
        }
    }

    async fn finish(&self, found: Found, hashed: Hashed) -> Result<Sent> {
        match found {
            Found::Duplicate(upload_id) => {
                self.progress.started(upload_id, self.bytes());
                Ok(self.sent(upload_id, &hashed, self.bytes(), true))
            }
            Found::Open { agreed, status } => {
                let result = self.send_and_compare(&agreed, status, hashed).await;
                if result.is_err() && self.source.must_be_unchanged().is_err() {
                    // What has arrived is of two contents.
                    self.take_back(&agreed.upload).await;
                    self.journal().remove();
                }
                result
            }
        }
    }

    async fn send_and_compare(&self, agreed: &Agreed, status: Option<Box<Status>>, mut hashed: Hashed) -> Result<Sent> {
        let upload = &agreed.upload;
        let mut missing = match &status {
            Some(status) => self.missing(status),
            None => vec![(0, self.bytes())],
        };
        let resumed_from = self.bytes() - length(&missing);
        self.progress.started(upload.id, resumed_from);
        let mut completed = status.filter(|status| status.state == Phase::Completed);
        while completed.is_none() {
            hashed = self.transfer(agreed, &missing, hashed).await?;
            if self.bytes() == 0 {
                self.patience.ask(|| self.shared.api.complete(upload)).await?;
            }
            let status = self.until_completed(upload).await?;
            missing = self.missing(&status);
            completed = Some(Box::new(status)).filter(|status| status.state == Phase::Completed);
        }
        let hashed = self.read_to_the_end(hashed).await?;
        let stored = completed.and_then(|status| status.object);
        if stored.is_some_and(|object| object.crc64nvme != hashed.crc64nvme()) {
            self.take_back(upload).await;
            self.journal().remove();
            return Err(self.source.has_changed());
        }
        Ok(self.sent(upload.id, &hashed, resumed_from, false))
    }

    /// Waits until the object is whole, or bytes are missing after all.
    async fn until_completed(&self, upload: &UploadRef) -> Result<Status> {
        let mut pause = FIRST_LOOK;
        loop {
            let status = self.patience.ask(|| self.shared.api.status(upload)).await?;
            match status.state {
                Phase::Completed => return Ok(status),
                Phase::Open if !self.missing(&status).is_empty() => return Ok(status),
                Phase::Open | Phase::Completing | Phase::Verifying => {}
                Phase::Damaged => {
                    self.take_back(upload).await;
                    return Err(self.source.has_changed());
                }
                Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => return Err(ended(&status)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    async fn read_to_the_end(&self, hashed: Hashed) -> Result<Hashed> {
        let end = ChunkRange { from: self.bytes(), to: self.bytes() };
        hashed.read(Arc::clone(&self.source), end).await.map(|(hashed, _)| hashed)
    }
}

/// The right upload, and what opens it.
fn upload_of(created: &Created) -> UploadRef {
    UploadRef { id: created.upload_id, token: created.upload_token.clone() }
}

fn length(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(from, to)| to - from).sum()
}
