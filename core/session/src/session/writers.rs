//! Who may still be writing to R2, under which part numbers. A writer that has said that its requests are over writes no more;
//! neither does one that has been silent for longer than it may be. Everybody else is taken to be writing, however long ago it
//! lost its right to commit: R2 loses a stored part when a later upload to its number fails.
//!
//! A writer says that it is there every [`RENEW_EVERY_MS`] while a part of it is under way, and ends its own request when nobody has
//! heard that for [`WRITER_STOPS_AFTER_MS`]. What it says is kept in memory only; an object that was restarted takes everybody to
//! have been heard of just now.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use upload_types::units::UnixMs;

/// While a part of it is under way, a writer says so that often.
pub const RENEW_EVERY_MS: u64 = 20_000;

/// A writer that has not been able to say so for so long ends its request to R2.
pub const WRITER_STOPS_AFTER_MS: u64 = 60_000;

/// After so long without a word it has ended: when it must have stopped, and the 30 s for which the platform lets work go on
/// whose client has gone (<https://developers.cloudflare.com/workers/runtime-apis/context/>).
pub const WRITER_SILENCE_MS: u64 = WRITER_STOPS_AFTER_MS + 30_000;

/// So many are told apart. More of them within the time that one may be silent are taken together.
const MAX_TOLD_APART: usize = 8;

/// Somebody who may still be writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Writer {
    attempt: u64,
    first: u16,
    last: u16,
    /// By then it has ended.
    until: UnixMs,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Writers(Vec<Writer>);

impl Writers {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One that was last heard of at `heard_at` has these numbers.
    pub(super) fn add(&mut self, attempt: u64, numbers: RangeInclusive<u16>, heard_at: UnixMs) {
        let (first, last) = numbers.into_inner();
        self.0.push(Writer { attempt, first, last, until: heard_at.plus_ms(WRITER_SILENCE_MS) });
        if self.0.len() > MAX_TOLD_APART {
            let (one, other) = (self.0.remove(0), self.0.remove(0));
            let both = Writer {
                attempt: 0, // which no attempt is: it can only fall silent
                first: one.first.min(other.first),
                last: one.last.max(other.last),
                until: one.until.max(other.until),
            };
            self.0.insert(0, both);
        }
    }

    /// It has said that it is there. Whether it is one of them.
    pub(super) fn heard(&mut self, attempt: u64, now: UnixMs) -> bool {
        let found = self.0.iter_mut().find(|writer| writer.attempt == attempt);
        found.map(|writer| writer.until = now.plus_ms(WRITER_SILENCE_MS)).is_some()
    }

    /// It has said that its requests are over. Whether it was one of them.
    pub(super) fn ended(&mut self, attempt: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|writer| writer.attempt != attempt);
        self.0.len() < before
    }

    /// Leaves out those that have fallen silent, and those whose numbers all lie at or below that of a counted part.
    pub(super) fn forget(&mut self, now: UnixMs, last_counted: u16) {
        self.0.retain(|writer| writer.until > now && writer.last > last_counted);
    }

    /// After a restart nobody knows when they were last heard of.
    pub(super) fn all_heard(&mut self, now: UnixMs) {
        let until = now.plus_ms(WRITER_SILENCE_MS);
        self.0.iter_mut().for_each(|writer| writer.until = writer.until.max(until));
    }

    /// Whether nobody writes under any of these numbers.
    pub(super) fn are_free(&self, numbers: &RangeInclusive<u16>, now: UnixMs) -> bool {
        !self.writing(now).any(|writer| writer.first <= *numbers.end() && *numbers.start() <= writer.last)
    }

    /// Whether this attempt may still be writing.
    pub(super) fn is_writing(&self, attempt: u64, now: UnixMs) -> bool {
        self.writing(now).any(|writer| writer.attempt == attempt)
    }

    /// For how long this attempt has said nothing; none where it writes no more.
    pub(super) fn silent_for_ms(&self, attempt: u64, now: UnixMs) -> Option<u64> {
        let writer = self.writing(now).find(|writer| writer.attempt == attempt)?;
        Some(WRITER_SILENCE_MS.saturating_sub(writer.until.ms_since(now)))
    }

    /// The lowest number above this one that is not free.
    pub(super) fn next_busy(&self, number: u16, now: UnixMs) -> Option<u16> {
        self.writing(now).filter(|writer| writer.last > number).map(|writer| writer.first.max(number + 1)).min()
    }

    /// For how long at least one of them may still write, from now on.
    pub(super) fn next_ends_in_ms(&self, now: UnixMs) -> Option<u64> {
        self.writing(now).map(|writer| writer.until.ms_since(now)).min()
    }

    fn writing(&self, now: UnixMs) -> impl Iterator<Item = &Writer> {
        self.0.iter().filter(move |writer| writer.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_000);
    const LATER: UnixMs = UnixMs(1_000 + WRITER_SILENCE_MS);

    #[test]
    fn a_number_is_free_when_its_writer_has_said_so_or_has_been_silent() {
        let mut writers = Writers::default();
        writers.add(1, 3..=3, NOW);
        writers.add(2, 5..=6, NOW.plus_ms(10));
        assert!(
            writers.are_free(&(4..=4), NOW) && !writers.are_free(&(2..=3), NOW) && !writers.are_free(&(6..=9), NOW)
        );
        assert_eq!((writers.next_busy(3, NOW), writers.next_busy(6, NOW)), (Some(5), None));
        assert!(writers.are_free(&(3..=3), LATER) && !writers.are_free(&(5..=5), LATER));
        assert_eq!(writers.next_ends_in_ms(LATER), Some(10));
        assert!(writers.heard(1, LATER.plus_ms(5)), "it is there after all, and does not know that it was given up");
        assert!(!writers.are_free(&(3..=3), LATER.plus_ms(6)));
        assert!(writers.ended(2) && !writers.ended(2));
        assert!(writers.are_free(&(5..=6), NOW));
    }

    #[test]
    fn more_of_them_than_are_told_apart_are_taken_together_and_none_is_forgotten() {
        let mut writers = Writers::default();
        for number in 1..=100_u16 {
            writers.add(number.into(), number..=number, NOW.plus_ms(number.into()));
        }
        assert_eq!(writers.0.len(), MAX_TOLD_APART);
        assert!((1..=100).all(|number| !writers.are_free(&(number..=number), NOW)));
        assert!(!writers.ended(1), "those that are taken together can only fall silent");
        writers.forget(LATER.plus_ms(93), 0);
        assert!(writers.are_free(&(1..=93), LATER) && !writers.are_free(&(94..=94), LATER));
        writers.forget(LATER, 99);
        assert_eq!(writers.0.len(), 1, "numbers below a counted part are never given again");
        writers.all_heard(LATER.plus_ms(100));
        assert!(!writers.are_free(&(100..=100), LATER.plus_ms(100 + WRITER_SILENCE_MS - 1)));
    }
}
