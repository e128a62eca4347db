//! What happens from a state on if nothing more goes wrong: that is how "eventually" is shown. Two continuations are
//! followed to their end from every single state. In one, no client is ever heard of again, and only the object, R2,
//! the queue and the origin go on; in the other, a client first sends what is missing.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use crate::session::{Job, Session, WRITER_SILENCE_MS};
use upload_types::{
    plan::Mode,
    upload::{DeliveryState, Phase},
};

use crate::session::tests::model::{
    bounds::Budget,
    bytes::{Bytes, units},
    step::Action,
    storage::Sent,
    telling::{Consumer, DELETED, Reply, Word},
    worker::Worker,
    world::{Uploads, World},
};

/// More steps than any continuation needs.
const MOST_STEPS: usize = 100;

/// The longest that anybody waits: for a protected lease a minute, for a part number as long as a writer may be silent.
pub(crate) const LONGEST_WAIT_MS: u64 = WRITER_SILENCE_MS;

/// How the continuations of a state end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    /// With nobody asking for anything, the upload ends, the origin and the ledger hear of it, and R2 keeps nothing but
    /// an object that is wanted.
    pub(crate) left_alone: bool,
    /// A client that asks for the offset and sends the rest gets it all in. True where nothing is missing.
    pub(crate) taken_up: bool,
}

/// The outlooks that are known, by what they depend on. Many states differ only in Workers and commits on their way, of
/// which no continuation hears any more.
#[derive(Debug, Default)]
pub(crate) struct Outlooks(Mutex<HashMap<u64, Outlook>>);

impl Outlooks {
    /// That of this state.
    pub(crate) fn of(&self, uploads: &Uploads, world: &World) -> Outlook {
        let mut hasher = DefaultHasher::new();
        (world.now, &world.object, &world.stored, &world.duty, &world.r2).hash(&mut hasher);
        (&world.telling, world.ledger, world.legacy).hash(&mut hasher);
        let key = hasher.finish();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(key).or_insert_with(|| {
            let mut start = world.clone();
            start.net.clear();
            start.workers.fill(Worker::Idle);
            Outlook { left_alone: left_alone(uploads, &start), taken_up: taken_up(uploads, &start) }
        })
    }
}

fn left_alone(uploads: &Uploads, start: &World) -> bool {
    let mut end = start.clone();
    leave_alone(uploads, &mut end);
    // An upload may be forgotten whose event was given up, if no operator asks for it again; here one does.
    let told = start.legacy.is_some() || end.legacy.is_some_and(|legacy| legacy.told);
    told && ended_well(uploads, &end)
}

fn taken_up(uploads: &Uploads, start: &World) -> bool {
    if !start.is_open() || start.stored.is_some() {
        return true;
    }
    let mut end = start.clone();
    end.left = Budget { attempts: u8::MAX, copies: u8::MAX, repairs: u8::MAX, wrong: start.left.wrong, ..Budget::NONE };
    for _ in 0..MOST_STEPS {
        let goes_on = end.is_open() || (uploads.bounds.kept && is_to_be_mended(&end));
        if !goes_on {
            break;
        }
        let action = going_on(&end).or_else(|| {
            let Some((from, to)) = missing(uploads, &end).filter(|_| end.is_open()) else {
                return mending(uploads, &end);
            };
            if let Some(free) = end.free_at(uploads) {
                end.let_pass(uploads, free);
            }
            Some(Action::Begin { worker: Some(0), from, to, all_or_nothing: false })
        });
        let Some(action) = action else { break };
        uploads.act(&mut end, action);
    }
    let expires_at = start.object.session.as_ref().map(Session::expires_at);
    if expires_at.is_some_and(|at| start.now.plus_ms(LONGEST_WAIT_MS) >= at) {
        return true; // It may well have expired.
    }
    leave_alone(uploads, &mut end);
    end.legacy.is_some_and(|legacy| legacy.object && legacy.told) && ended_well(uploads, &end)
}

/// Whether it may be, or come to be, damaged.
fn is_to_be_mended(world: &World) -> bool {
    matches!(world.object.phase(), Some(Phase::Completing | Phase::Damaged))
}

/// What brings a damaged upload on, where its client has sent all that it has to.
fn mending(uploads: &Uploads, world: &World) -> Option<Action> {
    if world.object.phase() == Some(Phase::Damaged) {
        return Some(Action::Repair);
    }
    let copies = world.is_open() && uploads.act(&mut world.clone(), Action::Copy { worker: 0 });
    if copies { Some(Action::Copy { worker: 0 }) } else { next(world) }
}

/// What the busy Worker does next, if there is one.
fn going_on(world: &World) -> Option<Action> {
    if let Some(worker) = world.workers.iter().position(|worker| matches!(worker, Worker::Waiting(_))) {
        return Some(Action::Opened { worker });
    }
    let (worker, busy) = world.workers.iter().enumerate().find_map(|(index, worker)| match worker {
        Worker::Busy(busy) => Some((index, busy)),
        Worker::Idle | Worker::Waiting(_) => None,
    })?;
    let message = world.net.iter().position(|message| message.attempt == busy.id && !message.is_copy);
    let write = world.r2.sent.iter().position(|sent| match sent {
        Sent::Part { attempt, .. } | Sent::Put { attempt, .. } | Sent::Segment { attempt, .. } => *attempt == busy.id,
        Sent::Complete { .. } => false,
    });
    Some(match (message, write) {
        (Some(message), _) => Action::Deliver { message, answered: true, again: false },
        (None, Some(write)) => Action::Arrive { write, answered: true },
        (None, None) if busy.has_choice() => Action::Advance { worker },
        (None, None) => Action::GiveUp { worker },
    })
}

/// The first bytes that are missing, up to the end of the file or of the chunk.
fn missing(uploads: &Uploads, world: &World) -> Option<(u8, u8)> {
    let session = world.object.session.as_ref()?;
    let (from, to) = *session.snapshot().missing.first()?;
    let to = match uploads.bounds.mode {
        Mode::Sequential => units(to),
        Mode::Parallel | Mode::Direct => (units(from) + uploads.bounds.part).min(uploads.bounds.file),
    };
    Some((units(from), to))
}

/// What was sent to R2 arrives, and then nothing else goes wrong.
fn leave_alone(uploads: &Uploads, world: &mut World) {
    let wrong = world.left.wrong;
    world.left = Budget { jumps: u8::MAX, faults: u8::MAX, redeliveries: 1, words: 1, wrong, ..Budget::NONE };
    for _ in 0..MOST_STEPS {
        let Some(action) = next(world) else { break };
        uploads.act(world, action);
    }
}

/// The next thing that happens by itself.
fn next(world: &World) -> Option<Action> {
    let session = world.object.session.as_ref()?;
    let job = session.next_job();
    if world.stored.is_some() {
        return Some(Action::Flush);
    }
    if let Some(write) = world.r2.sent.iter().position(|sent| !matches!(sent, Sent::Complete { .. })) {
        return Some(Action::Arrive { write, answered: true });
    }
    // An event that was given up: an operator asks for it once more, also while the ledger is told that the upload is about to be forgotten.
    let nobody_tells = world.telling.consumers.is_empty() && world.telling.queue.is_empty();
    let is_about_to = world.duty.as_ref().map_or(nobody_tells, |duty| duty.job == Job::Purge);
    let forgets = matches!(job, Some((_, Job::Purge)));
    if forgets && is_about_to && world.left.redeliveries > 0 && !told(session) {
        return Some(Action::Redeliver);
    }
    Some(match (&world.duty, world.telling.consumers.first()) {
        (Some(_), _) if world.waits_for_r2() && world.r2.sent.is_empty() => Action::FailDuty,
        (Some(_), _) if world.waits_for_r2() => Action::Arrive { write: 0, answered: true },
        (Some(_), _) => Action::Perform,
        (None, Some(Consumer::Calling(id))) => {
            Action::Call { consumer: 0, reply: if id.receiver.is_origin() { Reply::Yes } else { Reply::No } }
        }
        (None, Some(Consumer::Heard { .. })) => Action::EndDelivery { consumer: 0 },
        (None, None) if !world.telling.queue.is_empty() => Action::Consume { message: 0 },
        // Held: sooner or later somebody looks at it.
        (None, None) => match job {
            None => Action::Judge(Word::Released),
            Some((due, _)) if due <= world.now => Action::BeginDuty,
            Some(_) => Action::UntilDuty,
        },
    })
}

fn told(session: &Session) -> bool {
    session.outbox.state() == Some(DeliveryState::Delivered)
}

/// The upload is over and forgotten; R2 and the ledger have kept what is to stay and nothing else; and who is said to
/// know knows.
fn ended_well(uploads: &Uploads, world: &World) -> bool {
    let Some(legacy) = world.legacy else { return false };
    let stored = if legacy.object {
        let puts = world.r2.puts.iter().map(|put| put.1);
        let objects: Vec<Bytes> = world.r2.objects.iter().map(|object| object.1).chain(puts).collect();
        objects == [Bytes::of_file(0, uploads.bounds.file)]
            && world.r2.segments.is_empty()
            && world.r2.multiparts.is_empty()
    } else {
        world.r2.is_empty()
    };
    let heard_of_deletion = world.telling.heard & DELETED != 0;
    let forgot_too_early = legacy.told && (world.telling.heard == 0 || heard_of_deletion != legacy.deleted);
    let forgot_links = legacy.object && legacy.forgotten_at < world.telling.linked_until;
    let ledger_agrees = !world.ledger.open && !world.ledger.listed && world.ledger.object == legacy.object;
    stored && !forgot_links && !forgot_too_early && ledger_agrees
}
