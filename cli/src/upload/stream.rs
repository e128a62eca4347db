//! What comes from a pipe, of a length that nobody knows: sent as it comes, by tus, whose uploads may learn their length at the end. One
//! chunk lies in memory until the server counts it, so a connection that breaks loses nothing; a process that ends does, since what a pipe
//! has said it does not say again.

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use upload_types::integrity::{Crc64Nvme, RunningSha256, Sha256Digest};
use upload_types::units::{ByteCount, UploadId};
use upload_types::upload::Phase;

use crate::api::UploadRef;
use crate::api::documents::CreateRequest;
use crate::failure::{Failure, Result};
use crate::progress::report::FileProgress;
use crate::upload::base::{FIRST_LOOK, LONGEST_LOOK, Shared, fresh_key, no_quayside};
use crate::upload::retry::{Patience, Streak};
use crate::upload::sent::Sent;
use crate::upload::small;

/// So much is gathered before it is sent.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;
/// Of a growing input, what has come is sent when nothing follows for so long.
const LIVE_PAUSE: Duration = Duration::from_secs(1);

/// Sends all that comes. `is_live`: what has come is sent when the input pauses, and not only once a chunk is full.
pub(crate) async fn send(
    shared: &Shared,
    file_name: &str,
    is_live: bool,
    mut input: impl tokio::io::AsyncRead + Unpin,
    progress: FileProgress,
) -> Result<Sent> {
    let told = progress.clone();
    let patience = Patience::new(shared.settings.retry_for, move |text| told.note(text));
    let id = create(shared, file_name, &patience).await?;
    progress.started(id, 0);
    let mut stream = Stream { shared, id, patience, progress, offset: 0, sent_bytes: 0 };
    let (mut sha256, mut crc) = (RunningSha256::resume(None).ok_or_else(no_digest)?, Crc64Nvme::default());
    loop {
        let (chunk, is_last) = gather(&mut input, is_live).await?;
        sha256.update(&chunk);
        let length = ByteCount::new(chunk.len() as u64).unwrap_or(ByteCount::MAX);
        crc = crc.followed_by(Crc64Nvme::of(&chunk), length);
        stream.send(chunk, is_last).await?;
        if is_last {
            let sha256 = sha256.save().digest();
            return stream.finish(sha256, crc).await;
        }
    }
}

async fn create(shared: &Shared, file_name: &str, patience: &Arc<Patience>) -> Result<UploadId> {
    let request = CreateRequest {
        file_name: file_name.to_owned(),
        file_size: ByteCount::ZERO,
        content_type: shared.settings.content_type.clone(),
        chunk_size: None,
        parallel: false,
        sha256: None,
        metadata: shared.settings.metadata.clone(),
    };
    let described = small::described(&request).ok_or_else(|| {
        Failure::usage("The metadata of a stream must be short, and its names plain words without spaces or commas.")
    })?;
    let key = fresh_key()?;
    let mut streak = Streak::default();
    loop {
        match shared.api.create_open_ended(described.clone(), &key).await {
            Ok(id) => return Ok(id),
            Err(refusal) if refusal.is_strangers() && !matches!(refusal.status, Some(429 | 500..)) => {
                return Err(no_quayside(shared.api.endpoint(), &refusal.message));
            }
            Err(refusal) => patience.wait(refusal, &mut streak).await?,
        }
    }
}

/// A chunk, or less: at the end, or where a growing input pauses. Whether it was the end.
async fn gather(input: &mut (impl tokio::io::AsyncRead + Unpin), is_live: bool) -> Result<(Bytes, bool)> {
    let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
    while chunk.len() < CHUNK_BYTES {
        let may_pause = is_live && !chunk.is_empty();
        let reading = input.read_buf(&mut chunk);
        let read = if may_pause {
            match timeout(LIVE_PAUSE, reading).await {
                Ok(read) => read,
                Err(_) => break,
            }
        } else {
            reading.await
        };
        let read = read.map_err(|error| Failure::refused(format!("The input cannot be read: {error}.")))?;
        if read == 0 {
            return Ok((chunk.freeze(), true));
        }
    }
    Ok((chunk.freeze(), false))
}

struct Stream<'a> {
    shared: &'a Shared,
    id: UploadId,
    patience: Arc<Patience>,
    progress: FileProgress,
    /// So many bytes count.
    offset: u64,
    sent_bytes: u64,
}

impl Stream<'_> {
    /// Sends a chunk until all of it counts.
    async fn send(&mut self, chunk: Bytes, is_last: bool) -> Result<()> {
        let from = self.offset;
        let end = from + chunk.len() as u64;
        let mut streak = Streak::default();
        while self.offset < end || is_last {
            let rest = usize::try_from(self.offset - from).map(|at| chunk.slice(at..)).unwrap_or_default();
            let headers = headers(&rest, is_last.then_some(end));
            self.shared.throttle.wait_for(rest.len() as u64).await;
            self.sent_bytes += rest.len() as u64;
            match self.shared.api.append(self.id, self.offset, rest, headers).await {
                Ok(offset) => {
                    self.patience.succeeded();
                    self.counted(offset, from, end)?;
                    if is_last && offset == end {
                        return Ok(());
                    }
                }
                Err(refusal) => {
                    self.patience.wait(refusal, &mut streak).await?;
                    let offset = self.patience.ask(|| self.shared.api.offset(self.id)).await?;
                    self.counted(offset, from, end)?;
                }
            }
        }
        Ok(())
    }

    fn counted(&mut self, offset: u64, from: u64, end: u64) -> Result<()> {
        if !(from..=end).contains(&offset) {
            return Err(Failure::refused(format!("The server says that {offset} bytes count, of {from} to {end}.")));
        }
        self.offset = offset;
        self.progress.confirmed(offset);
        Ok(())
    }

    async fn finish(self, sha256: Option<Sha256Digest>, crc: Crc64Nvme) -> Result<Sent> {
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

/// The checksum; and the length, where this is the end. A chunk of no bytes has no checksum.
fn headers(chunk: &Bytes, length: Option<u64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let checksum = format!("sha256 {}", STANDARD.encode(Sha256Digest::of(chunk).0));
    if let (false, Ok(checksum)) = (chunk.is_empty(), HeaderValue::from_str(&checksum)) {
        headers.insert("upload-checksum", checksum);
    }
    if let Some(length) = length {
        headers.insert("upload-length", HeaderValue::from(length));
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
        let (first, is_last) = gather(&mut input, false).await.unwrap();
        assert_eq!((first.len(), is_last), (CHUNK_BYTES, false));
        let (second, is_last) = gather(&mut input, false).await.unwrap();
        assert_eq!((second.len(), is_last), (3, true));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_growing_input_is_sent_what_has_come_when_it_pauses() {
        use tokio::io::AsyncWriteExt;
        let (mut writer, mut reader) = tokio::io::duplex(64);
        writer.write_all(b"abc").await.unwrap();
        let (chunk, is_last) = gather(&mut reader, true).await.unwrap();
        assert_eq!((&chunk[..], is_last), (&b"abc"[..], false));
    }
}
