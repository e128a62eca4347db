//! Resumable.js, and Flow.js and simple-uploader.js, which descend from it and have other names for the same fields. A chunk is numbered
//! from 1; the last one is up to twice as long as the others, unless `forceChunkSize` is set. Before a chunk is sent, a GET with the same
//! fields in its query asks whether it is there: 200 means that it is, 204 that it is to be sent. Three chunks are under way at once.
//!
//! The identifier is made of the file's length and path, so a file is found again after its page was reloaded; and two files of one length
//! and path are one, unless `generateUniqueIdentifier` tells them apart.

use super::{FormChunk, Library, Said};
use crate::Head;
use upload_types::{
    api_error::ApiError,
    keyed_chunk::{KnownAs, Place},
    units::ByteCount,
};

/// What one of them calls its fields.
struct Words {
    library: Library,
    number: &'static str,
    chunk_bytes: &'static str,
    length: &'static str,
    total: &'static str,
    identifier: &'static str,
    name: &'static str,
    path: &'static str,
    count: &'static str,
    /// Empty where it does not say it.
    content_type: &'static str,
    all: [&'static str; 9],
}

macro_rules! words {
    ($library:ident: $number:literal, $chunk_bytes:literal, $length:literal, $total:literal, $identifier:literal, $name:literal, $path:literal, $count:literal, $content_type:literal) => {
        Words {
            library: Library::$library,
            number: $number,
            chunk_bytes: $chunk_bytes,
            length: $length,
            total: $total,
            identifier: $identifier,
            name: $name,
            path: $path,
            count: $count,
            content_type: $content_type,
            all: [$number, $chunk_bytes, $length, $total, $identifier, $name, $path, $count, $content_type],
        }
    };
}

const ALL: [Words; 3] = [
    words!(Resumable: "resumableChunkNumber", "resumableChunkSize", "resumableCurrentChunkSize", "resumableTotalSize", "resumableIdentifier", "resumableFilename", "resumableRelativePath", "resumableTotalChunks", "resumableType"),
    words!(Flow: "flowChunkNumber", "flowChunkSize", "flowCurrentChunkSize", "flowTotalSize", "flowIdentifier", "flowFilename", "flowRelativePath", "flowTotalChunks", ""),
    words!(SimpleUploader: "chunkNumber", "chunkSize", "currentChunkSize", "totalSize", "identifier", "filename", "relativePath", "totalChunks", ""),
];

/// Whether the query of a request says which chunk it is about.
pub(super) fn is_asked(head: &Head) -> bool {
    let has = |name: &str| head.query_parameter(name).is_some();
    ALL.iter().any(|words| has(words.identifier) && has(words.number))
}

pub(super) fn read(said: &Said<'_>) -> Result<Option<FormChunk>, ApiError> {
    let has = |name: &str| said.field(name).is_some();
    match ALL.iter().find(|words| has(words.identifier) && has(words.number)) {
        None => Ok(None),
        Some(words) => chunk(said, words).map(Some),
    }
}

fn chunk(said: &Said<'_>, words: &'static Words) -> Result<FormChunk, ApiError> {
    let (number, count) = (said.count(words.number)?, said.count(words.count)?);
    let (chunk_bytes, length, total) =
        (said.bytes(words.chunk_bytes)?, said.bytes(words.length)?, said.bytes(words.total)?);
    if number == 0 || number > count {
        return Err(ApiError::bad_request(words.number, format!("is not from 1 to {}", words.count)));
    }
    let offset = u64::from(number - 1).checked_mul(chunk_bytes.get()).and_then(ByteCount::new);
    let end = offset.and_then(|offset| offset.checked_add(length)).filter(|end| *end <= total);
    let (Some(offset), Some(end)) = (offset, end) else {
        return Err(ApiError::bad_request(words.number, format!("lies beyond {}", words.total)));
    };
    if length != chunk_bytes && end != total {
        let detail = format!("is another than {}, as only that of the last chunk may be", words.chunk_bytes);
        return Err(ApiError::bad_request(words.length, detail));
    }
    let text = |name| said.field(name).filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(FormChunk {
        library: words.library,
        identifier: said.needed(words.identifier)?.to_owned(),
        own_key: None,
        known_as: KnownAs::ThisFile,
        name: text(words.name),
        content_type: text(words.content_type),
        relative_path: text(words.path),
        file_bytes: Some(total),
        place: Place::At(offset),
        length: Some(length),
        own_fields: &words.all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunked_form::tests::{field_of, said};

    const CHUNK: [(&str, &str); 9] = [
        ("resumableChunkNumber", "2"),
        ("resumableChunkSize", "10"),
        ("resumableCurrentChunkSize", "15"),
        ("resumableTotalSize", "25"),
        ("resumableType", "image/png"),
        ("resumableIdentifier", "25-abin"),
        ("resumableFilename", "a.bin"),
        ("resumableRelativePath", "x/a.bin"),
        ("resumableTotalChunks", "2"),
    ];

    #[test]
    fn the_last_chunk_may_be_longer() {
        let chunk = said(&CHUNK, read).unwrap().unwrap();
        assert_eq!((chunk.place, chunk.length), (Place::At(10.into()), Some(15.into())));
        assert_eq!((chunk.name.as_deref(), chunk.content_type.as_deref()), (Some("a.bin"), Some("image/png")));
    }

    #[test]
    fn each_of_the_three_has_its_own_words_and_its_own_files() {
        let mut identifiers = Vec::new();
        for words in &ALL {
            let values = ["1", "10", "10", "25", "25-abin", "a.bin", "", "2", ""];
            let fields: Vec<_> = words.all.into_iter().zip(values).collect();
            let chunk = said(&fields, read).unwrap().unwrap();
            assert_eq!((chunk.library, chunk.place), (words.library, Place::At(ByteCount::ZERO)));
            let query: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let head = crate::sample::head(http::Method::GET, &format!("/upload?{}", query.join("&")), &[]);
            assert!(is_asked(&head), "{:?}", words.library);
            identifiers.push((chunk.library, chunk.identifier));
        }
        assert_eq!(identifiers.len(), 3);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for (name, value, expected) in [
            ("resumableChunkNumber", "0", "resumableChunkNumber"),
            ("resumableChunkNumber", "3", "resumableChunkNumber"),
            ("resumableTotalSize", "24", "resumableChunkNumber"),
            ("resumableTotalSize", "26", "resumableCurrentChunkSize"),
            ("resumableChunkSize", "x", "resumableChunkSize"),
            ("resumableChunkSize", "9007199254740991", "resumableChunkNumber"),
        ] {
            let fields = CHUNK.map(|(known, was)| (known, if known == name { value } else { was }));
            assert_eq!(field_of(said(&fields, read)), expected, "{name} {value}");
        }
    }
}
