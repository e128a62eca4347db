//! How many bytes a read of a body waits for. A read costs the same whatever it brings, so a fast body is read in long strides.
//! A slow one is read in short ones: it counts as stalled when a read does not get what it waits for in the time allowed.

use crate::log::Stopwatch;

/// What is waited for at least. With 30 s allowed, whoever sends 2.2 kB/s from the start is slow, but not stalled.
const SHORTEST_BYTES: u32 = 64 * 1024;

/// And at most, which is also the buffer: half of it costs 3 % more processor time per byte, twice or eight times as much saves 1 %,
/// and the platform holds as much once more while it reads, for every request under way.
pub(crate) const LONGEST_BYTES: u32 = 512 * 1024;

/// Waits for as much as the body brought in a second when it was last looked at. So a body has stalled when it brings less in the
/// time allowed than it did in one second before.
pub(crate) struct Stride {
    bytes: u32,
}

impl Default for Stride {
    fn default() -> Self {
        Self { bytes: SHORTEST_BYTES }
    }
}

impl Stride {
    /// So many bytes.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The read that began then brought so many.
    pub(crate) fn brought(&mut self, bytes: u32, since: &Stopwatch) {
        let in_a_second = u64::from(bytes) * 1_000 / since.elapsed_ms().max(1);
        self.bytes = u32::try_from(in_a_second).unwrap_or(LONGEST_BYTES).clamp(SHORTEST_BYTES, LONGEST_BYTES);
    }
}
