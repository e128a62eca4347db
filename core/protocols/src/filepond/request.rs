//! Requests of FilePond's chunks: which operation each asks for.

use std::collections::BTreeMap;

use http::Method;

use crate::{
    Head, Parsed, disposition,
    file_words::{MAX_METADATA_BYTES, is_media_type},
    form::{REDIRECT_FIELD, TOKEN_FIELD},
    idempotency,
    numbers::byte_count,
};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    live::Liveness,
    operation::{Append, Create, Operation, Wait},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::UploadId,
    upload::{FileInfo, Purpose},
};

const PATH: &str = "/upload";

/// The parameter that names an upload.
const ID: &str = "patch";

const LENGTH: &str = "Upload-Length";
const NAME: &str = "Upload-Name";

/// Whether a request is about an upload. One that creates it is a form as any other, with nothing in it: see [`creation`].
pub fn is_spoken(head: &Head) -> bool {
    let has_id = || head.query_parameter(ID).is_some();
    head.path == PATH
        && match head.method {
            Method::PATCH => head.headers.contains_key(LENGTH) || has_id(),
            Method::HEAD => has_id(),
            _ => false,
        }
}

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let operation = match head.method {
        Method::PATCH => Operation::Append(append(head)?),
        _ => Operation::Probe(id(head)?, Wait::ForObject),
    };
    Ok(Parsed::Ready(Box::new(operation)))
}

fn id(head: &Head) -> Result<UploadId, ApiError> {
    head.query_parameter(ID).and_then(UploadId::parse).ok_or(ApiError::NotAnUploadId)
}

/// The upload that a form without a file creates, which says how long the file will be; none where it says no such thing. What FilePond's
/// plugins know of the file stands as JSON in a field.
pub fn creation(head: &Head, fields: &[(String, String)]) -> Result<Option<Create>, ApiError> {
    let Some(length) = head.present(LENGTH) else { return Ok(None) };
    let is_metadata = |name: &str, value: &str| value != "{}" && ![TOKEN_FIELD, REDIRECT_FIELD].contains(&name);
    // One by one: a map that is collected brings a sort of its own along.
    let mut metadata = BTreeMap::new();
    metadata.extend(fields.iter().filter(|(name, value)| is_metadata(name, value)).cloned());
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_BYTES {
        return Err(ApiError::bad_request("fields", format!("have more than {MAX_METADATA_BYTES} bytes together")));
    }
    let content_type = head.header("x-upload-content-type").filter(|text| is_media_type(text));
    let file = FileInfo {
        name: name(head).unwrap_or_else(|| disposition::FALLBACK.to_owned()),
        content_type: content_type.map(str::to_owned),
        metadata,
        sha256: None,
        crc64nvme: None,
        memo: None,
    };
    let asked = format!("{}\n{length}\n{:?}", head.query, file.name);
    Ok(Some(Create {
        mode: Mode::Sequential,
        file,
        file_bytes: Some(byte_count(LENGTH, length)?),
        chunking: Chunking::Unspoken,
        purpose: Purpose::File,
        idempotency: idempotency::parse(head, asked.as_bytes())?,
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    }))
}

/// The bytes of the header are UTF-8.
fn name(head: &Head) -> Option<String> {
    let in_header = head.headers.get(NAME).map(str::to_owned);
    in_header.or_else(|| head.query_text("name")).as_deref().and_then(disposition::presentable)
}

/// A chunk that was cut off comes again from its beginning.
fn append(head: &Head) -> Result<Append, ApiError> {
    let length = head.header("content-length").ok_or(ApiError::LengthRequired)?;
    let offset = head.present("upload-offset").ok_or_else(|| ApiError::bad_request("Upload-Offset", "is missing"))?;
    Ok(Append {
        id: id(head)?,
        offset: byte_count("Upload-Offset", offset)?,
        named: Named::ByRange,
        overlap: Overlap::PassedOver,
        completes: Completion::WhenWhole,
        length: byte_count("Content-Length", length)?,
        file_bytes: head.present(LENGTH).map(|text| byte_count(LENGTH, text)).transpose()?,
        digest: None,
        wait: Wait::ForObject,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Protocol, sample};

    fn ask(method: Method, address: &str, headers: &[(&'static str, &str)]) -> Result<Operation, ApiError> {
        let head = sample::head(method, address, headers);
        assert_eq!(Protocol::of(&head), Protocol::FilePond);
        match parse(&head)? {
            Parsed::Ready(operation) => Ok(*operation),
            Parsed::NeedsBody { .. } | Parsed::Form(_) => panic!("all stands in the head"),
        }
    }

    fn field_of(refused: Result<Operation, ApiError>) -> String {
        match refused {
            Err(ApiError::BadRequest { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_creation_has_a_length_and_perhaps_a_name() {
        let length = ("upload-length", "25");
        let fields = |json: &str| [("filepond".to_owned(), json.to_owned())];
        for (address, headers, name) in [
            ("/upload", vec![length], "file"),
            ("/upload", vec![length, ("upload-name", "dir/ä b.bin")], "ä b.bin"),
            ("/upload?name=a+b", vec![length], "a b"),
        ] {
            let create = creation(&sample::head(Method::POST, address, &headers), &fields("{}")).unwrap().unwrap();
            assert_eq!((create.file.name.as_str(), create.file_bytes), (name, Some(25.into())));
            assert!(create.file.metadata.is_empty());
        }
        let head = sample::head(Method::POST, "/upload", &[length]);
        let create = creation(&head, &fields(r#"{"a":1}"#)).unwrap().unwrap();
        assert_eq!(create.file.metadata["filepond"], r#"{"a":1}"#);
        assert!(creation(&head, &fields(&"x".repeat(9_000))).is_err());
        let addressed_to_us = ["access_token", "redirect", "album"].map(|name| (name.to_owned(), "x".to_owned()));
        let create = creation(&head, &addressed_to_us).unwrap().unwrap();
        assert_eq!(create.file.metadata.into_keys().collect::<Vec<_>>(), ["album"], "a token is shown to nobody");
        assert_eq!(creation(&sample::head(Method::POST, "/upload", &[]), &[]), Ok(None));
        assert!(creation(&sample::head(Method::POST, "/upload", &[("upload-length", "many")]), &[]).is_err());
    }

    #[test]
    fn a_chunk_and_a_question() {
        let address = format!("/upload?patch={}", sample::ID);
        let headers = [("upload-offset", "10"), ("upload-length", "25"), ("content-length", "5")];
        let Ok(Operation::Append(chunk)) = ask(Method::PATCH, &address, &headers) else { panic!() };
        assert_eq!((chunk.offset, chunk.length, chunk.file_bytes), (10.into(), 5.into(), Some(25.into())));
        assert_eq!((chunk.named, chunk.overlap), (Named::ByRange, Overlap::PassedOver));
        assert_eq!(ask(Method::HEAD, &address, &[]), Ok(Operation::Probe(chunk.id, Wait::ForObject)));
        assert_eq!(field_of(ask(Method::PATCH, &address, &headers[1..])), "Upload-Offset");
        assert_eq!(ask(Method::PATCH, &address, &headers[..2]), Err(ApiError::LengthRequired));
        for wrong in ["/upload?patch=7", "/upload?patch="] {
            assert_eq!(ask(Method::PATCH, wrong, &headers), Err(ApiError::NotAnUploadId));
        }
    }

    #[test]
    fn other_requests_are_somebody_elses() {
        for (method, address) in [
            (Method::POST, "/upload?patch=x"),
            (Method::HEAD, "/upload"),
            (Method::DELETE, "/upload?patch=x"),
            (Method::PATCH, "/files?patch=x"),
        ] {
            assert!(!is_spoken(&sample::head(method, address, &[])), "{address}");
        }
        let tus = [("upload-length", "5"), ("tus-resumable", "1.0.0")];
        assert_eq!(Protocol::of(&sample::head(Method::POST, "/files", &tus)), Protocol::Tus);
    }
}
