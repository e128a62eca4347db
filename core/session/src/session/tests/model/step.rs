//! What can happen next, one thing at a time.

use std::sync::Arc;

use crate::{
    attempt::Failure,
    session::{Decision, Session},
};
use upload_types::{api_error::ApiError, plan::Mode, units::UnixMs};

use crate::session::tests::model::{
    bounds::Budget,
    bytes::{Bytes, units},
    mutations,
    storage::Sent,
    telling::{Reply, Word},
    worker::{Chunk, Worker},
    world::{Uploads, World},
};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// A chunk begins: from where to where, and whether it counts as a whole. Without a Worker, nobody hears of the lease.
    Begin { worker: Option<usize>, from: u8, to: u8, all_or_nothing: bool },
    /// R2 has opened the multipart upload that a Worker's chunk needs.
    Opened { worker: usize },
    /// A Worker goes on, where the moment matters.
    Advance { worker: usize },
    /// A body breaks behind the last whole part.
    CutShort { worker: usize },
    /// A Worker gives up, and says so.
    GiveUp { worker: usize },
    /// A write arrives in R2. For `complete`: whether its answer arrives.
    Arrive { write: usize, answered: bool },
    /// A commit arrives: whether its answer does, and whether a second copy is still on its way.
    Deliver { message: usize, answered: bool, again: bool },
    /// What is on its way to R2 is not what its client has.
    Corrupt { write: usize },
    /// A client sends again what is wrong with a damaged file.
    Repair,
    /// A Worker copies what is good of it.
    Copy { worker: usize },
    /// A client asks where to go on.
    Probe,
    /// A client cancels.
    Cancel,
    /// Time passes, up to the next duty.
    UntilDuty,
    /// Time passes, until a protected lease can be taken.
    UntilFree,
    /// Time passes, until the upload would expire.
    UntilExpiry,
    /// The alarm rings.
    BeginDuty,
    /// The duty takes its next step.
    Perform,
    /// The duty's call fails.
    FailDuty,
    /// The object dies.
    Crash,
    /// What the object believes reaches the disk. Happens only where a rule is broken.
    Flush,
    /// A consumer takes a message.
    Consume { message: usize },
    /// It calls the receiver.
    Call { consumer: usize, reply: Reply },
    /// It settles the message.
    EndDelivery { consumer: usize },
    /// It dies.
    ConsumerDies { consumer: usize },
    /// The queue loses a message, or gives it up.
    Lose { message: usize },
    /// An operator wants the event sent again.
    Redeliver,
    /// A person says what is to become of what is held.
    Judge(Word),
}

impl Uploads {
    /// Takes a step. `false` where it cannot be taken, or nothing comes of it.
    pub(crate) fn act(&self, world: &mut World, action: Action) -> bool {
        let happened = match action {
            Action::Begin { worker, from, to, all_or_nothing } => {
                world.begin(self, worker, Chunk { from, to, all_or_nothing }.begin())
            }
            Action::Opened { worker } => match world.workers[worker] {
                Worker::Waiting(chunk) => world.opened(self, Some(worker), chunk),
                Worker::Idle | Worker::Busy(_) => false,
            },
            Action::Advance { worker } => {
                world.advance(self, worker);
                true
            }
            Action::CutShort { worker } => {
                world.cut_short(self, worker);
                true
            }
            Action::GiveUp { worker } => {
                let gone = matches!(&world.workers[worker], Worker::Busy(busy) if busy.is_storing()
                    && busy.multipart.is_some() && !world.r2.has(busy.multipart));
                world.fails(self, worker, if gone { Failure::MultipartGone } else { Failure::BodyEnded });
                true
            }
            Action::Arrive { write, answered } => world.arrive(self, write, answered),
            Action::Deliver { message, answered, again } => {
                world.left.duplicates -= u8::from(again);
                world.deliver(self, message, answered, again);
                true
            }
            Action::Corrupt { write } => spend(&mut world.left, |left| &mut left.wrong) && world.corrupt(write),
            Action::Repair => spend(&mut world.left, |left| &mut left.repairs) && world.repair(self),
            Action::Copy { worker } => spend(&mut world.left, |left| &mut left.copies) && world.copy(self, worker),
            Action::Probe => world.probe(self),
            Action::Cancel => {
                let rule = |session: &Session, now| mutations::cancel(self, session, now);
                spend(&mut world.left, |left| &mut left.cancels) && world.changes(self, rule)
            }
            Action::UntilDuty => {
                let due = world.object.session.as_ref().and_then(Session::next_job).map(|(due, _)| due);
                world.pass_until(self, due)
            }
            Action::UntilFree => {
                let free = world.free_at(self);
                world.pass_until(self, free)
            }
            Action::UntilExpiry => {
                let expiry = world.object.session.as_ref().map(Session::expires_at);
                world.pass_until(self, expiry)
            }
            Action::BeginDuty => world.begin_duty(self),
            Action::Perform => world.perform(self),
            Action::FailDuty => spend(&mut world.left, |left| &mut left.faults) && world.fail_duty(self),
            Action::Crash => spend(&mut world.left, |left| &mut left.faults) && world.crash(),
            Action::Flush => world.stored.take().is_some(),
            Action::Consume { message } => world.consume(self, message),
            Action::Call { consumer, reply } => {
                let as_wished = matches!(reply, Reply::Yes | Reply::YesDiscard | Reply::Judges(_))
                    || world.calls_one_that_is_down(consumer);
                (as_wished || spend(&mut world.left, |left| &mut left.refusals)) && world.call_receiver(consumer, reply)
            }
            Action::EndDelivery { consumer } => world.end_delivery(self, consumer),
            Action::ConsumerDies { consumer } => {
                world.consumer_dies(consumer);
                spend(&mut world.left, |left| &mut left.faults)
            }
            Action::Lose { message } => spend(&mut world.left, |left| &mut left.losses) && world.lose_message(message),
            Action::Redeliver => spend(&mut world.left, |left| &mut left.redeliveries) && world.redeliver(self),
            Action::Judge(said) => spend(&mut world.left, |left| &mut left.words) && world.judge(self, said),
        };
        world.settle_down();
        happened
    }
}

/// Takes one from the budget, if there is one left.
fn spend(left: &mut Budget, of: impl FnOnce(&mut Budget) -> &mut u8) -> bool {
    let left = of(left);
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

impl World {
    fn arrive(&mut self, uploads: &Uploads, write: usize, answered: bool) -> bool {
        match self.r2.sent.remove(write) {
            Sent::Part { multipart, number, attempt, content, .. } => {
                let waits = self.part_arrived(uploads, attempt, number, content);
                self.r2.store_part(multipart, number, if waits { content } else { Bytes::garbage(content.units()) });
                true
            }
            Sent::Put { attempt, content } => {
                let waits = self.stored(uploads, attempt, content);
                let key = mutations::put_key(uploads, attempt);
                self.r2.store_put(key, if waits { content } else { Bytes::garbage(content.units()) });
                true
            }
            Sent::Segment { attempt, content } => {
                let waits = self.stored(uploads, attempt, content);
                self.r2.store_segment(attempt, if waits { content } else { Bytes::garbage(content.units()) });
                true
            }
            Sent::Complete { multipart, key, listed } => self.complete_in_storage(multipart, key, &listed, answered),
        }
    }

    /// Takes a decision of which only what it changes matters. `false` where that is nothing.
    pub(crate) fn changes<T>(&mut self, uploads: &Uploads, rule: impl FnOnce(&Session, UnixMs) -> Decision<T>) -> bool {
        let before = Arc::clone(&self.object);
        let _answer = self.decide(uploads, None, rule);
        before != self.object
    }

    /// A client asks where to go on, and is told. A running append loses its right.
    fn probe(&mut self, uploads: &Uploads) -> bool {
        let told = self.told;
        let changed = self.changes(uploads, Session::probe);
        self.told |= mutations::reported(uploads, self);
        if changed && uploads.bounds.mode == Mode::Sequential {
            self.places[0].newest = 0;
        }
        changed || self.told != told
    }

    fn pass_until(&mut self, uploads: &Uploads, time: Option<UnixMs>) -> bool {
        let Some(time) = time.filter(|time| *time > self.now) else { return false };
        self.let_pass(uploads, time);
        spend(&mut self.left, |left| &mut left.jumps)
    }

    /// When a protected lease can be taken, if there is one.
    pub(crate) fn free_at(&self, uploads: &Uploads) -> Option<UnixMs> {
        let session = self.object.session.as_ref()?;
        let from = session.snapshot().missing.first().map(|(from, _)| units(*from))?;
        match self.refusal_at(uploads, from)? {
            ApiError::Busy { retry_after_seconds, .. } | ApiError::WritersPending { retry_after_seconds, .. } => {
                Some(self.now.plus_ms(u64::from(retry_after_seconds) * 1000))
            }
            _ => None,
        }
    }

    /// What whoever has a chunk there is told no for.
    pub(crate) fn refusal_at(&self, uploads: &Uploads, from: u8) -> Option<ApiError> {
        let session = self.object.session.as_ref()?;
        let to = match uploads.bounds.mode {
            Mode::Sequential => from + 1,
            Mode::Parallel | Mode::Direct => (from + uploads.bounds.part).min(uploads.bounds.file),
        };
        let begin = Chunk { from, to, all_or_nothing: false }.begin();
        mutations::begin(uploads, session, self.now, begin, Some(0)).answer.err()
    }
}
