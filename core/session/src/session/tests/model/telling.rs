//! The queue, its consumer, the origin, and where there is one a second receiver, which is down: it never acknowledges anything.
//!
//! A message stays in the queue until it is acknowledged; so a consumer that dies gets it again. The queue may lose a
//! message, or give it up. The origin may refuse, and its acknowledgement may be lost.

use crate::{
    event::{DeliveryId, DeliveryOutcome, EventKind, Verdict},
    outbox::Outbox,
    receivers::{ORIGIN_NAME, ReceiverIndex},
    session::{Decision, StateChange},
};
use upload_types::{api_error::ApiError, units::UnixMs};

use crate::session::tests::model::{
    bounds::{LINK_MS, RETRY},
    mutations,
    world::{Law, Uploads, World},
};

/// Batches are consumed side by side; so many at once.
const MOST_CONSUMERS: usize = 2;

/// What is on its way to the origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Telling {
    /// The messages in the queue that nobody is at, by what they are about; sorted.
    pub(crate) queue: Vec<DeliveryId>,
    /// The consumers, each at a message; sorted.
    pub(crate) consumers: Vec<Consumer>,
    /// One bit per kind of event that the origin has heard of.
    pub(crate) heard: u8,
    /// Until when the last link that was handed out says that it is good.
    pub(crate) linked_until: UnixMs,
}

impl Telling {
    /// A message comes to the queue, or comes back to it.
    pub(crate) fn send(&mut self, id: DeliveryId) {
        let at = self.queue.partition_point(|waiting| *waiting <= id);
        self.queue.insert(at, id);
    }
}

/// How far a consumer is with its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Consumer {
    /// It is calling a receiver, to tell of this.
    Calling(DeliveryId),
    /// The receiver has answered, or not.
    Heard {
        /// What it was told of.
        id: DeliveryId,
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

/// The bit of a deletion. All others are endings.
pub(crate) const DELETED: u8 = 16;

/// Which bit of [`Telling::heard`] stands for this kind of event.
pub(crate) fn kind_bit(kind: EventKind) -> u8 {
    match kind {
        EventKind::Completed => 1,
        EventKind::Failed => 2,
        EventKind::Expired => 4,
        EventKind::Aborted => 8,
        EventKind::Deleted => DELETED,
        EventKind::Duplicate => 32,
        EventKind::Created => 64,
        EventKind::Progressed => 128,
    }
}

impl World {
    /// A consumer takes a message and asks the object what there is to tell.
    pub(crate) fn consume(&mut self, uploads: &Uploads, message: usize) -> bool {
        if message >= self.telling.queue.len() || self.telling.consumers.len() >= MOST_CONSUMERS {
            return false;
        }
        let id = self.telling.queue.remove(message);
        let before = self.told_to_origin();
        let begun = self.decide(uploads, None, |session, now| {
            let change = mutations::delivery_begun(uploads, session, now, id);
            Decision { answer: Ok(change.is_some()), change: change.unwrap_or_else(StateChange::none) }
        });
        self.leaves_origin_alone(id, &before);
        // If not: acknowledged already, given up, withdrawn, or forgotten. This is a late copy.
        if begun == Ok(true) {
            let has_object = self.object.session.as_ref().is_some_and(|session| session.stored_object().is_some());
            if id.kind == EventKind::Completed && !has_object {
                self.broken |= Law::DeadLink.bit();
            }
            if id.kind == EventKind::Completed {
                self.telling.linked_until = self.now.plus_ms(LINK_MS);
            }
            self.telling.consumers.push(Consumer::Calling(id));
        }
        true
    }

    /// A consumer calls a receiver, which does this. `false` where it is not about to, or the receiver is down and would have to.
    pub(crate) fn call_receiver(&mut self, consumer: usize, reply: Reply) -> bool {
        let Consumer::Calling(id) = self.telling.consumers[consumer] else { return false };
        if !id.receiver.is_origin() && reply != Reply::No {
            return false;
        }
        if reply != Reply::No {
            self.telling.heard |= kind_bit(id.kind);
        }
        let acknowledged = matches!(reply, Reply::Yes | Reply::YesDiscard);
        self.telling.consumers[consumer] = Consumer::Heard { id, acknowledged, discard: reply == Reply::YesDiscard };
        true
    }

    /// Whether this consumer calls the receiver that is down.
    pub(crate) fn calls_one_that_is_down(&self, consumer: usize) -> bool {
        matches!(self.telling.consumers[consumer], Consumer::Calling(id) if !id.receiver.is_origin())
    }

    /// A consumer tells the object how it went, and settles the message. `false` where it has not heard yet.
    pub(crate) fn end_delivery(&mut self, uploads: &Uploads, consumer: usize) -> bool {
        let Consumer::Heard { id, acknowledged, discard } = self.telling.consumers[consumer] else { return false };
        self.telling.consumers.remove(consumer);
        let before = self.told_to_origin();
        let verdict = self.decide(uploads, None, |session, now| {
            let outcome = if acknowledged {
                DeliveryOutcome::Acknowledged { discard, result: None }
            } else {
                DeliveryOutcome::Refused { policy: RETRY, asked_seconds: None, error: None }
            };
            mutations::delivery_ended(uploads, session, now, id, &outcome)
        });
        self.leaves_origin_alone(id, &before);
        match verdict.unwrap_or(Verdict::Settled) {
            Verdict::RetryAfter { .. } => self.telling.send(id),
            // What goes to the dead-letter queue is there to be seen; nothing follows from it.
            Verdict::Settled | Verdict::GiveUp => {}
        }
        true
    }

    /// What the outbox says of the origin.
    fn told_to_origin(&self) -> Outbox {
        self.object.session.as_ref().map(|session| session.outbox.clone()).unwrap_or_default()
    }

    /// What becomes of a delivery to somebody else changes nothing for the origin.
    fn leaves_origin_alone(&mut self, id: DeliveryId, before: &Outbox) {
        let after = self.told_to_origin();
        let (before, after) = (before.to(ReceiverIndex::ORIGIN), after.to(ReceiverIndex::ORIGIN));
        if !id.receiver.is_origin() && self.object.session.is_some() && !before.eq(after) {
            self.broken |= Law::OriginDelayed.bit();
        }
    }

    /// An operator wants the event sent again, and waits where it was a moment ago.
    pub(crate) fn redeliver(&mut self, uploads: &Uploads) -> bool {
        let origin = Some(ORIGIN_NAME);
        let asked = self.object.session.as_ref().map(|session| session.redeliver(self.now, origin).answer);
        if let Some(Err(ApiError::RedeliveredRecently { retry_after_seconds })) = asked {
            self.now = self.now.plus_ms(u64::from(retry_after_seconds) * 1000);
        }
        self.changes(uploads, |session, now| session.redeliver(now, origin))
    }

    /// A consumer dies, and its message comes back.
    pub(crate) fn consumer_dies(&mut self, consumer: usize) {
        let (Consumer::Calling(id) | Consumer::Heard { id, .. }) = self.telling.consumers.remove(consumer);
        self.telling.send(id);
    }

    /// A message that nobody is at leaves the queue: lost, or given up by the queue itself.
    pub(crate) fn lose_message(&mut self, message: usize) -> bool {
        let happens = message < self.telling.queue.len();
        if happens {
            self.telling.queue.remove(message);
        }
        happens
    }
}
