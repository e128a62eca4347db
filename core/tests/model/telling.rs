//! The queue, its consumer, and the origin.
//!
//! A message stays in the queue until it is acknowledged; so a consumer that dies gets it again. The queue may lose a
//! message, or give it up. The origin may refuse, and its acknowledgement may be lost.

use upload_core::{
    event::{EventKind, Verdict},
    session::{Change, Decision},
};

use crate::{
    bounds::{ATTEMPT_MS, RETRY},
    world::{Uploads, World},
};

/// Batches are consumed side by side; so many at once.
const MOST_CONSUMERS: usize = 2;

/// What is on its way to the origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Telling {
    /// Messages in the queue. They are all the same.
    pub(crate) queue: u8,
    /// The consumers, each at one of the queue's messages; sorted.
    pub(crate) consumers: Vec<Consumer>,
    /// One bit per kind of event that the origin has heard of.
    pub(crate) heard: u8,
}

impl Telling {
    /// How many messages nobody is at.
    pub(crate) fn idle(&self) -> u8 {
        self.queue.saturating_sub(u8::try_from(self.consumers.len()).unwrap_or(u8::MAX))
    }
}

/// How far a consumer is with its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Consumer {
    /// It is calling the origin, to tell of this kind of event: its bit.
    Calling(u8),
    /// The origin has answered, or not.
    Heard {
        /// It has acknowledged, as far as the consumer knows.
        acknowledged: bool,
        /// And wants the object gone.
        discard: bool,
    },
}

/// What the origin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// It acknowledges.
    Yes,
    /// It acknowledges, and wants the object gone.
    YesDiscard,
    /// It acknowledges, and the acknowledgement is lost.
    YesLost,
    /// It does not.
    No,
}

/// Which bit of [`Telling::heard`] stands for this kind of event.
pub(crate) fn kind_bit(kind: EventKind) -> u8 {
    match kind {
        EventKind::Completed => 1,
        EventKind::Failed => 2,
        EventKind::Expired => 4,
        EventKind::Aborted => 8,
    }
}

impl World {
    /// A consumer takes a message and asks the object what there is to tell.
    pub(crate) fn consume(&mut self, uploads: &Uploads) -> bool {
        if self.telling.idle() == 0 || self.telling.consumers.len() >= MOST_CONSUMERS {
            return false;
        }
        let begun = self.decide(uploads, None, |session, now| {
            let change = session.delivery_begun(now, ATTEMPT_MS);
            let kind = change.as_ref().and_then(|change| change.delivery.as_ref()).map(|delivery| delivery.kind);
            Decision { answer: Ok(kind), change: change.unwrap_or_else(Change::none) }
        });
        match begun {
            Ok(Some(kind)) => self.telling.consumers.push(Consumer::Calling(kind_bit(kind))),
            // Acknowledged already, given up, or forgotten: this is a late copy.
            Ok(None) | Err(_) => self.telling.queue -= 1,
        }
        true
    }

    /// A consumer calls the origin, which does this. `false` where it is not about to.
    pub(crate) fn call_origin(&mut self, consumer: usize, reply: Reply) -> bool {
        let Consumer::Calling(kind) = self.telling.consumers[consumer] else { return false };
        if reply != Reply::No {
            self.telling.heard |= kind;
        }
        let acknowledged = matches!(reply, Reply::Yes | Reply::YesDiscard);
        self.telling.consumers[consumer] = Consumer::Heard { acknowledged, discard: reply == Reply::YesDiscard };
        true
    }

    /// A consumer tells the object how it went, and settles the message. `false` where it has not heard yet.
    pub(crate) fn end_delivery(&mut self, uploads: &Uploads, consumer: usize) -> bool {
        let Consumer::Heard { acknowledged, discard } = self.telling.consumers[consumer] else { return false };
        self.telling.consumers.remove(consumer);
        let verdict = self.decide(uploads, None, |session, now| {
            if acknowledged {
                return Decision { answer: Ok(Verdict::Settled), change: session.delivered(now, discard) };
            }
            let (verdict, change) = session.undelivered(now, RETRY, None);
            Decision { answer: Ok(verdict), change }
        });
        match verdict.unwrap_or(Verdict::Settled) {
            Verdict::RetryAfter { .. } => {}
            // What goes to the dead-letter queue is there to be seen; nothing follows from it.
            Verdict::Settled | Verdict::GiveUp => self.telling.queue -= 1,
        }
        true
    }

    /// A message that nobody is at leaves the queue: lost, or given up by the queue itself.
    pub(crate) fn lose_message(&mut self) -> bool {
        let happens = self.telling.idle() > 0;
        if happens {
            self.telling.queue -= 1;
        }
        happens
    }
}
