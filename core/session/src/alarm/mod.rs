//! One ring of an upload's alarm, as a state machine without I/O: the duties that are due, one after the other, each as the calls that it
//! takes and what is stored once they are done.
//!
//! Whoever has the alarm drives it: [`Ring::next`] says what to do ([`Effect`]); the driver does it, and says what came of it
//! ([`Input`]), until [`Effect::Rest`]. Others may change the session while the driver waits: so it is shown with every input, as it
//! is at that moment, and nothing comes in between an answer and what is stored of it.
//!
//! Promises, whatever the inputs:
//! * Every duty may be carried out twice: a crash between doing it and storing that it is done repeats it. Duties are derived from the
//!   facts ([`Session::next_job`]), so a ring that dies anywhere is followed by one that goes on.
//! * A duty that fails is put off, and never stops the others.
//! * A ring ends: after so many duties the next ones wait for the next ring.

mod assembling;
mod messages;
#[cfg(test)]
mod tests;

pub use messages::{CountedPart, Deletion, Effect, Input, Log, Message};

use crate::session::{Cleanup, Job, Session, StateChange, ToldOfObject};
use assembling::{Assembling, Step};
use upload_types::{ledger::Listing, units::UnixMs};

/// So many duties are done in one ring; a further one waits for the next, which comes a moment later. Each receiver that is told is one:
/// nine of them, and the assembling, the ledger and the cleaning up beside them, are twelve.
const MOST_DUTIES: u8 = 16;

/// A ringing alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ring {
    duties: u8,
    awaits: Awaited,
}

/// Which effect has not been answered yet, and what is remembered until then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Awaited {
    /// Nothing: the next duty may begin.
    #[default]
    NextDuty,
    Charged(Job),
    Assembling(Assembling),
    Deleted {
        left: Vec<Deletion>,
        then: Deleted,
    },
    Enqueued(Message),
    /// What comes before its message.
    StoredBefore(Message),
    Closed(ToldOfObject),
    Unlisted,
    Purged,
    Stored(Job),
}

/// Why something was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Deleted {
    Cleanup(Cleanup),
    Discarded(Vec<String>),
}

impl Ring {
    /// What to do, now that this has come of what was to be done before, and the session stands so; without one there is nothing to do.
    pub fn next(&mut self, now: UnixMs, session: Option<&Session>, input: Input) -> Effect {
        let Some(session) = session else { return Effect::Rest };
        match (std::mem::take(&mut self.awaits), input) {
            (Awaited::Charged(job), Input::Done) => self.begin(now, session, job),
            (Awaited::Assembling(at), input) => {
                let step = at.next(now, session, input);
                self.assembles(step)
            }
            (Awaited::Deleted { left, then }, Input::Done) => self.delete(session, left, then),
            // Crash here: the queue is given a second copy later. A receiver sees the same event id twice; a slice is read twice, and
            // counted once.
            (Awaited::Enqueued(Message::Tell(id)), Input::Done) => {
                self.store(Job::EnqueueEvent, session.event_sent(now, id))
            }
            (Awaited::Enqueued(Message::Verify), Input::Done) => self.store(Job::Verify, session.slice_asked_for(now)),
            (Awaited::StoredBefore(message), Input::Done) => {
                self.asks(Awaited::Enqueued(message), Effect::Enqueue(message))
            }
            // Crash here: the ledger, and the register, hear the same once more.
            (Awaited::Closed(told), Input::Done) => self.store(Job::NotifyLedger, session.settled(told)),
            // Crash here: the upload is listed no more, and is there still; the next ring says so again, and forgets it. The other way round
            // nobody would be left to say so. Whoever was handed a link meanwhile is still served.
            (Awaited::Unlisted, Input::Done) => self.forget(now, session),
            (awaited, Input::Failed { error, .. }) => match awaited.duty() {
                Some(job) => self.fail(now, session, job, error),
                None => self.next_duty(now, session),
            },
            _ => self.next_duty(now, session),
        }
    }

    fn asks(&mut self, awaits: Awaited, effect: Effect) -> Effect {
        self.awaits = awaits;
        effect
    }

    fn next_duty(&mut self, now: UnixMs, session: &Session) -> Effect {
        match session.next_job() {
            Some((due, job)) if due <= now && self.duties < MOST_DUTIES => {
                self.duties += 1;
                self.asks(Awaited::Charged(job), Effect::Charge(job))
            }
            _ => Effect::Rest,
        }
    }

    fn begin(&mut self, now: UnixMs, session: &Session, job: Job) -> Effect {
        match job {
            Job::Expire => self.store(job, session.expire_if_due(now).unwrap_or_default()),
            Job::Assemble => self.assembles(Assembling::begin()),
            Job::Cleanup => {
                let cleanup = session.cleanup();
                self.delete(session, to_clean_up(session, cleanup), Deleted::Cleanup(cleanup))
            }
            Job::Discard => {
                let keys = session.to_discard().to_vec();
                self.delete(session, vec![Deletion::Objects(keys.clone())], Deleted::Discarded(keys))
            }
            Job::EnqueueEvent => match session.outbox().next() {
                Some(delivery) => {
                    let message = Message::Tell(delivery.id());
                    self.asks(Awaited::Enqueued(message), Effect::Enqueue(message))
                }
                None => self.next_duty(now, session),
            },
            Job::Verify => self.asks(Awaited::Enqueued(Message::Verify), Effect::Enqueue(Message::Verify)),
            // Stored first: whoever is asked may begin before the queue has said that it has the message. Crash here, or
            // the queue does not take it: somebody is asked again after a while.
            Job::CopyNext => self.store_before(Message::CopyNext, session.batch_asked_for(now)),
            Job::Copy => self.store_before(Message::Copy, session.copy_asked_for(now)),
            Job::StoreLastPart => self.store_before(Message::StoreLastPart, session.last_part_asked_for(now)),
            Job::NotifyLedger => self.asks(Awaited::Closed(session.told_of_object()), Effect::CloseInLedger),
            Job::Purge if session.listing() != Listing::Gone => self.asks(Awaited::Unlisted, Effect::Unlist),
            Job::Purge => self.asks(Awaited::Purged, Effect::Purge),
        }
    }

    fn assembles(&mut self, step: Step) -> Effect {
        match step {
            Step::Asks(at, effect) => self.asks(Awaited::Assembling(at), effect),
            // Crash here: R2 has the object, and nobody knows. The next ring asks R2 again and finds it.
            Step::Ends(change, log) => self.asks(Awaited::Stored(Job::Assemble), Effect::Store { change, log }),
        }
    }

    /// The next of what is to be deleted; and once that is all, what is stored then.
    fn delete(&mut self, session: &Session, mut left: Vec<Deletion>, then: Deleted) -> Effect {
        if !left.is_empty() {
            let deletion = left.remove(0);
            return self.asks(Awaited::Deleted { left, then }, Effect::Delete(deletion));
        }
        // Crash here: it is deleted once more, which is no error.
        match then {
            Deleted::Cleanup(cleanup) => self.store(Job::Cleanup, session.cleaned_up(cleanup)),
            Deleted::Discarded(keys) => self.store(Job::Discard, session.discarded(&keys)),
        }
    }

    fn store(&mut self, job: Job, change: StateChange) -> Effect {
        self.asks(Awaited::Stored(job), Effect::Store { change: Box::new(change), log: None })
    }

    fn store_before(&mut self, message: Message, change: StateChange) -> Effect {
        self.asks(Awaited::StoredBefore(message), Effect::Store { change: Box::new(change), log: None })
    }

    /// Forgets the upload, unless somebody has found a use for it while the ledger was told: then it is listed again.
    fn forget(&mut self, now: UnixMs, session: &Session) -> Effect {
        match session.next_job() {
            Some((due, Job::Purge)) if due <= now => self.asks(Awaited::Purged, Effect::Purge),
            _ => self.store(Job::Purge, session.listed_again()),
        }
    }

    /// Puts the duty off. Where even that cannot be stored, it is tried again at once, as often as a ring lasts.
    fn fail(&mut self, now: UnixMs, session: &Session, job: Job, error: String) -> Effect {
        let change = session.postponed(now, job, &error);
        let log = Some(Log::DutyFailed(job, error));
        self.asks(Awaited::NextDuty, Effect::Store { change: Box::new(change), log })
    }
}

impl Awaited {
    /// The duty that fails where this does.
    fn duty(&self) -> Option<Job> {
        match self {
            Self::NextDuty => None,
            Self::Charged(job) | Self::Stored(job) => Some(*job),
            Self::Assembling(_) => Some(Job::Assemble),
            Self::Deleted { then: Deleted::Cleanup(_), .. } => Some(Job::Cleanup),
            Self::Deleted { then: Deleted::Discarded(_), .. } => Some(Job::Discard),
            Self::Enqueued(message) | Self::StoredBefore(message) => Some(match message {
                Message::Tell(_) => Job::EnqueueEvent,
                Message::CopyNext => Job::CopyNext,
                Message::Copy => Job::Copy,
                Message::StoreLastPart => Job::StoreLastPart,
                Message::Verify => Job::Verify,
            }),
            Self::Closed(_) => Some(Job::NotifyLedger),
            Self::Unlisted | Self::Purged => Some(Job::Purge),
        }
    }
}

/// Whatever R2 need not hold: the segments of an upload that has ended, and what its attempts have put without its counting; and of an
/// unwanted one the unfinished parts and the object. Both are asked for, since a crash may have left either, and asking for what is
/// not there is no error.
fn to_clean_up(session: &Session, cleanup: Cleanup) -> Vec<Deletion> {
    let (key, spec) = (session.object_key(), session.spec());
    let mut all = Vec::new();
    if session.may_have_leftovers() {
        all.push(Deletion::Below { prefix: spec.segment_prefix() });
        if session.may_have_stray_objects() {
            all.push(Deletion::Puts { key: spec.key.clone(), upload: spec.id, except: key.clone() });
        }
    }
    if cleanup == Cleanup::Everything {
        if let Some(id) = session.multipart_id() {
            all.push(Deletion::Multipart { key: key.clone(), multipart_id: id.to_owned() });
        }
        all.push(Deletion::Objects(vec![key]));
    }
    all
}
