//! What an object has others do: it hands the queue a message that says where to ask, and for what.

use crate::fault::Result;
use upload_core::log_line::LogLine;
use worker::Env;

use crate::{faults::around, log, rpc::upload::Errand};

/// Which binding of wrangler.toml leads to the queue of events.
const QUEUE_BINDING: &str = "EVENTS";

/// Hands an errand to the queue. Where the queue does not take it, that is logged, and the duty comes again later.
pub(crate) async fn send(env: &Env, errand: Errand) -> Result<()> {
    let upload_id = errand.upload_id();
    let sent = around("queue.send", env.queue(QUEUE_BINDING)?.send(errand)).await;
    if let Err(error) = sent {
        let line = LogLine::of("errand_not_queued", upload_id);
        log::error(&LogLine { detail: Some(error.to_string()), ..line });
    }
    Ok(())
}
