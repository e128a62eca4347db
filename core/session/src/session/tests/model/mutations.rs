//! Rules broken on purpose, one at a time, to show that the checker would notice. They are broken in the model's own
//! code around the rules: each function here is what the object does with a rule, and does it right where nothing is
//! broken.

use crate::{
    alarm::CountedPart,
    event::{Delivery, DeliveryId, DeliveryOutcome, EventKind, Verdict},
    outbox::Outbox,
    session::{
        BeginAppend, Commit, Committed, Content, Decision, DeleteRight, Job, Lease, LeaseState, Leftovers,
        ParallelChunk, ParallelChunks, Release, ReleaseReason, Session, StateChange, Storage, StoredPart, WriteLease,
        Writers,
    },
};
use upload_types::{
    api_error::ApiError,
    integrity::Crc64Nvme,
    plan::MAX_PART_NUMBER,
    units::{ByteCount, UnixMs},
    upload::Phase,
};

use crate::session::tests::model::{
    bounds::{ATTEMPT_MS, LINK_MS, RIGHT},
    bytes::{Bytes, bytes},
    commits::Message,
    object::Object,
    storage::Storage as R2,
    world::{Uploads, World, expire},
};

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A takeover gives the numbers again that the old attempt had and did not commit.
    NumbersReused,
    /// Where numbers are short, nobody waits for those who may still be writing.
    WritersForgotten,
    /// A Worker says that its request to R2 is over while it is not.
    EndedTooEarly,
    /// Whoever is refused is taken to have ended, though its next part may be under way.
    RefusedWriterForgotten,
    /// A commit is accepted from an attempt that was taken over.
    OldLeaseCommits,
    /// A commit is accepted from an attempt that was ended by a HEAD.
    FencedLeaseCommits,
    /// A commit is accepted from an older try at a chunk of a parallel upload.
    OldTryCommits,
    /// The answer is given before the change is on the disk.
    AnswerBeforeStore,
    /// Completion lists whatever R2 has, instead of what is counted.
    WhateverIsThere,
    /// R2's call to complete failed, and the upload is said to be complete all the same.
    CompletedUnconfirmed,
    /// An upload whose time is over expires while its object is being put together.
    ExpireWhileCompleting,
    /// A rest whose commit arrives twice is counted twice.
    RestCountedTwice,
    /// The offset in an answer includes parts that are in R2 and not committed.
    UncommittedReported,
    /// A rest is counted as if it were a part.
    RestAsPart,
    /// A lease is never taken from whoever holds it.
    NoTakeover,
    /// The tail that a part has taken in stays where it was.
    TailKept,
    /// The tail is not put in front of the part that takes it in.
    TailLeftOut,
    /// Whoever misses the tail ends the upload, even if it was taken over and the tail has gone into a part.
    AnyReaderFails,
    /// Whoever is refused deletes the rest that it has stored, even if an earlier copy of its commit has counted it.
    RefusedRestDeleted,
    /// What was freed is not compared with what is to be freed by now.
    FreedUnseen,
    /// What the ledger was told is not compared with what it is to know by now.
    SettledUnseen,
    /// The ledger waits until what R2 has refused is tried again.
    OneBackoff,
    /// Segments are looked for once, when the upload ends.
    SegmentsSweptOnce,
    /// All attempts put under one key.
    PutsShareAKey,
    /// The object that counts is taken for one of those that do not.
    CountedPutSwept,
    /// Objects that do not count are not looked for.
    StrayPutsLeft,
    /// A multipart upload that was opened for a chunk takes the place of one that was opened meanwhile for another.
    LaterOpeningReplaces,
    /// A multipart upload that was opened for a chunk, and is not used, is not aborted.
    UnusedOpeningLeft,
    /// The id of an opened multipart upload is told, and not stored with the lease.
    OpeningUnstored,
    /// With the opening it is forgotten that the whole may have been put.
    PutsForgotten,
    /// An event is forgotten once the queue has it.
    ForgottenOnceQueued,
    /// Deleting a completed object makes another event of the upload's end.
    SecondEvent,
    /// What the origin wants deleted is deleted at once, whoever else is still to be told of it.
    TakenAtOnce,
    /// An attempt at telling another receiver puts off what the origin is told next.
    OneQueueForAll,
    /// A completion that was not told yet stays in the outbox when it is deleted, and is told without looking for the object.
    DeletedStillTold,
    /// The deletion of what was complete is told to nobody.
    DeletionUntold,
    /// A file that does not have its declared digest is taken for one that has.
    DamageUnseen,
    /// A damaged object that is not needed any more is forgotten.
    DamagedLeft,
    /// A repair counts its attempts from the start again.
    AttemptsAnew,
    /// An upload is forgotten a while after its end, whatever links were handed out since.
    LinksForgotten,
    /// What is to be held is handed out once it is whole.
    HoldForgotten,
    /// A word about what is held is stored apart from the acknowledgement that it came with, and lost between the two.
    WordApart,
    /// A word about what was held counts also where another came before it.
    LateWordCounts,
}

/// Decides on a chunk that begins.
pub(crate) fn begin(
    uploads: &Uploads,
    session: &Session,
    now: UnixMs,
    begin: BeginAppend,
    opened: Option<u8>,
) -> Decision<WriteLease> {
    let opened = opened.map(|id| id.to_string());
    let opened = opened.as_deref();
    if uploads.mutation.is_none() {
        return session.begin_opened(now, begin, opened);
    }
    let lease = session.progress.lease.filter(|lease| lease.state == LeaseState::Held && lease.to > begin.offset);
    if uploads.breaks(Mutation::NoTakeover) && lease.is_some() {
        let busy = ApiError::Busy { uploaded_bytes: session.uploaded_bytes(), retry_after_seconds: 3_600 };
        return Decision { answer: Err(busy), change: StateChange::none() };
    }
    let mut forgetful = session.clone();
    if uploads.breaks(Mutation::LaterOpeningReplaces) && opened.is_some() {
        forgetful.progress.storage = Storage::Deferred;
    }
    if uploads.breaks(Mutation::WritersForgotten) {
        forgetful.progress.writers = Writers::default();
        if let Some(lease) = &mut forgetful.progress.lease {
            lease.ended = true;
        }
        if let Content::Parallel(parallel_chunks) = &mut forgetful.content {
            *parallel_chunks = without_writers(session, parallel_chunks);
        }
    }
    if !uploads.breaks(Mutation::NumbersReused) {
        let mut decision = forgetful.begin_opened(now, begin, opened);
        let storage = decision.change.progress.as_mut().map(|progress| &mut progress.storage);
        match (uploads.mutation, storage) {
            (Some(Mutation::OpeningUnstored), Some(storage)) => *storage = Storage::Deferred,
            (Some(Mutation::PutsForgotten), Some(Storage::Multipart { puts_before, .. })) => *puts_before = 0,
            _ => {}
        }
        return decision;
    }
    if let (Content::Sequence(sequence), Some(lease)) = (&session.content, &mut forgetful.progress.lease) {
        let stored = sequence.last_part.as_ref().map_or(0, |part| part.number);
        (lease.numbers_before, lease.reserved_parts, lease.to, lease.ended) = (stored, 0, begin.offset, true);
    }
    forgetful.begin_opened(now, begin, opened)
}

/// Decides on a commit.
pub(crate) fn commit(uploads: &Uploads, session: &Session, now: UnixMs, message: &Message) -> Decision<Committed> {
    let commit = &message.commit;
    if uploads.mutation.is_none() {
        return session.commit(now, commit);
    }
    let mut lax = session.clone();
    match (uploads.mutation, &mut lax.content) {
        (Some(Mutation::OldLeaseCommits), _) => {
            let leased = message.leased;
            lax.progress.lease = lax.progress.lease.map(|lease| Lease {
                attempt: message.attempt,
                first_number: leased.first,
                last_number: MAX_PART_NUMBER,
                reserved_parts: leased.reserved_parts,
                from: bytes(leased.from),
                to: bytes(leased.to),
                all_or_nothing: leased.all_or_nothing,
                ..lease
            });
            let mut decision = lax.commit(now, commit);
            if let Some(progress) = &mut decision.change.progress {
                progress.lease = session.progress.lease;
            }
            return decision;
        }
        (Some(Mutation::RefusedWriterForgotten), _) => {
            return session.commit(now, &Commit { is_writing_on: false, ..commit.clone() });
        }
        (Some(Mutation::FencedLeaseCommits), _) => {
            if let Some(lease) = &mut lax.progress.lease {
                lease.state = LeaseState::Held;
            }
        }
        (Some(Mutation::OldTryCommits), Content::Parallel(parallel_chunks)) => {
            let chunk = u32::try_from(uploads.place_of(message.leased.from)).unwrap_or(0);
            let (attempts, number) = (message.attempt % 1_000_000_000, message.leased.first);
            let state = ParallelChunk { attempts, number, ..ParallelChunk::default() };
            *parallel_chunks =
                ParallelChunks::restore(session.plan(), std::iter::once((chunk, state)), std::iter::empty());
        }
        (Some(Mutation::RestCountedTwice), Content::Sequence(sequence)) => {
            if let Some(segment) = &mut sequence.last_segment {
                segment.attempt = 0;
            }
        }
        _ => {}
    }
    let mut decision = lax.commit(now, commit);
    if uploads.breaks(Mutation::RestAsPart)
        && let Some(segment) = decision.change.segment.take()
    {
        let (number, etag) = (session.progress.lease.map_or(0, |lease| lease.first_number), String::new());
        let (end, stored_at, crc64nvme) = (segment.end, segment.stored_at, Crc64Nvme(0));
        let part = StoredPart { number, end, stored_at, etag, crc64nvme, sha256_so_far: None, digest: None };
        decision.change.parts.push(part);
    }
    decision
}

/// Decides on an attempt that ends early.
pub(crate) fn release(uploads: &Uploads, session: &Session, now: UnixMs, mut release: Release) -> Decision<ByteCount> {
    if uploads.breaks(Mutation::AnyReaderFails) && release.reason == ReleaseReason::SegmentLost {
        release.attempt = session.progress.lease.map_or(0, |lease| lease.attempt);
    }
    session.release(now, release)
}

/// Under which attempt's key this one puts.
pub(crate) fn put_key(uploads: &Uploads, attempt: u64) -> u64 {
    if uploads.breaks(Mutation::PutsShareAKey) { 1 } else { attempt }
}

/// Which attempts' objects are deleted where all are but the counted one.
pub(crate) fn strays(uploads: &Uploads, counted: Option<u64>, r2: &R2) -> Vec<u64> {
    if uploads.breaks(Mutation::StrayPutsLeft) {
        return Vec::new();
    }
    let counted = counted.filter(|_| !uploads.breaks(Mutation::CountedPutSwept));
    r2.puts.iter().map(|put| put.0).filter(|attempt| Some(*attempt) != counted).collect()
}

/// The same chunks, of which nobody knows who may be writing.
fn without_writers(session: &Session, parallel_chunks: &ParallelChunks) -> ParallelChunks {
    let mut all = Vec::new();
    for chunk in 0..u32::try_from(session.plan().part_count()).unwrap_or(0) {
        all.push((chunk, ParallelChunk { writers: Writers::default(), ..parallel_chunks.state_of(chunk) }));
    }
    let stored: Vec<_> = all.iter().filter_map(|(_, state)| Some((state.stored?, UnixMs(0)))).collect();
    ParallelChunks::restore(session.plan(), all.into_iter(), stored.into_iter())
}

/// One bit per unit that the answer to a HEAD says is counted.
pub(crate) fn reported(uploads: &Uploads, world: &World) -> u32 {
    let counted = world.object.counted();
    let last = world.object.parts.last().map_or(0, |part| part.number);
    if !uploads.breaks(Mutation::UncommittedReported) || world.r2.parts.iter().all(|part| part.0 <= last) {
        return counted;
    }
    counted | (counted + 1)
}

/// Decides on a cancellation, or a deletion.
pub(crate) fn cancel(uploads: &Uploads, session: &Session, now: UnixMs) -> Decision<()> {
    let mut decision = session.cancel(now, DeleteRight::Completed);
    if decision.answer.is_err() || session.outbox.is_empty() {
        return decision;
    }
    match uploads.mutation {
        Some(Mutation::SecondEvent) => {
            let aborted = |delivery: &Delivery| Delivery { kind: EventKind::Aborted, ..delivery.clone() };
            decision.change.outbox = Some(session.outbox.changed(EventKind::Completed, aborted));
        }
        Some(Mutation::DeletedStillTold | Mutation::DeletionUntold) => decision.change.outbox = None,
        _ => {}
    }
    decision
}

/// Decides on an attempt at telling.
pub(crate) fn delivery_begun(uploads: &Uploads, session: &Session, now: UnixMs, id: DeliveryId) -> Option<StateChange> {
    if uploads.breaks(Mutation::DeletedStillTold) && session.progress.phase == Phase::Deleted {
        let mut forgetful = session.clone();
        forgetful.progress.phase = Phase::Completed;
        forgetful.progress.deleted_at = None;
        return forgetful.delivery_begun(now, id, ATTEMPT_MS, LINK_MS);
    }
    let link_ms = if uploads.breaks(Mutation::LinksForgotten) { 0 } else { LINK_MS };
    session.delivery_begun(now, id, ATTEMPT_MS, link_ms)
}

/// Decides what becomes of an attempt at telling.
pub(crate) fn delivery_ended(
    uploads: &Uploads,
    session: &Session,
    now: UnixMs,
    id: DeliveryId,
    outcome: &DeliveryOutcome,
) -> Decision<Verdict> {
    let name = session.spec.receivers.name_of(id.receiver);
    let event_id = id.event_id(session.spec.id);
    let mut decision = session.delivery_ended(now, name, &event_id, outcome);
    if let DeliveryOutcome::Acknowledged { discard, verdict: Some(_), .. } = *outcome {
        if uploads.breaks(Mutation::WordApart) {
            let apart = DeliveryOutcome::Acknowledged { discard, result: None, verdict: None };
            decision = session.delivery_ended(now, name, &event_id, &apart);
        }
        if uploads.breaks(Mutation::LateWordCounts) && session.stored_object().is_some() {
            let mut forgetful = session.clone();
            forgetful.progress.held = true;
            forgetful.outbox = Outbox::default().with(id.kind, &[id.receiver], now);
            decision = forgetful.delivery_ended(now, name, &event_id, outcome);
        }
    }
    if uploads.breaks(Mutation::TakenAtOnce)
        && matches!(outcome, DeliveryOutcome::Acknowledged { discard: true, .. })
        && session.stored_object().is_some()
    {
        decision.change.progress = session.taken(now).progress;
    }
    if uploads.breaks(Mutation::OneQueueForAll) && !id.receiver.is_origin() {
        let outbox = decision.change.outbox.as_ref().unwrap_or(&session.outbox);
        let put_off = outbox.changed(EventKind::Completed, |delivery| delivery.sent(now, 60_000));
        decision.change.outbox = Some(put_off);
    }
    decision
}

/// The parts that completion is told of.
pub(crate) fn listed(uploads: &Uploads, object: &Object, r2: &R2) -> Vec<CountedPart> {
    if uploads.breaks(Mutation::WhateverIsThere) {
        let all = r2.parts.iter().map(|(number, (content, _))| (*number, content));
        let part = |(number, content): (u16, &Bytes)| {
            let (etag, bytes) = (content.etag(), bytes(content.units()));
            CountedPart { number, etag, crc64nvme: RIGHT, bytes }
        };
        return all.map(part).collect();
    }
    let mut from = ByteCount::ZERO;
    let part = |part: &StoredPart| {
        let (number, etag, bytes) = (part.number, part.etag.clone(), part.end.saturating_sub(from));
        from = part.end;
        let crc64nvme = if uploads.breaks(Mutation::DamageUnseen) { RIGHT } else { part.crc64nvme };
        CountedPart { number, etag, crc64nvme, bytes }
    };
    object.parts.iter().map(part).collect()
}

/// A duty has failed.
pub(crate) fn postponed(uploads: &Uploads, session: &Session, now: UnixMs, mut change: StateChange) -> StateChange {
    if let Some(progress) = change.progress.as_mut().filter(|_| uploads.breaks(Mutation::OneBackoff)) {
        progress.ledger_backoff = session.progress.ledger_backoff.after_failure(now);
    }
    change
}

/// What is stored of a duty that was done.
pub(crate) fn done(
    uploads: &Uploads,
    session: &Session,
    now: UnixMs,
    job: Job,
    mut change: StateChange,
) -> StateChange {
    match (uploads.mutation, job) {
        (Some(Mutation::ExpireWhileCompleting), Job::Expire) => expire(uploads, session, now),
        (Some(Mutation::DamagedLeft), Job::Assemble) => {
            if let Some(progress) = change.progress.as_mut() {
                progress.damage.discarded.clear();
            }
            change
        }
        (Some(Mutation::FreedUnseen), Job::Cleanup) => {
            if let Some(progress) = &mut change.progress {
                progress.holds_storage &= !session.is_unwanted();
            }
            change
        }
        (Some(Mutation::SegmentsSweptOnce), Job::Cleanup) => {
            if let Some(progress) = &mut change.progress {
                progress.leftovers = Leftovers::None;
            }
            change
        }
        (Some(Mutation::SettledUnseen), Job::NotifyLedger) => session.settled(session.told_of_object()),
        (Some(Mutation::ForgottenOnceQueued), Job::EnqueueEvent) => match session.outbox.next() {
            Some(event) => session.delivered(now, event.id(), false, None),
            None => change,
        },
        _ => change,
    }
}

/// Decides on a repair.
pub(crate) fn repair(uploads: &Uploads, mut decision: Decision<()>) -> Decision<()> {
    let repair = decision.change.progress.as_mut().and_then(|progress| progress.damage.repair.as_mut());
    if let Some(repair) = repair.filter(|_| uploads.breaks(Mutation::AttemptsAnew)) {
        repair.attempts_before = 0;
    }
    decision
}
