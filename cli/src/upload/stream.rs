//! What comes from a pipe, of a length that nobody knows, by tus, whose uploads may learn their length at the end. One chunk lies in memory
//! until the server counts it, so a connection that breaks loses nothing; a process that ends does, since what a pipe has said it does not
//! say again. [`super::live`] sends what comes at once.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;
use upload_types::integrity::{Crc64Nvme, RunningSha256, Sha256Digest};
use upload_types::units::{ByteCount, UploadId};
use upload_types::upload::Phase;

use crate::api::documents::CreateRequest;
use crate::api::{OPEN_ENDED, UploadRef};
use crate::aside::aside;
use crate::failure::{Failure, Result};
use crate::progress::report::FileProgress;
use crate::upload::base::{FIRST_LOOK, LONGEST_LOOK, Shared, fresh_key, no_quayside};
use crate::upload::retry::{Patience, Streak};
use crate::upload::sent::Sent;
use crate::upload::small;

/// So much is gathered before it is sent, where nothing else is asked for.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// Sends all that comes, chunk by chunk.
pub(crate) async fn send(
    shared: &Shared,
    file_name: &str,
    mut input: impl tokio::io::AsyncRead + Unpin,
    progress: FileProgress,
) -> Result<Sent> {
    let mut stream = Stream::begin(shared, OPEN_ENDED, file_name, progress).await?;
    let mut running = Running { sha256: RunningSha256::resume(None).ok_or_else(no_digest)?, crc: Crc64Nvme::default() };
    let chunk_bytes = shared.settings.chunk_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(CHUNK_BYTES);
    loop {
        let chunk = gather(&mut input, chunk_bytes).await?;
        let is_last = chunk.len() < chunk_bytes;
        running = running.followed_by(&chunk).await?;
        stream.patience.was_idle();
        stream.send(chunk).await?;
        if is_last {
            stream.end().await?;
            return stream.finish(running.sha256.save().digest(), running.crc).await;
        }
    }
}

/// The digests of what has come so far.
struct Running {
    sha256: RunningSha256,
    crc: Crc64Nvme,
}

impl Running {
    async fn followed_by(mut self, chunk: &Bytes) -> Result<Self> {
        let chunk = chunk.clone();
        aside(move || {
            self.sha256.update(&chunk);
            let length = ByteCount::new(chunk.len() as u64).unwrap_or(ByteCount::MAX);
            self.crc = self.crc.followed_by(Crc64Nvme::of(&chunk), length);
            Ok(self)
        })
        .await
    }
}

async fn create(shared: &Shared, address: &str, file_name: &str, patience: &Arc<Patience>) -> Result<UploadId> {
    let request = CreateRequest {
        file_name: file_name.to_owned(),
        file_size: ByteCount::ZERO,
        content_type: shared.settings.content_type.clone(),
        chunk_size: None,
        parallel: false,
        direct: false,
        sha256: None,
        metadata: shared.settings.metadata.clone(),
    };
    let described = small::described(&request).ok_or_else(|| {
        Failure::usage("The metadata of a stream must be short, and its names plain words without spaces or commas.")
    })?;
    let key = fresh_key()?;
    let mut streak = Streak::default();
    loop {
        match shared.api.create_open_ended(address, described.clone(), &key).await {
            Ok(id) => return Ok(id),
            Err(refusal) if refusal.is_of_no_quayside() => {
                return Err(no_quayside(shared.api.endpoint(), &refusal.message));
            }
            Err(refusal) => patience.wait(refusal, &mut streak).await?,
        }
    }
}

/// A chunk; less of it is the end.
async fn gather(input: &mut (impl tokio::io::AsyncRead + Unpin), chunk_bytes: usize) -> Result<Bytes> {
    let mut chunk = BytesMut::with_capacity(chunk_bytes);
    while chunk.len() < chunk_bytes {
        let room = chunk_bytes - chunk.len();
        let read = input.read_buf(&mut (&mut chunk).limit(room)).await;
        let read = read.map_err(|error| Failure::refused(format!("The input cannot be read: {error}.")))?;
        if read == 0 {
            break;
        }
    }
    Ok(chunk.freeze())
}

/// An upload that has no length yet.
pub(super) struct Stream<'a> {
    pub(super) shared: &'a Shared,
    pub(super) id: UploadId,
    pub(super) patience: Arc<Patience>,
    progress: FileProgress,
    /// So many bytes count.
    pub(super) offset: u64,
    pub(super) sent_bytes: u64,
}

impl<'a> Stream<'a> {
    /// Creates the upload, at this address.
    pub(super) async fn begin(
        shared: &'a Shared,
        address: &str,
        file_name: &str,
        progress: FileProgress,
    ) -> Result<Self> {
        let told = progress.clone();
        let patience = Patience::new(shared.settings.retry_for, move |text| told.note(text));
        let id = create(shared, address, file_name, &patience).await?;
        progress.started(id, 0);
        Ok(Self { shared, id, patience, progress, offset: 0, sent_bytes: 0 })
    }
}

impl Stream<'_> {
    /// Sends a chunk until all of it counts.
    async fn send(&mut self, chunk: Bytes) -> Result<()> {
        let from = self.offset;
        let end = from + chunk.len() as u64;
        let mut streak = Streak::default();
        while self.offset < end {
            let rest = usize::try_from(self.offset - from).map(|at| chunk.slice(at..)).unwrap_or_default();
            let checked = rest.clone();
            let headers = aside(move || Ok(checksum(&checked))).await?;
            self.shared.throttle.wait_for(rest.len() as u64).await;
            if streak.is_new() {
                self.patience.was_idle();
            }
            self.sent_bytes += rest.len() as u64;
            let offset = self.append(rest, headers, &mut streak).await?;
            self.counted(offset, from, end)?;
        }
        Ok(())
    }

    /// Says that nothing follows.
    pub(super) async fn end(&mut self) -> Result<()> {
        let length = HeaderMap::from_iter([(HeaderName::from_static("upload-length"), HeaderValue::from(self.offset))]);
        let mut streak = Streak::default();
        loop {
            match self.shared.api.append(self.id, self.offset, Bytes::new(), length.clone()).await {
                Ok(_) => return Ok(()),
                Err(refusal) => self.patience.wait(refusal, &mut streak).await?,
            }
        }
    }

    /// Sends it once. How many bytes count afterwards, whatever came of it.
    async fn append(&self, bytes: Bytes, headers: HeaderMap, streak: &mut Streak) -> Result<u64> {
        match self.shared.api.append(self.id, self.offset, bytes, headers).await {
            Ok(offset) => {
                self.patience.succeeded();
                Ok(offset)
            }
            Err(refusal) => {
                self.patience.wait(refusal, streak).await?;
                self.ask_offset().await
            }
        }
    }

    /// How many bytes count, as the server says.
    pub(super) async fn ask_offset(&self) -> Result<u64> {
        self.patience.look(|| self.shared.api.offset(self.id)).await
    }

    /// So many bytes count, of those that may.
    pub(super) fn counted(&mut self, offset: u64, from: u64, end: u64) -> Result<()> {
        if !(from..=end).contains(&offset) {
            return Err(Failure::refused(format!("The server says that {offset} bytes count, of {from} to {end}.")));
        }
        if offset > self.offset {
            self.patience.succeeded();
        }
        self.offset = offset;
        self.progress.confirmed(offset);
        Ok(())
    }

    /// Waits for the object, and compares it.
    pub(super) async fn finish(self, sha256: Option<Sha256Digest>, crc: Crc64Nvme) -> Result<Sent> {
        let upload = UploadRef { id: self.id, token: None };
        let mut pause = FIRST_LOOK;
        loop {
            let status = self.patience.ask(|| self.shared.api.status(&upload)).await?;
            if status.is_over() {
                let is_right = status.object.is_some_and(|object| object.crc64nvme == crc);
                if status.state != Phase::Completed || !is_right {
                    let reason = status.reason.unwrap_or_else(|| "It is not what was sent.".to_owned());
                    return Err(Failure::refused(format!("The upload is {}. {reason}", status.state.name())));
                }
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
        Ok(Sent {
            upload_id: self.id,
            bytes: self.offset,
            sha256,
            crc64nvme: Some(crc),
            duplicate: false,
            resumed_from_bytes: 0,
            sent_bytes: self.sent_bytes,
        })
    }
}

/// A chunk of no bytes has none.
fn checksum(chunk: &Bytes) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let checksum = format!("sha256 {}", STANDARD.encode(Sha256Digest::of(chunk).0));
    if let (false, Ok(checksum)) = (chunk.is_empty(), HeaderValue::from_str(&checksum)) {
        headers.insert("upload-checksum", checksum);
    }
    headers
}

fn no_digest() -> Failure {
    Failure::resumable("No digest can be begun.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_are_full_but_the_last_one() {
        let all = vec![7; CHUNK_BYTES + 3];
        let mut input = all.as_slice();
        assert_eq!(gather(&mut input, CHUNK_BYTES).await.unwrap().len(), CHUNK_BYTES);
        assert_eq!(gather(&mut input, CHUNK_BYTES).await.unwrap().len(), 3);
        assert_eq!(gather(&mut input, CHUNK_BYTES).await.unwrap().len(), 0);
    }
}
