//! A file that is handed out to everybody, on a host of its own: its address, and who asks for it.
//!
//! The address is `{host}/{upload id}/{file name}`. The id finds the file, and nobody guesses it. The name is for people and for what saves the
//! file: it must be the right one, so that nobody passes a file off as another, and so that caches keep it once.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{preconditions::Conditions, units::UploadId};

/// What a file is called whose name would mean something else in an address.
const FALLBACK: &str = "file";

/// What stands for itself in a segment of a path, and in the extended notation of RFC 8187: letters, digits, and these.
pub const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Somebody asks for a public file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicFile {
    /// Of which upload.
    pub id: UploadId,
    /// What it is called in the address.
    pub name: String,
    /// Whether only the headers are wanted.
    pub head_only: bool,
    /// Whether it is wanted at all, and how much of it.
    pub conditions: Conditions,
}

/// What a file of this name is called in its address: the last segment, where the name has several.
pub fn name(file_name: &str) -> &str {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    if matches!(last, "" | "." | "..") { FALLBACK } else { last }
}

/// Its address on this host.
pub fn url(host: &str, id: UploadId, file_name: &str) -> String {
    format!("{host}/{id}/{}", utf8_percent_encode(name(file_name), ATTRIBUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_segment_for_the_name_whatever_that_is() {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        for (file_name, expected) in [
            ("photo.jpg", "photo.jpg"),
            ("holidays/2026/ä b.jpg", "%C3%A4%20b.jpg"),
            ("C:\\photos\\a.jpg", "a.jpg"),
            ("100%25?#;.html", "100%2525%3F%23%3B.html"),
            ("", "file"),
            ("a/", "file"),
            (".", "file"),
            ("a/..", "file"),
            ("...", "..."),
        ] {
            let expected = format!("https://files.example.com/{id}/{expected}");
            assert_eq!(url("https://files.example.com", id, file_name), expected, "{file_name}");
        }
    }
}
