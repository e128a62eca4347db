//! How much of a body waits in memory. Storage takes only what has a length, so of a body that does not say its own the bytes are
//! gathered, and stored as chunks of known length. Few large chunks cost less than many small ones; but the 128 MB of an isolate are
//! all its requests' together, and whoever sends slowly would hold its share for minutes.

use upload_types::{plan::PREFERRED_PART_BYTES, units::MIB};

/// What one body may gather while it brings [`FAST_BYTES_PER_SECOND`]: a part of most files.
const FAST_BYTES: u64 = PREFERRED_PART_BYTES;

/// A mebibyte a second holds 8 MiB for 8 seconds.
const FAST_BYTES_PER_SECOND: u64 = MIB;

/// What any other may gather.
const SLOW_BYTES: u64 = MIB;

/// What has come waits for no more than this: 10 s. A recorder that dies, or a Worker, loses no more of what was recorded, and whoever follows a
/// live upload is no further behind.
const LONGEST_MS: u64 = 10_000;

/// All bodies of an isolate, together: two parts, so that one is gathered while the one before is stored. What was waiting on the way comes
/// in a burst, and then a hundred slow bodies look fast: these 16 MiB, [`LEAST_BYTES`] for each of them, and 9.6 MiB that they are read
/// into (`read_size`) are 32 of the isolate's 128 MB.
const TOGETHER_BYTES: u64 = 16 * MIB;

/// So much anybody may, however many there are: as much as a body must bring in the time allowed.
const LEAST_BYTES: u64 = 64 * 1024;

/// Room for so much there must be for a body to gather on while what it has gathered is being stored. So where many do, each holds
/// [`LEAST_BYTES`] once and not twice.
pub const AHEAD_BYTES: u64 = MIB;

/// The smallest and the largest piece of memory that gathered bytes lie in.
const BLOCK_BYTES: (u64, u64) = (16 * 1024, 512 * 1024);

/// One body's gathering.
#[derive(Clone, Copy, Debug)]
pub struct Gathering {
    /// So much has come since something was stored.
    pub bytes: u64,
    /// In so many milliseconds.
    pub took_ms: u64,
    /// So many others of this isolate hold something.
    pub others: u64,
    /// So much together.
    pub others_bytes: u64,
}

impl Gathering {
    /// How much it may hold, as things are now. Where it has reached that, it is to be stored.
    pub fn most_bytes(self) -> u64 {
        let is_fast = self.bytes >= LEAST_BYTES && self.bytes * 1000 >= self.took_ms * FAST_BYTES_PER_SECOND;
        let alone = if is_fast { FAST_BYTES } else { SLOW_BYTES };
        // Who came first does not hold what twenty others are short of: of each of them a piece is stored, and not of one a part and of the
        // others crumbs.
        let share = TOGETHER_BYTES / (self.others + 1);
        let left = TOGETHER_BYTES.saturating_sub(self.others_bytes);
        if self.took_ms >= LONGEST_MS {
            return self.bytes.max(1);
        }
        in_whole_blocks(alone.min(share).min(left)).max(LEAST_BYTES)
    }
}

/// Whether there is room for so much of a body, which must be held, where all others hold so much.
pub fn has_room(bytes: u64, others_bytes: u64) -> bool {
    bytes <= LEAST_BYTES || bytes + others_bytes <= TOGETHER_BYTES
}

/// The most that does not need more memory than this.
fn in_whole_blocks(room_bytes: u64) -> u64 {
    let (smallest, largest) = BLOCK_BYTES;
    if room_bytes >= largest {
        return room_bytes / largest * largest;
    }
    (room_bytes / smallest).checked_ilog2().map_or(0, |doublings| smallest << doublings)
}

/// How much memory is taken next, where so much is filled: never much more than has come.
pub fn block_bytes(filled_bytes: u64) -> u64 {
    filled_bytes.clamp(BLOCK_BYTES.0, BLOCK_BYTES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(bytes: u64, took_ms: u64, others_bytes: u64) -> u64 {
        Gathering { bytes, took_ms, others: u64::from(others_bytes > 0), others_bytes }.most_bytes()
    }

    /// What each of these may hold, by the memory that it and the others have taken.
    fn most_of(held: &[(u64, u64)], index: usize, took_ms: u64) -> u64 {
        let others = held.iter().enumerate().filter(|(other, (_, room))| *other != index && *room > 0);
        let (others, others_bytes) = others.fold((0, 0), |(count, sum), (_, (_, room))| (count + 1, sum + room));
        Gathering { bytes: held[index].0, took_ms, others, others_bytes }.most_bytes()
    }

    #[test]
    fn a_fast_body_gathers_a_part_and_a_slow_one_a_mebibyte() {
        assert_eq!(most(0, 0, 0), MIB, "nobody knows yet");
        assert_eq!(most(LEAST_BYTES, 50, 0), 8 * MIB);
        assert_eq!(most(LEAST_BYTES, 100, 0), MIB);
        assert_eq!(most(MIB, 900, 0), 8 * MIB);
        assert_eq!(most(MIB, 1_100, 0), MIB);
        assert_eq!(most(5 * MIB, 4_000, 0), 8 * MIB);
        assert_eq!(most(5 * MIB, 6_000, 0), MIB, "it has become slow, and is stored at once");
    }

    #[test]
    fn what_has_come_in_ten_seconds_is_stored_however_little_it_is() {
        assert_eq!(most(LEAST_BYTES, 9_999, 0), MIB);
        assert_eq!(most(100, 10_000, 0), 100, "it has reached what it may hold");
        assert_eq!(most(0, 10_000, 0), 1, "nothing has come, and the next byte is stored");
    }

    #[test]
    fn a_body_that_is_not_alone_gathers_what_the_others_leave() {
        assert_eq!(most(8 * MIB, 100, 8 * MIB), 8 * MIB);
        assert_eq!(most(8 * MIB, 100, 12 * MIB), 4 * MIB);
        assert_eq!(most(0, 0, 15 * MIB + MIB / 2), MIB / 2);
        for others in [16 * MIB, 40 * MIB, 400 * MIB] {
            assert_eq!(most(0, 0, others), LEAST_BYTES);
        }
    }

    #[test]
    fn all_get_the_same_where_they_are_many() {
        let most = |others| Gathering { bytes: MIB, took_ms: 1, others, others_bytes: 0 }.most_bytes();
        assert_eq!([1, 3, 19, 31, 99].map(most), [8 * MIB, 4 * MIB, MIB / 2, MIB / 2, MIB / 8]);
    }

    /// Each brings a little in turn, and is stored where it has reached what it may hold.
    #[test]
    fn a_hundred_dripping_bodies_together_stay_below_32_mib() {
        let mut held = vec![(0_u64, 0_u64); 100];
        for ms in 0..1_000_000_u64 {
            let index = usize::try_from(ms).unwrap() % held.len();
            let (bytes, room) = &mut held[index];
            *bytes += 4_000;
            if *bytes > *room {
                *room += block_bytes(*room);
            }
            if held[index].0 >= most_of(&held, index, ms) {
                held[index] = (0, 0);
            }
            let together: u64 = held.iter().map(|(_, room)| room).sum();
            assert!(together < 24 * MIB, "{together}");
        }
    }

    /// The Worker was busy, everybody's bytes are waiting, and storage takes nothing for a while.
    #[test]
    fn a_hundred_bodies_that_come_in_a_burst_stay_below_19_mib() {
        let mut held = vec![(0_u64, 0_u64); 100];
        for _ in 0..3 * MIB / 4_000 {
            for index in 0..held.len() {
                if held[index].0 >= most_of(&held, index, 0) {
                    continue;
                }
                let (bytes, room) = &mut held[index];
                *bytes += 4_000;
                if *bytes > *room {
                    *room += block_bytes(*room);
                }
            }
        }
        let together: u64 = held.iter().map(|(_, room)| room).sum();
        assert!(together < 19 * MIB, "{together}");
    }

    /// The same, and each gathers on while its last bytes are being stored, which takes for ever.
    #[test]
    fn a_hundred_bodies_that_gather_on_while_they_are_stored_stay_below_19_mib() {
        let mut held = vec![(0_u64, 0_u64); 200];
        for _ in 0..3 * MIB / 4_000 {
            for index in 0..held.len() {
                let others_bytes = held.iter().map(|(_, room)| room).sum::<u64>() - held[index].1;
                // The second half are those that gather on, behind the first.
                let waits = index >= 100 && held[index].0 == 0;
                let first_is_full = index < 100 || held[index - 100].0 >= LEAST_BYTES;
                if waits && !(first_is_full && has_room(AHEAD_BYTES, others_bytes)) {
                    continue;
                }
                let most_bytes = most_of(&held, index, 0);
                let (bytes, room) = &mut held[index];
                *bytes = (*bytes).max(most_bytes.min(*bytes + 4_000));
                if *bytes > *room {
                    *room += block_bytes(*room);
                }
            }
        }
        let together: u64 = held.iter().map(|(_, room)| room).sum();
        assert!(together < 19 * MIB, "{together}");
    }

    #[test]
    fn a_document_is_read_whole_while_there_is_room() {
        assert!(has_room(LEAST_BYTES, 400 * MIB));
        assert!(has_room(MIB, 15 * MIB));
        assert!(!has_room(MIB, 16 * MIB));
    }

    #[test]
    fn memory_grows_with_what_has_come() {
        let mut room = 0;
        let blocks: Vec<u64> = std::iter::repeat_with(|| {
            let block = block_bytes(room);
            room += block;
            block / 1024
        })
        .take(8)
        .collect();
        assert_eq!(blocks, [16, 16, 32, 64, 128, 256, 512, 512]);
    }
}
