//! Libraries that say with `Content-Range: bytes 0-99/1000` which piece of the file a form brings: blueimp's jQuery File Upload with
//! `maxChunkSize`, and react-uploady's chunked sender. They have no name for the file but its own, which stands in the file's part of the
//! form, and in `Content-Disposition`. So a file's name and length are its key, and whoever sends its beginning means a new upload; unless
//! an `Idempotency-Key` tells files apart.

use percent_encoding::percent_decode_str;

use super::{FormChunk, Library, Said};
use crate::{
    content_range::{self, ContentRange},
    disposition, idempotency,
};
use upload_types::{
    api_error::ApiError,
    keyed_chunk::{KnownAs, Place},
    units::ByteCount,
};

const FIELD: &str = "Content-Range";

pub(super) fn read(said: &Said<'_>) -> Result<Option<FormChunk>, ApiError> {
    let Some(text) = said.head.present("content-range") else { return Ok(None) };
    let ContentRange::Bytes { first, last: Some(last), total: Some(total) } = content_range::parse(text)? else {
        return Err(ApiError::bad_request(FIELD, "does not say where the chunk ends, and how long the file is"));
    };
    let name = name(said);
    let identifier = format!("{total} {}", name.as_deref().unwrap_or_default());
    let own_key = idempotency::parse(said.head, &[])?.map(|own| own.key);
    let known_as = if own_key.is_some() { KnownAs::ThisUpload } else { KnownAs::ThisName };
    Ok(Some(FormChunk {
        library: Library::Ranged,
        identifier,
        own_key,
        known_as,
        name,
        content_type: None,
        relative_path: None,
        file_bytes: Some(total),
        place: Place::At(first),
        length: ByteCount::new(last.get() + 1 - first.get()),
        own_fields: &[],
    }))
}

/// The file's name; in the header blueimp has it encoded as in an address.
fn name(said: &Said<'_>) -> Option<String> {
    let in_header = || {
        let name = disposition::given_name(said.head)?;
        let decoded = percent_decode_str(&name).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        Some(decoded.unwrap_or(name))
    };
    said.file_name.map(str::to_owned).or_else(in_header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chunked_form::tests::{field_of, said_with},
        sample,
    };

    fn post(headers: &[(&'static str, &str)], file_name: Option<&str>) -> Result<Option<FormChunk>, ApiError> {
        let head = sample::head(http::Method::POST, "/upload", headers);
        said_with(&head, &[], file_name, read)
    }

    #[test]
    fn a_files_name_and_length_are_its_key_unless_it_has_another() {
        let range = ("content-range", "bytes 10-19/25");
        let chunk = post(&[range], Some("a.bin")).unwrap().unwrap();
        assert_eq!(
            (chunk.place, chunk.length, chunk.file_bytes),
            (Place::At(10.into()), Some(10.into()), Some(25.into()))
        );
        assert_eq!((chunk.identifier.as_str(), chunk.known_as), ("25 a.bin", KnownAs::ThisName));
        let keyed = post(&[range, ("idempotency-key", "k")], Some("a.bin")).unwrap().unwrap();
        assert_eq!((keyed.own_key.as_deref(), keyed.known_as), (Some("k"), KnownAs::ThisUpload));
        let bare = post(&[range, ("content-disposition", "attachment; filename=\"a%20%E2%82%AC.bin\"")], None);
        assert_eq!(bare.unwrap().unwrap().name.as_deref(), Some("a €.bin"));
        assert_eq!(post(&[], Some("a.bin")), Ok(None));
    }

    #[test]
    fn a_range_says_all_of_it() {
        for range in ["bytes 0-9/*", "bytes */25", "bytes 0-*/25", "bytes 9-5/25", "bytes 0-25/25", "0-9/25"] {
            assert_eq!(field_of(post(&[("content-range", range)], Some("a"))), FIELD, "{range}");
        }
    }
}
