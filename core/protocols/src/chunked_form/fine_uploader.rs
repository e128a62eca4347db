//! Fine Uploader: `qquuid`, `qqfilename`, `qqtotalfilesize`, and of a file that is sent in chunks `qqpartindex` from 0,
//! `qqpartbyteoffset`, `qqchunksize` (of this chunk) and `qqtotalparts`. An answer without `"success": true` is a failure to it, so files
//! that come whole are read here as well: as their only chunk.

use super::{FormChunk, Library, Said};
use upload_types::{
    api_error::ApiError,
    keyed_chunk::{KnownAs, Place},
    units::ByteCount,
};

const FIELDS: [&str; 8] = [
    "qquuid",
    "qqfilename",
    "qqtotalfilesize",
    "qqpartindex",
    "qqpartbyteoffset",
    "qqchunksize",
    "qqtotalparts",
    "qqresume",
];

pub(super) fn read(said: &Said<'_>) -> Result<Option<FormChunk>, ApiError> {
    let Some(uuid) = said.field("qquuid") else { return Ok(None) };
    let total = said.bytes("qqtotalfilesize")?;
    let (offset, length) = match said.field("qqpartindex") {
        None => (ByteCount::ZERO, total),
        Some(_) => part(said, total)?,
    };
    Ok(Some(FormChunk {
        library: Library::FineUploader,
        identifier: uuid.to_owned(),
        own_key: None,
        known_as: KnownAs::ThisUpload,
        name: said.field("qqfilename").map(str::to_owned),
        content_type: None,
        relative_path: None,
        file_bytes: Some(total),
        place: Place::At(offset),
        length: Some(length),
        own_fields: &FIELDS,
    }))
}

fn part(said: &Said<'_>, total: ByteCount) -> Result<(ByteCount, ByteCount), ApiError> {
    let (index, count) = (said.count("qqpartindex")?, said.count("qqtotalparts")?);
    let (offset, length) = (said.bytes("qqpartbyteoffset")?, said.bytes("qqchunksize")?);
    if index >= count {
        return Err(ApiError::bad_request("qqpartindex", "is not below qqtotalparts; the first is 0"));
    }
    if offset.checked_add(length).is_none_or(|end| end > total) {
        return Err(ApiError::bad_request("qqtotalfilesize", "is less than where the chunk ends"));
    }
    let is_last = offset.checked_add(length) == Some(total);
    if is_last != (index + 1 == count) {
        return Err(ApiError::bad_request("qqtotalparts", "and qqtotalfilesize name different ends of the file"));
    }
    let is_its_place = if is_last {
        index > 0 || offset.is_zero()
    } else {
        u64::from(index).checked_mul(length.get()) == Some(offset.get())
    };
    if !is_its_place {
        return Err(ApiError::bad_request("qqpartbyteoffset", "is not where a chunk of this number begins"));
    }
    Ok((offset, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunked_form::tests::{field_of, said};

    const PART: [(&str, &str); 7] = [
        ("qquuid", "7a0c"),
        ("qqfilename", "a.bin"),
        ("qqtotalfilesize", "25"),
        ("qqpartindex", "1"),
        ("qqpartbyteoffset", "10"),
        ("qqchunksize", "10"),
        ("qqtotalparts", "3"),
    ];

    #[test]
    fn a_chunk_and_a_file_that_comes_whole() {
        let chunk = said(&PART, read).unwrap().unwrap();
        assert_eq!((chunk.place, chunk.length), (Place::At(10.into()), Some(ByteCount::from(10))));
        assert_eq!((chunk.name.as_deref(), chunk.file_bytes), (Some("a.bin"), Some(25.into())));
        let last = [
            PART[0],
            PART[1],
            PART[2],
            ("qqpartindex", "2"),
            ("qqpartbyteoffset", "20"),
            ("qqchunksize", "5"),
            PART[6],
        ];
        assert_eq!(said(&last, read).unwrap().unwrap().place, Place::At(20.into()));
        let whole = said(&PART[..3], read).unwrap().unwrap();
        assert_eq!((whole.place, whole.length), (Place::At(ByteCount::ZERO), Some(ByteCount::from(25))));
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for (name, value, expected) in [
            ("qqpartindex", "3", "qqpartindex"),
            ("qqpartindex", "2", "qqtotalparts"),
            ("qqpartbyteoffset", "9", "qqpartbyteoffset"),
            ("qqpartbyteoffset", "15", "qqtotalparts"),
            ("qqtotalparts", "2", "qqtotalparts"),
            ("qqtotalfilesize", "20", "qqtotalparts"),
            ("qqtotalfilesize", "19", "qqtotalfilesize"),
            ("qqchunksize", "x", "qqchunksize"),
        ] {
            let fields = PART.map(|(known, was)| (known, if known == name { value } else { was }));
            assert_eq!(field_of(said(&fields, read)), expected, "{name} {value}");
        }
    }
}
