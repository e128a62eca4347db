//! A live input, for hours: what is read leaves at once, in bodies of unknown length, each of which ends after a while so that the server's
//! answer says what counts. What does not count yet lies in the [`Spool`], so a connection that breaks, or a server that restarts, costs
//! the time to send it again. Bodies have no checksum, since nobody knows their bytes when they begin; the object's is compared at the end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use crate::api::documents::Status;
use crate::api::{Moving, Refusal, UploadRef, live_address};
use crate::failure::{Failure, Result};
use crate::progress::report::FileProgress;
use crate::throttle::Throttle;
use crate::upload::base::Shared;
use crate::upload::retry::Streak;
use crate::upload::sent::Sent;
use crate::upload::spool::{Next, Spool};
use crate::upload::stream::Stream;

/// A body ends when nothing follows for so long: the server counts its bytes then.
const PAUSE: Duration = Duration::from_secs(1);
/// A body lasts no longer. Shorter than a server waits for a body that brings too little, and than proxies cut.
const BODY_LASTS: Duration = Duration::from_secs(10);
/// Nor is it larger, where no other size is asked for. Smaller than any proxy's limit that is known.
const BODY_BYTES: u64 = 32 * 1024 * 1024;
/// What the server answers where the upload has ended, and more comes.
const ENDED: &str = "beyond-declared-length";
/// How much is read of the spool at a time.
const BLOCK_BYTES: u64 = 64 * 1024;

/// What is asked of the server besides.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// Its receivers are told each time that so many bytes are new.
    pub(crate) tell_every: Option<u64>,
    /// When nothing has come for so long, what it has is the whole.
    pub(crate) end_after: Option<Duration>,
}

/// Sends all that the spool gets, until its input has ended.
pub(crate) async fn send(
    shared: &Shared,
    file_name: &str,
    asked: Asked,
    spool: Arc<Spool>,
    progress: FileProgress,
) -> Result<Sent> {
    let address = live_address(asked.tell_every, asked.end_after);
    let stream = Stream::begin(shared, &address, file_name, progress).await?;
    let body_bytes = shared.settings.chunk_bytes.unwrap_or(BODY_BYTES);
    let mut live = Live { stream, spool, body_bytes, end_after: asked.end_after, streak: Streak::default() };
    loop {
        let is_idle = live.spool.end_bytes() == live.stream.offset;
        let next = live.spool.next(live.stream.offset).await;
        if is_idle {
            live.stream.patience.was_idle();
        }
        match next {
            Next::End => break,
            Next::Bytes | Next::HeldBack => live.send_body().await?,
        }
    }
    let outcome = live.spool.outcome().unwrap_or_else(|| Err("The input was lost.".to_owned()));
    let whole = outcome.map_err(Failure::refused)?;
    live.stream.end().await?;
    live.stream.finish(whole.sha256, whole.crc64nvme).await
}

struct Live<'a> {
    stream: Stream<'a>,
    spool: Arc<Spool>,
    body_bytes: u64,
    end_after: Option<Duration>,
    streak: Streak,
}

impl Live<'_> {
    /// One body. Whatever comes of it, the server has said afterwards how many bytes count.
    async fn send_body(&mut self) -> Result<()> {
        let from = self.stream.offset;
        let moving = Moving::default();
        let (spool, throttle) = (Arc::clone(&self.spool), Arc::clone(&self.stream.shared.throttle));
        let body = Body { spool, throttle, from, to: from + self.body_bytes, moving: moving.clone() };
        let appended = self.stream.shared.api.append_live(self.stream.id, from, body.into_body(), &moving).await;
        self.stream.sent_bytes += moving.bytes();
        let offset = match appended {
            Ok(offset) => {
                self.stream.patience.succeeded();
                self.streak = Streak::default();
                offset
            }
            Err(refusal) if refusal.code.as_deref() == Some(ENDED) => return Err(self.ended_by_others(refusal).await),
            Err(refusal) => {
                self.stream.patience.wait(refusal, &mut self.streak).await?;
                self.stream.ask_offset().await?
            }
        };
        self.stream.counted(offset, from, from + moving.bytes())?;
        self.spool.confirm(offset);
        Ok(())
    }

    /// It has a length by now, and this input goes on: what the server keeps, and what it does not. No other upload is begun: two that nobody
    /// has asked for are one too many for whoever waits for one.
    async fn ended_by_others(&self, refusal: Refusal) -> Failure {
        let upload = UploadRef { id: self.stream.id, token: None };
        let Ok(status) = self.stream.patience.look(|| self.stream.shared.api.status(&upload)).await else {
            return refusal.into();
        };
        let who = who_has_ended(&status, self.end_after);
        let bytes = status.file_size.unwrap_or(status.uploaded_bytes).get();
        let id = self.stream.id;
        Failure::refused(format!(
            "{who}, and keeps {bytes} bytes as the whole: upload {id}. What has come since is not in it."
        ))
    }
}

fn who_has_ended(status: &Status, end_after: Option<Duration>) -> String {
    match end_after {
        _ if !status.truncated => "The server was told by somebody else that this is all".to_owned(),
        Some(silence) => {
            format!("The server has ended it, as it does after {} s without a byte at the latest", silence.as_secs())
        }
        None => "The server has ended it, as it does where nothing comes for long".to_owned(),
    }
}

/// What a body is made of.
struct Body {
    spool: Arc<Spool>,
    throttle: Arc<Throttle>,
    from: u64,
    to: u64,
    /// Is told what leaves.
    moving: Moving,
}

impl Body {
    fn into_body(self) -> reqwest::Body {
        let (from, until) = (self.from, Instant::now() + BODY_LASTS);
        reqwest::Body::wrap_stream(stream::try_unfold((self, from), move |(body, at)| async move {
            let now = Instant::now();
            if at >= body.to || now >= until {
                return Ok(None);
            }
            match timeout_at(until.min(now + PAUSE), body.spool.next(at)).await {
                Ok(Next::Bytes) => {}
                Ok(Next::HeldBack | Next::End) | Err(_) => return Ok(None),
            }
            let most = body.throttle.block_bytes(BLOCK_BYTES).min(body.to - at);
            let block = body.spool.read(at, most).await?;
            let length = block.len() as u64;
            body.throttle.wait_for(length).await;
            body.moving.moved(length);
            Ok::<_, std::io::Error>(Some((block, (body, at + length))))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_it_is_said_as_far_as_it_is_known() {
        let status = |truncated| -> Status {
            let document = serde_json::json!({
                "uploadId": "4e1e0e88-397a-4095-a467-4b0718e42ad6", "state": "completed", "reason": null, "uploadedBytes": 6,
                "fileSize": 6, "truncated": truncated, "missing": [], "chunkSize": 1, "fileName": "a", "delivery": "none",
                "object": null,
            });
            serde_json::from_value(document).unwrap()
        };
        let minute = Some(Duration::from_mins(1));
        assert!(who_has_ended(&status(true), minute).ends_with("as it does after 60 s without a byte at the latest"));
        assert!(who_has_ended(&status(true), None).ends_with("where nothing comes for long"));
        assert!(who_has_ended(&status(false), minute).contains("somebody else"));
    }
}
