//! Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) that are made of what objects say on their sockets.

use std::{future::Future, time::Duration};

use durable_objects::platform::error::Result;
use futures_util::{
    Stream, StreamExt,
    future::{Either, select},
    pin_mut,
};
use worker::{Delay, EventStream, Headers, Response, WebSocket, WebsocketEvent};

/// Proxies end an answer in which nothing has moved for a while, mostly a minute; and a client that has gone is noticed by it.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// What is sent then: it is no event.
pub(crate) const COMMENT: &str = ":\n\n";

/// RFC 6455, section 7.4.1: the purpose has been fulfilled.
const CLOSE_NORMAL: u16 = 1000;

/// What an object has said.
pub(crate) enum Heard {
    /// This.
    Message(String),
    /// That nothing can follow.
    Settled,
    /// Nothing: it has gone without a word.
    Lost,
}

/// Listens to an object's socket.
pub(crate) async fn hear(events: &mut EventStream<'_>) -> Heard {
    loop {
        return match events.next().await {
            Some(Ok(WebsocketEvent::Message(message))) => match message.text() {
                Some(text) => Heard::Message(text),
                None => continue,
            },
            Some(Ok(WebsocketEvent::Close(close))) if close.code() == CLOSE_NORMAL => Heard::Settled,
            _ => Heard::Lost,
        };
    }
}

/// What comes of it before the next heartbeat, if anything does.
pub(crate) async fn before_heartbeat<T>(listening: impl Future<Output = T>) -> Option<T> {
    let heartbeat = Delay::from(HEARTBEAT);
    pin_mut!(listening, heartbeat);
    match select(listening, heartbeat).await {
        Either::Left((heard, _)) => Some(heard),
        Either::Right(_) => None,
    }
}

/// A socket that is closed when nobody listens to it any more.
pub(crate) struct ListeningSocket(pub(crate) WebSocket);

impl Drop for ListeningSocket {
    fn drop(&mut self) {
        // The object may have ended it itself.
        let _ = self.0.close(Some(CLOSE_NORMAL), Some("nobody listens any more"));
    }
}

/// The answer that these events make.
pub(crate) fn response(events: impl Stream<Item = String> + 'static) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Content-Type", "text/event-stream")?;
    headers.set("Cache-Control", "no-store")?;
    let bytes = events.map(|text| Ok::<_, worker::Error>(text.into_bytes()));
    Ok(Response::from_stream(bytes)?.with_headers(headers))
}
