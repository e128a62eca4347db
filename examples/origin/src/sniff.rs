//! What a file is, by its first bytes. The type that the client declared is only a claim: decide by this one.

/// How many first bytes are enough. The furthest signature that matters (tar) ends at byte 262; office documents are
/// told apart by entries a little further in.
pub(crate) const SNIFF_BYTES: usize = 8192;

/// The media type, when the bytes have a known signature. Plain text and many formats have none.
pub(crate) fn media_type(head: &[u8]) -> Option<&'static str> {
    infer::get(head).map(|found| found.mime_type())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown() {
        let cases: [(&[u8], Option<&str>); 5] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png")),
            (b"%PDF-1.7\n", Some("application/pdf")),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", Some("video/mp4")),
            (b"just some words", None),
            (b"", None),
        ];
        for (head, expected) in cases {
            assert_eq!(media_type(head), expected, "{head:?}");
        }
    }
}
