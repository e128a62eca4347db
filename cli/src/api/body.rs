//! The body of a chunk: read from the file while it is sent, a block at a time, so that no chunk lies in memory. What has left is counted,
//! and a request of which nothing moves any more is noticed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::time::Instant;

use crate::throttle::Throttle;
use crate::upload::source::Source;

/// How much is read at a time.
const BLOCK_BYTES: u64 = 256 * 1024;
/// How long nothing may move, of a body or before the answer.
const STALL: Duration = Duration::from_mins(1);

/// A part of a file, to be sent.
pub(crate) struct SendingBody {
    source: Arc<Source>,
    from: u64,
    to: u64,
    throttle: Arc<Throttle>,
    moving: Moving,
}

impl SendingBody {
    pub(crate) fn new(source: Arc<Source>, from: u64, to: u64, throttle: Arc<Throttle>) -> Self {
        Self { source, from, to, throttle, moving: Moving::default() }
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
            let block = read(&body.source, at, length).await?;
            body.moving.moved(length);
            Ok::<_, std::io::Error>(Some((block, (body, at + length))))
        }))
    }
}

async fn read(source: &Arc<Source>, at: u64, length: u64) -> std::io::Result<Bytes> {
    let source = Arc::clone(source);
    let read = tokio::task::spawn_blocking(move || {
        let mut block = vec![0; usize::try_from(length).unwrap_or(0)];
        source.read_at(at, &mut block).map(|()| Bytes::from(block))
    });
    read.await.map_err(std::io::Error::other)?
}

/// When a body has moved last, and how much of it has left.
#[derive(Clone)]
pub(crate) struct Moving(Arc<Mutex<Moved>>);

struct Moved {
    at: Instant,
    bytes: u64,
}

impl Default for Moving {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Moved { at: Instant::now(), bytes: 0 })))
    }
}

impl Moving {
    fn moved(&self, bytes: u64) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.at = Instant::now();
        moved.bytes += bytes;
    }

    /// How many bytes have left.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Returns once nothing has moved for too long, with a complaint.
    pub(super) async fn until_stalled(&self) -> String {
        loop {
            let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).at + STALL;
            if Instant::now() >= until {
                return format!("Nothing has moved for {} s.", STALL.as_secs());
            }
            tokio::time::sleep_until(until).await;
        }
    }
}
