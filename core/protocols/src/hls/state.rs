//! What is known of a file up to some byte: numbers, and as a text. They follow from the bytes before, and from nothing else.

use super::{FIRST_CUTS, LEAST_LATER_MS, LEAST_MS, LONGEST_MS, MOST_CUTS, push};

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its first bytes have not been looked at.
    #[default]
    Unknown,
    /// Fragmented MP4, as far as it was looked at.
    Mp4,
    /// MPEG-TS.
    Ts,
    /// Nothing that can be cut, or not from some byte on.
    Unfit,
}

/// What is known. Times are in `timescale` parts of a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) kind: Kind,
    /// Whether the file has ended and its last segment is cut: 1.
    pub(super) ended: u64,
    /// The next byte to be looked at.
    pub(super) at: u64,
    /// So many segments were cut.
    pub(super) cuts: u64,
    /// Where the next segment begins.
    pub(super) start: u64,
    /// How long it is so far.
    pub(super) ticks: u64,
    pub(super) timescale: u64,
    /// What a player needs before a segment. MP4: up to the end of `moov`. TS: the first tables that stand together. No bytes before it was
    /// seen.
    pub(super) head_at: u64,
    pub(super) head_bytes: u64,
    /// The first segment that needs it, from 1 on; 0 where none does.
    pub(super) head_from: u64,
    /// MP4: how many tracks there are.
    pub(super) tracks: u64,
    /// MP4: the track that time is told by.
    pub(super) track: u64,
    /// MP4: how long a sample of it is, where nothing else says so.
    pub(super) sample_ticks: u64,
    /// MP4: its flags, where nothing else says so.
    pub(super) sample_flags: u64,
    /// MP4: another track, and the same of it; 0 where there is none.
    pub(super) other_track: u64,
    pub(super) other_timescale: u64,
    pub(super) other_sample_ticks: u64,
    /// MP4: how long the segment is by that one.
    pub(super) other_ticks: u64,
    /// MP4: where the last whole fragment ends. TS: where the clock went on last.
    pub(super) boundary: u64,
    /// MP4: where the fragment ends whose bytes are passed over; 1 where they have not begun, 0 where there is none.
    pub(super) data_end: u64,
    /// MP4: how long that is, by the one track and by the other.
    pub(super) data_ticks: u64,
    pub(super) data_other_ticks: u64,
    /// MP4: whether there was a fragment that did not begin with a key frame or was not of all tracks, so that nobody knows of the next one: 1.
    pub(super) has_no_key: u64,
    /// TS: whether it is not known where the next packet begins: 1.
    pub(super) is_lost: u64,
    /// TS: 1 and the PID that has the clock; 0 before it was seen.
    pub(super) clock_pid: u64,
    /// TS: 1 and what it said last; 0 before it said anything.
    pub(super) clock: u64,
    /// TS: 1 and where the tables are that stand before the next packet of this PID; 0 where there are none.
    pub(super) tables_at: u64,
}

impl State {
    /// Reads it; what is no such text is of a file that nobody has looked at. Whoever changes what is in it gives the table that keeps it
    /// another name: cuts that are kept already would be found a second time.
    pub(super) fn read(text: &str) -> Self {
        let mut state = Self::default();
        let mut numbers = text.split(' ').map_while(|number| number.parse::<u64>().ok());
        state.kind = match numbers.next() {
            Some(1) => Kind::Mp4,
            Some(2) => Kind::Ts,
            Some(3) => Kind::Unfit,
            _ => return state,
        };
        let mut is_whole = true;
        state.each(&mut |field| match numbers.next() {
            Some(number) => *field = number,
            None => is_whole = false,
        });
        if is_whole { state } else { Self::default() }
    }

    /// As a text.
    pub(super) fn written(&self) -> String {
        let mut text = String::new();
        push(&mut text, self.kind as u64, "");
        self.clone().each(&mut |field| {
            text.push(' ');
            push(&mut text, *field, "");
        });
        text
    }

    /// All numbers, in the order in which they are written.
    fn each(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        visit(&mut self.ended);
        visit(&mut self.at);
        visit(&mut self.cuts);
        visit(&mut self.start);
        visit(&mut self.ticks);
        visit(&mut self.timescale);
        visit(&mut self.head_at);
        visit(&mut self.head_bytes);
        visit(&mut self.head_from);
        visit(&mut self.tracks);
        visit(&mut self.track);
        visit(&mut self.sample_ticks);
        visit(&mut self.sample_flags);
        visit(&mut self.other_track);
        visit(&mut self.other_timescale);
        visit(&mut self.other_sample_ticks);
        visit(&mut self.other_ticks);
        visit(&mut self.boundary);
        visit(&mut self.data_end);
        visit(&mut self.data_ticks);
        visit(&mut self.data_other_ticks);
        visit(&mut self.has_no_key);
        visit(&mut self.is_lost);
        visit(&mut self.clock_pid);
        visit(&mut self.clock);
        visit(&mut self.tables_at);
    }

    /// So much time in milliseconds.
    pub(super) fn ms(&self, ticks: u64) -> u64 {
        ticks.min(u64::MAX / 1000) * 1000 / self.timescale.max(1)
    }

    /// Whether the segment is long enough to end where it fits.
    pub(super) fn is_long_enough(&self) -> bool {
        self.ms(self.ticks) >= if self.cuts < FIRST_CUTS { LEAST_MS } else { LEAST_LATER_MS }
    }

    /// Whether a segment of so much time is too long.
    pub(super) fn is_too_long(&self, ticks: u64) -> bool {
        self.ms(ticks) > LONGEST_MS
    }

    /// The segment ends here.
    pub(super) fn close(&mut self, end: u64, cuts: &mut String) {
        let bytes = end.saturating_sub(self.start);
        if bytes == 0 {
            return;
        }
        if self.cuts >= MOST_CUTS {
            self.kind = Kind::Unfit;
            return;
        }
        push(cuts, bytes, " ");
        push(cuts, self.ms(self.ticks).clamp(1, LONGEST_MS), "\n");
        (self.start, self.ticks, self.other_ticks) = (end, 0, 0);
        self.cuts += 1;
    }
}
