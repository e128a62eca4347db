//! Live state: whoever watches an upload over a WebSocket is told how it stands at once, and again at every change of its
//! state or its delivery, and of its bytes at most twice a second.
//!
//! * Telling never keeps a chunk waiting and stores nothing: it happens after the row is written, without an `await`, and what
//!   cannot be sent is not sent. The platform holds messages back, as it does answers, until what they say is durable.
//! * The sockets, which the platform keeps, are the only list of watchers; what is in memory here is only about the half second.
//! * Once nothing can follow any more, the socket is closed with 1000. Closed any other way, the client asks for the status.

use std::{cell::RefCell, rc::Rc, time::Duration};

use crate::platform::error::Result;
use upload_protocols::json;
use upload_session::session::Session;
use upload_types::{
    units::UnixMs,
    upload::{DeliveryState, Phase, Snapshot},
};
use worker::{Delay, Response, State, WebSocket};

use crate::platform::{
    clock::now,
    sockets::{self, close},
};

/// Between two tellings of progress.
const INTERVAL_MS: u64 = 500;

/// Who watches an upload, and what they have not been told yet.
pub(crate) struct Watchers {
    state: Rc<State>,
    throttle: Rc<RefCell<Throttle>>,
}

/// The half second between two tellings of progress.
#[derive(Default)]
struct Throttle {
    last_told_at: Option<UnixMs>,
    /// What will be told when it is over.
    waiting: Option<Snapshot>,
}

impl Watchers {
    pub(crate) fn new(state: Rc<State>) -> Self {
        Self { state, throttle: Rc::default() }
    }

    /// Opens a socket and tells the truth on it.
    pub(crate) fn accept(&self, snapshot: &Snapshot) -> Result<Response> {
        let (socket, response) = sockets::accept(&self.state)?;
        tell(&[socket], snapshot);
        Ok(response)
    }

    /// Tells what a stored change has made of the session, now or in less than half a second.
    pub(crate) fn stored(&self, before: &Session, after: &Session) {
        let sockets = self.state.get_websockets();
        if sockets.is_empty() {
            return;
        }
        let (was, is) = (before.snapshot(), after.snapshot());
        let turns = |now: &Snapshot| (now.phase, now.held, now.delivery, now.object.is_some(), now.deleted_at);
        let has_turned = turns(&was) != turns(&is);
        if !has_turned && was.uploaded_bytes == is.uploaded_bytes {
            return;
        }
        let at = now();
        let mut throttle = self.throttle.borrow_mut();
        let since_ms = throttle.last_told_at.map_or(INTERVAL_MS, |told_at| at.ms_since(told_at));
        if has_turned || since_ms >= INTERVAL_MS {
            *throttle = Throttle { last_told_at: Some(at), waiting: None };
            tell(&sockets, &is);
        } else if throttle.waiting.replace(is).is_none() {
            self.tell_after(INTERVAL_MS - since_ms);
        }
    }

    /// Tells what is waiting then, unless something newer has been told meanwhile.
    fn tell_after(&self, delay_ms: u64) {
        let (state, throttle) = (Rc::clone(&self.state), Rc::clone(&self.throttle));
        wasm_bindgen_futures::spawn_local(async move {
            Delay::from(Duration::from_millis(delay_ms)).await;
            let waiting = throttle.borrow_mut().waiting.take();
            if let Some(snapshot) = waiting {
                throttle.borrow_mut().last_told_at = Some(now());
                tell(&state.get_websockets(), &snapshot);
            }
        });
    }

    /// Nothing is known of the upload any more.
    pub(crate) fn forget(&self) {
        self.throttle.take();
        self.state.get_websockets().iter().for_each(close);
    }
}

/// A socket that cannot be sent to has gone: its client asks for the status.
fn tell(sockets: &[WebSocket], snapshot: &Snapshot) {
    let text = json::event(snapshot);
    for socket in sockets {
        let _ = socket.send_with_str(&text);
        if is_settled(snapshot) {
            close(socket);
        }
    }
}

/// Whether nothing follows: the upload has ended, nobody is still to look at it, and the origin was told or will not be.
fn is_settled(snapshot: &Snapshot) -> bool {
    let has_ended = match snapshot.phase {
        Phase::Open | Phase::Completing | Phase::Verifying | Phase::Damaged => false,
        Phase::Completed | Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => true,
    };
    has_ended && !snapshot.held && snapshot.delivery != Some(DeliveryState::Queued)
}
