//! The arithmetic of parts: how large they are, where they lie, and which numbers they may have.
//!
//! R2 assembles at most 10,000 parts, all of one size but the last, between 5 MiB and 5 GiB
//! (<https://developers.cloudflare.com/r2/objects/multipart-objects/>). The size is fixed here, once, from the declared
//! length of the file, so that nothing is left to be discovered at completion.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::units::{ByteCount, MIB};

/// R2's highest part number.
pub const MAX_PART_NUMBER: u16 = 10_000;

/// The most parts that a sequential upload may need. The other 2,000 numbers are spare: an attempt takes a fresh one while there are.
pub const MAX_PLANNED_PARTS: u64 = 8_000;

/// R2's smallest part (the last one may be smaller): 5 MiB.
pub const MIN_PART_BYTES: u64 = 5 * MIB;

/// Where a file needs larger parts, they grow in steps of this.
const PART_STEP_BYTES: u64 = MIB;

/// The size that parts have where nothing asks for another: 8 MiB. A cut connection costs at most one part, and
/// 8,000 of them hold 62.5 GiB.
pub const PREFERRED_PART_BYTES: u64 = 8 * MIB;

/// The most chunks that a parallel upload may have. Each owns an equal share of the numbers, at least 10,000 / 5,000 = 2, so that
/// a second attempt need not wait until it is certain that the first one has ended; 5,000 chunks of 95 MiB hold 463 GiB.
pub const MAX_PARALLEL_CHUNKS: u64 = 5_000;

/// So many numbers of its share a chunk of a parallel upload uses at most. They are used again once their writers have ended.
pub const MAX_NUMBERS_PER_CHUNK: u16 = 8;

/// The most chunks of a direct upload: one for each part number. A URL can be used any number of times, so what counts is what
/// R2 has under the number when it is recorded, and a second number for the chunk would protect nobody.
pub const MAX_DIRECT_CHUNKS: u64 = 10_000;

/// The size of the parts that clients store themselves, where nothing asks for another: 64 MiB. Each costs a signature and a
/// record; 10,000 of them hold 625 GiB.
pub const PREFERRED_DIRECT_PART_BYTES: u64 = 64 * MIB;

/// R2's largest part, 4.995 GiB, in whole MiB: 4.995 · 1,024 = 5,114.88
/// (<https://developers.cloudflare.com/r2/platform/limits/>).
pub const MAX_DIRECT_PART_BYTES: u64 = 5_114 * MIB;

/// R2's largest object, 4.995 TiB, in whole MiB: 4.995 · 1,024 · 1,024 = 5,237,637.1. Only parts that clients store themselves
/// get there: 10,000 of 524 MiB.
pub const MAX_OBJECT_BYTES: u64 = 5_237_637 * MIB;

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
            Self::Parallel => MAX_PARALLEL_CHUNKS,
            Self::Direct => MAX_DIRECT_CHUNKS,
        }
    }
}

/// What is known of the size of an upload's chunks when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunking {
    /// The client is told a size, as near as can be to the one it wants, if it wants any.
    Agreed(Option<ByteCount>),
    /// Nothing is said of it. The first chunk shows.
    Unspoken,
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

/// The sizes of one upload, fixed when it is created, or by its first chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In what order the chunks come.
    pub mode: Mode,
    /// The declared length of the file; the most it may have while `open_ended`.
    pub file_bytes: ByteCount,
    /// Whether the length is still to be declared, with a later chunk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_ended: bool,
    /// Whether the sizes are a guess, since nobody was told them: until something counts, a chunk shows which ones fit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guessed: bool,
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
        let needed = file_bytes.get().div_ceil(mode.max_parts()).div_ceil(PART_STEP_BYTES) * PART_STEP_BYTES;
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
        let (chunk_bytes, part_bytes) = (count(chunk), count(part));
        Ok(Self { mode, file_bytes, open_ended, guessed: false, chunk_bytes, part_bytes })
    }

    /// The same, from what is known of the chunks.
    pub fn for_chunks(
        mode: Mode,
        declared: Option<ByteCount>,
        chunking: Chunking,
        limits: Limits,
    ) -> Result<Self, TooLarge> {
        match chunking {
            Chunking::Agreed(wanted) => Self::new(mode, declared, wanted, limits),
            Chunking::Unspoken => Ok(Self { guessed: true, ..Self::new(mode, declared, None, limits)? }),
        }
    }

    /// The sizes for whoever sends chunks like this one, where they were a guess. Of a size that only parts of twice the usual size would
    /// divide the parts are left alone: what a broken connection costs matters more, and the tail carries the rests.
    #[must_use]
    pub fn fitted_to(self, chunk: ByteCount) -> Self {
        if !self.guessed || chunk.is_zero() {
            return self;
        }
        let smallest = self.smallest_part();
        let usual = smallest.max(PREFERRED_PART_BYTES);
        let part = part_for_chunk(chunk.get(), usual, smallest);
        match ByteCount::new(part).filter(|_| part <= 2 * usual) {
            Some(part_bytes) => Self { chunk_bytes: chunk, part_bytes, ..self },
            None => self.with_chunks_like(chunk),
        }
    }

    /// The same with the size of chunks that has been seen, where it was a guess. The parts stay.
    #[must_use]
    pub fn with_chunks_like(self, chunk: ByteCount) -> Self {
        let is_shown = self.guessed && !chunk.is_zero();
        Self { chunk_bytes: if is_shown { chunk } else { self.chunk_bytes }, ..self }
    }

    /// The sizes for whoever sends chunks like this one with a checksum each: such a chunk counts as a whole or not at all, so
    /// several parts would save nothing where it breaks, and one costs less. A client that was told a size must keep to it. A part
    /// that is the whole file may be as small as it is.
    #[must_use]
    pub fn with_chunk_as_part(self, chunk: ByteCount) -> Self {
        let is_as_told = chunk == self.chunk_bytes || chunk >= self.file_bytes;
        let becomes_one = chunk >= self.file_bytes && self.part_count() > 1;
        let fits = becomes_one || chunk.get() >= self.smallest_part();
        if self.mode != Mode::Sequential || !fits || !(self.guessed || is_as_told) {
            return self;
        }
        Self { chunk_bytes: if self.guessed { chunk } else { self.chunk_bytes }, part_bytes: chunk, ..self }
    }

    /// The smallest part of which the allowed number holds the file, in bytes.
    fn smallest_part(&self) -> u64 {
        (self.file_bytes.get().div_ceil(self.mode.max_parts()).div_ceil(MIB) * MIB).max(MIN_PART_BYTES)
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
/// Here, in [`lowest_free_number`] and in [`ChunkNumbers`] part numbers are made, nowhere else. R2 loses the stored part when a later
/// upload to the same number fails (<https://developers.cloudflare.com/r2/api/s3/api/>), so **a number is handed out again only when
/// its last writer has ended**: when it has said that its request to R2 is over, or has been silent for longer than it may be.
/// Numbers may have gaps: parts are assembled in the order of their numbers.
pub fn fresh_numbers(highest_used: u16, count: u64, remaining: u64) -> Option<RangeInclusive<u16>> {
    let left = u64::from(MAX_PART_NUMBER.saturating_sub(highest_used));
    if left < remaining.max(count) {
        return None;
    }
    let count = u16::try_from(count).ok()?;
    Some(highest_used + 1..=highest_used + count)
}

/// Where no fresh ones are left: the lowest number above the counted parts from which on `count` numbers are free, and
/// the `remaining` parts of the file still fit.
pub fn lowest_free_number(
    last_counted: u16,
    count: u64,
    remaining: u64,
    is_free: impl Fn(RangeInclusive<u16>) -> bool,
) -> Option<u16> {
    let highest_first = (u64::from(MAX_PART_NUMBER) + 1).checked_sub(remaining.max(count))?;
    let (count, highest_first) = (u16::try_from(count.max(1)).ok()?, u16::try_from(highest_first).ok()?);
    (last_counted + 1..=highest_first).find(|first| is_free(*first..=first.saturating_add(count - 1)))
}

/// Which part numbers the chunks of a parallel or direct upload own. Each has the same share, chunk i the numbers behind those of
/// chunk i - 1, so the order of the numbers is that of the chunks, whenever they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkNumbers {
    chunks: u64,
    share: u16,
}

impl ChunkNumbers {
    /// For so many chunks.
    pub fn new(mode: Mode, chunks: u64) -> Self {
        let equal = u64::from(MAX_PART_NUMBER) / chunks.max(1);
        let most = if mode == Mode::Direct { 1 } else { MAX_NUMBERS_PER_CHUNK };
        Self { chunks, share: u16::try_from(equal).unwrap_or(most).min(most) }
    }

    /// How many chunks share the numbers.
    pub fn chunks(self) -> u64 {
        self.chunks
    }

    /// The numbers of this chunk, counted from 0; `None` where there is no such chunk.
    pub fn of_chunk(self, chunk: u32) -> Option<RangeInclusive<u16>> {
        if u64::from(chunk) >= self.chunks || self.share == 0 {
            return None;
        }
        let first = u16::try_from(u64::from(chunk) * u64::from(self.share) + 1).ok()?;
        Some(first..=first + self.share - 1)
    }

    /// The chunk that owns this number.
    pub fn chunk_of(self, number: u16) -> Option<u32> {
        let chunk = u32::from(number.checked_sub(1)? / self.share.max(1));
        (u64::from(chunk) < self.chunks).then_some(chunk)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
