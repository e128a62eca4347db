//! Which part numbers the attempts of a sequential upload have: fresh ones while there are some to spare, and after that those that
//! do not count, once nobody can be writing under them any more.

use super::{Lease, Sequence, Session, writers::Writers};
use upload_types::{
    plan::{self, MAX_PART_NUMBER},
    units::{ByteCount, UnixMs},
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
        // The commit of a part that was not the attempt's last has handed out the next numbers with its answer: as the sizes were then. Somebody
        // may have said since that the file ends earlier.
        let end = self.plan().whole_parts_end(lease.to).max(self.plan().part_start(lease.to));
        let (next, ahead) = self.numbers_up_to(sequence, lease, end);
        let next = ahead.or(next).filter(|_| sequence.last_number() >= lease.first_number);
        Some(next.map_or(leased, |next| leased.max(next)))
    }

    /// The number for the lease's next part, and that for the one behind it, which may be stored before the next one counts. None where it has
    /// no more whole parts to bring, or somebody else may still be writing under the number.
    pub(super) fn next_numbers(&self, sequence: &Sequence, lease: Lease) -> (Option<u16>, Option<u16>) {
        self.numbers_up_to(sequence, lease, self.plan().whole_parts_end(lease.to))
    }

    fn numbers_up_to(&self, sequence: &Sequence, lease: Lease, end: ByteCount) -> (Option<u16>, Option<u16>) {
        let next = lease.first_number.max(sequence.last_number().saturating_add(1));
        let ahead = next.saturating_add(1);
        let next_from = sequence.parts_end();
        let ahead_from = next_from.checked_add(self.plan().part_bytes).unwrap_or(end);
        let may_go_ahead = self.parts_in_flight() > 1 && ahead_from < end && ahead <= lease.last_number;
        let is_free = next_from < end && next <= lease.last_number;
        (is_free.then_some(next), (is_free && may_go_ahead).then_some(ahead))
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
