//! The body of a chunk: read from the file while it is sent, a block at a time, so that no chunk lies in memory; or bytes that lie there
//! already. What has left is counted, and a request of which nothing moves any more is noticed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::time::Instant;

use crate::throttle::Throttle;
use crate::upload::source::Source;

/// How much is read at a time. As little as leaves within [a minute](crate::api::line) over the slowest of lines.
const BLOCK_BYTES: u64 = 64 * 1024;
/// So much may have left here and still wait for the line, in buffers that nobody can look into.
const BUFFERED_BYTES: u32 = 1024 * 1024;

/// A part of a file, to be sent.
pub(crate) struct SendingBody {
    content: Content,
    from: u64,
    to: u64,
    throttle: Arc<Throttle>,
    moving: Moving,
}

#[derive(Clone)]
enum Content {
    File(Arc<Source>),
    Memory(Bytes),
}

impl SendingBody {
    pub(crate) fn new(source: Arc<Source>, from: u64, to: u64, throttle: Arc<Throttle>) -> Self {
        Self { content: Content::File(source), from, to, throttle, moving: Moving::default() }
    }

    /// Of bytes that lie in memory, and whose turn it is.
    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        let (to, throttle) = (bytes.len() as u64, Arc::new(Throttle::new(None)));
        Self { content: Content::Memory(bytes), from: 0, to, throttle, moving: Moving::default() }
    }

    pub(crate) fn length(&self) -> u64 {
        self.to - self.from
    }

    /// To be asked while it is sent.
    pub(crate) fn moving(&self) -> Moving {
        self.moving.clone()
    }

    pub(super) fn into_body(self) -> reqwest::Body {
        let at = self.from;
        reqwest::Body::wrap_stream(stream::try_unfold((self, at), |(body, at)| async move {
            if at == body.to {
                return Ok(None);
            }
            let length = body.throttle.block_bytes(BLOCK_BYTES).min(body.to - at);
            body.throttle.wait_for(length).await;
            let block = body.content.read(at, length).await?;
            body.moving.moved(length);
            Ok::<_, std::io::Error>(Some((block, (body, at + length))))
        }))
    }
}

impl Content {
    async fn read(&self, at: u64, length: u64) -> std::io::Result<Bytes> {
        let (place, length) = (usize::try_from(at).unwrap_or(usize::MAX), usize::try_from(length).unwrap_or(0));
        let source = match self {
            Self::File(source) => Arc::clone(source),
            Self::Memory(bytes) => return Ok(bytes.slice(place..place + length)),
        };
        let read = tokio::task::spawn_blocking(move || {
            let mut block = vec![0; length];
            source.read_at(at, &mut block).map(|()| Bytes::from(block))
        });
        read.await.map_err(std::io::Error::other)?
    }
}

/// When a body has moved last, and how much of it has left.
#[derive(Clone)]
pub(crate) struct Moving(Arc<Mutex<Moved>>);

struct Moved {
    since: Instant,
    at: Instant,
    bytes: u64,
}

impl Moved {
    /// How long what is buffered may take, by the pace until now; no longer than all took that has left.
    fn buffered(&self) -> Duration {
        let blocks = u32::try_from(self.bytes / u64::from(BUFFERED_BYTES)).unwrap_or(u32::MAX);
        (self.at - self.since) / blocks.max(1)
    }
}

impl Default for Moving {
    fn default() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Moved { since: now, at: now, bytes: 0 })))
    }
}

impl Moving {
    /// So many bytes leave now.
    pub(crate) fn moved(&self, bytes: u64) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.at = Instant::now();
        moved.bytes += bytes;
    }

    /// How many bytes have left.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Returns once nothing has moved for so long, and longer than a slow line explains, with a complaint.
    pub(super) async fn until_stalled(&self, stall: Duration) -> String {
        loop {
            let (at, lasts) = {
                let moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                (moved.at, stall + moved.buffered())
            };
            if at.elapsed() >= lasts {
                return format!("Nothing has moved for {} s.", lasts.as_secs());
            }
            tokio::time::sleep_until(at + lasts).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_not_cut_however_long_it_takes_and_what_does_not_is() {
        let stall = Duration::from_mins(1);
        let moving = Moving::default();
        let (mover, watched) = (moving.clone(), moving.clone());
        let sending = async move {
            for _ in 0..60 {
                tokio::time::sleep(Duration::from_secs(59)).await;
                mover.moved(1);
            }
        };
        tokio::select! {
            () = sending => {}
            complaint = watched.until_stalled(stall) => panic!("{complaint}"),
        }
        let began = Instant::now();
        moving.until_stalled(stall).await;
        assert_eq!((moving.bytes(), began.elapsed()), (60, stall + stall.mul_f64(59.0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_given_the_time_that_it_needs_for_what_is_buffered() {
        let stall = Duration::from_mins(1);
        let moving = Moving::default();
        let began = Instant::now();
        assert_eq!(moving.until_stalled(stall).await, "Nothing has moved for 60 s.");
        assert_eq!(began.elapsed(), stall);
        let moving = Moving::default();
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            moving.moved(BUFFERED_BYTES.into());
        }
        assert_eq!(moving.until_stalled(stall).await, "Nothing has moved for 110 s.");
    }
}
