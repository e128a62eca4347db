//! HLS (RFC 8216) over a file that lies there as one piece: where it can be cut, and the media playlist that says so by byte ranges. Nothing
//! is copied and nothing is written while the file is recorded: whoever asks for a playlist has the bytes looked at that nobody has looked at
//! yet.
//!
//! * [`cutter`]: looks at bytes in order, tells which it wants next, and finds cuts. What it knows is a short text from which another one goes
//!   on later, and depends on nothing but the bytes before it: two that look at the same bytes find the same.
//! * `state`: that text, and when a segment ends.
//! * `boxes`: fragmented MP4. `packets`: MPEG-TS.
//! * [`playlist`]: what was found, as a playlist.
//!
//! What was found of a file is a text: a line with what is known, which is empty where nothing is, and a line for each cut: how many bytes a
//! segment has, and how many milliseconds it lasts. Where it begins the lines before it say. Whoever keeps such texts need not understand
//! them: see [`cutter::Cutter::found`].

mod boxes;
pub mod cutter;
mod packets;
pub mod playlist;
mod state;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// `EXT-X-TARGETDURATION`, which must not change while a playlist is read (RFC 8216, section 6.2.1), and so is the same for all: no
/// segment is longer, in whole seconds. Encoders have a key frame each 250 frames by default; of 24 or more in a second these fit.
const TARGET_SECONDS: u64 = 10;

/// The longest that is 10 seconds when it is rounded.
const LONGEST_MS: u64 = TARGET_SECONDS * 1000 + 499;

/// Fragments that are shorter are put together: each segment is a request.
const LEAST_MS: u64 = 3_000;

/// From the 2,048th segment on, which is after two hours or so, they are longer: a playlist is read as a whole, each time anew.
const LEAST_LATER_MS: u64 = 8_000;

/// See [`LEAST_LATER_MS`].
const FIRST_CUTS: u64 = 2_048;

/// No playlist has more segments. A line of one is up to 15 bytes, which makes 300 KB of them where they are kept; with a link's query
/// it is 200 bytes in the playlist, which makes 4 MB ([`playlist`] says what a longer one does). 2,048 of 4 seconds and 17,952 of 9 are 47
/// hours.
const MOST_CUTS: u64 = 20_000;

/// A number, and what stands behind it.
fn push(text: &mut String, number: u64, behind: &str) {
    text.push_str(&number.to_string());
    text.push_str(behind);
}
