//! Looks at the bytes of a file in order and finds where it can be cut. It does no I/O: it says which byte it wants next, and is given some
//! from there on, as many as are at hand. What it does not want to see it passes over.
//!
//! Whatever the bytes are, each step passes at least one of them or waits for more, and no more than [`boxes::MOST_BOX_BYTES`] and what it was
//! given last are kept.

use super::{
    boxes, packets,
    state::{Kind, State},
};

/// What was looked at and has no cut is worth keeping from so many bytes on.
const WORTH_KEEPING_BYTES: u64 = 4 * 1024 * 1024;

/// What stands behind the last time that was told goes with the last segment, if it is no more than a picture, or than the quarter of a segment
/// as they are in this file: one or two seconds. It is 16 seconds of sound alone, of 128 kbit each.
const MOST_UNTIMED_BYTES: u64 = 256 * 1024;

/// Somebody who looks.
#[derive(Debug, Default)]
pub struct Cutter {
    state: State,
    /// What was known before, and from which byte on it looks.
    before: String,
    begun_at: u64,
    /// The bytes from `state.at` on that were given and could not be understood without those behind them.
    kept: Vec<u8>,
    cuts: String,
}

impl Cutter {
    /// Goes on where another one was, by what is kept.
    pub fn knowing(kept: &str) -> Self {
        let before = kept.split_once('\n').map_or("", |(known, _)| known).to_owned();
        let state = State::read(&before);
        Self { begun_at: state.at, state, before, ..Self::default() }
    }

    /// The next byte that it wants.
    pub fn wants(&self) -> u64 {
        self.state.at.saturating_add(self.kept.len() as u64)
    }

    /// Whether it wants none any more: all is cut, or nothing can be.
    pub fn is_done(&self) -> bool {
        self.state.ended > 0 || self.state.kind == Kind::Unfit
    }

    /// What is to be kept now, if that is worth it: a line with what is known, in place of the one before, and the cuts behind those that
    /// are kept. It is worth it in any case where it has not come to the end of what is there: the next one goes on.
    pub fn found(&self, there: u64) -> Option<String> {
        let passed = self.state.at - self.begun_at;
        let is_cut_short = passed > 0 && self.wants() < there;
        let is_worth = !self.cuts.is_empty() || self.is_done() || is_cut_short || passed >= WORTH_KEEPING_BYTES;
        let known = self.state.written();
        (is_worth && known != self.before).then(|| [&known, "\n", &self.cuts].concat())
    }

    /// What it knows by now.
    #[cfg(test)]
    pub(super) fn known(&self) -> String {
        self.state.written()
    }

    /// The cuts that it has found since it began.
    #[cfg(test)]
    pub(super) fn cuts(&self) -> &str {
        &self.cuts
    }

    /// Takes bytes, the first of which is the one that it [wants](Self::wants).
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.extend_from_slice(bytes);
        let mut rest = &kept[..];
        while !self.is_done()
            && let Some(passed) = self.step(rest)
        {
            self.state.at = self.state.at.saturating_add(passed);
            // What is passed over and not here yet is not wanted either.
            rest = usize::try_from(passed).ok().and_then(|passed| rest.get(passed..)).unwrap_or_default();
        }
        if !self.is_done() {
            let done = kept.len() - rest.len();
            kept.drain(..done);
            self.kept = kept;
        }
    }

    /// So many bytes are there: a fragment that ends with the last of them is whole.
    pub fn reached(&mut self, there: u64) {
        if self.state.kind == Kind::Mp4 && self.state.data_end <= there {
            boxes::arrive(&mut self.state, &mut self.cuts);
        }
    }

    /// The file has so many bytes, and it has seen all that it wants of them. A fragment that is cut off is left out, which is not whole.
    pub fn end(&mut self, file_bytes: u64) {
        if self.state.data_end == u64::MAX {
            (self.state.data_end, self.state.at) = (file_bytes, file_bytes);
        }
        self.reached(file_bytes);
        let state = &mut self.state;
        let end = if state.kind == Kind::Mp4 { state.boundary } else { file_bytes };
        state.ticks = state.ticks.max(state.other_ticks);
        let told_at = if state.ticks > 0 { state.boundary } else { state.start };
        let most_bytes = MOST_UNTIMED_BYTES.max(file_bytes / 4 / (state.cuts + 1));
        if (state.ticks > 0 || state.cuts > 0) && end.saturating_sub(told_at) <= most_bytes {
            state.close(end, &mut self.cuts);
        } else {
            state.kind = Kind::Unfit;
        }
        state.ended = 1;
    }

    /// How many of these bytes have been looked at, or are not wanted; none where more must be seen.
    fn step(&mut self, bytes: &[u8]) -> Option<u64> {
        match self.state.kind {
            Kind::Unknown => {
                self.state.kind = kind(bytes)?;
                Some(0)
            }
            Kind::Mp4 => boxes::step(&mut self.state, bytes, &mut self.cuts),
            Kind::Ts => packets::step(&mut self.state, bytes, &mut self.cuts),
            Kind::Unfit => None,
        }
    }
}

/// What a file is that begins so; none where more must be seen.
fn kind(bytes: &[u8]) -> Option<Kind> {
    if packets::is_one(bytes)? {
        return Some(Kind::Ts);
    }
    let name = bytes.get(4..8)?;
    Some(if matches!(name, b"ftyp" | b"styp" | b"moov") { Kind::Mp4 } else { Kind::Unfit })
}
