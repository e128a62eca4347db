//! How many bytes a read of a body waits for. A read costs the same whatever it brings, so a fast body is read in long strides.
//! A slow one is read in short ones: it counts as stalled when a read does not get what it waits for in the time allowed.

/// What is waited for at least. With 30 s allowed, whoever sends 2.2 kB/s is slow, but not stalled.
const SHORTEST_BYTES: u32 = 64 * 1024;

/// And at most, which is also the buffer: half of it costs 3 % more processor time per byte, twice or eight times as much saves 1 %,
/// and the platform holds as much once more while it reads, for every request under way.
pub const LONGEST_BYTES: u32 = 512 * 1024;

/// Of all that a body has brought, so much at once. What was waiting in buffers on the way comes in a burst, however slow the line
/// behind them is.
const SHARE: u64 = 4;

/// Waits for as much as the body brought in a second when it was last looked at, but never for more than a share of all it has
/// brought. So a body that was fast for long has stalled when it brings less in the time allowed than in one second before.
#[derive(Default)]
pub struct Stride {
    in_a_second: u64,
    in_all: u64,
}

impl Stride {
    /// So many bytes.
    pub fn bytes(&self) -> u32 {
        let most = self.in_a_second.min(self.in_all / SHARE);
        u32::try_from(most).unwrap_or(LONGEST_BYTES).clamp(SHORTEST_BYTES, LONGEST_BYTES)
    }

    /// A read brought so many, and took so long.
    pub fn brought(&mut self, bytes: u32, took_ms: u64) {
        self.in_a_second = u64::from(bytes) * 1_000 / took_ms.max(1);
        self.in_all += u64::from(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1024 * 1024;

    #[test]
    fn a_fast_body_is_read_in_long_strides_once_it_has_brought_much() {
        let mut stride = Stride::default();
        assert_eq!(stride.bytes(), SHORTEST_BYTES);
        stride.brought(MIB, 2);
        assert_eq!(stride.bytes(), MIB / 4);
        stride.brought(MIB, 2);
        assert_eq!(stride.bytes(), LONGEST_BYTES);
        stride.brought(100 * MIB, 0);
        assert_eq!(stride.bytes(), LONGEST_BYTES);
    }

    #[test]
    fn what_was_buffered_on_the_way_does_not_make_a_slow_line_a_fast_one() {
        let mut stride = Stride::default();
        stride.brought(MIB / 2, 1);
        assert_eq!(stride.bytes(), MIB / 8);
        stride.brought(MIB / 8, 12_000);
        assert_eq!(stride.bytes(), SHORTEST_BYTES);
    }

    #[test]
    fn a_body_that_slows_down_is_waited_for_as_it_is_now() {
        let mut stride = Stride::default();
        stride.brought(90 * MIB, 1_000);
        stride.brought(LONGEST_BYTES, 4_000);
        assert_eq!(stride.bytes(), LONGEST_BYTES / 4);
        stride.brought(LONGEST_BYTES / 4, 10);
        assert_eq!(stride.bytes(), LONGEST_BYTES);
    }
}
