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

/// The most chunks that a parallel upload may have. Each owns an equal share of the numbers, so each can be tried at least
/// 10,000 / 1,250 = 8 times; 1,250 chunks of 95 MiB hold 115 GiB.
pub const MAX_PARALLEL_CHUNKS: u64 = 1_250;

/// The size of the parts that clients store themselves, where nothing asks for another: 64 MiB. Each costs a signature and a
/// record; 1,250 of them hold 78 GiB.
pub const PREFERRED_DIRECT_PART_BYTES: u64 = 64 * MIB;

/// R2's largest part, 4.995 GiB, in whole MiB: 4.995 · 1,024 = 5,114.88
/// (<https://developers.cloudflare.com/r2/platform/limits/>).
pub const MAX_DIRECT_PART_BYTES: u64 = 5_114 * MIB;

/// R2's largest object, 4.995 TiB, in whole MiB: 4.995 · 1,024 · 1,024 = 5,237,637.1. Only parts that clients store themselves
/// get there: 1,250 · 5,114 MiB would be 6,392,500 MiB.
pub const MAX_OBJECT_BYTES: u64 = 5_237_637 * MIB;

/// The most parts of a direct upload without declared sizes. The client chooses theirs, so it is better served by many than by
/// many tries: each has 10,000 / 2,500 = 4 numbers, and 2,500 parts of 5 MiB, which is what Uppy sends unless it is told
/// otherwise, hold 12.2 GiB.
pub const MAX_UNSIZED_PARTS: u64 = 2_500;

/// In what order the chunks of an upload come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// From the front, each where the one before it ended. Chunks may have any length.
    #[default]
    Sequential,
    /// Any missing chunk at any time, several at once. Every chunk but the last has the planned size, and is one part.
    Parallel,
    /// The same, but its chunks are stored by the client itself, under URLs that are signed for it, and never pass this service.
    Direct,
}

impl Mode {
    /// How many parts a file may need at most.
    const fn max_parts(self) -> u64 {
        match self {
            Self::Sequential => MAX_PLANNED_PARTS,
            Self::Parallel | Self::Direct => MAX_PARALLEL_CHUNKS,
        }
    }
}

/// What the deployment allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest file.
    pub max_upload_bytes: ByteCount,
    /// The largest request body.
    pub max_chunk_bytes: ByteCount,
}

impl Limits {
    /// The largest chunk. One that never passes this service is as large as R2 takes a part.
    pub fn max_chunk(self, mode: Mode) -> ByteCount {
        match mode {
            Mode::Sequential | Mode::Parallel => self.max_chunk_bytes,
            Mode::Direct => ByteCount::new(MAX_DIRECT_PART_BYTES).unwrap_or(self.max_chunk_bytes),
        }
    }

    /// The largest file that these limits really allow: what is configured, and what the planned number of parts holds
    /// where each is as large as a request body may be.
    pub fn largest_file(self, mode: Mode) -> ByteCount {
        let by_parts = self.max_chunk(mode).get().saturating_mul(mode.max_parts()).min(MAX_OBJECT_BYTES);
        self.max_upload_bytes.min(ByteCount::new(by_parts).unwrap_or(self.max_upload_bytes))
    }
}

/// The file is larger than [`Limits::largest_file`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// The sizes of one upload, fixed when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In what order the chunks come.
    pub mode: Mode,
    /// The declared length of the file; the most it may have while `open_ended`.
    pub file_bytes: ByteCount,
    /// Whether the length is still to be declared, with a later chunk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_ended: bool,
    /// The chunk size that the client is asked to use.
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
    /// In parallel mode a chunk is a part. In sequential mode a chunk is cut into as many equal parts of at least
    /// [`PREFERRED_PART_BYTES`] as divide it evenly, and a chunk smaller than that is put together with its neighbours:
    /// either way the common case, chunks of the planned size, never leaves a rest behind.
    ///
    /// Of a file whose length is declared later, the parts are as large as the largest file would need.
    pub fn new(
        mode: Mode,
        declared: Option<ByteCount>,
        wanted: Option<ByteCount>,
        limits: Limits,
    ) -> Result<Self, TooLarge> {
        let (file_bytes, open_ended) = (declared.unwrap_or(limits.largest_file(mode)), declared.is_none());
        if file_bytes > limits.largest_file(mode) {
            return Err(TooLarge);
        }
        let max_chunk = limits.max_chunk(mode).get();
        let max_parts = if mode == Mode::Direct && open_ended { MAX_UNSIZED_PARTS } else { mode.max_parts() };
        let needed = file_bytes.get().div_ceil(max_parts).div_ceil(MIB) * MIB;
        // Rounding up to a whole MiB may pass a limit that is no whole MiB itself; the limit wins, and still suffices.
        let smallest_part = needed.max(MIN_PART_BYTES).min(max_chunk);
        let preferred =
            if mode == Mode::Direct && !open_ended { PREFERRED_DIRECT_PART_BYTES } else { PREFERRED_PART_BYTES };
        let wanted = wanted.map_or(preferred.max(smallest_part), ByteCount::get);
        let (chunk, part) = match mode {
            Mode::Parallel | Mode::Direct => {
                let chunk = wanted.clamp(smallest_part, max_chunk);
                (chunk, chunk)
            }
            Mode::Sequential => {
                let chunk = wanted.clamp(1, max_chunk);
                (chunk, part_for_chunk(chunk, smallest_part.max(PREFERRED_PART_BYTES.min(max_chunk)), smallest_part))
            }
        };
        let count = |bytes| ByteCount::new(bytes).unwrap_or(limits.max_chunk_bytes);
        Ok(Self { mode, file_bytes, open_ended, chunk_bytes: count(chunk), part_bytes: count(part) })
    }

    /// The length of the file, once it is known.
    pub fn declared_bytes(&self) -> Option<ByteCount> {
        (!self.open_ended).then_some(self.file_bytes)
    }

    /// The same sizes with the length now declared.
    #[must_use]
    pub fn declare(self, file_bytes: ByteCount) -> Self {
        Self { file_bytes, open_ended: false, ..self }
    }

    /// The same with parts, and chunks, of another size.
    #[must_use]
    pub fn with_parts_of(self, part_bytes: u64) -> Self {
        let part_bytes = ByteCount::new(part_bytes).unwrap_or(self.part_bytes);
        Self { chunk_bytes: part_bytes, part_bytes, ..self }
    }

    /// How many parts the file has.
    pub fn part_count(&self) -> u64 {
        self.file_bytes.get().div_ceil(self.part_bytes.get())
    }

    /// Where the part that contains the byte at `offset` begins.
    pub fn part_start(&self, offset: ByteCount) -> ByteCount {
        let rest = ByteCount::new(offset.get() % self.part_bytes.get()).unwrap_or_default();
        offset.saturating_sub(rest)
    }

    /// The end of the last part that is whole when all bytes up to `offset` are there: the last part of the file is whole
    /// where the file ends, however short it is.
    pub fn whole_parts_end(&self, offset: ByteCount) -> ByteCount {
        if offset >= self.file_bytes { self.file_bytes } else { self.part_start(offset) }
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

/// The size of parts for chunks of this size: the chunk cut evenly, or whole chunks put together, at least `preferred` where
/// that can be, and never below `smallest`.
fn part_for_chunk(chunk: u64, preferred: u64, smallest: u64) -> u64 {
    if chunk < smallest {
        return chunk * preferred.div_ceil(chunk);
    }
    let floor = preferred.min(chunk);
    let parts_per_chunk = (1..=chunk / floor).rev().find(|parts| chunk.is_multiple_of(*parts)).unwrap_or(1);
    chunk / parts_per_chunk
}

/// Fresh part numbers for a sequential attempt: `count` of them, directly above `highest_used`, or `None` when so few would be left
/// that the `remaining` parts of the file could no longer all be stored.
///
/// Here and in [`lane_number`] part numbers are made, nowhere else. **A number is never handed out twice**: R2 loses the stored part when a
/// later upload to the same number fails (<https://developers.cloudflare.com/r2/api/s3/api/>). Numbers may have gaps: parts
/// are assembled in the order of their numbers. Should R2 ever refuse gaps, these two functions are what changes: a number could
/// be given again once its last writer has certainly ended.
pub fn fresh_numbers(highest_used: u16, count: u64, remaining: u64) -> Option<std::ops::RangeInclusive<u16>> {
    let left = u64::from(MAX_PART_NUMBER.saturating_sub(highest_used));
    if left < remaining.max(count) {
        return None;
    }
    let count = u16::try_from(count).ok()?;
    Some(highest_used + 1..=highest_used + count)
}

/// The number for try `try_index` (from 0) at chunk `chunk` (from 0) of a parallel upload of `chunks` chunks, or `None` where
/// the chunk has used up its share. Chunk i owns the numbers from i·share + 1 to (i + 1)·share, so the order of the
/// numbers is that of the chunks, whenever they come.
pub fn lane_number(chunk: u64, try_index: u16, chunks: u64) -> Option<u16> {
    let share = u64::from(MAX_PART_NUMBER) / chunks.max(1);
    if chunk >= chunks || u64::from(try_index) >= share {
        return None;
    }
    u16::try_from(chunk * share + u64::from(try_index) + 1).ok()
}

/// Which chunk of a parallel upload of `chunks` chunks owns this number.
pub fn lane_of(number: u16, chunks: u64) -> u64 {
    let share = u64::from(MAX_PART_NUMBER) / chunks.max(1);
    (u64::from(number).saturating_sub(1)) / share.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { max_upload_bytes: mib(1024 * 1024), max_chunk_bytes: mib(95) };

    const fn mib(mib: u64) -> ByteCount {
        match ByteCount::new(mib * MIB) {
            Some(count) => count,
            None => ByteCount::ZERO,
        }
    }

    fn plan(mode: Mode, file: u64, chunk: Option<u64>) -> (u64, u64) {
        let plan = Plan::new(mode, Some(mib(file)), chunk.map(mib), LIMITS).unwrap();
        (plan.chunk_bytes.get() / MIB, plan.part_bytes.get() / MIB)
    }

    #[test]
    fn sequential_chunk_and_part_sizes_in_mib() {
        // (file, wanted chunk) -> (chunk, part)
        for (file, wanted, expected) in [
            (100, None, (8, 8)),
            (100, Some(16), (16, 8)),
            (100, Some(1), (1, 8)),
            (100, Some(3), (3, 9)),
            (100, Some(5), (5, 5)),
            (100, Some(32), (32, 8)),
            (100, Some(90), (90, 9)),
            (100, Some(95), (95, 9)), // ten parts of 9.5 MiB
            (100, Some(500), (95, 9)),
            (62_500, None, (8, 8)),
            (64_001, None, (9, 9)),
            (64_001, Some(32), (32, 16)),
            (64_001, Some(8), (8, 16)),
            (8_000 * 95, None, (95, 95)),
            (0, None, (8, 8)),
        ] {
            assert_eq!(plan(Mode::Sequential, file, wanted), expected, "file {file} MiB, wanted {wanted:?}");
        }
        let odd = Plan::new(Mode::Sequential, Some(mib(100)), ByteCount::new(3_000_000), LIMITS).unwrap();
        assert_eq!((odd.chunk_bytes.get(), odd.part_bytes.get()), (3_000_000, 9_000_000));
    }

    #[test]
    fn parallel_chunks_are_parts() {
        for (file, wanted, expected) in [
            (100, None, 8),
            (100, Some(1), 5),
            (100, Some(64), 64),
            (100, Some(500), 95),
            (12_500, None, 10),
            (1_250 * 95, None, 95),
        ] {
            assert_eq!(plan(Mode::Parallel, file, wanted), (expected, expected), "file {file} MiB, wanted {wanted:?}");
        }
    }

    #[test]
    fn direct_chunks_are_as_large_as_r2_takes_a_part() {
        for (file, wanted, expected) in [
            (100, None, 64),
            (100, Some(1), 5),
            (10_000, Some(1_000), 1_000),
            (10_000, Some(9_000), 5_114),
            (1_000_000, None, 800),
            (1_048_576, Some(64), 839),
        ] {
            assert_eq!(plan(Mode::Direct, file, wanted), (expected, expected), "file {file} MiB, wanted {wanted:?}");
        }
        let unbounded = Limits { max_upload_bytes: ByteCount::MAX, ..LIMITS };
        assert_eq!(unbounded.largest_file(Mode::Direct).get(), MAX_OBJECT_BYTES);
        let unsized_ = Plan::new(Mode::Direct, None, None, LIMITS).unwrap();
        assert!(unsized_.open_ended && (2_490..=2_500).contains(&unsized_.part_count()), "{unsized_:?}");
        assert_eq!(u64::from(MAX_PART_NUMBER) / unsized_.part_count(), 4, "tries");
    }

    #[test]
    fn a_file_beyond_what_the_parts_hold_is_refused() {
        assert_eq!(Plan::new(Mode::Sequential, Some(mib(8_000 * 95 + 1)), None, LIMITS), Err(TooLarge));
        assert_eq!(Plan::new(Mode::Parallel, Some(mib(1_250 * 95 + 1)), None, LIMITS), Err(TooLarge));
        let small = Limits { max_upload_bytes: mib(10), ..LIMITS };
        assert_eq!(Plan::new(Mode::Sequential, Some(mib(11)), None, small), Err(TooLarge));
    }

    #[test]
    fn lanes_own_their_numbers() {
        assert_eq!((lane_number(0, 0, 1_250), lane_number(0, 7, 1_250)), (Some(1), Some(8)));
        assert_eq!((lane_number(0, 8, 1_250), lane_number(1, 0, 1_250)), (None, Some(9)));
        assert_eq!((lane_number(1_249, 7, 1_250), lane_number(1_250, 0, 1_250)), (Some(10_000), None));
        assert_eq!(lane_number(0, 9_999, 1), Some(10_000));
        for chunks in [1, 3, 7, 1_249, 1_250] {
            for chunk in [0, 1, chunks - 1] {
                for try_index in 0..8 {
                    let Some(number) = lane_number(chunk, try_index, chunks) else { continue };
                    assert_eq!(lane_of(number, chunks), chunk);
                }
            }
        }
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
        fn every_plan_fits_r2(parallel: bool, file in 0..8_000 * 95 * MIB, chunk in proptest::option::of(1..200 * MIB)) {
            let (mode, file) = if parallel { (Mode::Parallel, file * 1_250 / 8_000) } else { (Mode::Sequential, file) };
            let plan = Plan::new(mode, Some(ByteCount::new(file).unwrap()), chunk.and_then(ByteCount::new), LIMITS).unwrap();
            prop_assert!(plan.part_count() <= mode.max_parts());
            prop_assert!(plan.part_bytes.get() >= MIN_PART_BYTES);
            prop_assert!(plan.chunk_bytes <= LIMITS.max_chunk_bytes);
            let (chunk, part) = (plan.chunk_bytes.get(), plan.part_bytes.get());
            prop_assert!(chunk % part == 0 || part % chunk == 0 || mode == Mode::Parallel, "no rest in the common case");
        }

        #[test]
        fn spans_tile_the_range(file in 1..400 * MIB, first in 0_u64..20) {
            let plan = Plan::new(Mode::Sequential, Some(ByteCount::new(file).unwrap()), None, LIMITS).unwrap();
            let from = ByteCount::new(first * plan.part_bytes.get()).unwrap().min(plan.file_bytes);
            let mut at = from;
            let mut count = 0;
            for span in plan.spans(from, plan.file_bytes) {
                prop_assert_eq!(span.offset, at);
                prop_assert_eq!(plan.part_start(at), at);
                at = at.checked_add(span.bytes).unwrap();
                prop_assert!(span.bytes == plan.part_bytes || at == plan.file_bytes);
                prop_assert_eq!(plan.whole_parts_end(at), at);
                count += 1;
            }
            prop_assert_eq!(at, plan.file_bytes);
            prop_assert_eq!(count, plan.parts_between(from, plan.file_bytes));
        }
    }
}
