//! The queue, its consumer, the origin, and where there is one a second receiver, which is down: it never acknowledges anything.
//!
//! A message stays in the queue until it is acknowledged; so a consumer that dies gets it again. The queue may lose a
//! message, or give it up. The origin may refuse, and its acknowledgement may be lost. Of what is held it may say what is to become of it, and so
//! may a person; the first word counts.

use crate::{
    event::{DeliveryId, DeliveryOutcome, EventKind, Verdict},
    held_verdict::HeldVerdict,
    outbox::Outbox,
    receivers::{ORIGIN_NAME, ReceiverIndex},
    session::{Decision, Session, StateChange},
};
use upload_types::{api_error::ApiError, units::UnixMs, upload::DeliveryState};

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
    pub(crate) heard: u16,
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
        /// And says this of what is held.
        word: Option<Word>,
    },
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Word {
    /// It is handed out.
    Released,
    /// It goes.
    Rejected,
}

impl Word {
    fn verdict(self) -> HeldVerdict {
        match self {
            Self::Released => HeldVerdict::Release,
            Self::Rejected => HeldVerdict::Delete(String::new()),
        }
    }
}

/// What the origin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// It acknowledges.
    Yes,
    /// It acknowledges, and wants the object gone.
    YesDiscard,
    /// It acknowledges, and says what is to become of what is held.
    Judges(Word),
    /// It acknowledges, and the acknowledgement is lost.
    YesLost,
    /// It does not.
    No,
}

/// The bit of a deletion. All others are endings.
pub(crate) const DELETED: u16 = 16;

/// Those that end nothing.
pub(crate) const NO_ENDINGS: u16 = DELETED | 128 | 256;

/// Which bit of [`Telling::heard`] stands for this kind of event.
pub(crate) fn kind_bit(kind: EventKind) -> u16 {
    match kind {
        EventKind::Completed => 1,
        EventKind::Failed => 2,
        EventKind::Expired => 4,
        EventKind::Aborted => 8,
        EventKind::Deleted => DELETED,
        EventKind::Duplicate => 32,
        EventKind::Created => 64,
        EventKind::Held => 128,
        EventKind::Released => 256,
        EventKind::Rejected => 512,
        EventKind::Progressed => 1024,
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
        let word = match reply {
            Reply::Judges(_) if id.kind != EventKind::Held => return false,
            Reply::Judges(word) => Some(word),
            Reply::Yes | Reply::YesDiscard | Reply::YesLost | Reply::No => None,
        };
        let acknowledged = matches!(reply, Reply::Yes | Reply::YesDiscard | Reply::Judges(_));
        let discard = reply == Reply::YesDiscard;
        self.telling.consumers[consumer] = Consumer::Heard { id, acknowledged, discard, word };
        true
    }

    /// Whether this consumer calls the receiver that is down.
    pub(crate) fn calls_one_that_is_down(&self, consumer: usize) -> bool {
        matches!(self.telling.consumers[consumer], Consumer::Calling(id) if !id.receiver.is_origin())
    }

    /// A consumer tells the object how it went, and settles the message. `false` where it has not heard yet.
    pub(crate) fn end_delivery(&mut self, uploads: &Uploads, consumer: usize) -> bool {
        let Consumer::Heard { id, acknowledged, discard, word } = self.telling.consumers[consumer] else {
            return false;
        };
        self.telling.consumers.remove(consumer);
        let before = self.told_to_origin();
        self.overhears(word.filter(|_| before.find(id).is_some_and(|told| told.state != DeliveryState::Delivered)));
        let verdict = self.decide(uploads, None, |session, now| {
            let outcome = if acknowledged {
                DeliveryOutcome::Acknowledged { discard, result: None, verdict: word.map(Word::verdict) }
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

    /// A person says what is to become of what is held.
    pub(crate) fn judge(&mut self, uploads: &Uploads, word: Word) -> bool {
        self.overhears(Some(word));
        self.changes(uploads, |session, now| session.judge(now, &word.verdict()))
    }

    /// A bystander hears what is said, and remembers what counts: the first word, while the upload is held.
    fn overhears(&mut self, word: Option<Word>) {
        if self.object.session.as_ref().is_some_and(Session::is_held) && self.word.is_none() {
            self.word = word;
        }
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
