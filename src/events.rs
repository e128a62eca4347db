//! Live state: a WebSocket from an upload's object to its client, handed through. The Worker is gone once it is open; the object
//! tells by itself.

use durable_objects::rpc::{self, upload};
use upload_core::{operation::Operation, refusal::Refusal, units::UploadId};
use worker::{Context, Env, Headers, Request, Response, Result};

use crate::{config::Config, uploads};

/// What a client offers as its WebSocket subprotocol. A browser sends no `Authorization` with a handshake; whoever needs one
/// offers it beside this name, as `bearer.<token>`, and a browser insists that one of what it offered is chosen.
const SUBPROTOCOL: &str = "quayside";

const SUBPROTOCOL_HEADER: &str = "Sec-WebSocket-Protocol";

/// Opens the socket for whoever may ask for the status.
pub(crate) async fn watch(
    id: UploadId,
    request: &Request,
    config: &Config,
    env: &Env,
    context: &Context,
) -> Result<Result<Response, Refusal>> {
    // Who may watch is decided here and nowhere else: by asking for the status in the caller's name.
    if let Err(refusal) = uploads::carry_out(Operation::Status(id), None, config, env, context, String::new()).await? {
        return Ok(Err(refusal));
    }
    let socket = match upload::watch(&env.durable_object(rpc::UPLOADS_BINDING)?, id).await? {
        Ok(socket) => socket,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let headers = Headers::new();
    let offered = request.headers().get(SUBPROTOCOL_HEADER)?.unwrap_or_default();
    if offered.split(',').any(|name| name.trim() == SUBPROTOCOL) {
        headers.set(SUBPROTOCOL_HEADER, SUBPROTOCOL)?;
    }
    Ok(Ok(Response::from_websocket(socket)?.with_headers(headers)))
}
