//! What a run must have seen at least once, or it has shown little: each is a state that the rules are made for.

use crate::{
    event::EventKind,
    receivers::ReceiverIndex,
    session::{Job, LeaseState, Leftovers, SegmentPlace, Session},
};
use stateright::Property;
use upload_types::{
    api_error::ApiError,
    upload::{DeliveryState, Phase},
};

use crate::session::tests::model::{
    duties::Duty,
    storage::Sent,
    telling::{Consumer, DELETED, Word},
    worker::Worker,
    world::{Uploads, World},
};

pub(crate) const LATE_WRITE: &str = "a part on its way from an attempt that has been taken over";
pub(crate) const LATE_COMMIT: &str = "a commit on its way from an attempt that has been taken over";
pub(crate) const STRAY_PART: &str = "a part in R2 that does not count, with counted ones on both sides";
pub(crate) const TAIL_IN_ROWS: &str = "a tail of two segments in rows";
pub(crate) const TAIL_IN_STORAGE: &str = "a tail in R2";
pub(crate) const FENCED: &str = "an append that was ended by a HEAD, with a part on its way";
pub(crate) const PROTECTED: &str = "a lease that cannot be taken for a while";
pub(crate) const STALE_COMPLETE: &str = "a call to complete on its way that nobody waits for";
pub(crate) const UNKNOWN_OBJECT: &str = "an object in R2 that the session does not know of";
pub(crate) const LATE_SEGMENT: &str = "a segment in R2 of an upload that has freed everything";
pub(crate) const LATE_PUT: &str =
    "another attempt's object in R2, beside that of a completed upload which has looked for such";
pub(crate) const PUT_WITH_TAIL: &str = "a put that begins with a tail";
pub(crate) const TWO_OPENINGS: &str = "two chunks that wait for a multipart upload, each for its own";
pub(crate) const LATE_OPENING: &str =
    "a chunk that waits for a multipart upload, of an upload that has ended or has one";
pub(crate) const PUT_BEFORE_OPENING: &str =
    "the whole on its way to be put, of an upload that has a multipart upload since";
pub(crate) const DISCARDED_IN_DUTY: &str = "an object that has become unwanted while a duty was being carried out";
pub(crate) const ABORTED: &str = "a cancelled upload";
pub(crate) const EXPIRED: &str = "an expired upload";
pub(crate) const COMPLETED: &str = "a completed upload";
pub(crate) const RELEASED: &str = "what was held is released";
pub(crate) const REJECTED: &str = "what was held is rejected";
pub(crate) const FORGOTTEN: &str = "a forgotten upload";
pub(crate) const UNKNOWN_TOLD: &str = "an origin that has acknowledged without the session knowing";
pub(crate) const TWO_MESSAGES: &str = "two consumers at copies of one event";
pub(crate) const GIVEN_UP: &str = "an event that was given up";
pub(crate) const NUMBER_AGAIN: &str = "a part on its way under a number that was used before";
pub(crate) const SILENT: &str = "a number that is free only because its writer was silent for so long";
pub(crate) const PENDING: &str = "a chunk that has to wait for a number";
pub(crate) const WITHDRAWN: &str = "a deletion while the completion is being told";
pub(crate) const TWO_EVENTS: &str = "a deletion that is to be told after the completion was";
pub(crate) const AHEAD: &str =
    "an origin that has heard of a deletion, beside a receiver that was called twice in vain";
pub(crate) const HELD_FOR_ANOTHER: &str =
    "an object that the origin wants deleted, and that another is still to be told of";
pub(crate) const DAMAGED: &str = "a damaged upload";
pub(crate) const REPAIRED: &str = "an upload that was damaged and is complete, whose damaged object is still there";
pub(crate) const UNREPAIRED: &str = "a damaged upload whose time was over";
pub(crate) const OLD_WRITE: &str = "a commit on its way from before a repair";
pub(crate) const ALL_PARALLEL: &str = "three attempts at once in three chunks";

/// All of them.
pub(crate) fn all() -> Vec<Property<Uploads>> {
    let mut all = of_telling();
    all.extend(of_uploads());
    all
}

fn of_telling() -> Vec<Property<Uploads>> {
    vec![
        Property::sometimes(WITHDRAWN, |_, world: &World| {
            let is_telling = world.telling.consumers.contains(&Consumer::Calling(EventKind::Completed.into()));
            is_telling && world.object.phase() == Some(Phase::Deleted)
        }),
        Property::sometimes(TWO_EVENTS, |_, world: &World| {
            let to_origin = |session: &Session| session.outbox.to(ReceiverIndex::ORIGIN).count();
            world.object.session.as_ref().map_or(0, to_origin) > 1 && delivery(world) == Some(DeliveryState::Queued)
        }),
        Property::sometimes(AHEAD, |_, world: &World| {
            let is_behind = |session: &Session| session.outbox.iter().any(|delivery| delivery.attempts > 1);
            world.telling.heard & DELETED != 0 && world.object.session.as_ref().is_some_and(is_behind)
        }),
        Property::sometimes(HELD_FOR_ANOTHER, |_, world: &World| {
            world.object.session.as_ref().is_some_and(Session::is_about_to_be_taken)
        }),
    ]
}

fn of_uploads() -> Vec<Property<Uploads>> {
    vec![
        Property::sometimes(LATE_WRITE, |_, world: &World| {
            sent_parts(world).any(|attempt| world.places.iter().all(|place| place.newest != attempt))
        }),
        Property::sometimes(LATE_COMMIT, |_, world: &World| {
            let is_late = |attempt| world.places.iter().all(|place| place.newest != attempt);
            world.is_open() && world.net.iter().any(|message| !message.is_copy && is_late(message.attempt))
        }),
        Property::sometimes(STRAY_PART, |_, world: &World| {
            let counted = |number| world.object.parts.iter().any(|part| part.number == number);
            world.r2.parts.windows(3).any(|run| counted(run[0].0) && !counted(run[1].0) && counted(run[2].0))
        }),
        Property::sometimes(TAIL_IN_ROWS, |_, world: &World| tail(world, SegmentPlace::Row) > 1),
        Property::sometimes(TAIL_IN_STORAGE, |_, world: &World| tail(world, SegmentPlace::Object) > 0),
        Property::sometimes(FENCED, |_, world: &World| {
            let lease = world.object.session.as_ref().and_then(|session| session.progress.lease);
            let fenced = lease.filter(|lease| lease.state == LeaseState::Fenced);
            fenced.is_some_and(|lease| sent_parts(world).any(|attempt| attempt == lease.attempt))
        }),
        Property::sometimes(PROTECTED, |uploads, world: &World| world.free_at(uploads).is_some()),
        Property::sometimes(STALE_COMPLETE, |_, world: &World| {
            let waits = usize::from(world.waits_for_r2());
            world.r2.sent.iter().filter(|sent| matches!(sent, Sent::Complete { .. })).count() > waits
        }),
        Property::sometimes(UNKNOWN_OBJECT, |_, world: &World| {
            !world.r2.objects.is_empty() && world.object.phase() == Some(Phase::Completing) && world.duty.is_none()
        }),
        Property::sometimes(LATE_SEGMENT, |_, world: &World| {
            let session = world.object.session.as_ref();
            session.is_some_and(|session| {
                session.progress.leftovers == Leftovers::SweptOnce && !session.progress.holds_storage
            }) && !world.r2.segments.is_empty()
        }),
        Property::sometimes(LATE_PUT, |_, world: &World| {
            let swept =
                world.object.session.as_ref().is_some_and(|session| session.progress.leftovers == Leftovers::SweptOnce);
            swept && world.object.phase() == Some(Phase::Completed) && world.r2.puts.len() > 1
        }),
        Property::sometimes(PUT_WITH_TAIL, |_, world: &World| {
            let puts = world.r2.sent.iter().any(|sent| matches!(sent, Sent::Put { .. }));
            puts && !world.object.segments.is_empty()
        }),
        Property::sometimes(TWO_OPENINGS, |_, world: &World| waiting(world) > 1),
        Property::sometimes(LATE_OPENING, |_, world: &World| {
            waiting(world) > 0 && (world.object.multipart().is_some() || !world.is_open())
        }),
        Property::sometimes(PUT_BEFORE_OPENING, |_, world: &World| {
            let puts = world.r2.sent.iter().any(|sent| matches!(sent, Sent::Put { .. }));
            puts && world.object.multipart().is_some()
        }),
        Property::sometimes(DISCARDED_IN_DUTY, |_, world: &World| {
            let unwanted = world.object.session.as_ref().is_some_and(|session| session.progress.deleted_at.is_some());
            let is_older = |duty: &Duty| match duty.job {
                Job::Cleanup => !duty.unwanted,
                job => job == Job::NotifyLedger,
            };
            unwanted && world.duty.as_ref().is_some_and(is_older)
        }),
        Property::sometimes(ABORTED, |_, world: &World| world.object.phase() == Some(Phase::Aborted)),
        Property::sometimes(EXPIRED, |_, world: &World| world.object.phase() == Some(Phase::Expired)),
        Property::sometimes(COMPLETED, |_, world: &World| world.object.phase() == Some(Phase::Completed)),
        Property::sometimes(RELEASED, |_, world: &World| world.word == Some(Word::Released)),
        Property::sometimes(REJECTED, |_, world: &World| world.word == Some(Word::Rejected)),
        Property::sometimes(FORGOTTEN, |_, world: &World| world.legacy.is_some()),
        Property::sometimes(UNKNOWN_TOLD, |_, world: &World| {
            world.origin_knows() && world.telling.consumers.is_empty() && delivery(world) == Some(DeliveryState::Queued)
        }),
        Property::sometimes(TWO_MESSAGES, |_, world: &World| world.telling.consumers.len() > 1),
        Property::sometimes(GIVEN_UP, |_, world: &World| delivery(world) == Some(DeliveryState::Failed)),
        Property::sometimes(NUMBER_AGAIN, |_, world: &World| {
            is_number_again(world) && sent_parts(world).next().is_some()
        }),
        Property::sometimes(SILENT, |_, world: &World| world.silent),
        Property::sometimes(PENDING, |uploads, world: &World| {
            let starts = (0..uploads.bounds.file).step_by(usize::from(uploads.bounds.part));
            starts
                .map(|start| world.refusal_at(uploads, start))
                .any(|refusal| matches!(refusal, Some(ApiError::WritersPending { .. })))
        }),
        Property::sometimes(DAMAGED, |_, world: &World| world.object.phase() == Some(Phase::Damaged)),
        Property::sometimes(REPAIRED, |_, world: &World| {
            world.object.phase() == Some(Phase::Completed) && world.r2.objects.len() > 1
        }),
        Property::sometimes(UNREPAIRED, |_, world: &World| world.object.phase() == Some(Phase::Failed)),
        Property::sometimes(OLD_WRITE, |_, world: &World| {
            world.key() > 0 && world.is_open() && world.object.counted() == 0 && !world.net.is_empty()
        }),
        Property::sometimes(ALL_PARALLEL, |_, world: &World| {
            world.places.len() == 3
                && world.object.parts.is_empty()
                && world.places.iter().all(|place| place.newest > 0)
        }),
    ]
}

fn is_number_again(world: &World) -> bool {
    let lease = world.object.session.as_ref().and_then(|session| session.progress.lease);
    lease.is_some_and(|lease| lease.reserved_parts > 0 && lease.first_number <= lease.numbers_before)
        || world.object.parallel_chunks.iter().any(|(_, state)| state.again)
}

fn sent_parts(world: &World) -> impl Iterator<Item = u64> {
    world.r2.sent.iter().filter_map(|sent| match sent {
        Sent::Part { attempt, .. } | Sent::Put { attempt, .. } => Some(*attempt),
        Sent::Segment { .. } | Sent::Complete { .. } => None,
    })
}

fn waiting(world: &World) -> usize {
    world.workers.iter().filter(|worker| matches!(worker, Worker::Waiting(_))).count()
}

fn tail(world: &World, place: SegmentPlace) -> usize {
    world.object.segments.iter().filter(|row| row.segment.place == place).count()
}

fn delivery(world: &World) -> Option<DeliveryState> {
    world.object.session.as_ref()?.outbox.state()
}
