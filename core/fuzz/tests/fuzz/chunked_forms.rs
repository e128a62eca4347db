//! The fields of a chunked form, one a line: `name=value`.

use http::Method;
use upload_protocols::{
    Head,
    chunked_form::{Said, recognize},
};
use upload_types::{keyed_chunk::Place, units::ByteCount};

/// What is understood of them lies in the file that they speak of, and says of it only what can be told.
pub(crate) fn fields(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let fields: Vec<_> = text
        .lines()
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let head = Head {
        method: Method::POST,
        path: "/upload".to_owned(),
        query: String::new(),
        headers: upload_protocols::Headers::default(),
    };
    let said = Said { head: &head, fields: &fields, file_name: Some("a/b.bin"), content_type: Some("image/png") };
    let Ok(Some(chunk)) = recognize(&said) else { return };
    let length = chunk.length.unwrap_or(ByteCount::from(7));
    let Ok(keyed) = chunk.keyed(&said, length) else { return };
    match keyed.place {
        Place::At(offset) => {
            let (end, total) = (offset.checked_add(length), keyed.file_bytes);
            assert!(end.is_some_and(|end| total.is_some_and(|total| end <= total)), "{offset} {length} {total:?}");
        }
        Place::Numbered { index, count } => assert!(index < count),
    }
    assert!(!keyed.file.name.is_empty() && !keyed.file.name.chars().any(char::is_control), "{:?}", keyed.file.name);
    let metadata_bytes: usize = keyed.file.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(metadata_bytes <= 8 * 1024);
    assert_eq!(recognize(&said).unwrap().unwrap().keyed(&said, length).unwrap().key, keyed.key);
}
