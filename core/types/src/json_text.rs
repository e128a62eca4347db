//! Bytes that ought to be JSON, as the text that a parser reads.

/// The bytes as text. Where they are cut off inside a character, what stands before it, which a parser finds unfinished; where they are no
/// UTF-8 at all, and so no JSON either (RFC 8259, section 8.1), something that is no JSON.
pub fn of(bytes: &[u8]) -> &str {
    const NO_JSON: &str = "?";
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(broken) if broken.error_len().is_none() => {
            bytes.get(..broken.valid_up_to()).and_then(|front| std::str::from_utf8(front).ok()).unwrap_or(NO_JSON)
        }
        Err(_) => NO_JSON,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_inside_a_character_is_unfinished_and_what_is_no_text_is_no_json() {
        let read = |bytes: &[u8]| serde_json::from_str::<serde_json::Value>(of(bytes)).map_err(|error| error.is_eof());
        let whole = "{\"name\":\"Zoë\"}".as_bytes();
        assert!(read(whole).is_ok());
        assert_eq!(read(&whole[..12]), Err(true), "inside the ë");
        assert_eq!(read(b"{\"name\":\"Zo\xeb\"}"), Err(false), "Latin-1");
        assert_eq!(read(b""), Err(true));
    }
}
