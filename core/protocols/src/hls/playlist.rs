//! What was found of a file, as a media playlist (RFC 8216, section 4): byte ranges of the file beside it. As long as more comes it is an
//! `EVENT`, to which lines are added, and from which none are taken.

use super::{
    TARGET_SECONDS, push,
    state::{Kind, State},
};
use upload_types::api_error::ApiError;

/// None is longer: it is made as a whole, in 128 MB with all others. 20,000 segments fit with addresses of 355 bytes, which are those of links
/// without the name of a file, or with one of 200 bytes. With a name of 1,024 bytes, each of which takes three, 2,450 fit, which is after three
/// hours: nothing of a link may be left out, as all of it is signed.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// What a segment has besides its address is less: `#EXTINF:10.499,` and `#EXT-X-BYTERANGE:` with two numbers of 13 digits, and ends of lines.
const MOST_LINE_BYTES: u64 = 64;

/// Its media type.
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

/// The playlist of what is kept; refused where the file cannot be cut. `query` stands behind the addresses: what whoever asks may read the
/// file with, or nothing.
pub fn written(kept: &str, query: &str) -> Result<String, ApiError> {
    let (known, mut cuts) = kept.split_once('\n').unwrap_or_default();
    let state = State::read(known);
    let (extension, mut start) = match state.kind {
        Kind::Unfit => return Err(ApiError::NoPlaylist),
        Kind::Mp4 => (".mp4", state.head_bytes),
        Kind::Unknown | Kind::Ts => (".ts", 0),
    };
    // The last parameter is read by nobody here: there are players that want to see an extension, and look at the end.
    let joint = if query.is_empty() { "?" } else { "&" };
    let address = ["content", query, joint, "as=", extension].concat();
    if state.cuts > MOST_BYTES / (address.len() as u64 + MOST_LINE_BYTES) {
        return Err(ApiError::NoPlaylist);
    }
    // 7 is what a head of fragmented MP4 and one of MPEG-TS need, and is the same before it is known what comes.
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:");
    push(&mut text, TARGET_SECONDS, "\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n");
    let mut number = 0;
    while let Some((cut, rest)) = cuts.split_once('\n') {
        cuts = rest;
        number += 1;
        if number == state.head_from {
            text.push_str("#EXT-X-MAP:URI=\"");
            text.push_str(&address);
            text.push_str("\",BYTERANGE=\"");
            push(&mut text, state.head_bytes, "@");
            push(&mut text, state.head_at, "\"\n");
        }
        let (bytes, ms) = cut.split_once(' ').unwrap_or_default();
        let (bytes, ms) = (bytes.parse().unwrap_or(0), ms.parse::<u64>().unwrap_or(0));
        text.push_str("#EXTINF:");
        push(&mut text, ms / 1000, ".");
        // Three digits: the first of four is left out.
        let digits = (1000 + ms % 1000).to_string();
        text.push_str(digits.get(1..).unwrap_or_default());
        text.push_str(",\n#EXT-X-BYTERANGE:");
        push(&mut text, bytes, "@");
        push(&mut text, start, "\n");
        text.push_str(&address);
        text.push('\n');
        start += bytes;
    }
    if state.ended > 0 {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    Ok(text)
}
