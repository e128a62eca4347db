//! `POST …/complete` in the JSON protocol: whether all is there; and, where the length was not known at the creation, how long the file is.

use serde_json::Map;

use super::{fields, init::size, presigned::upload};
use crate::Head;
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    operation::{Append, Operation, Wait},
    units::ByteCount,
};

/// The largest body: a number, and room.
pub(super) const MAX_BODY_BYTES: u32 = 1024;

/// Nothing, or `{"fileSize": 5242880}`: a chunk without bytes at the end of the file, which says that it is the end.
pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let id = upload(head)?;
    let mut fields = if body.is_empty() { Map::new() } else { fields::read(head, body, &["fileSize"])? };
    let Some(file_bytes) = size(&mut fields, "fileSize")? else { return Ok(Operation::Complete(id)) };
    Ok(Operation::Append(Append {
        id,
        offset: file_bytes,
        named: Named::ByOffset,
        overlap: Overlap::Refused,
        completes: Completion::WhenWhole,
        length: ByteCount::ZERO,
        file_bytes: Some(file_bytes),
        digest: None,
        wait: Wait::No,
    }))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use upload_types::units::UploadId;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn parsed(body: &str) -> Result<Operation, ApiError> {
        let path = format!("/upload/{ID}/complete");
        let head = Head { method: Method::POST, path, query: String::new(), headers: crate::Headers::default() };
        parse(&head, body.as_bytes())
    }

    #[test]
    fn without_a_length_it_is_asked_whether_all_is_there() {
        let id = UploadId::parse(ID).unwrap();
        for body in ["", "{}", r#"{"fileSize": null}"#] {
            assert_eq!(parsed(body), Ok(Operation::Complete(id)), "{body}");
        }
    }

    #[test]
    fn with_a_length_the_file_ends_there() {
        let Ok(Operation::Append(end)) = parsed(r#"{"fileSize": 5000}"#) else { panic!() };
        let bytes = ByteCount::new(5000);
        assert_eq!((Some(end.offset), end.length, end.file_bytes), (bytes, ByteCount::ZERO, bytes));
        assert_eq!(end.completes, Completion::WhenWhole);
    }

    #[test]
    fn anything_else_is_refused() {
        for body in ["[]", "5000", r#"{"fileSize": -1}"#, r#"{"fileSize": "5"}"#, r#"{"size": 5}"#, "{"] {
            assert!(matches!(parsed(body), Err(ApiError::BadRequest { .. })), "{body}");
        }
    }
}
