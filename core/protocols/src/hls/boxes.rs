//! Fragmented MP4 (ISO/IEC 14496-12): `moov` says what the tracks are, and is read once; then come fragments, each a `moof`, of which is read
//! how long it is, and its bytes, which are passed over. Time is told by the first track of pictures, or by the first there is; and where
//! fragments come without it, by another one, for as long as they do.
//!
//! No fragment may say where its samples are from the beginning of the file: a player that comes late has not seen what was before it
//! (RFC 8216, section 3.3). Without such a place they are counted from the `moof`, or from where the samples of the track before it end,
//! and both move with the fragment.

use super::state::{Kind, State};

/// A box that is read as a whole is no larger. A fragment of ten seconds with 120 pictures and 50 pieces of sound a second, each with all that
/// can be said of it, has 170 * 10 * 16 = 27 KB; a `moov` with pictures in it may have some hundred.
pub(super) const MOST_BOX_BYTES: u64 = 1024 * 1024;

/// `vide`, as a number.
const PICTURES: u64 = 0x7669_6465;

/// A sample that cannot be shown without those before it.
const IS_NO_KEY: u64 = 0x0001_0000;

/// Looks at the next box. How many bytes are done with; none where more must be seen, or nothing can be cut.
pub(super) fn step(state: &mut State, bytes: &[u8], cuts: &mut String) -> Option<u64> {
    if !bytes.is_empty() {
        arrive(state, cuts);
    }
    let name = bytes.get(4..8)?;
    let (header_bytes, size) = match be32(bytes, 0) {
        // To the end of the file, wherever that is.
        0 => (8, u64::MAX),
        1 if bytes.len() < 16 => return None,
        1 => (16, be32(bytes, 8) << 32 | be32(bytes, 12)),
        size => (8, size),
    };
    let is_read = matches!(name, b"moov" | b"moof");
    let is_name = name.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if !is_name || size < header_bytes || (is_read && size > MOST_BOX_BYTES) {
        state.kind = Kind::Unfit;
        return None;
    }
    if is_read {
        let body = bytes.get(place(header_bytes)..place(size))?;
        let is_fit = if name == b"moov" { head(state, body, size) } else { fragment(state, body, cuts) };
        if is_fit.is_none() {
            state.kind = Kind::Unfit;
            return None;
        }
    } else if name == b"mdat" {
        // There is no fragment before it that has no bytes yet: it has its samples as a file does that is no recording, or those of a
        // fragment that may have been cut off from it.
        if state.data_end == 0 {
            state.kind = Kind::Unfit;
            return None;
        }
        state.data_end = state.at.saturating_add(size);
    }
    Some(size)
}

/// The bytes of a fragment have been passed over, and are there.
pub(super) fn arrive(state: &mut State, cuts: &mut String) {
    if state.data_end == 0 || state.data_end != state.at {
        return;
    }
    state.ticks += state.data_ticks;
    state.other_ticks = state.other_ticks.saturating_add(state.data_other_ticks);
    (state.boundary, state.data_end, state.data_ticks, state.data_other_ticks) = (state.at, 0, 0, 0);
    if state.has_no_key == 0 && state.is_long_enough() {
        state.close(state.boundary, cuts);
    }
}

/// `moov`: nothing where what it describes cannot be cut.
fn head(state: &mut State, body: &[u8], size: u64) -> Option<()> {
    if state.head_bytes > 0 {
        // Another recording, put behind the first.
        return None;
    }
    let mut has_pictures = false;
    let mut left = body;
    while let Some(track) = next(&mut left, b"trak") {
        state.tracks += 1;
        let media = child(track, b"mdia");
        let is_pictures = be32(child(media, b"hdlr"), 8) == PICTURES;
        let (id, timescale) = (behind_dates(child(track, b"tkhd")), behind_dates(child(media, b"mdhd")));
        if state.tracks == 1 || (is_pictures && !has_pictures) {
            has_pictures = is_pictures;
            (state.other_track, state.other_timescale) = (state.track, state.timescale);
            (state.track, state.timescale) = (id, timescale);
        } else if state.other_track == 0 {
            (state.other_track, state.other_timescale) = (id, timescale);
        }
    }
    // Without this it is a file that has no fragments.
    let mut has_fragments = false;
    let mut left = child(body, b"mvex");
    while let Some(default) = next(&mut left, b"trex") {
        let track = be32(default, 4);
        if track == state.track {
            (state.sample_ticks, state.sample_flags) = (be32(default, 12), be32(default, 20));
            has_fragments = true;
        } else if track == state.other_track {
            state.other_sample_ticks = be32(default, 12);
        }
    }
    state.head_bytes = state.at + size;
    (state.head_from, state.start, state.boundary) = (1, state.head_bytes, state.head_bytes);
    (state.timescale > 0 && has_fragments).then_some(())
}

/// Both `tkhd` and `mdhd` have two dates before what is wanted of them, of 4 bytes or of 8.
fn behind_dates(full: &[u8]) -> u64 {
    be32(full, if full.first() == Some(&0) { 12 } else { 20 })
}

/// `moof`: nothing where it cannot be cut.
fn fragment(state: &mut State, body: &[u8], cuts: &mut String) -> Option<()> {
    if state.head_bytes == 0 {
        return None;
    }
    let (mut ticks, mut other_ticks, mut is_key, mut tracks) = (0_u64, 0_u64, false, 0);
    let mut left = body;
    while let Some(mut track) = next(&mut left, b"traf") {
        tracks += 1;
        let run = Run::of(state, child(track, b"tfhd"))?;
        let mut run_ticks = 0_u64;
        while let Some(samples) = next(&mut track, b"trun") {
            let (more, begins_with_key) = run.samples(samples);
            is_key |= run.track == state.track && ticks == 0 && run_ticks == 0 && begins_with_key;
            run_ticks = run_ticks.saturating_add(more);
        }
        if run.track == state.track {
            ticks = ticks.saturating_add(run_ticks);
        } else if run.track == state.other_track {
            other_ticks = other_ticks.saturating_add(run_ticks);
        }
    }
    // Behind another one whose bytes have not come: nothing is cut between them, and they are as long as both.
    let ticks = ticks.saturating_add(state.data_ticks);
    // In parts of a second as the other one's are: up to 31 bits of them, which are more than a segment, fit with a timescale of 32.
    let other_ticks = other_ticks.min(1 << 31) * state.timescale / state.other_timescale.max(1);
    let other_ticks = other_ticks.saturating_add(state.data_other_ticks);
    let (before, more) = if ticks > 0 { (state.ticks, ticks) } else { (state.other_ticks, other_ticks) };
    if state.is_too_long(more) {
        return None;
    }
    let may_come_in = is_key && state.data_end == 0 && state.is_long_enough();
    if may_come_in || state.is_too_long(before.saturating_add(more)) {
        state.ticks = state.ticks.max(before);
        state.close(state.boundary, cuts);
    }
    (state.data_end, state.data_ticks, state.data_other_ticks) = (1, ticks, other_ticks);
    state.has_no_key |= u64::from(!is_key || tracks < state.tracks);
    Some(())
}

/// What a fragment says of all samples of a track.
struct Run {
    track: u64,
    sample_ticks: u64,
    sample_flags: u64,
}

impl Run {
    /// Of its `tfhd`; none where that counts from the beginning of the file.
    fn of(state: &State, header: &[u8]) -> Option<Self> {
        let (says, track) = (be32(header, 0), be32(header, 4));
        let sample_ticks = if track == state.track { state.sample_ticks } else { state.other_sample_ticks };
        let mut run = Self { track, sample_ticks, sample_flags: state.sample_flags };
        if says & 0x1 != 0 {
            return None;
        }
        if says & 0x8 != 0 {
            run.sample_ticks = be32(header, 8 + words(says & 0x2));
        }
        if says & 0x20 != 0 {
            run.sample_flags = be32(header, 8 + words(says & 0x1a));
        }
        Some(run)
    }

    /// How long the samples of a `trun` are, and whether the first can be shown without others.
    fn samples(&self, run: &[u8]) -> (u64, bool) {
        let (says, count) = (be32(run, 0), be32(run, 4));
        let first = 8 + words(says & 0x5);
        let flags = if says & 0x4 != 0 {
            be32(run, 8 + words(says & 0x1))
        } else if says & 0x400 != 0 {
            be32(run, first + words(says & 0x300))
        } else {
            self.sample_flags
        };
        // Both are of 32 bits.
        let mut ticks = count * self.sample_ticks;
        if says & 0x100 != 0 {
            ticks = 0;
            for sample in run.get(first..).unwrap_or_default().chunks_exact(words(says & 0xf00)).take(place(count)) {
                ticks += be32(sample, 0);
            }
        }
        (ticks, flags & IS_NO_KEY == 0)
    }
}

/// How many bytes the words have that are there by these flags, one for each.
fn words(flags: u64) -> usize {
    flags.count_ones() as usize * 4
}

/// The next box of this name in what is left of a box, as far as it is whole; nothing is left where there is none.
fn next<'a>(left: &mut &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    loop {
        let (whole, rest) = left.split_at_checked(place(be32(left, 0)))?;
        *left = rest;
        // One that has no head has no size that can be gone on by.
        let body = whole.get(8..)?;
        if whole.get(4..8) == Some(name) {
            return Some(body);
        }
    }
}

/// The first of them; nothing where there is none.
fn child<'a>(mut body: &'a [u8], name: &[u8]) -> &'a [u8] {
    next(&mut body, name).unwrap_or_default()
}

/// A place in what is at hand; one that is far behind it where it is no such place.
fn place(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// A number of 32 bits; 0 where there are no such bytes, which means nothing anywhere.
fn be32(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |word| u32::from_be_bytes(*word).into())
}
