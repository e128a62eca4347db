//! What the server is told that a file is called. It takes names of 1 to 1,024 bytes without control characters, in UTF-8.

use std::ffi::OsStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// As the server bounds it.
const MAX_NAME_BYTES: usize = 1024;
/// All but plain characters.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'/').remove(b' ');

/// A name that the server takes.
pub(crate) fn shown(name: &OsStr) -> String {
    let clean: String =
        name.to_string_lossy().chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    let mut end = clean.len().min(MAX_NAME_BYTES);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 { "file".to_owned() } else { clean[..end].to_owned() }
}

/// The exact bytes of a name that [`shown`] cannot say, each that is no plain character as `%` and two digits.
pub(crate) fn exact(name: &OsStr) -> Option<String> {
    if name.to_str().is_some_and(|text| text == shown(name)) {
        return None;
    }
    Some(percent_encode(name.as_encoded_bytes(), &ENCODED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_as_well_as_it_can_be_and_its_bytes_beside_it() {
        assert_eq!((shown(OsStr::new("ä b.txt")), exact(OsStr::new("ä b.txt"))), ("ä b.txt".to_owned(), None));
        assert_eq!(shown(OsStr::new("a\nb")), "a\u{fffd}b");
        assert_eq!(exact(OsStr::new("a\nb")).as_deref(), Some("a%0Ab"));
        assert_eq!(shown(OsStr::new("")), "file");
        let long = "ä".repeat(600);
        assert_eq!(shown(OsStr::new(&long)).len(), 1024);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_utf_8_keeps_its_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let name = OsStr::from_bytes(b"caf\xe9.txt");
        assert_eq!(shown(name), "caf\u{fffd}.txt");
        assert_eq!(exact(name).as_deref(), Some("caf%E9.txt"));
    }
}
