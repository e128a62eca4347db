//! How a body is read. A read costs the same whatever it brings, so a fast body is read in long strides, each into a buffer of its
//! length; a slow one in short ones, since buffers are memory that others want. And how slow a body may be: [`Pace`].

use upload_types::units::MIB;

/// What is waited for at least.
const SHORTEST_BYTES: u32 = LEAST_IN_TIME_BYTES;

/// The first buffer of a body of which every byte is wanted as it comes.
const SMALLEST_ROOM_BYTES: u32 = 16 * 1024;

/// And at most: half of it costs 3 % more processor time per byte, twice or eight times as much saves 1 %, and the platform holds as
/// much once more while it reads, for every request under way.
pub const LONGEST_BYTES: u32 = 512 * 1024;

/// What all bodies of an isolate are read into, together: sixteen of the longest. Where they are more, each further one gets what is left,
/// or what it cannot do without. What must be read at a size of its own (a tail, an object that is verified) counts, and is not held to it.
const TOGETHER_BYTES: u64 = 8 * MIB;

/// Of all that a body has brought, so much at once. What was waiting in buffers on the way comes in a burst, however slow the line
/// behind them is.
const SHARE: u64 = 4;

/// What a body must bring in the time allowed. With 30 s allowed, whoever sends 2.2 kB/s is slow, but not stalled.
pub const LEAST_IN_TIME_BYTES: u32 = 64 * 1024;

/// Waits for as much as the body brought in a second when it was last looked at, but never for more than a share of all it has
/// brought. So a body that was fast for long has stalled when it brings less in the time allowed than in one second before.
pub struct ReadSize {
    in_a_second: u64,
    in_all: u64,
    room_bytes: u32,
}

impl Default for ReadSize {
    fn default() -> Self {
        Self { in_a_second: 0, in_all: 0, room_bytes: SMALLEST_ROOM_BYTES }
    }
}

impl ReadSize {
    /// So many bytes are waited for.
    pub fn least_bytes(&self) -> u32 {
        let most = self.in_a_second.min(self.in_all / SHARE);
        u32::try_from(most).unwrap_or(LONGEST_BYTES).clamp(SHORTEST_BYTES, LONGEST_BYTES)
    }

    /// And so many are taken at once where they are there, by whoever waits for so many, where all others of the isolate are read into
    /// buffers of so many.
    pub fn room_bytes(&self, least_bytes: u32, others_bytes: u64) -> u32 {
        let left = u32::try_from(TOGETHER_BYTES.saturating_sub(others_bytes)).unwrap_or(LONGEST_BYTES);
        let enough = least_bytes.clamp(SMALLEST_ROOM_BYTES, SHORTEST_BYTES);
        self.room_bytes.max(least_bytes).min(left.max(enough))
    }

    /// A read brought so many, and took so long. One that filled its room is followed by one with twice as much, while that comes
    /// within a second.
    pub fn brought(&mut self, bytes: u32, took_ms: u64) {
        self.in_a_second = u64::from(bytes) * 1_000 / took_ms.max(1);
        self.in_all += u64::from(bytes);
        let room_bytes = self.room_bytes;
        self.room_bytes = if self.in_a_second < u64::from(room_bytes) {
            SMALLEST_ROOM_BYTES
        } else if bytes >= room_bytes {
            bytes.saturating_mul(2).min(LONGEST_BYTES)
        } else {
            room_bytes
        };
    }
}

/// A body has stalled when it does not bring [`LEAST_IN_TIME_BYTES`], or its end, in the time allowed. Only the time counts in which
/// it is waited for.
pub struct Pace {
    allowed_ms: u64,
    waited_ms: u64,
    brought_bytes: u64,
}

impl Pace {
    /// So long for each of them.
    pub fn new(allowed_ms: u64) -> Self {
        Self { allowed_ms, waited_ms: 0, brought_bytes: 0 }
    }

    /// How long it may still be waited for.
    pub fn left_ms(&self) -> u64 {
        self.allowed_ms.saturating_sub(self.waited_ms)
    }

    /// It was, for so long.
    pub fn waited(&mut self, ms: u64) {
        self.waited_ms = self.waited_ms.saturating_add(ms);
    }

    /// So much came. The time begins anew with every [`LEAST_IN_TIME_BYTES`].
    pub fn brought(&mut self, bytes: u32) {
        self.brought_bytes += u64::from(bytes);
        if self.brought_bytes >= u64::from(LEAST_IN_TIME_BYTES) {
            (self.waited_ms, self.brought_bytes) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u32 = 1024;
    const MIB: u32 = 1024 * KIB;

    #[test]
    fn a_fast_body_is_read_in_long_strides_once_it_has_brought_much() {
        let mut stride = ReadSize::default();
        assert_eq!(stride.least_bytes(), SHORTEST_BYTES);
        stride.brought(MIB, 2);
        assert_eq!(stride.least_bytes(), MIB / 4);
        stride.brought(MIB, 2);
        assert_eq!(stride.least_bytes(), LONGEST_BYTES);
        stride.brought(100 * MIB, 0);
        assert_eq!(stride.least_bytes(), LONGEST_BYTES);
    }

    #[test]
    fn what_was_buffered_on_the_way_does_not_make_a_slow_line_a_fast_one() {
        let mut stride = ReadSize::default();
        stride.brought(MIB / 2, 1);
        assert_eq!(stride.least_bytes(), MIB / 8);
        stride.brought(MIB / 8, 12_000);
        assert_eq!(stride.least_bytes(), SHORTEST_BYTES);
    }

    #[test]
    fn a_body_that_slows_down_is_waited_for_as_it_is_now() {
        let mut stride = ReadSize::default();
        stride.brought(90 * MIB, 1_000);
        stride.brought(LONGEST_BYTES, 4_000);
        assert_eq!(stride.least_bytes(), LONGEST_BYTES / 4);
        stride.brought(LONGEST_BYTES / 4, 10);
        assert_eq!(stride.least_bytes(), LONGEST_BYTES);
    }

    #[test]
    fn a_buffer_grows_with_what_comes_and_is_small_again_for_a_body_that_slows_down() {
        let rooms_of = |least_bytes: fn(&ReadSize) -> u32| {
            let mut stride = ReadSize::default();
            let mut rooms = Vec::new();
            for _ in 0..6 {
                let room_bytes = stride.room_bytes(least_bytes(&stride), 0);
                rooms.push(room_bytes / KIB);
                stride.brought(room_bytes, 1);
            }
            stride.brought(20 * KIB, 1_000);
            (rooms, stride.room_bytes(1, 0))
        };
        assert_eq!(rooms_of(|_| 1), (vec![16, 32, 64, 128, 256, 512], SMALLEST_ROOM_BYTES));
        assert_eq!(rooms_of(ReadSize::least_bytes), (vec![64, 128, 256, 512, 512, 512], SMALLEST_ROOM_BYTES));
    }

    /// The Worker was busy, and everybody's bytes are waiting.
    #[test]
    fn a_hundred_bodies_that_come_in_a_burst_have_little_to_be_read_into() {
        for (least_bytes, most_bytes) in [(1, 10 * MIB), (SHORTEST_BYTES, 15 * MIB)] {
            let mut bodies: Vec<_> = (0..100).map(|_| (ReadSize::default(), 0_u32)).collect();
            for _ in 0..10 {
                for index in 0..bodies.len() {
                    let others: u64 = bodies.iter().map(|(_, room)| u64::from(*room)).sum();
                    let (stride, room) = &mut bodies[index];
                    *room = stride.room_bytes(least_bytes, others - u64::from(*room));
                    stride.brought(*room, 1);
                }
            }
            let together: u64 = bodies.iter().map(|(_, room)| u64::from(*room)).sum();
            assert!(together < u64::from(most_bytes), "{together}");
        }
    }

    #[test]
    fn a_dripping_body_never_gets_a_large_buffer() {
        let mut stride = ReadSize::default();
        for _ in 0..1_000 {
            stride.brought(stride.least_bytes(), 25_000);
            assert_eq!(stride.room_bytes(stride.least_bytes(), 0), SHORTEST_BYTES);
        }
    }

    #[test]
    fn a_body_has_the_time_allowed_for_every_64_kib() {
        let mut pace = Pace::new(30_000);
        for _ in 0..100 {
            pace.waited(1_000);
            pace.brought(LEAST_IN_TIME_BYTES / 29);
        }
        assert!(pace.left_ms() > 0, "2.3 kB/s is slow");
        let mut pace = Pace::new(30_000);
        for _ in 0..30 {
            pace.waited(1_000);
            pace.brought(1);
        }
        assert_eq!(pace.left_ms(), 0, "and a byte a second has stalled");
    }
}
