//! Live state: a WebSocket from an upload's object to its client, handed through. The Worker is gone once it is open; the object
//! tells by itself.

use durable_objects::platform::error::Result;
use durable_objects::rpc::upload;
use upload_core::operation::Watch;
use worker::{Headers, Response};

use crate::context::RequestContext;

/// Opens the socket. The object opens it for whoever may ask it anything.
pub(crate) async fn open(watch: &Watch, context: RequestContext<'_>) -> Result<Response> {
    let socket = upload::watch(&context.uploads()?, watch.id).await?;
    let headers = Headers::new();
    if let Some(subprotocol) = watch.subprotocol {
        headers.set("Sec-WebSocket-Protocol", subprotocol)?;
    }
    Ok(Response::from_websocket(socket)?.with_headers(headers))
}
