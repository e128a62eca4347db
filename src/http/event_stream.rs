//! Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) that are made of what objects say on their sockets.

use std::time::Duration;

use durable_objects::platform::error::Result;
use futures_util::{
    Stream, StreamExt,
    future::{Either, select},
    pin_mut,
};
use worker::{Delay, EventStream, Headers, Response, WebSocket, WebsocketEvent};

/// Proxies end an answer in which nothing has moved for a while, mostly a minute; and a client that has gone is noticed by it.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What is sent then: it is no event.
pub(crate) const COMMENT: &str = ":\n\n";

/// RFC 6455, section 7.4.1: the purpose has been fulfilled.
const CLOSE_NORMAL: u16 = 1000;

/// What an object has said.
pub(crate) enum Heard {
    /// This.
    Message(String),
    /// Nothing for a while.
    Nothing,
    /// That nothing can follow.
    Settled,
    /// It has gone without a word.
    Lost,
}

/// Listens to an object's socket.
pub(crate) async fn hear(events: &mut EventStream<'_>) -> Heard {
    let heartbeat = Delay::from(HEARTBEAT);
    pin_mut!(heartbeat);
    loop {
        return match select(events.next(), heartbeat.as_mut()).await {
            Either::Left((Some(Ok(WebsocketEvent::Message(message))), _)) => match message.text() {
                Some(text) => Heard::Message(text),
                None => continue,
            },
            Either::Left((Some(Ok(WebsocketEvent::Close(close))), _)) if close.code() == CLOSE_NORMAL => Heard::Settled,
            Either::Left(_) => Heard::Lost,
            Either::Right(_) => Heard::Nothing,
        };
    }
}

/// Says to an object that nobody listens any more. It may have ended the socket itself.
pub(crate) fn hang_up(socket: &WebSocket) {
    let _ = socket.close(Some(CLOSE_NORMAL), Some("nobody listens any more"));
}

/// The answer that these events make.
pub(crate) fn response(events: impl Stream<Item = String> + 'static) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Content-Type", "text/event-stream")?;
    headers.set("Cache-Control", "no-store")?;
    let bytes = events.map(|text| Ok::<_, worker::Error>(text.into_bytes()));
    Ok(Response::from_stream(bytes)?.with_headers(headers))
}
