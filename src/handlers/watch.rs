//! Live state. Over a WebSocket: from an upload's object to its client, handed through; the Worker is gone once it is open, and the object
//! tells by itself. As Server-Sent Events: the Worker listens on such a socket, and passes on what it hears, for as long as the client
//! stays. What was not heard is lost without harm: each message is how the upload stands.

use std::time::Duration;

use durable_objects::platform::error::Result;
use durable_objects::rpc::upload;
use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::{
    StreamExt,
    future::{Either, select},
    pin_mut,
};
use upload_types::operation::{Watch, WatchChannel};
use worker::{Delay, Headers, Response, WebSocket, WebsocketEvent};

use crate::context::RequestContext;

/// Proxies end an answer in which nothing has moved for a while, mostly a minute; and a client that has gone is noticed by it.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Opens the channel. The object opens its socket for whoever may ask it anything.
pub(crate) async fn open(watch: Watch, context: RequestContext<'_>) -> Result<Response> {
    let socket = upload::watch(&context.uploads()?, watch.id).await?;
    let headers = Headers::new();
    Ok(match watch.channel {
        WatchChannel::WebSocket { subprotocol } => {
            if let Some(subprotocol) = subprotocol {
                headers.set("Sec-WebSocket-Protocol", subprotocol)?;
            }
            Response::from_websocket(socket)?.with_headers(headers)
        }
        WatchChannel::EventStream { last_event_id } => {
            headers.set("Content-Type", "text/event-stream")?;
            headers.set("Cache-Control", "no-store")?;
            let (sender, receiver) = unbounded();
            wasm_bindgen_futures::spawn_local(pass_on(socket, last_event_id, sender));
            Response::from_stream(receiver.map(Ok::<_, worker::Error>))?.with_headers(headers)
        }
    })
}

/// Until the object has nothing more to tell, or nobody listens any more.
async fn pass_on(socket: WebSocket, last_event_id: Option<String>, sender: UnboundedSender<Vec<u8>>) {
    let Ok(mut events) = socket.events() else { return };
    if socket.accept().is_err() {
        return;
    }
    let mut heard = last_event_id;
    loop {
        let heartbeat = Delay::from(HEARTBEAT);
        pin_mut!(heartbeat);
        let text = match select(events.next(), heartbeat).await {
            Either::Left((Some(Ok(WebsocketEvent::Message(message))), _)) => {
                let Some(status) = message.text() else { continue };
                let id = event_id(&status);
                if id.is_some() && id == heard {
                    continue;
                }
                heard = id;
                format!("id: {}\ndata: {status}\n\n", heard.as_deref().unwrap_or_default())
            }
            Either::Left(_) => break,
            Either::Right(_) => ":\n\n".to_owned(),
        };
        if sender.unbounded_send(text.into_bytes()).is_err() {
            break;
        }
    }
    drop(events);
    // Closed already where the object has ended it.
    let _ = socket.close(Some(1000), Some("nobody listens any more"));
}

/// Names how the upload stands: whoever comes back with it is not told the same again.
fn event_id(status: &str) -> Option<String> {
    let status: serde_json::Value = serde_json::from_str(status).ok()?;
    let part = |name: &str| status[name].to_string().replace('"', "");
    Some(format!("{}-{}-{}", part("state"), part("delivery"), part("uploadedBytes")))
}
