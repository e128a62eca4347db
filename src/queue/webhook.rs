//! One attempt at telling a receiver: a signed POST (`signed_post`) to its address or to its binding, whose 2xx answer is the acknowledgement,
//! once all of it is here. One that was cut short, or is too long, is none: it may have had more to say, and the receiver is told again. Or a
//! message to a queue of the application, which has acknowledged once the queue has taken it.

use std::time::Duration;

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::delivery::EventFacts;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use upload_access::token::Secret;
use upload_session::{event::EventKind, held_verdict::HeldVerdict};
use upload_types::{
    bucket, json,
    link::Presentation,
    upload::{LiveState, MAX_RESULT_BYTES},
};
use worker::{Delay, Env, QueueContentType, RawMessageBuilder};

use crate::{
    access::signed_url,
    config::Config,
    exchange,
    signed_post::{self, Message, Receiver, Reply},
};

/// What is wrong with an answer of the scanner that says nothing.
const NO_VERDICT: &str = "its answer has no verdict: release, delete or hold";

/// Who is told.
pub(crate) enum Addressee<'a> {
    /// Whoever answers a request.
    Post(&'a Receiver, &'a [Secret]),
    /// The queue that is bound under this name.
    Queue(&'a str),
}

/// What the receiver said.
pub(crate) enum Answer {
    /// It has the event.
    Acknowledged {
        /// And wants the object deleted.
        discard: bool,
        /// What it has to say to the client.
        result: Option<String>,
        /// What is to become of what is held.
        verdict: Option<HeldVerdict>,
        /// What is wrong with what it had to say.
        why: Option<&'static str>,
    },
    /// It did not take it.
    Refused {
        /// The status, where there was an answer.
        status: Option<u16>,
        /// The pause it asked for.
        asked_seconds: Option<u32>,
        /// What was wrong with an answer whose status was not.
        why: Option<&'static str>,
    },
}

/// Sends the event once and waits for the answer, no longer than this.
pub(crate) async fn send(
    facts: &EventFacts,
    to: &Addressee<'_>,
    timeout_ms: u64,
    config: &Config,
    env: &Env,
) -> Result<Answer> {
    let body = body(facts, config)?.to_string();
    let id = &facts.event_id;
    let (receiver, secrets) = match to {
        Addressee::Post(receiver, secrets) => (*receiver, *secrets),
        Addressee::Queue(binding) => return Ok(enqueue(binding, &body, timeout_ms, env).await),
    };
    let message = Message { id, body: &body, timeout_ms, is_read: is_acknowledgement };
    Ok(match signed_post::send(&message, receiver, secrets, env).await? {
        Reply::Answer(answer) => understood(answer, facts.kind == EventKind::Held, asks_scanner(facts)),
        Reply::Silence(_) => Answer::Refused { status: None, asked_seconds: None, why: None },
    })
}

/// Crash here, behind the queue's taking it: nobody knows, and it is given a second copy.
async fn enqueue(binding: &str, body: &str, timeout_ms: u64, env: &Env) -> Answer {
    let sending = Box::pin(async {
        let message = RawMessageBuilder::new(js_sys::JSON::parse(body)?);
        env.queue(binding)?.send_raw(message.build_with_content_type(QueueContentType::Json)).await?;
        Ok::<_, Error>(())
    });
    let why = match select(sending, Delay::from(Duration::from_millis(timeout_ms))).await {
        Either::Left((Ok(()), _)) => return acknowledged(),
        Either::Left((Err(_), _)) => "the queue did not take it",
        Either::Right(_) => "the queue did not take it in time",
    };
    Answer::Refused { status: None, asked_seconds: None, why: Some(why) }
}

fn acknowledged() -> Answer {
    Answer::Acknowledged { discard: false, result: None, verdict: None, why: None }
}

/// Whether this is the event that the scanner is asked with: of what is held, it alone is handed a link.
fn asks_scanner(facts: &EventFacts) -> bool {
    facts.kind == EventKind::Held && facts.link_until.is_some()
}

fn is_acknowledgement(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whoever must say what is to become of what is held, and does not, has not answered; nor has whoever says it in a word that nobody knows.
fn understood(answer: exchange::Answer, may_judge: bool, must_judge: bool) -> Answer {
    let exchange::Answer { status, asked_seconds, claims_json, body } = answer;
    let refused = |why| Answer::Refused { status: Some(status), asked_seconds, why };
    let body = match body {
        _ if !is_acknowledgement(status) => return refused(None),
        Ok(body) => body,
        Err(why) => return refused(Some(why)),
    };
    match json::from_slice::<Value>(&body) {
        // The answer may say what is to become of the object.
        Ok(said) => {
            let verdict = HeldVerdict::read(&said);
            let is_unknown_word = may_judge && !said["verdict"].is_null();
            if verdict.is_none() && (must_judge || is_unknown_word) {
                return refused(Some(NO_VERDICT));
            }
            let result = Some(&said["result"]).filter(|result| !result.is_null()).map(ToString::to_string);
            let is_long = result.as_ref().is_some_and(|result| result.len() > MAX_RESULT_BYTES);
            let why = is_long.then_some("its result is longer than 4 KiB, and is not told");
            let discard = said["disposition"] == "delete";
            Answer::Acknowledged { discard, result: result.filter(|_| !is_long), verdict, why }
        }
        // A cut shows in no other way where nobody says how long the answer is.
        Err(error) if error.is_eof() && claims_json && !body.is_empty() => {
            refused(Some("its answer is JSON that does not end"))
        }
        Err(_) if must_judge => refused(Some(NO_VERDICT)),
        // An answer that is not JSON says nothing about the object: it is kept.
        Err(_) => {
            let why =
                (claims_json && !body.is_empty()).then_some("its answer is no JSON that can be read, and says nothing");
            Answer::Acknowledged { discard: false, result: None, verdict: None, why }
        }
    }
}

fn body(facts: &EventFacts, config: &Config) -> Result<Value> {
    let snapshot = &facts.snapshot;
    let bytes = snapshot.plan.declared_bytes();
    let mut data = signed_post::about(snapshot.id, &facts.owner, &snapshot.file, bytes, &facts.attached);
    bucket::show(&mut data, &facts.key);
    if let Some(link) = &facts.link {
        data["link"] = json!(link);
    }
    data["createdAt"] = json!(snapshot.created_at.rfc3339());
    if let Some(ended_at) = facts.ended_at {
        data["endedAt"] = json!(ended_at.rfc3339());
    }
    if let Some(new) = facts.new_bytes {
        data["fromBytes"] = json!(new.from);
        data["toBytes"] = json!(new.to);
    }
    if facts.ended_at.is_some() && snapshot.live == Some(LiveState::Truncated) {
        data["truncated"] = json!(true);
    }
    if let Some(original) = facts.duplicate_of {
        data["duplicateOf"] = json!(original);
    }
    if let Some(object) = &facts.object {
        data["etag"] = json!(object.etag);
        data["digests"] = json!({ "crc64nvme": object.crc64nvme });
        if let Some(sha256) = object.sha256 {
            data["digests"]["sha256"] = json!(sha256);
        }
    }
    // Without PUBLIC_URL there are no links: the binding `ORIGIN` is told all the same, and reads the bucket.
    if let Some(until) = facts.link_until.filter(|_| !facts.public_url.is_empty()) {
        let secret = config.download_secrets.first();
        let url = secret
            .and_then(|secret| {
                let presentation = Presentation { for_scanner: asks_scanner(facts), ..Presentation::default() };
                signed_url::sign_as(secret, &facts.public_url, snapshot.id, until.unix_seconds(), &presentation)
            })
            .ok_or_else(|| Error::from("the download URL could not be signed"))?;
        data["downloadUrl"] = json!(url);
    }
    if let Some(url) = &snapshot.public_url {
        data["publicUrl"] = json!(url);
    }
    if let Some(warning) = &snapshot.quota_warning {
        data["quotaWarning"] = json!(warning);
    }
    if facts.kind == EventKind::Deleted {
        data["deletedAt"] = json!(facts.occurred_at.rfc3339());
    }
    // What is told of the creation was so then, however late it is told.
    if let Some(reason) = snapshot.reason.as_ref().filter(|_| facts.ended_at.is_some()) {
        data["reason"] = json!(reason);
    }
    Ok(json!({ "type": facts.kind.name(), "timestamp": facts.occurred_at.rfc3339(), "data": data }))
}
