//! Live state of one upload. Over a WebSocket: from an upload's object to its client, handed through; the Worker is gone once it is open,
//! and the object tells by itself. As Server-Sent Events: the Worker listens on such a socket, and passes on what it hears, for as long as
//! the client stays. What was not heard is lost without harm: each message is how the upload stands.

use durable_objects::platform::background::run_behind;
use durable_objects::platform::error::Result;
use durable_objects::rpc::upload;
use futures_channel::mpsc::{UnboundedSender, unbounded};
use upload_types::{
    json,
    operation::{Watch, WatchChannel},
};
use worker::{Headers, Response};

use crate::{
    context::RequestContext,
    http::event_stream::{self, COMMENT, Heard, ListeningSocket, before_heartbeat, hear},
};

/// Opens the channel. The object opens its socket for whoever may ask it anything.
pub(crate) async fn open(watch: Watch, context: RequestContext<'_>) -> Result<Response> {
    let socket = upload::watch(&context.uploads()?, watch.id).await?;
    Ok(match watch.channel {
        WatchChannel::WebSocket { subprotocol } => {
            let headers = Headers::new();
            if let Some(subprotocol) = subprotocol {
                headers.set("Sec-WebSocket-Protocol", subprotocol)?;
            }
            Response::from_websocket(socket)?.with_headers(headers)
        }
        WatchChannel::EventStream { last_event_id } => {
            let (sender, receiver) = unbounded();
            // A client that has gone is noticed by the next heartbeat, which must still come.
            run_behind(context.execution, Box::pin(pass_on(ListeningSocket(socket), last_event_id, sender)));
            event_stream::response(receiver)?
        }
    })
}

/// Until the object has nothing more to tell, or nobody listens any more.
async fn pass_on(socket: ListeningSocket, last_event_id: Option<String>, sender: UnboundedSender<String>) {
    let Ok(mut events) = socket.0.events() else { return };
    if socket.0.accept().is_err() {
        return;
    }
    let mut heard = last_event_id;
    loop {
        let text = match before_heartbeat(hear(&mut events)).await {
            Some(Heard::Message(status)) => {
                let id = event_id(&status);
                if id.is_some() && id == heard {
                    continue;
                }
                heard = id;
                format!("id: {}\ndata: {status}\n\n", heard.as_deref().unwrap_or_default())
            }
            Some(Heard::Settled | Heard::Lost) => return,
            None => COMMENT.to_owned(),
        };
        if sender.unbounded_send(text).is_err() {
            return;
        }
    }
}

/// Names how the upload stands: whoever comes back with it is not told the same again.
fn event_id(status: &str) -> Option<String> {
    let status: serde_json::Value = json::from_str(status).ok()?;
    let part = |name: &str| status[name].to_string().replace('"', "");
    Some(format!("{}-{}-{}", part("state"), part("delivery"), part("uploadedBytes")))
}
