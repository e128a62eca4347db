//! A body that is read as it comes, into memory: because it does not say how long it is, or because it is a document.

use std::{cell::Cell, time::Duration};

use durable_objects::platform::error::Result;
use futures_util::future::LocalBoxFuture;
use js_sys::Uint8Array;
use upload_session::{
    gathering::{AHEAD_BYTES, Gathering, has_room},
    read_size::ReadSize,
};
use web_sys::ReadableStream;

use crate::{
    log::Stopwatch,
    transfer::{
        body::{Body, Wanted},
        held::Held,
        idle_timeout::{IdleTimeout, Waited},
        relay::read_away,
    },
};

/// What has come is stored when nothing has followed for so long, or for half of what a body is allowed.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why no more follows.
#[derive(Clone, Copy)]
pub(crate) enum Ended {
    /// The body has ended.
    AtEnd,
    /// It was cut off: its sender has gone.
    CutOff,
    /// It has brought too little for too long.
    Stalled,
}

/// What has come, and why nothing follows, where nothing does.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) held: Held,
    pub(crate) end: Option<Ended>,
    /// Whether nothing has followed for so long that it is to be stored.
    pub(crate) is_due: bool,
}

/// What comes next of a source.
pub(crate) type Next<'a> = LocalBoxFuture<'a, Waited<Result<Uint8Array, Ended>>>;

/// Where bytes come from that are wanted as they come: a body, or a file in a form.
pub(crate) trait Source {
    /// Whatever comes next, no more than so many; or why nothing does.
    fn next(&mut self, most_bytes: u64) -> Next<'_>;

    /// What came has been used, and its memory may be taken for what comes next.
    fn give_back(&mut self, piece: &Uint8Array);

    /// What is still to come is not wanted.
    fn drain(&mut self) -> LocalBoxFuture<'_, ()>;

    /// Keeps what came.
    fn hold(&mut self, piece: &Uint8Array, held: &mut Held) {
        held.push(piece);
        self.give_back(piece);
    }
}

/// More bytes of a source, behind those that have been gathered: `most_bytes` together; fewer where nothing follows for a while, where the
/// memory is wanted by others, where somebody has said that it is enough, or where the body ends.
pub(crate) async fn gather(source: &mut dyn Source, gathered: &mut Gathered, most_bytes: u64, is_enough: &Cell<bool>) {
    let watch = Stopwatch::start();
    let Gathered { held, end, is_due } = gathered;
    while end.is_none() && !*is_due && !is_enough.get() {
        let (bytes, took_ms, (others, others_bytes)) = (held.bytes(), watch.elapsed_ms(), held.others());
        let most_bytes = most_bytes.min(Gathering { bytes, took_ms, others, others_bytes }.most_bytes());
        if bytes >= most_bytes {
            return;
        }
        match source.next(most_bytes - bytes).await {
            Waited::Came(Ok(piece)) => source.hold(&piece, held),
            Waited::Came(Err(ended)) => *end = Some(ended),
            Waited::Stalled => *end = Some(Ended::Stalled),
            Waited::Paused if bytes == 0 => {}
            Waited::Paused => *is_due = true,
        }
    }
}

/// The same while something else is being stored, until it is, and only where there is memory for that.
pub(crate) async fn gather_ahead(
    source: &mut dyn Source,
    gathered: &mut Gathered,
    most_bytes: u64,
    is_stored: &Cell<bool>,
) {
    if has_room(AHEAD_BYTES, gathered.held.others().1) {
        gather(source, gathered, most_bytes, is_stored).await;
    }
}

/// A body whose bytes are wanted as they come.
pub(crate) struct Arriving {
    body: Body,
    patience: IdleTimeout,
    stride: ReadSize,
}

impl Arriving {
    /// Takes the body, which must not have been read.
    pub(crate) fn new(body: &ReadableStream, stalled_after: Duration) -> Result<Self> {
        let patience = IdleTimeout::telling_pauses(stalled_after, LONGEST_PAUSE.min(stalled_after / 2));
        Ok(Self { body: Body::new(body)?, patience, stride: ReadSize::default() })
    }
}

impl Source for Arriving {
    fn next(&mut self, most_bytes: u64) -> Next<'_> {
        Box::pin(async move {
            let watch = Stopwatch::start();
            let room_bytes = self.stride.room_bytes(1, self.body.others_bytes());
            let wanted = Wanted { least_bytes: 1, room_bytes, most_bytes };
            match self.patience.wait_for(self.body.read(wanted)).await {
                Waited::Came(Ok(piece)) if piece.length() > 0 => {
                    self.stride.brought(piece.length(), watch.elapsed_ms());
                    self.patience.brought(piece.length());
                    Waited::Came(Ok(piece))
                }
                Waited::Came(Ok(_)) => Waited::Came(Err(Ended::AtEnd)),
                Waited::Came(Err(_)) => Waited::Came(Err(Ended::CutOff)),
                Waited::Stalled => Waited::Stalled,
                Waited::Paused => Waited::Paused,
            }
        })
    }

    fn give_back(&mut self, piece: &Uint8Array) {
        self.body.give_back(piece);
    }

    fn drain(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(read_away(&mut self.body))
    }
}
