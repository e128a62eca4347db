//! A piece of a file, whichever library has sent it.

use std::collections::BTreeMap;

use super::Said;
use crate::{
    disposition,
    file_words::{MAX_METADATA_BYTES, is_media_type},
    form::{REDIRECT_FIELD, TOKEN_FIELD},
};
use upload_types::{
    api_error::ApiError,
    integrity::Sha256Digest,
    keyed_chunk::{KeyedChunk, KnownAs, Place},
    ledger::Idempotency,
    units::ByteCount,
    upload::FileInfo,
};

/// Whose words a piece is described in. Names of different libraries never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Dropzone.
    Dropzone,
    /// Fine Uploader.
    FineUploader,
    /// Resumable.js.
    Resumable,
    /// Flow.js.
    Flow,
    /// simple-uploader.js.
    SimpleUploader,
    /// Plupload.
    Plupload,
    /// Those that say it with `Content-Range`: blueimp, react-uploady.
    Ranged,
}

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormChunk {
    /// Whose words it is described in.
    pub library: Library,
    /// What the library calls the file.
    pub identifier: String,
    /// The key that the client has said besides, of this upload alone.
    pub own_key: Option<String>,
    /// How far that tells files apart.
    pub known_as: KnownAs,
    /// The file's name.
    pub name: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Where in a folder it was, where it was chosen with one.
    pub relative_path: Option<String>,
    /// How long it is, where that is said.
    pub file_bytes: Option<ByteCount>,
    /// Which piece this is.
    pub place: Place,
    /// How long the piece is, where that is said.
    pub length: Option<ByteCount>,
    /// The fields that are the library's own. All others are the application's.
    pub own_fields: &'static [&'static str],
}

/// What says nothing of a file: browsers send it for a piece that was cut out of one.
const SAYS_NOTHING: &str = "application/octet-stream";

/// Where a page says what its file is, if its library does not.
const TYPE_HEADER: &str = "x-upload-content-type";

/// The metadata that says where in a folder a file was, as the SDK has it.
const RELATIVE_PATH: &str = "relativePath";

impl FormChunk {
    /// The piece, of which so many bytes come.
    pub fn keyed(&self, said: &Said<'_>, length: ByteCount) -> Result<KeyedChunk, ApiError> {
        self.check_length(length)?;
        let name = self.name.as_deref().or(said.file_name).and_then(disposition::presentable);
        let content_types = [self.content_type.as_deref(), said.head.header(TYPE_HEADER), said.content_type];
        let content_type =
            content_types.into_iter().flatten().find(|text| *text != SAYS_NOTHING && is_media_type(text));
        let file = FileInfo {
            name: name.unwrap_or_else(|| disposition::FALLBACK.to_owned()),
            content_type: content_type.map(str::to_owned),
            metadata: self.metadata(said)?,
            sha256: None,
            crc64nvme: None,
            memo: None,
        };
        let (key, known_as, file_bytes, place) = (self.key(), self.known_as, self.file_bytes, self.place);
        Ok(KeyedChunk { key, known_as, file, file_bytes, place, length })
    }

    /// A key that the client says is for one file: with another file under it, it is refused.
    fn key(&self) -> Idempotency {
        let request = Sha256Digest::of(format!("{:?}\n{}", self.library, self.identifier).as_bytes());
        match &self.own_key {
            Some(key) => Idempotency { key: key.clone(), request },
            None => Idempotency::implied(request),
        }
    }

    fn check_length(&self, length: ByteCount) -> Result<(), ApiError> {
        if let Some(said) = self.length.filter(|said| *said != length) {
            let detail = format!("has {length} bytes, and {said} are said to come");
            return Err(ApiError::bad_request("file", detail));
        }
        let is_empty_file = self.file_bytes == Some(ByteCount::ZERO);
        if length.is_zero() && !is_empty_file && self.place != (Place::Numbered { index: 0, count: 1 }) {
            return Err(ApiError::bad_request("file", "has no bytes: a chunk has at least one"));
        }
        let Place::At(offset) = self.place else { return Ok(()) };
        if self.file_bytes.is_some_and(|total| offset.checked_add(length).is_none_or(|end| end > total)) {
            return Err(ApiError::bad_request("file", "ends beyond the total that comes with it"));
        }
        Ok(())
    }

    /// The application's own fields.
    fn metadata(&self, said: &Said<'_>) -> Result<BTreeMap<String, String>, ApiError> {
        let is_own = |name: &str| self.own_fields.contains(&name) || ["", TOKEN_FIELD, REDIRECT_FIELD].contains(&name);
        let others = said.fields.iter().filter(|(name, _)| !is_own(name));
        // One by one: a map that is collected brings a sort of its own along.
        let mut metadata = BTreeMap::new();
        metadata.extend(others.cloned());
        if let Some(path) = self.relative_path.as_deref().filter(|path| path.contains('/')) {
            metadata.insert(RELATIVE_PATH.to_owned(), path.to_owned());
        }
        if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_BYTES {
            return Err(ApiError::bad_request("fields", format!("have more than {MAX_METADATA_BYTES} bytes together")));
        }
        Ok(metadata)
    }
}
