//! Chunks in any order, several at once: each chunk is a *lane* of its own, with its own part numbers.
//!
//! A chunk is exactly one part. Whoever tried it last may commit it; an older try is refused, whenever its bytes arrive.
//! The attempt's number is the part's, which tells the lane.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Begin, Change, Commit, Committed, Decision, Grant, Phase, Session, StoredPart};
use crate::{
    cost::Cost,
    plan::{Plan, lane_number, lane_of},
    refusal::Refusal,
    units::{ByteCount, UnixMs},
};

/// One chunk of a parallel upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// How often it was tried: so many of its numbers have been handed out.
    pub tries: u16,
    /// The number under which it is stored and counted.
    pub stored: Option<u16>,
}

/// The chunks of a parallel upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lanes {
    plan: Plan,
    /// How many share the part numbers: as many as there were when the upload was created, whatever its sizes turn out to be.
    count: u64,
    /// Those that have been tried.
    tried: BTreeMap<u32, Lane>,
    /// When the newest of those that count was counted.
    last_stored_at: UnixMs,
}

impl Lanes {
    /// None tried.
    pub fn new(plan: Plan) -> Self {
        Self { plan, count: plan.part_count(), tried: BTreeMap::new(), last_stored_at: UnixMs::default() }
    }

    /// Takes up what is stored: the lanes that were tried, and the parts that count, each with the time since when.
    pub fn restore(
        plan: Plan,
        tries: impl Iterator<Item = (u32, u16)>,
        stored: impl Iterator<Item = (u16, UnixMs)>,
    ) -> Self {
        let mut lanes = Self::new(plan);
        lanes.tried.extend(tries.map(|(chunk, tries)| (chunk, Lane { tries, stored: None })));
        for (number, at) in stored {
            lanes.store(number, at);
        }
        lanes
    }

    /// What the tries at them have cost at least.
    pub fn cost(&self) -> Cost {
        let stored = self.tried.values().filter(|lane| lane.stored.is_some()).count();
        Cost::of_lanes(self.tried.values().map(|lane| u64::from(lane.tries)).sum(), stored as u64)
    }

    /// How many bytes count.
    pub fn stored_bytes(&self) -> ByteCount {
        let stored = self.tried.iter().filter(|(_, lane)| lane.stored.is_some());
        stored.fold(ByteCount::ZERO, |sum, (chunk, _)| sum.checked_add(self.bytes_of(*chunk)).unwrap_or(sum))
    }

    /// The missing bytes as ranges, from (inclusive) and to (exclusive), in order.
    pub fn missing(&self) -> Vec<(ByteCount, ByteCount)> {
        let mut ranges: Vec<(ByteCount, ByteCount)> = Vec::new();
        for (index, span) in self.plan.spans(ByteCount::ZERO, self.plan.file_bytes).enumerate() {
            if u32::try_from(index).is_ok_and(|chunk| self.lane(chunk).stored.is_some()) {
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
    pub fn bitmap(&self) -> String {
        let mut bits = vec![0_u8; usize::try_from(self.plan.part_count().div_ceil(8)).unwrap_or(0)];
        for (chunk, _) in self.tried.iter().filter(|(_, lane)| lane.stored.is_some()) {
            if let Some(byte) = usize::try_from(chunk / 8).ok().and_then(|index| bits.get_mut(index)) {
                *byte |= 0x80 >> (chunk % 8);
            }
        }
        STANDARD.encode(bits)
    }

    /// The sizes are these now; who has which numbers stays.
    pub fn resize(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// None of them counts any more; how often they were tried stays.
    pub(super) fn uncount(&mut self) {
        self.tried.values_mut().for_each(|lane| lane.stored = None);
        self.last_stored_at = UnixMs::default();
    }

    /// When the newest of those that count was counted.
    pub(super) fn last_stored_at(&self) -> UnixMs {
        self.last_stored_at
    }

    /// How many share the part numbers.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many count.
    pub(super) fn counted(&self) -> u64 {
        self.tried.values().filter(|lane| lane.stored.is_some()).count() as u64
    }

    /// Those that have been tried, in order.
    pub(super) fn tried_chunks(&self) -> impl Iterator<Item = u32> {
        self.tried.keys().copied()
    }

    /// Takes stored parts and a new try into memory.
    pub(super) fn apply(&mut self, parts: &[StoredPart], lane: Option<(u32, Lane)>) {
        self.tried.extend(lane);
        for part in parts {
            self.store(part.number, part.stored_at);
        }
    }

    fn store(&mut self, number: u16, at: UnixMs) {
        self.last_stored_at = self.last_stored_at.max(at);
        if let Ok(chunk) = u32::try_from(lane_of(number, self.count)) {
            self.tried.entry(chunk).or_default().stored = Some(number);
        }
    }

    pub(super) fn lane(&self, chunk: u32) -> Lane {
        self.tried.get(&chunk).copied().unwrap_or_default()
    }

    pub(super) fn number(&self, chunk: u32, try_index: u16) -> Option<u16> {
        lane_number(chunk.into(), try_index, self.count)
    }

    pub(super) fn start_of(&self, chunk: u32) -> ByteCount {
        let start = u64::from(chunk).saturating_mul(self.plan.part_bytes.get());
        ByteCount::new(start).unwrap_or(self.plan.file_bytes).min(self.plan.file_bytes)
    }

    pub(super) fn bytes_of(&self, chunk: u32) -> ByteCount {
        self.plan.file_bytes.saturating_sub(self.start_of(chunk)).min(self.plan.part_bytes)
    }

    /// The chunk that is exactly these bytes.
    fn chunk_at(&self, offset: ByteCount, length: ByteCount) -> Option<u32> {
        let chunk = u32::try_from(offset.get() / self.plan.part_bytes.get()).ok()?;
        (self.start_of(chunk) == offset && self.bytes_of(chunk) == length).then_some(chunk)
    }
}

impl Session {
    pub(super) fn begin_in_lane(
        &self,
        lanes: &Lanes,
        now: UnixMs,
        begin: Begin,
        grant: impl FnOnce(u64, u16, u16) -> Grant,
    ) -> Decision<Grant> {
        let uploaded_bytes = lanes.stored_bytes();
        let Some(chunk) = lanes.chunk_at(begin.offset, begin.length) else {
            return Decision::no(Refusal::NotAChunk { chunk_bytes: lanes.plan.chunk_bytes, uploaded_bytes });
        };
        let lane = lanes.lane(chunk);
        if lane.stored.is_some() {
            return Decision::no(Refusal::ChunkAlreadyStored { uploaded_bytes });
        }
        let Some(number) = lanes.number(chunk, lane.tries) else { return self.exhausted(now) };
        let lane = Some((chunk, Lane { tries: lane.tries + 1, ..lane }));
        let mut change = Change { lane, ..Change::none() };
        self.note_seen(now, &mut change);
        Decision::yes(grant(number.into(), number, 1), change)
    }

    pub(super) fn commit_in_lane(&self, lanes: &Lanes, now: UnixMs, commit: &Commit) -> Decision<Committed> {
        let Some((chunk, number)) = u16::try_from(commit.attempt)
            .ok()
            .and_then(|number| u32::try_from(lane_of(number, lanes.count)).ok().map(|chunk| (chunk, number)))
        else {
            return Decision::no(self.superseded());
        };
        let lane = lanes.lane(chunk);
        let uploaded_bytes = lanes.stored_bytes();
        if lane.stored == Some(number) {
            return Decision::yes(Committed::so_far(uploaded_bytes, None, self.progress.phase), Change::none());
        }
        let newest = lane.tries.checked_sub(1).and_then(|last_try| lanes.number(chunk, last_try));
        let expected = commit.receipts.first().filter(|receipt| {
            commit.receipts.len() == 1 && receipt.number == number && receipt.bytes == lanes.bytes_of(chunk)
        });
        let is_newest = newest == Some(number) && lane.stored.is_none() && self.progress.phase == Phase::Open;
        let Some(receipt) = expected.filter(|_| is_newest && commit.rest.is_none()) else {
            return Decision::no(self.superseded());
        };
        let end = lanes.start_of(chunk).checked_add(receipt.bytes).unwrap_or(lanes.plan.file_bytes);
        let (etag, crc64nvme) = (receipt.etag.clone(), receipt.crc64nvme);
        let part = StoredPart { number, end, stored_at: now, etag, crc64nvme, sha256_so_far: None };
        let mut change = Change { parts: vec![part], ..Change::none() };
        let phase = self.complete_if_whole(now, &mut change);
        let uploaded_bytes = uploaded_bytes.checked_add(receipt.bytes).unwrap_or(uploaded_bytes);
        Decision::yes(Committed::so_far(uploaded_bytes, None, phase), change)
    }
}
