//! Which part numbers the attempts of a sequential upload have: fresh ones while there are some to spare, and after that those that
//! do not count, once nobody can be writing under them any more.

use super::{Lease, Sequence, Session, writers::Writers};
use upload_types::{
    plan::{self, MAX_PART_NUMBER},
    units::UnixMs,
};

/// So many parts of one attempt may be on their way to R2 at a time, where not all of them were reserved at its begin: the bytes of one
/// flow while R2 answers for the one before, and while that is counted. Each interruption may leave so many numbers unused; where they run
/// short, one at a time.
pub const PARTS_IN_FLIGHT: u64 = 2;

impl Session {
    /// Who may still be writing when a new attempt begins: those known before, and the holder of the lease that it takes.
    pub(super) fn writers_besides(&self, sequence: &Sequence, now: UnixMs) -> Writers {
        let mut writers = self.progress.writers.clone();
        let last_counted = sequence.last_number();
        if self.progress.storage.takes_whole_objects() {
            return writers;
        }
        if let Some(lease) = self.progress.lease.filter(|lease| !lease.ended)
            && let Some(handed_out) = self.last_handed_out(sequence, lease)
        {
            writers.add(lease.attempt, lease.first_number..=handed_out, lease.heard_at.max(lease.begun_at));
        }
        writers.forget(now, last_counted);
        writers
    }

    /// No part number above this has ever been handed out.
    pub(super) fn highest_number(&self, sequence: &Sequence) -> u16 {
        let stored = sequence.last_number();
        let Some(lease) = self.progress.lease else { return stored };
        stored.max(lease.numbers_before).max(self.last_handed_out(sequence, lease).unwrap_or(0))
    }

    /// The highest number that was given to the holder of this lease; `None` where it fills no part.
    pub(super) fn last_handed_out(&self, sequence: &Sequence, lease: Lease) -> Option<u16> {
        let leased = (lease.reserved_parts > 0).then(|| lease.first_number.saturating_add(lease.reserved_parts - 1))?;
        // The commit of a part that was not the attempt's last has handed out the next numbers with its answer.
        let next = self.ahead_number(sequence, lease).or_else(|| self.next_number(sequence, lease));
        let next = next.filter(|_| sequence.last_number() >= lease.first_number);
        Some(next.map_or(leased, |next| leased.max(next)))
    }

    /// The number for the lease's next part; `None` where it has no more whole parts to bring, or somebody else may still be writing
    /// under the next number.
    pub(super) fn next_number(&self, sequence: &Sequence, lease: Lease) -> Option<u16> {
        let next = lease.first_number.max(sequence.last_number() + 1);
        let has_more = sequence.parts_end() < self.plan().whole_parts_end(lease.to);
        (has_more && next <= lease.last_number).then_some(next)
    }

    /// The number for the part behind the lease's next one, where that may be stored before the next one counts.
    pub(super) fn ahead_number(&self, sequence: &Sequence, lease: Lease) -> Option<u16> {
        let ahead = self.next_number(sequence, lease)?.checked_add(1)?;
        let plan = self.plan();
        let next_end = sequence.parts_end().checked_add(plan.part_bytes)?;
        let has_more = next_end < plan.whole_parts_end(lease.to);
        (has_more && self.parts_in_flight() > 1 && ahead <= lease.last_number).then_some(ahead)
    }

    /// How many parts of an attempt may be on their way at a time. Of a live upload one: its attempts are short, and many.
    pub(super) fn parts_in_flight(&self) -> u64 {
        if self.spec.live.is_some() { 1 } else { PARTS_IN_FLIGHT }
    }
}

/// How many numbers an attempt has that needs `count` of them, the first one, and the last one that it may have by and by: fresh ones, or,
/// where there are none to spare, those that do not count and on which nobody may be writing. `None` where there are none just now.
pub(super) fn numbers(
    sequence: &Sequence,
    writers: &Writers,
    now: UnixMs,
    highest: u16,
    count: u64,
    remaining: u64,
) -> Option<(u64, u16, u16)> {
    if let Some(fresh) = plan::fresh_numbers(highest, count, remaining) {
        return Some((count, *fresh.start(), MAX_PART_NUMBER));
    }
    let is_free = |numbers| writers.are_free(&numbers, now);
    let first = plan::lowest_free_number(sequence.last_number(), count, remaining, is_free)?;
    let last = writers.next_busy(first, now).map_or(MAX_PART_NUMBER, |busy| busy - 1);
    Some((count, first, last))
}
