//! Plupload with `chunk_size`: `name`, `chunk` from 0, `chunks`. One chunk comes after the other. It says neither how long the file is nor how
//! long a chunk is, and has no name for the file but its own, or with `unique_names: true` one that nothing else has. So the name and the
//! number of chunks are the key, and whoever sends chunk 0 means a new upload; unless an `Idempotency-Key` tells files apart.
//!
//! Its `send_chunk_number: false` is not read: `name`, `offset` and `total` may be the fields of any form.

use super::{FormChunk, Library, Said};
use crate::idempotency;
use upload_types::{
    api_error::ApiError,
    keyed_chunk::{KnownAs, Place},
};

const FIELDS: [&str; 3] = ["name", "chunk", "chunks"];

pub(super) fn read(said: &Said<'_>) -> Result<Option<FormChunk>, ApiError> {
    if said.field("chunk").is_none() || said.field("chunks").is_none() {
        return Ok(None);
    }
    let (index, count) = (said.count("chunk")?, said.count("chunks")?);
    // Of an empty file there are none, and the first of them comes.
    let count = count.max(1);
    if index >= count {
        return Err(ApiError::bad_request("chunk", "is not below chunks; the first is 0"));
    }
    let name = said.field("name").or(said.file_name).map(str::to_owned);
    let identifier = format!("{count} chunks {}", name.as_deref().unwrap_or_default());
    let own_key = idempotency::parse(said.head, &[])?.map(|own| own.key);
    let known_as = if own_key.is_some() { KnownAs::ThisUpload } else { KnownAs::ThisName };
    Ok(Some(FormChunk {
        library: Library::Plupload,
        identifier,
        own_key,
        known_as,
        name,
        content_type: None,
        relative_path: None,
        file_bytes: None,
        place: Place::Numbered { index, count },
        length: None,
        own_fields: &FIELDS,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunked_form::tests::{field_of, said};

    #[test]
    fn chunks_are_numbered() {
        let chunk = said(&[("name", "a.bin"), ("chunk", "1"), ("chunks", "3")], read).unwrap().unwrap();
        assert_eq!((chunk.place, chunk.file_bytes), (Place::Numbered { index: 1, count: 3 }, None));
        assert_eq!((chunk.identifier.as_str(), chunk.known_as), ("3 chunks a.bin", KnownAs::ThisName));
        let empty = said(&[("name", "a"), ("chunk", "0"), ("chunks", "0")], read).unwrap().unwrap();
        assert_eq!(empty.place, Place::Numbered { index: 0, count: 1 });
        for other in [&[("name", "a.bin")][..], &[("name", "a"), ("offset", "10"), ("total", "25")]] {
            assert_eq!(said(other, read), Ok(None), "a plain form");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for (chunk, chunks, expected) in
            [("3", "3", "chunk"), ("x", "3", "chunk"), ("0", "-1", "chunks"), ("0", "4294967296", "chunks")]
        {
            assert_eq!(field_of(said(&[("name", "a"), ("chunk", chunk), ("chunks", chunks)], read)), expected);
        }
    }
}
