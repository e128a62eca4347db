//! What an object has others do: it hands the queue a message that says where to ask, and for what.

use crate::fault::Result;
use upload_core::log_line::LogLine;
use worker::Env;

use crate::{faults::around, log, queue, rpc::upload::Errand};

/// Which binding of wrangler.toml leads to the queue of events.
const QUEUE_BINDING: &str = "EVENTS";

/// Hands an errand to the queue. Where the queue does not take it, that is logged, and the duty comes again later.
pub(crate) async fn send(env: &Env, errand: &Errand) -> Result<()> {
    let message = js_sys::JSON::parse(&serde_json::to_string(errand)?)?;
    let sent = around("queue.send", queue::send(env, QUEUE_BINDING, &message)).await;
    if let Err(error) = sent {
        let line = LogLine::of("errand_not_queued", errand.upload_id());
        log::error(&LogLine { detail: Some(error.to_string()), ..line });
    }
    Ok(())
}
