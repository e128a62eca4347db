//! What was found of a file, as a media playlist (RFC 8216, section 4): byte ranges of the file beside it. As long as more comes it is an
//! `EVENT`, to which lines are added, and from which none are taken.

use super::{
    TARGET_SECONDS, push,
    state::{Kind, State},
};
use upload_types::api_error::ApiError;

/// Its media type.
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

/// The playlist of what is kept; refused where the file cannot be cut. `query` stands behind the addresses: what whoever asks may read the
/// file with, or nothing.
pub fn written(kept: &str, query: &str) -> Result<String, ApiError> {
    let (known, mut cuts) = kept.split_once('\n').unwrap_or_default();
    let state = State::read(known);
    let (version, extension) = match state.kind {
        Kind::Unfit => return Err(ApiError::NoPlaylist),
        Kind::Mp4 => ("7", ".mp4"),
        Kind::Unknown | Kind::Ts => ("4", ".ts"),
    };
    // The last parameter is read by nobody here: there are players that want to see an extension, and look at the end.
    let joint = if query.is_empty() { "?" } else { "&" };
    let address = ["content", query, joint, "as=", extension].concat();
    let mut text = ["#EXTM3U\n#EXT-X-VERSION:", version, "\n#EXT-X-TARGETDURATION:"].concat();
    push(&mut text, TARGET_SECONDS, "\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n");
    if state.head_bytes > 0 {
        for piece in ["#EXT-X-MAP:URI=\"", &address, "\",BYTERANGE=\""] {
            text.push_str(piece);
        }
        push(&mut text, state.head_bytes, "@0\"\n");
    }
    let mut start = state.head_bytes;
    while let Some((cut, rest)) = cuts.split_once('\n') {
        cuts = rest;
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
