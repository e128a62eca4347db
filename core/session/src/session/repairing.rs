//! A damaged file is put together anew. Its client names the bytes that it sends again; from then on the upload is open, in chunks in
//! any order, under a multipart upload and a key of its own. Every chunk with a named byte is the client's to send. All others are
//! *copied* from the damaged object, a chunk at a time, in the time of queue messages: whoever copies is a writer like any other, so a
//! crash costs the chunk that was on its way, and a client that sends such a chunk itself is welcome.
//!
//! The damaged object stays until the new one is there, or the upload has ended; then its key is among those that R2 is to let go of
//! ([`Damage::discarded`](super::Damage::discarded)), in the same change. What was written to before has no part in it any more: attempts
//! go on to be counted from where they were, so none of before is ever taken for one of now.
//!
//! Asked again while it is open, it gives the client the chunks that are named then, too, but for those that are there by now: nothing
//! that counts is given up, and should one of them be wrong as well, that is found at the end, and repaired again.

use serde::{Deserialize, Serialize};

use crate::chunk_set::ChunkSet;
use crate::session::{
    BeginAppend, Content, Continuation, CopyBatch, Decision, ParallelChunks, PartSource, PartialObject, Phase, Release,
    ReleaseReason, Session, SourceRange, StateChange, Storage, Uncount, UnixMs, UploadState, Writers,
    concatenation::BATCH_BYTES,
};
use upload_types::{
    api_error::ApiError,
    chunk::Named,
    object_key,
    plan::{Limits, Mode, Plan},
    repair::SentAgain,
    units::ByteCount,
};

/// A file that is put together anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Repair {
    /// Which of the upload's repairs it is, from 1. It stands in its object's key.
    pub number: u32,
    /// The damaged object, until nothing more is copied from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PartialObject>,
    /// The chunks that the client sends. All others are copied.
    pub sent_again: ChunkSet,
    /// No attempt of before has a higher count.
    pub attempts_before: u64,
    /// Who copied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copier: Option<Copier>,
}

/// Somebody who copies chunks from the damaged object, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Copier {
    /// The attempt at the newest chunk.
    pub attempt: u64,
    /// How much it has copied, or is about to, in this turn; zero where the turn is over.
    pub turn_bytes: ByteCount,
}

/// A multipart upload that R2 has opened for a repair.
#[derive(Clone, Copy, Debug)]
pub struct OpenedForRepair<'a> {
    /// Where its object will be: of another repair than the next one it is no use.
    pub key: &'a str,
    /// R2's id of it.
    pub multipart_id: &'a str,
}

impl super::UploadSpec {
    /// Where the object of a repair will be. No attempt ever puts there.
    fn repair_key(&self, number: u32) -> String {
        object_key::with_mark(&self.key, self.id, '.', number.into())
    }
}

impl Session {
    /// The newest repair's object; none where the file was never put together anew.
    pub(super) fn repaired_key(&self) -> Option<String> {
        self.progress.damage.repair.as_ref().map(|repair| self.spec.repair_key(repair.number))
    }

    /// Where the object of the next repair will be: a multipart upload must be opened there first. Or why there is nothing to open.
    pub fn next_repair_key(&self, sent_again: &[SentAgain]) -> Result<String, ApiError> {
        self.is_damaged()?;
        self.check_ranges(sent_again)?;
        Ok(self.spec.repair_key(self.next_repair()))
    }

    fn next_repair(&self) -> u32 {
        self.progress.damage.repair.as_ref().map_or(0, |repair| repair.number).saturating_add(1)
    }

    /// Its client sends these bytes again. `opened` was opened for it, and is used unless the upload is not damaged any more. Where it
    /// was opened for an earlier repair, whose damaged object has that key by now, the client is to ask again.
    ///
    /// Crash here, before it is stored: the upload is damaged as before, and R2 drops the empty multipart upload after its 7 days.
    /// After it is stored: the damaged object is known as the source, and so goes when the upload has another, or ends.
    pub fn repair(
        &self,
        now: UnixMs,
        sent_again: &[SentAgain],
        limits: Limits,
        opened: Option<OpenedForRepair>,
    ) -> Decision<()> {
        if let Err(refusal) = self.check_ranges(sent_again) {
            return Decision::no(refusal);
        }
        if let (Phase::Open, Content::Parallel(parallel_chunks), Some(_)) =
            (self.progress.phase, &self.content, &self.progress.damage.repair)
        {
            return Decision::yes((), self.also_sent(parallel_chunks, sent_again));
        }
        let source = match (self.is_damaged(), &self.progress.etag) {
            (Ok(()), Some(etag)) => PartialObject { key: self.object_key(), etag: etag.clone() },
            (Ok(()), None) => return Decision::no(ApiError::NotDamaged { phase: self.progress.phase }),
            (Err(refusal), _) => return Decision::no(refusal),
        };
        let number = self.next_repair();
        let Some(opened) = opened.filter(|opened| opened.key == self.spec.repair_key(number)) else {
            return Decision::no(ApiError::StorageUnavailable { uploaded_bytes: self.uploaded_bytes() });
        };
        let (file_bytes, part_bytes) = (self.plan().file_bytes, self.plan().part_bytes);
        let Ok(plan) = Plan::new(Mode::Parallel, Some(file_bytes), Some(part_bytes), limits) else {
            return Decision::no(ApiError::UploadTooLarge { limit_bytes: limits.largest_file(Mode::Parallel) });
        };
        let mut damage = self.progress.damage.clone();
        (damage.found, damage.until) = (None, None);
        damage.repair = Some(Repair {
            number,
            source: Some(source),
            sent_again: chunks_in(plan, sent_again),
            attempts_before: self.attempts_begun(),
            copier: None,
        });
        let progress = UploadState {
            phase: Phase::Open,
            reason: None,
            lease: None,
            etag: None,
            crc64nvme: None,
            job_failures: 0,
            job_not_before: now,
            tried_at: None,
            plan: Some(plan),
            writers: Writers::default(),
            storage: Storage::opened(opened.multipart_id, self.puts_begun()),
            damage,
            ..self.seen(now)
        };
        Decision::yes((), StateChange { progress: Some(progress), uncount: Uncount::Anew, ..StateChange::none() })
    }

    fn check_ranges(&self, sent_again: &[SentAgain]) -> Result<(), ApiError> {
        let file_bytes = self.plan().file_bytes;
        match sent_again.iter().find(|range| range.to > file_bytes || range.from >= range.to) {
            None => Ok(()),
            Some(SentAgain { from, to }) => {
                let detail =
                    format!("has one from {from} to {to}, which does not lie in the {file_bytes} bytes of the file");
                Err(ApiError::bad_request("ranges", detail))
            }
        }
    }

    /// The client sends these too, where they are not there yet.
    fn also_sent(&self, parallel_chunks: &ParallelChunks, sent_again: &[SentAgain]) -> StateChange {
        let mut progress = self.progress.clone();
        let Some(repair) = &mut progress.damage.repair else { return StateChange::none() };
        let named = chunks_in(self.plan(), sent_again);
        for chunk in chunks_of(self.plan()).filter(|chunk| named.contains(*chunk) && !parallel_chunks.is_stored(*chunk))
        {
            repair.sent_again.insert(chunk);
        }
        if progress.damage == self.progress.damage { StateChange::none() } else { progress.into() }
    }

    /// How often any place of the upload was begun, at most.
    fn attempts_begun(&self) -> u64 {
        match &self.content {
            Content::Sequence(_) => self.progress.lease.map_or(0, |lease| lease.attempt),
            Content::Parallel(parallel_chunks) => parallel_chunks.most_attempts(),
        }
    }

    /// The chunks of a file that is put together anew, none of them there.
    pub(super) fn chunks_anew(&self) -> ParallelChunks {
        let attempts_before = self.progress.damage.repair.as_ref().map_or(0, |repair| repair.attempts_before);
        ParallelChunks::new(self.plan()).counting_from(attempts_before)
    }

    /// What is missing and no copy brings: as ranges, in order.
    pub(super) fn missing_of_client(&self, parallel_chunks: &ParallelChunks) -> Vec<(ByteCount, ByteCount)> {
        match &self.progress.damage.repair {
            None => parallel_chunks.missing(),
            Some(repair) => parallel_chunks.missing_of(|chunk| repair.sent_again.contains(chunk)),
        }
    }

    /// How many bytes its client has yet to send.
    pub(super) fn awaited_bytes(&self) -> ByteCount {
        match (&self.content, &self.progress.damage.repair) {
            (Content::Parallel(parallel_chunks), Some(_)) => {
                let ranges = self.missing_of_client(parallel_chunks).into_iter();
                ranges.fold(ByteCount::ZERO, |sum, (from, to)| sum.checked_add(to.saturating_sub(from)).unwrap_or(sum))
            }
            _ => self.missing_bytes(),
        }
    }

    /// Whether this attempt writes under the upload's multipart upload, or did: not one of before a repair.
    pub(super) fn is_of_this_multipart(&self, attempt: u64) -> bool {
        match (&self.content, &self.progress.damage.repair) {
            (Content::Parallel(parallel_chunks), Some(_)) => parallel_chunks.is_counted_here(attempt),
            _ => true,
        }
    }

    /// The chunks that are yet to be copied.
    fn to_copy<'a>(&self, parallel_chunks: &'a ParallelChunks, repair: &'a Repair) -> impl Iterator<Item = u32> + 'a {
        chunks_of(self.plan()).filter(|chunk| !repair.sent_again.contains(*chunk) && !parallel_chunks.is_stored(*chunk))
    }

    /// Whether chunks are yet to be copied.
    pub(super) fn is_copying(&self) -> bool {
        match (&self.content, &self.progress.damage.repair) {
            (Content::Parallel(parallel_chunks), Some(repair)) if self.progress.phase == Phase::Open => {
                self.to_copy(parallel_chunks, repair).next().is_some()
            }
            _ => false,
        }
    }

    /// Until when whoever copies keeps the chunk that it is at, if it says nothing more: as long as somebody who is asked has to begin,
    /// counted from its last word, and never longer than a writer may be silent. None where nobody is at one.
    fn copier_keeps_until(&self, now: UnixMs) -> Option<UnixMs> {
        let (Content::Parallel(parallel_chunks), Some(repair)) = (&self.content, &self.progress.damage.repair) else {
            return None;
        };
        let copier = repair.copier.filter(|copier| !copier.turn_bytes.is_zero())?;
        let silent_for_ms = parallel_chunks.silent_for_ms(copier.attempt, now)?;
        let left_ms = self.spec.policy.resend_ms.checked_sub(silent_for_ms).filter(|left_ms| *left_ms > 0)?;
        Some(now.plus_ms(left_ms))
    }

    /// Somebody is asked to copy. Whoever was at it and says that it is there keeps its turn: whoever is asked finds nothing to do, and
    /// somebody is asked again later. Nobody believes any more in one that has said nothing for so long; if it does live, the chunk
    /// that it is at may still count, and then it stops.
    pub(crate) fn copy_asked_for(&self, now: UnixMs) -> StateChange {
        let mut progress = self.progress.clone();
        if let Some(job_not_before) = self.copier_keeps_until(now) {
            progress.job_not_before = job_not_before;
            return progress.into();
        }
        progress.job_not_before = now.plus_ms(self.spec.policy.resend_ms);
        end_turn(&mut progress);
        progress.into()
    }

    /// Somebody would copy the next chunk; `after` is the attempt at the chunk that it has copied before in this turn. `None`: there is
    /// nothing to copy, its turn is over, or somebody else has it.
    pub fn begin_copy(&self, now: UnixMs, after: Option<u64>) -> Decision<Option<CopyBatch>> {
        let nothing = Decision::yes(None, StateChange::none());
        let (Content::Parallel(parallel_chunks), Some(repair)) = (&self.content, &self.progress.damage.repair) else {
            return nothing;
        };
        let Some(source) = repair.source.clone().filter(|_| self.is_copying()) else { return nothing };
        let running = repair.copier.filter(|copier| !copier.turn_bytes.is_zero());
        let copied = match (running, after) {
            (Some(copier), Some(after)) if copier.attempt == after => copier.turn_bytes,
            (Some(_), None) if now >= self.progress.job_not_before && self.copier_keeps_until(now).is_none() => {
                ByteCount::ZERO
            }
            (None, None) => ByteCount::ZERO,
            _ => return nothing,
        };
        let free: Vec<u32> =
            self.to_copy(parallel_chunks, repair).filter(|chunk| !parallel_chunks.is_being_sent(*chunk, now)).collect();
        for chunk in free {
            let (offset, length) = (parallel_chunks.start_of(chunk), parallel_chunks.bytes_of(chunk));
            let turn_bytes = copied.checked_add(length).unwrap_or(ByteCount::MAX);
            if !copied.is_zero() && turn_bytes.get() > BATCH_BYTES {
                let mut progress = UploadState { job_not_before: now, ..self.progress.clone() };
                end_turn(&mut progress);
                return Decision::yes(None, progress);
            }
            let (named, continuation) = (Named::ByOffset, Continuation::default());
            let completes = upload_types::chunk::Completion::WhenWhole;
            let begin =
                BeginAppend { offset, length, file_bytes: None, all_or_nothing: false, named, completes, continuation };
            let Decision { answer: Ok(lease), mut change } = self.begin_as_writer(now, begin) else { continue };
            change.parallel_chunks.iter_mut().for_each(|(_, state)| state.copies = true);
            let mut progress = change.progress.take().unwrap_or_else(|| self.progress.clone());
            progress.job_not_before = now.plus_ms(self.spec.policy.resend_ms);
            if after.is_some() {
                progress.job_failures = 0; // The chunk before was copied, or its client has it.
            }
            if let Some(repair) = &mut progress.damage.repair {
                repair.copier = Some(Copier { attempt: lease.attempt, turn_bytes });
            }
            change.progress = Some(progress);
            let run = SourceRange { object: source, from: offset, bytes: length };
            let parts = vec![PartSource { bytes: length, runs: vec![run] }];
            return Decision::yes(Some(CopyBatch { lease, parts }), change);
        }
        // Clients are at all of them, or their part numbers are not free yet.
        let mut progress = self.again_later(now, self.progress.clone());
        end_turn(&mut progress);
        Decision::yes(None, progress)
    }

    /// What an attempt's giving up means where it copies: it is tried again after a pause. An object that R2 does not have any more
    /// cannot be repaired.
    pub(super) fn chunk_given_up(&self, now: UnixMs, release: Release, mut change: StateChange) -> StateChange {
        let copier = self.progress.damage.repair.as_ref().and_then(|repair| repair.copier);
        if copier.is_none_or(|copier| copier.attempt != release.attempt) {
            return change;
        }
        if release.reason == ReleaseReason::SegmentLost {
            return self.unassembled(now, "Storage has lost the object that was to be repaired.".to_owned());
        }
        let mut progress = self.again_later(now, change.progress.take().unwrap_or_else(|| self.progress.clone()));
        end_turn(&mut progress);
        StateChange { progress: Some(progress), ..change }
    }
}

/// Whoever copies stops, or has.
fn end_turn(progress: &mut UploadState) {
    if let Some(copier) = progress.damage.repair.as_mut().and_then(|repair| repair.copier.as_mut()) {
        copier.turn_bytes = ByteCount::ZERO;
    }
}

fn chunks_of(plan: Plan) -> std::ops::Range<u32> {
    0..u32::try_from(plan.part_count()).unwrap_or(u32::MAX)
}

/// The chunks in which there is a byte of these ranges. Looks at no chunk twice, however the ranges overlap.
fn chunks_in(plan: Plan, ranges: &[SentAgain]) -> ChunkSet {
    let mut set = ChunkSet::none_of(plan.part_count());
    let mut in_order: Vec<_> = ranges.iter().map(|range| (range.from, range.to)).collect();
    in_order.sort_unstable();
    let mut reached = ByteCount::ZERO;
    for (from, to) in in_order {
        for span in plan.spans(plan.part_start(from).max(reached), to) {
            if let Ok(chunk) = u32::try_from(span.offset.get() / plan.part_bytes.get()) {
                set.insert(chunk);
            }
            reached = span.offset.checked_add(plan.part_bytes).unwrap_or(ByteCount::MAX);
        }
    }
    set
}
