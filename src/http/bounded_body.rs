//! Bodies of answers that come from outside, read no further than to a bound: whoever sends them may be broken, or worse, and all
//! requests of an isolate share its memory.

use durable_objects::platform::error::Result;
use futures_util::StreamExt as _;
use worker::Response;

/// The whole body; none where it has more bytes than that, of which hardly more than that were read.
pub(crate) async fn read(response: &mut Response, max_bytes: usize) -> Result<Option<Vec<u8>>> {
    let mut stream = response.stream()?;
    let mut body = Vec::new();
    while let Some(bytes) = stream.next().await {
        body.extend_from_slice(&bytes?);
        if body.len() > max_bytes {
            return Ok(None);
        }
    }
    Ok(Some(body))
}
