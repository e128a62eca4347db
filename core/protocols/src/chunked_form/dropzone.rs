//! Dropzone with `chunking: true` (its `params`): `dzuuid`, `dzchunkindex` from 0, `dztotalfilesize`, `dzchunksize`, `dztotalchunkcount`,
//! `dzchunkbyteoffset`. Without `retryChunks` the first piece that fails ends the file. A file below `chunkSize` comes as a plain form.

use super::{FormChunk, Library, Said};
use upload_types::{
    api_error::ApiError,
    keyed_chunk::{KnownAs, Place},
};

const FIELDS: [&str; 6] =
    ["dzuuid", "dzchunkindex", "dztotalfilesize", "dzchunksize", "dztotalchunkcount", "dzchunkbyteoffset"];

pub(super) fn read(said: &Said<'_>) -> Result<Option<FormChunk>, ApiError> {
    let Some(uuid) = said.field("dzuuid") else { return Ok(None) };
    let (index, count) = (said.count("dzchunkindex")?, said.count("dztotalchunkcount")?);
    let (total, chunk_bytes) = (said.bytes("dztotalfilesize")?, said.bytes("dzchunksize")?);
    let offset = said.bytes("dzchunkbyteoffset")?;
    if index >= count {
        return Err(ApiError::bad_request("dzchunkindex", "is not below dztotalchunkcount; the first is 0"));
    }
    if chunk_bytes.is_zero() || u64::from(count) != total.get().div_ceil(chunk_bytes.get()).max(1) {
        return Err(ApiError::bad_request("dztotalchunkcount", "is not how many chunks of dzchunksize the file has"));
    }
    if u64::from(index).checked_mul(chunk_bytes.get()) != Some(offset.get()) {
        return Err(ApiError::bad_request("dzchunkbyteoffset", "is not dzchunkindex times dzchunksize"));
    }
    Ok(Some(FormChunk {
        library: Library::Dropzone,
        identifier: uuid.to_owned(),
        own_key: None,
        known_as: KnownAs::ThisUpload,
        name: None,
        content_type: None,
        relative_path: None,
        file_bytes: Some(total),
        place: Place::At(offset),
        length: Some(chunk_bytes.min(total.saturating_sub(offset))),
        own_fields: &FIELDS,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use upload_types::units::ByteCount;

    use crate::chunked_form::tests::{field_of, said};

    const CHUNK: [(&str, &str); 6] = [
        ("dzuuid", "7a0c"),
        ("dzchunkindex", "2"),
        ("dztotalfilesize", "25"),
        ("dzchunksize", "10"),
        ("dztotalchunkcount", "3"),
        ("dzchunkbyteoffset", "20"),
    ];

    #[test]
    fn the_last_chunk_is_the_shorter_one() {
        let chunk = said(&CHUNK, read).unwrap().unwrap();
        assert_eq!(
            (chunk.place, chunk.length, chunk.file_bytes),
            (Place::At(20.into()), Some(ByteCount::from(5)), Some(25.into()))
        );
        let empty = [
            CHUNK[0],
            ("dzchunkindex", "0"),
            ("dztotalfilesize", "0"),
            CHUNK[3],
            ("dztotalchunkcount", "1"),
            ("dzchunkbyteoffset", "0"),
        ];
        assert_eq!(said(&empty, read).unwrap().unwrap().length, Some(ByteCount::ZERO));
        assert_eq!(said(&CHUNK[1..], read), Ok(None), "a file that comes whole has none of it");
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for (name, value) in [
            ("dzchunkindex", "3"),
            ("dzchunkindex", "-1"),
            ("dztotalchunkcount", "4"),
            ("dztotalchunkcount", "99999999999"),
            ("dzchunkbyteoffset", "21"),
            ("dztotalfilesize", "9007199254740992"),
        ] {
            let fields = CHUNK.map(|(known, was)| (known, if known == name { value } else { was }));
            assert_eq!(field_of(said(&fields, read)), name, "{value}");
        }
        let none = CHUNK.map(|(known, was)| (known, if known == "dzchunksize" { "0" } else { was }));
        assert_eq!(field_of(said(&none, read)), "dztotalchunkcount");
        for (missing, _) in CHUNK.into_iter().skip(1) {
            let fields: Vec<_> = CHUNK.into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(field_of(said(&fields, read)), missing);
        }
    }
}
