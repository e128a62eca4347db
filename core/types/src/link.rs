//! A link to a finished object: as its owner asks for it, and as somebody comes with it. Only what cannot run is shown in a browser's
//! window; everything else is saved.

use crate::{preconditions::Conditions, units::UploadId};

/// The longest that a link may be asked to be good, in seconds: 7 days.
pub const MAX_LINK_SECONDS: u64 = 7 * 86_400;

/// A link that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRequest {
    /// How long it is to be good, in seconds; none where that is left to the deployment. From 1 to [`MAX_LINK_SECONDS`].
    pub expires_in_seconds: Option<u64>,
    /// As what it hands out the object.
    pub presentation: Presentation,
}

/// As what an object is handed out by a link. Whoever made the link has decided, and nobody on the way can change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presentation {
    /// What a browser does with it.
    pub disposition: Disposition,
    /// What it is called; none where it has the name that it was uploaded with.
    pub file_name: Option<String>,
    /// Whether it is for whoever looks at what is held: the scanner, and whoever runs the service. Nobody else is handed such a link.
    pub for_scanner: bool,
}

/// The object, or a range of it, to whoever comes with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Of which upload.
    pub id: UploadId,
    /// When the URL stops working, in seconds since the epoch, as the URL says.
    pub expires_unix_seconds: u64,
    /// The URL's signature, in hexadecimal, not verified yet.
    pub signature: String,
    /// As what it is handed out, as the URL says.
    pub presentation: Presentation,
    /// Whether only the headers are wanted.
    pub head_only: bool,
    /// Whether it is wanted at all, and how much of it.
    pub conditions: Conditions,
    /// What of it is served.
    pub served: Served,
}

/// What of an object is served to whoever may read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Served {
    /// Its bytes.
    #[default]
    Bytes,
    /// A playlist of ranges of them.
    Playlist,
}

/// What a browser does with an object (RFC 6266).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// It saves it.
    #[default]
    Attachment,
    /// It shows it.
    Inline,
}

/// The type under which an object may be shown in a browser; none where it may only be saved. Images, sound, moving pictures and plain text
/// run nothing. What ends in `+xml` is a document to a browser, with scripts (SVG, XHTML).
///
/// Parameters are left out: behind a comma in one of them stands what a browser takes for another type, and the last one counts. The
/// `charset` of plain text stays, where there is no comma.
pub fn inline_type(content_type: &str) -> Option<&str> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/')?;
    if essence.eq_ignore_ascii_case("text/plain") {
        return Some(if content_type.contains(',') { essence } else { content_type });
    }
    let is_media = ["image", "audio", "video"].iter().any(|name| kind.eq_ignore_ascii_case(name));
    let is_plain = subtype.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    (is_media && is_plain).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_nothing_is_shown() {
        for (content_type, shown) in [
            ("image/png", Some("image/png")),
            ("Image/JPEG", Some("Image/JPEG")),
            ("image/vnd.microsoft.icon", Some("image/vnd.microsoft.icon")),
            ("video/webm;codecs=vp8,opus", Some("video/webm")),
            ("audio/x-wav ; a=b", Some("audio/x-wav")),
            ("text/plain", Some("text/plain")),
            ("text/plain; charset=utf-8", Some("text/plain; charset=utf-8")),
            ("text/plain; a=b, text/html", Some("text/plain")),
            ("image/png; a=b, text/html", Some("image/png")),
            ("image/svg+xml", None),
            ("IMAGE/SVG+XML; charset=utf-8", None),
            ("audio/x+xml", None),
            ("image/png,text/html", None),
            ("text/html", None),
            ("text/xml", None),
            ("text/javascript", None),
            ("application/xhtml+xml", None),
            ("application/pdf", None),
            ("application/octet-stream", None),
            ("multipart/x-mixed-replace", None),
            ("image", None),
            ("", None),
        ] {
            assert_eq!(inline_type(content_type), shown, "{content_type}");
        }
    }
}
