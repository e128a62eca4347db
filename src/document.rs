//! A document: a body that says what is asked for. It is read whole before anybody knows who asks, so it is read as any other body:
//! no slower than the stall rule allows, and into memory that grows with it.

use std::time::Duration;

use durable_objects::fault::Result;
use upload_core::{gathering::has_room, refusal::Refusal};
use web_sys::ReadableStream;

use crate::{gathering::Gatherer, held::Held, patience::Waited};

/// All its bytes, which are so many.
pub(crate) async fn read(
    body: Option<ReadableStream>,
    bytes: u64,
    stalled_after: Duration,
) -> Result<Result<Vec<u8>, Refusal>> {
    let Some(body) = body.filter(|_| bytes > 0) else { return Ok(Ok(Vec::new())) };
    let (mut gatherer, mut held) = (Gatherer::new(&body, stalled_after)?, Held::default());
    while held.bytes() < bytes {
        if !has_room(held.bytes(), held.others_bytes()) {
            return Ok(Err(Refusal::Overloaded));
        }
        match gatherer.next(bytes - held.bytes()).await {
            Waited::Came(Ok(piece)) => gatherer.hold(&piece, &mut held),
            Waited::Came(Err(_)) => return Ok(Err(Refusal::DocumentCutShort)),
            Waited::Stalled => return Ok(Err(Refusal::DocumentStalled)),
            Waited::Paused => {}
        }
    }
    Ok(Ok(held.into_one().to_vec()))
}
