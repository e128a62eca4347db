//! The consumer of all queues. A message names an upload and what is to be done for it: tell a receiver of its event,
//! copy a batch of it from other uploads or from its damaged object, or read back a slice of its object. Whether there is still something to do, how often it was tried, and when to give up, the
//! upload's object knows.
//!
//! A batch is one invocation, of which the platform lets six calls wait for their answers at the same time; a seventh waits for one of
//! them, and copying, which reads and writes at once, would wait for itself. So no batch, however large, has more under way than
//! [`TOLD_AT_ONCE`] webhooks, or one task; the rest wait here, before their time begins.

pub(crate) mod concat;
pub(crate) mod copy;
mod given_up;
pub(crate) mod last_part;
pub(crate) mod repair;
pub(crate) mod verify;
pub(crate) mod webhook;

use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::{
    platform::error::{Error, Result},
    rpc::{
        ObjectClient, call,
        delivery::{BeginDelivery, EndDelivery},
        unless_refused,
        upload::QueueMessage,
    },
};
use futures_util::{StreamExt as _, stream};
use upload_session::{
    event::{DeliveryOutcome, RetryPolicy, Verdict},
    receivers::{ORIGIN_NAME, SCANNER_NAME},
};
use upload_types::{
    caller::Caller,
    json,
    units::{UnixMs, UploadId},
};
use worker::{
    Env, MessageBatch, MessageExt, QueueContentType, QueueRetryOptionsBuilder, RawMessage, RawMessageBuilder,
};

use crate::{
    config::{Config, Settings},
    log::{self, Stopwatch, now_ms},
    queue::webhook::{Addressee, Answer},
    receivers::Address,
};

/// Which binding of wrangler.toml leads to the dead-letter queue.
pub(crate) const DEAD_LETTER_BINDING: &str = "DEAD_LETTERS";

/// How the dead-letter queue is told from the other, in whatever environment: its name ends so.
const DEAD_LETTER_QUEUE_ENDING: &str = "dead-letters";

/// When a message could not even be looked at, the queue brings it back after so long.
const FAULT_DELAY_SECONDS: u32 = 30;

/// So long may a receiver take that is not the origin. A batch holds its place until all of it is settled, and the platform may have a
/// single consumer for a while: whoever hangs would hold up the events behind it for as long.
const OTHERS_TIMEOUT_MS: u64 = 10_000;

/// So often a receiver that is not listed is looked for: an hour or so with the pauses of production, long enough for settings to spread.
const ATTEMPTS_WITHOUT_ADDRESS: u32 = 10;

/// What is wrong with a request that never went out.
const UNMADE: &str = "the request could not be made";

/// What is wrong with a receiver that is listed no more.
const REMOVED: &str = "EVENT_RECEIVERS has no receiver of this name any more";

/// So many webhooks of a batch are under way at once, each with one call at a time: two of the six are left for what they ask.
/// Events come in batches of so many, so that none waits.
const TOLD_AT_ONCE: usize = 4;

/// So many tasks of a batch are: one alone takes two of the six while it copies, and asks for four pieces at once before. Tasks
/// come in batches of one.
const TASKS_AT_ONCE: usize = 1;

/// Takes a batch. Every message is acknowledged or retried by itself, so that a slow or failing one holds up no other.
pub(crate) async fn consume(batch: &MessageBatch<QueueMessage>, env: &Env) {
    let is_dead_letter = batch.queue().ends_with(DEAD_LETTER_QUEUE_ENDING);
    let (mut tells, mut tasks) = (Vec::new(), Vec::new());
    for message in batch.raw_iter() {
        match read(&message) {
            Ok(body) if is_dead_letter => bury(&message, &body),
            Ok(body @ QueueMessage::Tell { .. }) => tells.push((message, body)),
            Ok(body) => tasks.push((message, body)),
            Err(error) => {
                let line = LogLine { event: "unreadable_message", ..LogLine::default() };
                log::error(&LogLine { detail: Some(error.to_string()), ..line });
                if !is_dead_letter {
                    // A newer build may have written it. In the end it is a dead letter, and then this was the last of it.
                    retry(&message, FAULT_DELAY_SECONDS);
                }
            }
        }
    }
    for (messages, at_once) in [(tells, TOLD_AT_ONCE), (tasks, TASKS_AT_ONCE)] {
        stream::iter(messages).for_each_concurrent(at_once, |(message, body)| settle(message, body, env)).await;
    }
}

/// Does what a message asks for, and says so to the queue.
async fn settle(message: RawMessage, body: QueueMessage, env: &Env) {
    let settled = match &body {
        QueueMessage::Tell { upload_id, receiver, event_id } => {
            deliver(&message, *upload_id, (receiver, event_id), env).await
        }
        QueueMessage::Compose { upload_id } => {
            let copied = concat::run(*upload_id, env).await;
            message.ack();
            copied
        }
        QueueMessage::Copy { upload_id } => {
            let copied = repair::copy(*upload_id, env).await;
            message.ack();
            copied
        }
        QueueMessage::StoreLastPart { upload_id } => {
            let stored = last_part::run(*upload_id, env).await;
            message.ack();
            stored
        }
        QueueMessage::Verify { upload_id } => {
            let verified = verify::run(*upload_id, env).await;
            message.ack();
            verified
        }
    };
    if let Err(error) = settled {
        let line = LogLine::of("message_failed", body.upload_id());
        log::error(&LogLine { detail: Some(error.to_string()), ..line });
        retry(&message, FAULT_DELAY_SECONDS);
    }
}

/// What a message asks for.
fn read(message: &RawMessage) -> Result<QueueMessage> {
    let body = js_sys::JSON::stringify(&message.body())?.as_string().unwrap_or_default();
    Ok(json::from_str(&body)?)
}

/// Tells a receiver of an event: who and which, as the message names them.
async fn deliver(
    message: &RawMessage,
    upload_id: UploadId,
    (receiver, event_id): (&str, &str),
    env: &Env,
) -> Result<()> {
    let settings = Settings::of(env);
    let config = settings.config().map_err(ToString::to_string)?;
    let to = addressee(receiver, config);
    if to.is_none() && receiver == ORIGIN_NAME {
        return Err(
            "ORIGIN_WEBHOOK_URL is empty, and there is no binding ORIGIN, but there is an event to deliver".into()
        );
    }
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    // Whoever looks at a file takes as long as the origin may.
    let longest_ms = if [ORIGIN_NAME, SCANNER_NAME].contains(&receiver) { u64::MAX } else { OTHERS_TIMEOUT_MS };
    let begin = BeginDelivery {
        receiver: receiver.to_owned(),
        event_id: event_id.to_owned(),
        attempt_ms: config.webhook_timeout_ms.min(longest_ms),
        link_ms: config.download_url_ttl_seconds.max(1) * 1000,
    };
    let Some(facts) = unless_refused(call(&objects, upload_id, &begin).await)?.flatten() else {
        // Acknowledged already, given up, withdrawn, or forgotten: this is a late copy.
        message.ack();
        return Ok(());
    };
    let watch = Stopwatch::start();
    let (answer, policy) = if let Some(to) = &to {
        let sent = webhook::send(&facts, to, begin.attempt_ms, config, env).await;
        // Whatever it is, there is an end to its attempts.
        let unmade = |error: Error| {
            log::error(&LogLine { detail: Some(error.to_string()), ..LogLine::of("message_failed", upload_id) });
            Answer::Refused { status: None, asked_seconds: None, why: Some(UNMADE) }
        };
        (sent.unwrap_or_else(unmade), config.retry)
    } else {
        // Nobody waits long for a receiver that is not listed: it may be listed already where the upload was created, while settings
        // spread, or again in a moment. One that comes back later is told by `redeliver`.
        let max_attempts = config.retry.max_attempts.min(ATTEMPTS_WITHOUT_ADDRESS);
        let refused = Answer::Refused { status: None, asked_seconds: None, why: Some(REMOVED) };
        (refused, RetryPolicy { max_attempts, ..config.retry })
    };
    let (status, why, outcome) = match answer {
        Answer::Acknowledged { discard, result, verdict, why } => {
            (None, why, DeliveryOutcome::Acknowledged { discard, result, verdict })
        }
        Answer::Refused { status, asked_seconds, why } => {
            let error = why.map_or_else(|| without_words(status), str::to_owned);
            (status, why, DeliveryOutcome::Refused { policy, asked_seconds, error: Some(error) })
        }
    };
    let line = LogLine {
        duration_ms: Some(watch.elapsed_ms()),
        attempt: Some(facts.attempt.into()),
        age_ms: Some(UnixMs(now_ms()).ms_since(facts.occurred_at)),
        bytes: facts.snapshot.plan.declared_bytes(),
        status,
        detail: detail(receiver, why),
        cost: Some(facts.snapshot.cost),
        ..LogLine::of("delivered", upload_id)
    };
    // Crash here: the receiver has it and the object does not know. It is sent again, with the same id.
    given_up::note(&facts, &outcome, env).await?;
    let end = EndDelivery { receiver: begin.receiver, event_id: begin.event_id, outcome };
    told(message, env, &objects, upload_id, end, line).await
}

/// Where this receiver is; none where it is not among the settings any more.
fn addressee<'a>(receiver: &str, config: &'a Config) -> Option<Addressee<'a>> {
    if receiver == ORIGIN_NAME {
        return config.origin.as_ref().map(|origin| Addressee::Post(origin, &config.webhook_secrets));
    }
    config.receivers.find(receiver).map(|found| match &found.address {
        Address::Post(post) => Addressee::Post(post, &found.secrets),
        Address::Queue(binding) => Addressee::Queue(binding),
    })
}

/// What was wrong with an answer that has no more to it than its status.
fn without_words(status: Option<u16>) -> String {
    status.map_or_else(|| "it did not answer".to_owned(), |status| format!("it answered {status}"))
}

/// What a line about a delivery says beside its numbers: to whom, where that is not the origin, and what was wrong.
fn detail(receiver: &str, why: Option<&str>) -> Option<String> {
    match (receiver, why) {
        (ORIGIN_NAME, why) => why.map(str::to_owned),
        (other, None) => Some(format!("to {other}")),
        (other, Some(why)) => Some(format!("to {other}: {why}")),
    }
}

/// The receiver has been told, or not: the upload's object says what becomes of the message.
async fn told(
    message: &RawMessage,
    env: &Env,
    objects: &ObjectClient,
    upload_id: UploadId,
    end: EndDelivery,
    line: LogLine<'_>,
) -> Result<()> {
    let acknowledged = matches!(end.outcome, DeliveryOutcome::Acknowledged { .. });
    let verdict = unless_refused(call(objects, upload_id, &end).await)?.unwrap_or(Verdict::Settled);
    match verdict {
        Verdict::RetryAfter { delay_seconds } => {
            log::info(&LogLine { event: "not_delivered", cost: None, ..line });
            retry(message, delay_seconds);
        }
        Verdict::GiveUp => {
            log::error(&LogLine { event: "delivery_failed", ..line });
            // Crash here, or the queue is full: the object has it as failed, which is what counts.
            let letter = RawMessageBuilder::new(message.body()).build_with_content_type(QueueContentType::Json);
            env.queue(DEAD_LETTER_BINDING)?.send_raw(letter).await?;
            message.ack();
        }
        Verdict::Settled => {
            if acknowledged {
                log::info(&line);
            }
            message.ack();
        }
    }
    Ok(())
}

/// A message in the dead-letter queue is there for a person to see. Nothing follows from it: the object has given up
/// already, or goes on telling.
fn bury(message: &RawMessage, body: &QueueMessage) {
    let detail = match body {
        QueueMessage::Tell { receiver, event_id, .. } => Some(format!("{event_id} to {receiver}")),
        _ => None,
    };
    log::error(&LogLine { detail, ..LogLine::of("dead_letter", body.upload_id()) });
    message.ack();
}

fn retry(message: &RawMessage, delay_seconds: u32) {
    message.retry_with_options(&QueueRetryOptionsBuilder::new().with_delay_seconds(delay_seconds).build());
}
