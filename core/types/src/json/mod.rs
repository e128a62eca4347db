//! How the product reads JSON, all of it: from a text or from bytes that ought to be one, and structs by the names of their members alone.

use serde::de::DeserializeOwned;

use by_name::ByName;

mod by_name;

/// What the whole text says.
///
/// # Errors
/// It is no JSON, is not of this shape, or something stands behind it.
pub fn from_str<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(ByName(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// What the bytes say.
///
/// # Errors
/// As of [`from_str`]; of bytes that end inside a character it says that they are unfinished.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    from_str(match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(broken) if broken.error_len().is_none() => UNFINISHED,
        Err(_) => NO_JSON,
    })
}

/// What stands for bytes that are cut off inside a character: whatever comes before it, more was to come.
const UNFINISHED: &str = "";

/// What stands for bytes that are no UTF-8, and so no JSON either (RFC 8259, section 8.1).
const NO_JSON: &str = "?";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_inside_a_character_is_unfinished_and_what_is_no_text_is_no_json() {
        let read = |bytes: &[u8]| from_slice::<serde_json::Value>(bytes).map_err(|error| error.is_eof());
        let whole = "{\"name\":\"Zoë\"}".as_bytes();
        assert!(read(whole).is_ok());
        assert_eq!(read(&whole[..12]), Err(true), "inside the ë");
        assert_eq!(read(b"{\"name\":\"Zo\xeb\"}"), Err(false), "Latin-1");
        assert_eq!(read(b"{}\xc3"), Err(true), "something stood behind it");
        assert_eq!(read(b""), Err(true));
    }
}
