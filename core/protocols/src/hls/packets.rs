//! MPEG-TS (ISO/IEC 13818-1): packets of 188 bytes. Time is told by the first PID that has a clock, which is that of the pictures as recorders
//! make it. A segment begins where a packet of this PID says that somebody may come in there, with the tables before it; where none says so
//! for as long as a segment may be, at any picture or sound, and a player that begins there is shown the first tables that there were.

use super::state::{Kind, State};

const PACKET_BYTES: usize = 188;

/// What each begins with.
const SYNC: u8 = 0x47;

/// The clock has 90,000 ticks in a second, and 33 bits.
const TICKS: u64 = 90_000;
const CLOCK_END: u64 = 1 << 33;

/// So long it is waited for somewhere to come in: key frames that are 10 seconds apart are.
const LONGEST_WAIT_MS: u64 = 10_200;

/// A clock that leaps further, or back, is another one from there on.
const LONGEST_LEAP: u64 = 10 * TICKS;

/// Where the clock does not go on for so long, nothing is known of the time. It has to say something ten times a second (ISO/IEC 13818-1, 2.7.2):
/// of a stream that says something each second, these are 67 Mbit.
pub(super) const LONGEST_SILENCE_BYTES: u64 = 8 * 1024 * 1024;

/// Tables that stand together are shorter: those of a recorder are two or three packets, in which others of sound may stand.
const MOST_HEAD_BYTES: u64 = 16 * PACKET_BYTES as u64;

/// Whether a file is one that begins so; none where more must be seen.
pub(super) fn is_one(bytes: &[u8]) -> Option<bool> {
    Some(*bytes.first()? == SYNC && *bytes.get(PACKET_BYTES)? == SYNC && *bytes.get(2 * PACKET_BYTES)? == SYNC)
}

/// Looks at a packet. What is none is passed byte by byte, until two stand behind one another.
pub(super) fn step(state: &mut State, bytes: &[u8], cuts: &mut String) -> Option<u64> {
    let (packet, behind) = bytes.split_at_checked(PACKET_BYTES)?;
    if state.at.saturating_sub(state.boundary) > LONGEST_SILENCE_BYTES {
        state.kind = Kind::Unfit;
        return None;
    }
    if packet[0] != SYNC || (state.is_lost > 0 && *behind.first()? != SYNC) {
        state.is_lost = 1;
        return Some(1);
    }
    state.is_lost = 0;
    state.timescale = TICKS;
    look(state, packet, cuts);
    Some(PACKET_BYTES as u64)
}

fn look(state: &mut State, packet: &[u8], cuts: &mut String) {
    let pid = u64::from(packet[1] & 0x1f) << 8 | u64::from(packet[2]);
    let adaptation_bytes = if packet[3] & 0x20 == 0 { 0 } else { packet[4] };
    let flags = if adaptation_bytes == 0 { 0 } else { packet[5] };
    let has_clock = flags & 0x10 != 0 && adaptation_bytes >= 7;
    if has_clock && state.clock_pid == 0 {
        state.clock_pid = pid + 1;
    }
    if pid == 0 && state.tables_at == 0 {
        state.tables_at = state.at + 1;
    }
    if state.clock_pid != pid + 1 {
        return;
    }
    let end = if state.tables_at > 0 { state.tables_at - 1 } else { state.at };
    let tables_bytes = state.at - end;
    // More than one packet: one has the list of programs alone.
    if state.head_bytes == 0 && tables_bytes > PACKET_BYTES as u64 && tables_bytes <= MOST_HEAD_BYTES {
        (state.head_at, state.head_bytes) = (end, tables_bytes);
    }
    let passed = if has_clock { tell(state, &packet[6..11]) } else { 0 };
    if state.is_too_long(state.ticks + passed) {
        state.close(end, cuts);
    }
    if passed > 0 {
        state.ticks += passed;
        state.boundary = state.at;
    }
    let may_come_in = flags & 0x40 != 0 && state.is_long_enough();
    let must_end = state.ms(state.ticks) >= LONGEST_WAIT_MS && (packet[1] & 0x40 != 0 || has_clock);
    if may_come_in || must_end {
        state.close(end, cuts);
    }
    // Cut right here, with no tables before it.
    if state.start == state.at && state.head_bytes > 0 && state.head_from == 0 {
        state.head_from = state.cuts + 1;
    }
    state.tables_at = 0;
}

/// The clock says so: how much time has passed since it said something. It begins anew after 26 hours. What leaps is another clock, and
/// nothing is known of the time between.
fn tell(state: &mut State, says: &[u8]) -> u64 {
    let clock = says.iter().fold(0, |clock, byte| clock << 8 | u64::from(*byte)) >> 7;
    let before = state.clock.checked_sub(1).unwrap_or(clock);
    state.clock = clock + 1;
    let passed = (clock + CLOCK_END - before) % CLOCK_END;
    if passed <= LONGEST_LEAP { passed } else { 0 }
}
