//! A document: a body that says what is asked for. It is read whole before anybody knows who asks, so it is read as any other body:
//! no slower than the stall rule allows, and into memory that grows with it. One for which there is no memory is read away before it
//! is refused, so that its sender, who is still sending, sees the answer.

use std::time::Duration;

use durable_objects::platform::error::Result;
use upload_session::gathering::has_room;
use upload_types::api_error::ApiError;
use web_sys::ReadableStream;

use crate::transfer::{
    gathering::{Arriving, Source as _},
    held::Held,
    idle_timeout::Waited,
};

/// All its bytes, which are so many.
pub(crate) async fn read(body: Option<ReadableStream>, bytes: u64, stalled_after: Duration) -> Result<Vec<u8>> {
    let Some(body) = body.filter(|_| bytes > 0) else { return Ok(Vec::new()) };
    let (mut arriving, mut held) = (Arriving::new(&body, stalled_after)?, Held::default());
    while held.bytes() < bytes {
        if !has_room(held.bytes(), held.others().1) {
            drop(held);
            arriving.drain().await;
            return Err(ApiError::Overloaded.into());
        }
        match arriving.next(bytes - held.bytes()).await {
            Waited::Came(Ok(piece)) => arriving.hold(&piece, &mut held),
            Waited::Came(Err(_)) => return Err(ApiError::DocumentCutShort.into()),
            Waited::Stalled => return Err(ApiError::DocumentStalled.into()),
            Waited::Paused => {}
        }
    }
    Ok(held.into_one().to_vec())
}
