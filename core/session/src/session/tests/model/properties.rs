//! What must always hold.

use crate::{
    event::{Delivery, EventKind},
    session::{SegmentPlace, Session},
};
use stateright::Property;
use upload_types::{
    plan::Mode,
    upload::{DeliveryState, Phase},
};

use crate::session::tests::model::{
    bytes::{Bytes, bytes, units},
    mutations,
    object::SegmentRow,
    settle::LONGEST_WAIT_MS,
    telling::{NO_ENDINGS, Word, kind_bit},
    worker::Chunk,
    world::{Law, Uploads, World},
};

pub(crate) const NEVER_TAKEN_BACK: &str = "an offset once told is never taken back";
pub(crate) const STORED_ONCE: &str = "every counted byte is stored exactly once, and is the file's";
pub(crate) const FREE_NUMBERS: &str = "no part number is handed out while somebody else may be writing under it";
pub(crate) const NEWEST_COMMITS: &str = "only the newest attempt of its place commits";
pub(crate) const EQUAL_PARTS: &str = "all parts but the last have one size";
pub(crate) const WHOLE: &str = "completed means that R2 has the whole object, of exactly the counted parts";
pub(crate) const NOTHING_LOST: &str = "nothing that was counted is lost";
pub(crate) const ONE_EVENT: &str =
    "an upload ends once, and what was complete is deleted once; each event is delivered only when the origin has it";
pub(crate) const LIVE_LINKS: &str = "a completion goes out only with a link that leads to its object";
pub(crate) const ACCEPTED: &str = "the offset is accepted, at once or after a stated pause";
pub(crate) const READ_BACK: &str = "what a restart reads back is what was believed";
pub(crate) const FREED: &str = "what is said to be freed is gone";
pub(crate) const TOLD_AT_ONCE: &str = "the owner's ledger is told of an end at once, unless it has failed itself";
pub(crate) const INDEPENDENT: &str = "what another receiver does changes nothing for the origin";
pub(crate) const FIRST_WORD: &str = "what is held is nobody's and told to nobody as complete before it is released, and then stays what the first word made of it";
pub(crate) const LEFT_ALONE: &str = "left alone, every upload ends, is told, and leaves nothing that is not wanted";
pub(crate) const TAKEN_UP: &str = "taken up again, every open upload becomes whole";

/// All of them.
pub(crate) fn all() -> Vec<Property<Uploads>> {
    vec![
        Property::always(NEVER_TAKEN_BACK, |_, world: &World| {
            world.object.session.is_none() || world.told & !world.object.counted() == 0
        }),
        Property::always(STORED_ONCE, stored_once),
        Property::always(FREE_NUMBERS, |_, world: &World| !world.has_broken(Law::NumberInUse)),
        Property::always(NEWEST_COMMITS, |_, world: &World| !world.has_broken(Law::OldAttempt)),
        Property::always(EQUAL_PARTS, equal_parts),
        Property::always(WHOLE, all_or_nothing),
        Property::always(NOTHING_LOST, nothing_lost),
        Property::always(ONE_EVENT, one_event),
        Property::always(LIVE_LINKS, |_, world: &World| !world.has_broken(Law::DeadLink)),
        Property::always(ACCEPTED, accepted),
        Property::always(READ_BACK, |_, world: &World| !world.has_broken(Law::ReadBack)),
        Property::always(FREED, freed),
        Property::always(TOLD_AT_ONCE, told_at_once),
        Property::always(INDEPENDENT, |_, world: &World| !world.has_broken(Law::OriginDelayed)),
        Property::always(FIRST_WORD, first_word),
        Property::always(LEFT_ALONE, |uploads, world| uploads.outlooks.of(uploads, world).left_alone),
        Property::always(TAKEN_UP, |uploads: &Uploads, world: &World| {
            !world.is_open() || uploads.outlooks.of(uploads, world).taken_up
        }),
    ]
}

/// Parts from the front in the order of their numbers, each in R2 as its receipt says, and behind them the tail: the
/// file, up to the offset, without a gap and without anything twice. Once the object is there, it is the file.
fn stored_once(uploads: &Uploads, world: &World) -> bool {
    let object = &world.object;
    let open = matches!(object.phase(), Some(Phase::Open | Phase::Completing));
    if !open {
        return true;
    }
    if let Some(all_or_nothing) = world.whole_object(uploads) {
        return all_or_nothing.is_sent_for(Bytes::of_file(0, uploads.bounds.file));
    }
    let mut at = 0;
    for part in &object.parts {
        let end = units(part.end);
        let from = match uploads.bounds.mode {
            Mode::Sequential => at,
            Mode::Parallel | Mode::Direct => (end - 1) / uploads.bounds.part * uploads.bounds.part,
        };
        let expected = Bytes::of_file(from, end);
        // What a client sends wrong is stored as it comes.
        let stored = world.r2.part(part.number).filter(|stored| stored.is_sent_for(expected));
        if end <= at || stored.is_none_or(|stored| part.etag != stored.etag()) {
            return false;
        }
        at = end;
    }
    for SegmentRow { segment, content } in &object.segments {
        let content = match segment.place {
            SegmentPlace::Row => *content,
            SegmentPlace::Object => world.r2.segment(segment.attempt),
        };
        let end = units(segment.end);
        if segment.start != bytes(at) || content != Some(Bytes::of_file(at, end)) {
            return false;
        }
        at = end;
    }
    uploads.bounds.mode == Mode::Parallel || object.counted() == (1 << at) - 1
}

/// R2 loses nothing here, so no upload fails; and once all its bytes count, it neither expires nor can be cancelled, only deleted
/// when it is complete.
fn nothing_lost(uploads: &Uploads, world: &World) -> bool {
    let Some(phase) = world.object.phase() else { return true };
    let is_whole = world.object.counted() == (1 << uploads.bounds.file) - 1;
    if world.was_wrong(uploads) && matches!(phase, Phase::Damaged | Phase::Failed | Phase::Aborted) {
        return true;
    }
    if world.word == Some(Word::Rejected) {
        return phase == Phase::Failed;
    }
    phase != Phase::Failed && (!is_whole || matches!(phase, Phase::Completing | Phase::Completed | Phase::Deleted))
}

fn equal_parts(uploads: &Uploads, world: &World) -> bool {
    let mut at = 0;
    let plan = world.object.session.as_ref().map(Session::plan);
    let part_units = plan.map_or(uploads.bounds.part, |plan| units(plan.part_bytes));
    world.object.parts.iter().all(|part| {
        let end = units(part.end);
        let length = match uploads.bounds.mode {
            Mode::Sequential => end - at,
            Mode::Parallel | Mode::Direct => end - (end - 1) / uploads.bounds.part * uploads.bounds.part,
        };
        at = end;
        length == part_units || (end == uploads.bounds.file && length <= part_units)
    })
}

fn all_or_nothing(uploads: &Uploads, world: &World) -> bool {
    let Some(session) = &world.object.session else { return true };
    let file = Bytes::of_file(0, uploads.bounds.file);
    let is_object = session.stored_object().is_some();
    !is_object
        || (world.whole_object(uploads) == Some(file) && world.object.counted() == (1 << uploads.bounds.file) - 1)
}

fn one_event(_: &Uploads, world: &World) -> bool {
    let session = world.object.session.as_ref();
    let delivered = session.is_some_and(|session| session.outbox.state() == Some(DeliveryState::Delivered));
    let endings = world.telling.heard & !NO_ENDINGS;
    let is_ending = |delivery: &&Delivery| delivery.receiver.is_origin() && kind_bit(delivery.kind) & NO_ENDINGS == 0;
    let to_tell = session.map_or(0, |session| session.outbox.iter().filter(is_ending).count());
    to_tell <= 1
        && endings.count_ones() <= 1
        && !world.has_broken(Law::EventChanged)
        && (!delivered || world.origin_knows())
}

/// The bystander knows what was said, and when that counted, by itself.
fn first_word(uploads: &Uploads, world: &World) -> bool {
    let Some(session) = world.object.session.as_ref().filter(|_| uploads.bounds.held) else { return true };
    let (heard, phase) = (world.telling.heard, session.progress.phase);
    let has_heard = |kind| heard & kind_bit(kind) != 0;
    match world.word {
        None => session.stored_object().is_none() && !has_heard(EventKind::Completed) && phase != Phase::Failed,
        Some(Word::Released) => !session.is_held() && phase != Phase::Failed,
        Some(Word::Rejected) => phase == Phase::Failed && !has_heard(EventKind::Completed),
    }
}

/// Parts and object, that is: a segment, or a put that does not count, may arrive late, and goes when the upload is forgotten.
fn freed(uploads: &Uploads, world: &World) -> bool {
    let session = world.object.session.as_ref();
    let is_freed = session.is_some_and(|session| !session.progress.holds_storage);
    !is_freed || (!world.r2.has(world.object.multipart()) && world.whole_object(uploads).is_none())
}

/// Whatever R2 or the queue does not do just now.
fn told_at_once(_: &Uploads, world: &World) -> bool {
    let Some(session) = world.object.session.as_ref().filter(|session| session.progress.owes_ledger) else {
        return true;
    };
    let ended_at = session.progress.ended_at.max(session.progress.deleted_at);
    world.ledger.has_failed || session.next_job().map(|(due, _)| due) <= ended_at
}

/// Whoever begins at the offset that is told is granted the chunk; or is told when, where somebody's lease is protected.
fn accepted(uploads: &Uploads, world: &World) -> bool {
    let Some(session) = world.object.session.as_ref().filter(|session| session.progress.phase == Phase::Open) else {
        return true;
    };
    if uploads.bounds.mode == Mode::Parallel || world.now >= session.expires_at() {
        return true;
    }
    let begin = Chunk { from: units(session.uploaded_bytes()), to: uploads.bounds.file, all_or_nothing: false }.begin();
    let free_at = world.free_at(uploads);
    mutations::begin(uploads, session, world.now, begin, Some(0)).answer.is_ok()
        || free_at.is_some_and(|at| at.ms_since(world.now) <= LONGEST_WAIT_MS)
}
