//! What an object has others do: it hands a queue a message that says where to ask, and for what. Telling receivers is one queue;
//! what moves bytes has another, since it takes long, and each message of it has the connections of an invocation to itself.

use crate::platform::error::Result;
use crate::platform::telemetry::log_line::LogLine;
use upload_session::receivers::ORIGIN_NAME;
use worker::{Env, MessageBuilder, SendMessage};

use crate::{
    platform::{fault_injection::around, logging},
    rpc::upload::QueueMessage,
};

/// Which binding of wrangler.toml leads to the queue of events.
pub const EVENTS_BINDING: &str = "EVENTS";

/// Which one leads to a queue of its own for what receivers beside the origin are told, where a deployment has one: then the origin waits for
/// none of them, also where one hangs.
pub const RECEIVERS_BINDING: &str = "RECEIVERS";

/// Which one leads to the queue of copying and reading back.
pub const TASKS_BINDING: &str = "TASKS";

/// Hands a message to its queue. Where the queue does not take it, that is logged, and the duty comes again later.
pub(crate) async fn enqueue(env: &Env, message: &QueueMessage) -> Result<()> {
    let binding = match message {
        QueueMessage::Tell { receiver, .. } if receiver != ORIGIN_NAME && env.queue(RECEIVERS_BINDING).is_ok() => {
            RECEIVERS_BINDING
        }
        QueueMessage::Tell { .. } => EVENTS_BINDING,
        QueueMessage::Compose { .. }
        | QueueMessage::Copy { .. }
        | QueueMessage::StoreLastPart { .. }
        | QueueMessage::Verify { .. } => TASKS_BINDING,
    };
    let handing_over = async {
        let message = MessageBuilder::new(message).build();
        env.queue(binding)?.send::<&QueueMessage, SendMessage<_>>(message).await
    };
    let sent = around("queue.send", handing_over).await;
    if let Err(error) = sent {
        let line = LogLine::of("message_not_queued", message.upload_id());
        logging::error(&LogLine { detail: Some(error.to_string()), ..line });
    }
    Ok(())
}
