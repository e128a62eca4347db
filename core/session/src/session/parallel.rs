//! Chunks in any order, several at once, each with its own share of the part numbers.
//!
//! A chunk is exactly one part. Whoever began it last may commit it; an older attempt is refused, whenever its bytes arrive. Each
//! attempt has a number of the chunk's share on which nobody else may still be writing: one that was never used while there are any,
//! then the lowest whose writer has ended. Until there is one, the chunk has to wait; nothing ends because of that.
//!
//! A number that was used before may, against all that the platform says, still be written by somebody who fell silent. Completion
//! compares ETags, so that would be noticed, and [`Session::reopen_suspects`] asks for those chunks again.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use super::{
    BeginAppend, Commit, Committed, Content, Decision, Phase, Session, StateChange, StoredPart, Uncount, UploadSpec,
    UploadState, WriteLease, writers::Writers,
};
use crate::chunk_set::ChunkSet;
use upload_types::{
    api_error::ApiError,
    cost::Cost,
    plan::{ChunkNumbers, Plan},
    units::{ByteCount, UnixMs},
};

/// An attempt at a chunk is named by the chunk, times this, and a count. A chunk is never begun a milliard times: each time takes
/// an object's answer.
const ATTEMPTS_PER_CHUNK: u64 = 1_000_000_000;

/// One chunk of a parallel or direct upload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParallelChunk {
    /// How often it was begun, or signed.
    pub(crate) attempts: u64,
    /// The number of the newest attempt.
    pub(crate) number: u16,
    /// How many of its numbers have been used.
    pub(crate) used: u16,
    /// Whether the newest attempt has a number that another had before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) again: bool,
    /// Whether the newest attempt copies from the object that is being repaired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) copies: bool,
    /// Who may still be writing under its numbers.
    #[serde(default, skip_serializing_if = "Writers::is_empty")]
    pub(crate) writers: Writers,
    /// The number under which it is stored and counted. Known from the row of the part.
    #[serde(skip)]
    pub(crate) stored: Option<u16>,
}

/// The chunks of a parallel or direct upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParallelChunks {
    plan: Plan,
    /// Shared by as many chunks as there were when the upload was created, whatever its sizes turn out to be.
    numbers: ChunkNumbers,
    /// Those that have been begun.
    begun: BTreeMap<u32, ParallelChunk>,
    /// When the newest of those that count was counted.
    last_stored_at: UnixMs,
    /// The attempts at a chunk are counted from here: no attempt of before a repair has a higher count.
    attempts_before: u64,
}

impl ParallelChunks {
    /// None begun.
    pub(crate) fn new(plan: Plan) -> Self {
        let numbers = ChunkNumbers::new(plan.mode, plan.part_count());
        Self { plan, numbers, begun: BTreeMap::new(), last_stored_at: UnixMs::default(), attempts_before: 0 }
    }

    /// The same, where the attempts at each chunk are counted from there.
    pub(super) fn counting_from(self, attempts_before: u64) -> Self {
        Self { attempts_before, ..self }
    }

    /// Takes up what is stored: the chunks that were begun, and the parts that count, each with the time since when.
    pub(crate) fn restore(
        plan: Plan,
        begun: impl Iterator<Item = (u32, ParallelChunk)>,
        stored: impl Iterator<Item = (u16, UnixMs)>,
    ) -> Self {
        let mut parallel_chunks = Self::new(plan);
        parallel_chunks.begun.extend(begun);
        for (number, at) in stored {
            parallel_chunks.store(number, at);
        }
        parallel_chunks
    }

    /// Takes up what is stored of an upload. Its chunks share the numbers as they did when it was created, or is put together anew.
    pub(crate) fn of_upload(
        spec: &UploadSpec,
        progress: &UploadState,
        begun: impl Iterator<Item = (u32, ParallelChunk)>,
        stored: impl Iterator<Item = (u16, UnixMs)>,
    ) -> Self {
        let plan = progress.plan.unwrap_or(spec.plan);
        match &progress.damage.repair {
            Some(repair) => Self::restore(plan, begun, stored).counting_from(repair.attempts_before),
            None => Self { plan, ..Self::restore(spec.plan, begun, stored) },
        }
    }

    /// After a restart: nobody knows when the writers were last heard of.
    pub(super) fn wake(&mut self, now: UnixMs) {
        self.begun.values_mut().for_each(|state| state.writers.all_heard(now));
    }

    /// What the attempts have cost at least.
    pub(crate) fn cost(&self) -> Cost {
        let tries = self.begun.values().map(|state| state.attempts.saturating_sub(self.attempts_before)).sum();
        Cost::of_parallel_chunks(tries, self.counted())
    }

    /// How many bytes count.
    pub(crate) fn stored_bytes(&self) -> ByteCount {
        let stored = self.begun.iter().filter(|(_, state)| state.stored.is_some());
        stored.fold(ByteCount::ZERO, |sum, (chunk, _)| sum.checked_add(self.bytes_of(*chunk)).unwrap_or(sum))
    }

    /// The missing bytes as ranges, from (inclusive) and to (exclusive), in order.
    pub(crate) fn missing(&self) -> Vec<(ByteCount, ByteCount)> {
        self.missing_of(|_| true)
    }

    /// The same of these chunks alone.
    pub(super) fn missing_of(&self, is_meant: impl Fn(u32) -> bool) -> Vec<(ByteCount, ByteCount)> {
        let mut ranges: Vec<(ByteCount, ByteCount)> = Vec::new();
        for (index, span) in self.plan.spans(ByteCount::ZERO, self.plan.file_bytes).enumerate() {
            if u32::try_from(index).is_ok_and(|chunk| self.is_stored(chunk) || !is_meant(chunk)) {
                continue;
            }
            let end = span.offset.checked_add(span.bytes).unwrap_or(span.offset);
            match ranges.last_mut() {
                Some(last) if last.1 == span.offset => last.1 = end,
                _ => ranges.push((span.offset, end)),
            }
        }
        ranges
    }

    /// One bit per chunk, set where it is there, the first in the highest bit of the first byte; base64.
    pub(crate) fn bitmap(&self) -> String {
        let mut stored = ChunkSet::none_of(self.plan.part_count());
        self.begun.iter().filter(|(_, state)| state.stored.is_some()).for_each(|(chunk, _)| stored.insert(*chunk));
        stored.encoded()
    }

    /// The sizes are these now; who has which numbers stays.
    pub(crate) fn resize(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// These do not count any more; what is known of their writers stays.
    pub(super) fn uncount(&mut self, uncount: &Uncount) {
        match uncount {
            // Of those that are put together anew there are others by now.
            Uncount::Nothing | Uncount::Anew => {}
            Uncount::All => {
                self.begun.values_mut().for_each(|state| state.stored = None);
                self.last_stored_at = UnixMs::default();
            }
            Uncount::Chunks(chunks) => {
                for chunk in chunks {
                    self.begun.entry(*chunk).or_default().stored = None;
                }
            }
        }
    }

    /// When the newest of those that count was counted.
    pub(super) fn last_stored_at(&self) -> UnixMs {
        self.last_stored_at
    }

    /// How many there are, and which numbers they own.
    pub(super) fn numbers(&self) -> ChunkNumbers {
        self.numbers
    }

    /// How many count.
    pub(super) fn counted(&self) -> u64 {
        self.begun.values().filter(|state| state.stored.is_some()).count() as u64
    }

    /// Those that have been begun, in order.
    pub(super) fn begun(&self) -> impl Iterator<Item = (u32, &ParallelChunk)> {
        self.begun.iter().map(|(chunk, state)| (*chunk, state))
    }

    /// Takes stored parts and begun chunks into memory.
    pub(super) fn apply(&mut self, parts: &[StoredPart], parallel_chunks: Vec<(u32, ParallelChunk)>) {
        for (chunk, state) in parallel_chunks {
            let stored = self.state_of(chunk).stored;
            self.begun.insert(chunk, ParallelChunk { stored, ..state });
        }
        for part in parts {
            self.store(part.number, part.stored_at);
        }
    }

    fn store(&mut self, number: u16, at: UnixMs) {
        self.last_stored_at = self.last_stored_at.max(at);
        if let Some(chunk) = self.numbers.chunk_of(number) {
            self.begun.entry(chunk).or_default().stored = Some(number);
        }
    }

    /// What is known of a chunk.
    pub(crate) fn state_of(&self, chunk: u32) -> ParallelChunk {
        self.begun
            .get(&chunk)
            .cloned()
            .unwrap_or_else(|| ParallelChunk { attempts: self.attempts_before, ..ParallelChunk::default() })
    }

    /// How often the chunk was begun that was begun most often.
    pub(super) fn most_attempts(&self) -> u64 {
        self.begun.values().map(|state| state.attempts).max().unwrap_or_default().max(self.attempts_before)
    }

    /// Whether somebody who does not copy is at this chunk.
    pub(super) fn is_being_sent(&self, chunk: u32, now: UnixMs) -> bool {
        let state = self.state_of(chunk);
        !state.copies && state.writers.is_writing(attempt_id(chunk, state.attempts), now)
    }

    /// Whether this attempt is one of these chunks', and none of before a repair.
    pub(super) fn is_counted_here(&self, attempt: u64) -> bool {
        attempt % ATTEMPTS_PER_CHUNK > self.attempts_before
    }

    pub(super) fn is_stored(&self, chunk: u32) -> bool {
        self.begun.get(&chunk).is_some_and(|state| state.stored.is_some())
    }

    pub(super) fn start_of(&self, chunk: u32) -> ByteCount {
        let start = u64::from(chunk).saturating_mul(self.plan.part_bytes.get());
        ByteCount::new(start).unwrap_or(self.plan.file_bytes).min(self.plan.file_bytes)
    }

    pub(super) fn bytes_of(&self, chunk: u32) -> ByteCount {
        self.plan.file_bytes.saturating_sub(self.start_of(chunk)).min(self.plan.part_bytes)
    }

    /// The chunk that is exactly these bytes.
    pub(super) fn chunk_at(&self, offset: ByteCount, length: ByteCount) -> Option<u32> {
        let chunk = u32::try_from(offset.get() / self.plan.part_bytes.get()).ok()?;
        let is_one = self.start_of(chunk) == offset && self.bytes_of(chunk) == length && !length.is_zero();
        is_one.then_some(chunk)
    }
}

impl ParallelChunk {
    /// The same with another attempt, under a number on which nobody may be writing; or for how long there is none, in ms.
    fn begin(&self, now: UnixMs, chunk: u32, numbers: ChunkNumbers) -> Result<Self, u64> {
        let share = numbers.of_chunk(chunk).ok_or(0_u64)?;
        let mut writers = self.writers.clone();
        writers.forget(now, 0);
        let fresh = share.clone().nth(self.used.into());
        let free = || share.clone().find(|number| writers.are_free(&(*number..=*number), now));
        let number = fresh.or_else(free).ok_or_else(|| writers.next_ends_in_ms(now).unwrap_or_default())?;
        let attempts = self.attempts + 1;
        writers.add(attempt_id(chunk, attempts), number..=number, now);
        let used = self.used + u16::from(fresh.is_some());
        Ok(Self { attempts, number, used, again: fresh.is_none(), copies: false, writers, stored: None })
    }
}

fn attempt_id(chunk: u32, attempts: u64) -> u64 {
    u64::from(chunk) * ATTEMPTS_PER_CHUNK + attempts
}

fn chunk_of_attempt(attempt: u64) -> Option<u32> {
    u32::try_from(attempt / ATTEMPTS_PER_CHUNK).ok()
}

impl Session {
    pub(super) fn commit_in_parallel(
        &self,
        parallel_chunks: &ParallelChunks,
        now: UnixMs,
        commit: &Commit,
    ) -> Decision<Committed> {
        let Some(chunk) = chunk_of_attempt(commit.attempt) else { return Decision::no(self.superseded()) };
        let state = parallel_chunks.state_of(chunk);
        let uploaded_bytes = parallel_chunks.stored_bytes();
        let is_newest = commit.attempt == attempt_id(chunk, state.attempts);
        let receipt = commit.receipts.first().filter(|receipt| {
            commit.receipts.len() == 1
                && commit.remainder.is_none()
                && receipt.number == state.number
                && receipt.bytes == parallel_chunks.bytes_of(chunk)
        });
        let Some(receipt) = receipt.filter(|_| is_newest) else {
            return Decision { answer: Err(self.superseded()), change: parallel_chunks.ended(commit.attempt) };
        };
        if state.stored == Some(receipt.number) {
            return Decision::yes(Committed::so_far(uploaded_bytes, self.progress.phase), StateChange::none());
        }
        if state.stored.is_some() || self.progress.phase != Phase::Open {
            return Decision::no(self.superseded());
        }
        let end = parallel_chunks.start_of(chunk).checked_add(receipt.bytes).unwrap_or(parallel_chunks.plan.file_bytes);
        let (etag, crc64nvme) = (receipt.etag.clone(), receipt.crc64nvme);
        let (number, digest) = (receipt.number, commit.digest.clone());
        let part = StoredPart { number, end, stored_at: now, etag, crc64nvme, sha256_so_far: None, digest };
        let mut change = StateChange { parts: vec![part], ..StateChange::none() };
        let phase = self.complete_if_whole(now, &mut change);
        let uploaded_bytes = uploaded_bytes.checked_add(receipt.bytes).unwrap_or(uploaded_bytes);
        Decision::yes(Committed::so_far(uploaded_bytes, phase), change)
    }

    /// Which part numbers a chunk of a parallel or direct upload owns.
    pub fn numbers_of_chunk(&self, chunk: u32) -> Option<RangeInclusive<u16>> {
        match &self.content {
            Content::Sequence(_) => None,
            Content::Parallel(parallel_chunks) => parallel_chunks.numbers.of_chunk(chunk),
        }
    }

    /// R2 does not have a part as it was counted. Those under numbers that were used before may have been written over by somebody
    /// who was believed to have ended: they are asked for again. `None` where there are none, so that something else is wrong.
    pub(super) fn reopen_suspects(&self, now: UnixMs, error: &str) -> Option<StateChange> {
        let Content::Parallel(parallel_chunks) = &self.content else { return None };
        let suspects: Vec<u32> = parallel_chunks
            .begun()
            .filter(|(_, state)| state.stored.is_some() && state.again)
            .map(|(chunk, _)| chunk)
            .collect();
        (!suspects.is_empty()).then(|| self.reopened(now, error, Uncount::Chunks(suspects)))
    }
}

impl ParallelChunks {
    pub(super) fn begin(
        &self,
        now: UnixMs,
        begin: BeginAppend,
        lease_for: impl FnOnce(u64, u16, u16) -> WriteLease,
    ) -> Decision<WriteLease> {
        let uploaded_bytes = self.stored_bytes();
        let Some(chunk) = self.chunk_at(begin.offset, begin.length) else {
            return Decision::no(ApiError::ChunkMisaligned { chunk_bytes: self.plan.chunk_bytes, uploaded_bytes });
        };
        if self.is_stored(chunk) {
            return Decision::no(ApiError::ChunkAlreadyStored { chunk: Some(chunk), uploaded_bytes });
        }
        match self.state_of(chunk).begin(now, chunk, self.numbers) {
            Ok(state) => {
                let leased = lease_for(attempt_id(chunk, state.attempts), state.number, 1);
                Decision::yes(leased, StateChange { parallel_chunks: vec![(chunk, state)], ..StateChange::none() })
            }
            Err(free_in_ms) => Decision::no(ApiError::writers_pending(uploaded_bytes, free_in_ms)),
        }
    }

    /// An attempt has said that its request to R2 is over. Of a stored chunk it is no matter: nobody begins it again.
    pub(super) fn ended(&self, attempt: u64) -> StateChange {
        let Some(chunk) = chunk_of_attempt(attempt) else { return StateChange::none() };
        let mut state = self.state_of(chunk);
        if state.stored.is_some() || !state.writers.ended(attempt) {
            return StateChange::none();
        }
        StateChange { parallel_chunks: vec![(chunk, state)], ..StateChange::none() }
    }

    /// An attempt has said that it is there: whether it is the newest of its chunk, which may go on.
    pub(super) fn may_go_on(&self, attempt: u64) -> bool {
        chunk_of_attempt(attempt).is_some_and(|chunk| {
            let state = self.state_of(chunk);
            state.stored.is_none() && attempt == attempt_id(chunk, state.attempts)
        })
    }

    /// For how long an attempt that may go on has said nothing; none where it may not, or writes no more.
    pub(super) fn silent_for_ms(&self, attempt: u64, now: UnixMs) -> Option<u64> {
        let chunk = chunk_of_attempt(attempt).filter(|_| self.may_go_on(attempt))?;
        self.begun.get(&chunk)?.writers.silent_for_ms(attempt, now)
    }

    /// An attempt has said that it is there.
    pub(super) fn hear(&mut self, attempt: u64, now: UnixMs) {
        if let Some(state) = chunk_of_attempt(attempt).and_then(|chunk| self.begun.get_mut(&chunk)) {
            state.writers.heard(attempt, now);
        }
    }
}
