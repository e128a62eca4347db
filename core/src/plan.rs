//! The arithmetic of parts: how large they are, where they lie, and which numbers they may have.
//!
//! R2 assembles at most 10,000 parts, all of one size but the last, between 5 MiB and 5 GiB
//! (<https://developers.cloudflare.com/r2/objects/multipart-objects/>). The size is fixed here, once, from the declared
//! length of the file, so that nothing is left to be discovered at completion.

use serde::{Deserialize, Serialize};

use crate::units::{ByteCount, MIB};

/// R2's highest part number.
pub const MAX_PART_NUMBER: u16 = 10_000;

/// The most parts that a file may need. The other 2,000 numbers are spare, since every try at a part takes a fresh one.
pub const MAX_PLANNED_PARTS: u64 = 8_000;

/// R2's smallest part (the last one may be smaller): 5 MiB.
pub const MIN_PART_BYTES: u64 = 5 * MIB;

/// The size that parts have where nothing asks for another: 8 MiB. A cut connection costs at most one part, and
/// 8,000 of them hold 62.5 GiB.
pub const PREFERRED_PART_BYTES: u64 = 8 * MIB;

/// What the deployment allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest file.
    pub max_upload_bytes: ByteCount,
    /// The largest request body; also the largest part, since a part arrives in one request.
    pub max_chunk_bytes: ByteCount,
}

impl Limits {
    /// The largest file that these limits really allow: what is configured, and what 8,000 of the largest parts hold.
    pub fn largest_file(self) -> ByteCount {
        let by_parts = self.max_chunk_bytes.get().saturating_mul(MAX_PLANNED_PARTS);
        self.max_upload_bytes.min(ByteCount::new(by_parts).unwrap_or(self.max_upload_bytes))
    }
}

/// The file is larger than [`Limits::largest_file`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// The sizes of one upload, fixed when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The declared length of the file.
    pub file_bytes: ByteCount,
    /// The chunk size that the client is asked to use: a whole number of parts.
    pub chunk_bytes: ByteCount,
    /// The size of every part but the last.
    pub part_bytes: ByteCount,
}

/// Where one part lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSpan {
    /// Where it begins.
    pub offset: ByteCount,
    /// How long it is.
    pub bytes: ByteCount,
}

impl Plan {
    /// Fixes the sizes for a file of `file_bytes`, as near to the wanted chunk size as the limits allow.
    ///
    /// The chunk size is raised to R2's smallest part and to what 8,000 parts need, and lowered to the largest request
    /// body. A chunk is then cut into as many equal parts of at least [`PREFERRED_PART_BYTES`] as divide it evenly.
    pub fn new(file_bytes: ByteCount, wanted_chunk: Option<ByteCount>, limits: Limits) -> Result<Self, TooLarge> {
        if file_bytes > limits.largest_file() {
            return Err(TooLarge);
        }
        let max_chunk = limits.max_chunk_bytes.get();
        let needed = file_bytes.get().div_ceil(MAX_PLANNED_PARTS).div_ceil(MIB) * MIB;
        // Rounding up to a whole MiB may pass a limit that is no whole MiB itself; the limit wins, and still suffices.
        let smallest_part = needed.max(MIN_PART_BYTES).min(max_chunk);
        let chunk = wanted_chunk.map_or(PREFERRED_PART_BYTES, ByteCount::get).clamp(smallest_part, max_chunk);
        let part_floor = smallest_part.max(PREFERRED_PART_BYTES.min(chunk));
        let parts_per_chunk = (1..=chunk / part_floor).rev().find(|parts| chunk % parts == 0).unwrap_or(1);
        let count = |bytes| ByteCount::new(bytes).unwrap_or(limits.max_chunk_bytes);
        Ok(Self { file_bytes, chunk_bytes: count(chunk), part_bytes: count(chunk / parts_per_chunk) })
    }

    /// How many parts the file has.
    pub fn part_count(&self) -> u64 {
        self.file_bytes.get().div_ceil(self.part_bytes.get())
    }

    /// Whether parts meet at `offset`, or the file ends there.
    pub fn is_boundary(&self, offset: ByteCount) -> bool {
        offset == self.file_bytes
            || (offset < self.file_bytes && offset.get().is_multiple_of(self.part_bytes.get()))
    }

    /// The parts from boundary `from` to boundary `to`, in order.
    pub fn spans(&self, from: ByteCount, to: ByteCount) -> impl Iterator<Item = PartSpan> + use<> {
        let part = self.part_bytes;
        let mut offset = from;
        std::iter::from_fn(move || {
            let bytes = to.saturating_sub(offset).min(part);
            if bytes.is_zero() {
                return None;
            }
            let span = PartSpan { offset, bytes };
            offset = offset.checked_add(bytes)?;
            Some(span)
        })
    }

    /// How many parts lie between two boundaries.
    pub fn parts_between(&self, from: ByteCount, to: ByteCount) -> u64 {
        to.saturating_sub(from).get().div_ceil(self.part_bytes.get())
    }
}

/// Fresh part numbers for an attempt: `count` of them, directly above `highest_used`, or `None` when so few would be left
/// that the `remaining` parts of the file could no longer all be stored.
///
/// The only place where part numbers are made. **A number is never handed out twice**: R2 loses the stored part when a
/// later upload to the same number fails (<https://developers.cloudflare.com/r2/api/s3/api/>). Numbers may have gaps: parts
/// are assembled in the order of their numbers. Should R2 ever refuse gaps, this function is what changes: a number could
/// be given again once its last writer has certainly ended.
pub fn fresh_numbers(highest_used: u16, count: u64, remaining: u64) -> Option<std::ops::RangeInclusive<u16>> {
    let left = u64::from(MAX_PART_NUMBER.saturating_sub(highest_used));
    if left < remaining.max(count) {
        return None;
    }
    let count = u16::try_from(count).ok()?;
    Some(highest_used + 1..=highest_used + count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits =
        Limits { max_upload_bytes: mib(1024 * 1024), max_chunk_bytes: mib(95) };

    const fn mib(mib: u64) -> ByteCount {
        match ByteCount::new(mib * MIB) {
            Some(count) => count,
            None => ByteCount::ZERO,
        }
    }

    fn plan(file: u64, chunk: Option<u64>) -> (u64, u64) {
        let plan = Plan::new(mib(file), chunk.map(mib), LIMITS).unwrap();
        (plan.chunk_bytes.get() / MIB, plan.part_bytes.get() / MIB)
    }

    #[test]
    fn chunk_and_part_sizes_in_mib() {
        // (file, wanted chunk) -> (chunk, part)
        for (file, wanted, expected) in [
            (100, None, (8, 8)),
            (100, Some(16), (16, 8)),
            (100, Some(1), (5, 5)),
            (100, Some(5), (5, 5)),
            (100, Some(32), (32, 8)),
            (100, Some(90), (90, 9)),
            (100, Some(95), (95, 9)), // ten parts of 9.5 MiB
            (100, Some(500), (95, 9)),
            (62_500, None, (8, 8)),
            (64_001, None, (9, 9)),
            (64_001, Some(32), (32, 16)),
            (8_000 * 95, None, (95, 95)),
            (0, None, (8, 8)),
        ] {
            assert_eq!(plan(file, wanted), expected, "file {file} MiB, wanted {wanted:?}");
        }
    }

    #[test]
    fn a_file_beyond_8000_of_the_largest_parts_is_refused() {
        assert_eq!(Plan::new(mib(8_000 * 95 + 1), None, LIMITS), Err(TooLarge));
        let small = Limits { max_upload_bytes: mib(10), ..LIMITS };
        assert_eq!(Plan::new(mib(11), None, small), Err(TooLarge));
    }

    #[test]
    fn numbers_are_fresh_and_leave_enough_for_the_rest() {
        assert_eq!(fresh_numbers(0, 1, 1), Some(1..=1));
        assert_eq!(fresh_numbers(41, 3, 5), Some(42..=44));
        assert_eq!(fresh_numbers(9_999, 1, 1), Some(10_000..=10_000));
        assert_eq!(fresh_numbers(10_000, 1, 1), None);
        assert_eq!(fresh_numbers(9_990, 1, 11), None, "one number now would leave 9 for 10 parts");
    }

    proptest! {
        #[test]
        fn every_plan_fits_r2(file in 0..=8_000 * 95 * MIB, chunk in proptest::option::of(0..200 * MIB)) {
            let file = ByteCount::new(file).unwrap();
            let plan = Plan::new(file, chunk.and_then(ByteCount::new), LIMITS).unwrap();
            prop_assert!(plan.part_count() <= MAX_PLANNED_PARTS);
            prop_assert!(plan.part_bytes.get() >= MIN_PART_BYTES);
            prop_assert!(plan.chunk_bytes <= LIMITS.max_chunk_bytes);
            prop_assert!(plan.chunk_bytes.get() % plan.part_bytes.get() == 0);
        }

        #[test]
        fn spans_tile_the_range(file in 1..400 * MIB, first in 0_u64..20) {
            let plan = Plan::new(ByteCount::new(file).unwrap(), None, LIMITS).unwrap();
            let from = ByteCount::new(first * plan.part_bytes.get()).unwrap().min(plan.file_bytes);
            let mut at = from;
            let mut count = 0;
            for span in plan.spans(from, plan.file_bytes) {
                prop_assert_eq!(span.offset, at);
                prop_assert!(plan.is_boundary(at));
                at = at.checked_add(span.bytes).unwrap();
                prop_assert!(span.bytes == plan.part_bytes || at == plan.file_bytes);
                count += 1;
            }
            prop_assert_eq!(at, plan.file_bytes);
            prop_assert_eq!(count, plan.parts_between(from, plan.file_bytes));
        }
    }
}
