//! Pieces of a file as upload libraries for web pages send them: each piece in a form of its own (or bare, with the same words in the
//! query), with fields that say which file it is of and where it lies. There is no creation and no end: the first piece to arrive creates
//! the upload, and the file is there once nothing is missing. What the library calls the file is, for its owner, the key of the upload.
//!
//! One file for each way of saying it, which turns the fields into a [`FormChunk`]:
//!
//! | file | speaks | names a file by | pieces come |
//! |---|---|---|---|
//! | `dropzone` | Dropzone (`dzuuid`) | a UUID of its own | one by one, or several at once |
//! | `fine_uploader` | Fine Uploader (`qquuid`) | a UUID of its own | one by one, or several at once |
//! | `resumable` | Resumable.js, Flow.js, simple-uploader.js | its length and name | three at once, each asked about before it is sent |
//! | `plupload` | Plupload (`chunk`, `chunks`) | its name | one by one |
//! | `ranged` | blueimp, react-uploady (`Content-Range`) | its name and length | one by one, or several at once |
//!
//! `said` is what a request says, `chunk` what is made of it, and `render` what is answered.

mod chunk;
mod dropzone;
mod fine_uploader;
mod plupload;
mod ranged;
mod render;
mod resumable;
mod said;

pub use chunk::{FormChunk, Library};
pub use render::{problem, reply};
pub use said::Said;

use http::Method;

use crate::{Head, Parsed, body_type, numbers::byte_count};
use upload_types::{api_error::ApiError, operation::Operation, units::ByteCount};

/// Where pieces are posted, with everything else that is a form.
const PATH: &str = "/upload";

/// The piece that a request brings, or asks about; none where it speaks no such library's words.
pub fn recognize(said: &Said<'_>) -> Result<Option<FormChunk>, ApiError> {
    for read in [dropzone::read, fine_uploader::read, resumable::read, ranged::read, plupload::read] {
        if let Some(chunk) = read(said)? {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}

/// Whether a request without a form is one of these: its query, or its `Content-Range`, says which piece its body is, or is asked about.
pub fn is_spoken(head: &Head) -> bool {
    if head.path != PATH || body_type::is_multipart(head) {
        return false;
    }
    match head.method {
        Method::GET => resumable::is_asked(head),
        Method::POST | Method::PUT => head.headers.contains_key("content-range") || resumable::is_asked(head),
        _ => false,
    }
}

/// Understands a request without a form.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let query = head.query_fields();
    let said = Said { head, fields: &query, file_name: None, content_type: None };
    let chunk = recognize(&said)?.ok_or(ApiError::NoSuchRoute)?;
    let operation = if head.method == Method::GET {
        let length = chunk.length.unwrap_or_default();
        Operation::FindKeyed(chunk.keyed(&said, length)?)
    } else {
        Operation::AppendKeyed(chunk.keyed(&said, body_bytes(head)?)?)
    };
    Ok(Parsed::Ready(Box::new(operation)))
}

fn body_bytes(head: &Head) -> Result<ByteCount, ApiError> {
    let text = head.header("content-length").ok_or(ApiError::LengthRequired)?;
    byte_count("Content-Length", text)
}

#[cfg(test)]
mod tests;
