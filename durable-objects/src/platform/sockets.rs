//! Sockets of objects. They hibernate: they cost nothing while nothing happens, and outlive the object's memory, so that the list of
//! sockets that the platform keeps is the only list of those who listen.

use upload_types::api_error::ApiError;
use worker::{Response, State, WebSocket, WebSocketPair};

use super::error::Result;

/// So many may listen to one object: telling them all must stay nothing beside what it is there for.
const MAX_LISTENERS: usize = 32;

/// RFC 6455, section 7.4.1: the purpose has been fulfilled.
const CLOSE_NORMAL: u16 = 1000;

/// Opens a socket: the object's end of it, and the answer with the other one.
pub(crate) fn accept(state: &State) -> Result<(WebSocket, Response)> {
    if state.get_websockets().len() >= MAX_LISTENERS {
        return Err(ApiError::TooManyWatchers.into());
    }
    let pair = WebSocketPair::new()?;
    state.accept_web_socket(&pair.server);
    Ok((pair.server, Response::from_websocket(pair.client)?))
}

/// Also the answer to a client's own close; closing twice is no matter.
pub(crate) fn close(socket: &WebSocket) {
    let _ = socket.close(Some(CLOSE_NORMAL), Some("nothing more to tell"));
}
