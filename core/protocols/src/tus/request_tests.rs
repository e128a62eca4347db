//! Requests of tus, as tables.

use super::*;
use upload_types::{chunk::Named, integrity::Algorithm, preconditions::Conditions};

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";
const V: (&str, &str) = ("tus-resumable", "1.0.0");
const TYPE: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn operation(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Operation, ApiError> {
    let head = Head {
        method: method.parse().unwrap(),
        path: target.replace("{id}", ID),
        query: String::new(),
        headers: crate::Headers::of(headers.iter().copied()),
    };
    parse(&head).map(|parsed| match parsed {
        Parsed::Ready(operation) => *operation,
        Parsed::NeedsBody { .. } | Parsed::Form(_) => panic!("needs a body"),
    })
}

fn chunk(headers: &[(&str, &str)]) -> Result<Append, ApiError> {
    operation("PATCH", "/files/{id}", &[&[V], headers].concat()).map(|operation| match operation {
        Operation::Append(append) => append,
        other => panic!("{other:?}"),
    })
}

fn creation(headers: &[(&str, &str)]) -> Result<(Create, Option<FirstChunk>), ApiError> {
    operation("POST", "/files", &[&[V], headers].concat()).map(|operation| match operation {
        Operation::Create(create) => (create, None),
        Operation::CreateWith(create, first) => (create, Some(first)),
        other => panic!("{other:?}"),
    })
}

#[track_caller]
fn assert_bad<T: std::fmt::Debug>(answer: Result<T, ApiError>, expected: &str, of: &dyn std::fmt::Debug) {
    match answer {
        Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, expected, "{of:?}"),
        other => panic!("{of:?}: {other:?}"),
    }
}

#[test]
fn routes() {
    let id = UploadId::parse(ID).unwrap();
    let content = |range: Option<&str>| {
        let conditions = Conditions { range: range.map(str::to_owned), ..Conditions::default() };
        Operation::Content(Content {
            id,
            head_only: false,
            conditions,
            missing: MissingObject::Status,
            served: Served::Bytes,
        })
    };
    for (method, target, headers, expected) in [
        ("OPTIONS", "/files", vec![], Operation::Discover),
        ("OPTIONS", "/files/", vec![("tus-resumable", "0.2.2")], Operation::Discover),
        ("OPTIONS", "/files/{id}", vec![], Operation::Discover),
        ("HEAD", "/files/{id}", vec![V], Operation::Probe(id, Wait::ForObject)),
        ("DELETE", "/files/{id}", vec![V], Operation::Cancel(id)),
        ("GET", "/files/{id}", vec![V], content(None)),
        ("GET", "/files/{id}", vec![("tus-resumable", "2"), ("range", "bytes=0-4")], content(Some("bytes=0-4"))),
        ("POST", "/files/{id}", vec![V, ("x-http-method-override", "DELETE")], Operation::Cancel(id)),
        ("PUT", "/files/{id}", vec![V, ("x-http-method-override", "HEAD")], Operation::Probe(id, Wait::ForObject)),
    ] {
        assert_eq!(operation(method, target, &headers), Ok(expected), "{method} {target}");
    }
    let overridden = operation(
        "POST",
        "/files/{id}",
        &[V, TYPE, ("x-http-method-override", "PATCH"), ("upload-offset", "0"), ("content-length", "1")],
    );
    assert!(matches!(overridden, Ok(Operation::Append(_))));
}

#[test]
fn what_is_no_route() {
    let of_all = ApiError::MethodNotAllowed { allow: "POST, OPTIONS".to_owned() };
    let of_one = ApiError::MethodNotAllowed { allow: "GET, HEAD, PATCH, DELETE, OPTIONS".to_owned() };
    for (method, target, expected) in [
        ("HEAD", "/files/nonsense", ApiError::NotAnUploadId),
        ("HEAD", "/files/067E6162-3B6F-4AE2-A171-2470B63DFF00", ApiError::NotAnUploadId),
        ("HEAD", "/files/{id}/", ApiError::NotAnUploadId),
        ("HEAD", "/files/{id}%2f..", ApiError::NotAnUploadId),
        ("HEAD", "/files/..%2f{id}", ApiError::NotAnUploadId),
        ("HEAD", "/files/{id}%00", ApiError::NotAnUploadId),
        ("HEAD", "/filesystem", ApiError::NoSuchRoute),
        ("PATCH", "/files", of_all.clone()),
        ("HEAD", "/files", of_all),
        ("POST", "/files/{id}", of_one.clone()),
        ("PUT", "/files/{id}", of_one),
    ] {
        assert_eq!(operation(method, target, &[V]), Err(expected), "{method} {target}");
    }
    assert_bad(operation("POST", "/files", &[V, ("x-http-method-override", "")]), "X-HTTP-Method-Override", &"");
}

#[test]
fn another_version_is_not_processed() {
    for headers in
        [&[][..], &[("tus-resumable", "0.2.2")], &[("tus-resumable", "")], &[("tus-resumable", "1.0.0, 1.0.0")]]
    {
        for (method, target) in
            [("POST", "/files"), ("HEAD", "/files/{id}"), ("PATCH", "/files/nonsense"), ("DELETE", "/files/{id}")]
        {
            let answer = operation(method, target, headers);
            assert!(matches!(answer, Err(ApiError::UnsupportedVersion { .. })), "{method} {headers:?}: {answer:?}");
        }
    }
}

#[test]
fn a_creation() {
    let (create, first) = creation(&[("upload-length", "100"), ("content-length", "0")]).unwrap();
    assert_eq!((create.mode, create.file_bytes, create.purpose), (Mode::Sequential, Some(100.into()), Purpose::File));
    assert_eq!(create.chunking, Chunking::Unspoken);
    assert_eq!((create.file.name.as_str(), create.idempotency, first), ("file", None, None));
    let (create, first) = creation(&[("upload-defer-length", "1")]).unwrap();
    assert_eq!((create.file_bytes, first), (None, None));
    let (create, _) = creation(&[("upload-length", "99999999999999999999999")]).unwrap();
    assert_eq!(create.file_bytes, Some(ByteCount::MAX), "which is more than any deployment takes");
    let (create, _) = creation(&[("upload-length", "1"), ("upload-metadata", "filename YQ==")]).unwrap();
    assert_eq!(create.file.name, "a");
}

#[test]
fn a_creation_with_bytes() {
    let first_of = |headers: &[(&str, &str)]| creation(headers).map(|(_, first)| first);
    let first = |length: u32| {
        Some(FirstChunk {
            length: length.into(),
            digest: None,
            completes: Completion::WhenWhole,
            wait: Wait::ForObject,
        })
    };
    for (headers, expected) in [
        (vec![("upload-length", "100"), TYPE, ("content-length", "5")], first(5)),
        (vec![("upload-length", "100"), TYPE, ("content-length", "100")], first(100)),
        (vec![("upload-defer-length", "1"), TYPE, ("content-length", "5")], first(5)),
        // An empty file is complete at once.
        (vec![("upload-length", "0")], first(0)),
        // No bytes, bytes of something else, and bytes whose number nobody knows.
        (vec![("upload-length", "100"), TYPE, ("content-length", "0")], None),
        (vec![("upload-length", "100"), ("content-type", "text/plain"), ("content-length", "5")], None),
        (vec![("upload-length", "100"), TYPE, ("transfer-encoding", "chunked")], None),
    ] {
        assert_eq!(first_of(&headers), Ok(expected), "{headers:?}");
    }
    let checksum = ("upload-checksum", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=");
    let first = first_of(&[("upload-length", "11"), TYPE, ("content-length", "11"), checksum]).unwrap();
    assert_eq!(first.unwrap().digest.unwrap().algorithm, Algorithm::Sha1);
    let of_nothing = first_of(&[("upload-length", "11"), TYPE, ("content-length", "0"), checksum]);
    assert_eq!(of_nothing, Err(ApiError::ChecksumMismatch { uploaded_bytes: ByteCount::ZERO }));
    let right = ("upload-checksum", "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
    assert_eq!(first_of(&[("upload-length", "11"), TYPE, ("content-length", "0"), right]), Ok(None));
}

fn composed(headers: &[(&str, &str)]) -> Result<Create, ApiError> {
    operation("POST", "/files", &[&[V], headers].concat()).map(|operation| match operation {
        Operation::Compose(create, Wait::ForObject) => create,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_partial_is_an_upload_like_any_other() {
    let partial = ("upload-concat", "partial");
    let (create, first) = creation(&[partial, ("upload-length", "5"), TYPE, ("content-length", "5")]).unwrap();
    assert_eq!((create.purpose, create.file_bytes), (Purpose::Partial, Some(5.into())));
    assert_eq!(first.unwrap().length, 5.into());
    let (create, _) = creation(&[partial, ("upload-defer-length", "1")]).unwrap();
    assert_eq!((create.purpose, create.file_bytes), (Purpose::Partial, None));
    assert_bad(creation(&[partial]), "Upload-Length", &partial);
}

#[test]
fn what_is_put_together_brings_nothing_of_its_own() {
    let list = format!("final;/files/{ID} https://upload.example.com/files/{ID}");
    let concat = ("upload-concat", list.as_str());
    let id = UploadId::parse(ID).unwrap();
    let create = composed(&[concat, ("upload-metadata", "filename YQ==")]).unwrap();
    assert_eq!((create.purpose, create.file_bytes), (Purpose::Composition(vec![id, id]), None));
    assert_eq!(create.file.name, "a");
    assert!(composed(&[concat, TYPE, ("content-length", "0")]).is_ok());
    assert!(composed(&[concat, ("content-type", "text/plain"), ("content-length", "5")]).is_ok(), "which is no body");
    for (headers, field) in [
        (vec![("upload-length", "5")], "Upload-Length"),
        (vec![("upload-defer-length", "1")], "Upload-Defer-Length"),
        (vec![TYPE, ("content-length", "5")], "Content-Length"),
        (vec![TYPE, ("transfer-encoding", "chunked")], "Content-Length"),
        (vec![("upload-metadata", "a %%%")], "Upload-Metadata"),
    ] {
        assert_bad(composed(&[&[concat], headers.as_slice()].concat()), field, &headers);
    }
    assert_bad(composed(&[("upload-concat", "final;")]), "Upload-Concat", &"");
}

#[test]
fn the_same_partials_with_the_same_metadata_are_the_same_upload() {
    let named = |list: &str, metadata: &str| {
        let list = list.replace("{id}", ID);
        composed(&[("upload-concat", &list), ("upload-metadata", metadata)]).unwrap().idempotency.unwrap()
    };
    let first = named("final;/files/{id}", "a");
    assert_eq!(first, named("final; http://127.0.0.1:8787/files/{id}", "a"));
    assert_ne!(first, named("final;/files/{id} /files/{id}", "a"));
    assert_ne!(first, named("final;/files/{id}", "b"));
    let anew = first.anew().unwrap();
    assert!(anew != first && anew.anew().unwrap() != anew, "and may be put together again");
    let list = format!("final;/files/{ID}");
    let said = composed(&[("upload-concat", &list), ("idempotency-key", "k")]).unwrap().idempotency.unwrap();
    assert_eq!((said.key.as_str(), said.anew()), ("k", None));
}

#[test]
fn a_creation_under_a_key_stands_for_what_it_asks() {
    let key = ("idempotency-key", "k");
    let asked = |headers: &[(&str, &str)]| creation(&[&[key], headers].concat()).unwrap().0.idempotency.unwrap();
    let first = asked(&[("upload-length", "1"), ("upload-metadata", "a")]);
    assert_eq!(first, asked(&[("upload-metadata", "a"), ("upload-length", "1"), ("x-other", "o")]));
    assert_ne!(first, asked(&[("upload-length", "2"), ("upload-metadata", "a")]));
    assert_ne!(first, asked(&[("upload-length", "1"), ("upload-metadata", "b")]));
}

#[test]
fn malformed_creations() {
    for (headers, field) in [
        (vec![], "Upload-Length"),
        (vec![("upload-length", "1"), ("upload-defer-length", "1")], "Upload-Length"),
        (vec![("upload-length", "-1")], "Upload-Length"),
        (vec![("upload-length", "+1")], "Upload-Length"),
        (vec![("upload-length", "1.0")], "Upload-Length"),
        (vec![("upload-length", "1e3")], "Upload-Length"),
        (vec![("upload-length", "0x10")], "Upload-Length"),
        (vec![("upload-length", "")], "Upload-Length"),
        (vec![("upload-length", "1, 1")], "Upload-Length"),
        (vec![("upload-length", "٣")], "Upload-Length"),
        (vec![("upload-defer-length", "0")], "Upload-Defer-Length"),
        (vec![("upload-defer-length", "true")], "Upload-Defer-Length"),
        (vec![("upload-length", "1"), ("upload-metadata", "a %")], "Upload-Metadata"),
        (vec![("upload-length", "1"), ("upload-concat", "part")], "Upload-Concat"),
        (vec![("upload-concat", "final;/files/a /files/b")], "Upload-Concat"),
        (
            vec![("upload-length", "9"), TYPE, ("content-length", "9"), ("upload-checksum", "md6 YQ==")],
            "Upload-Checksum",
        ),
        (vec![("upload-length", "1"), ("idempotency-key", "")], "Idempotency-Key"),
    ] {
        assert_bad(creation(&headers), field, &headers);
    }
}

#[test]
fn a_chunk() {
    let headers = [TYPE, ("upload-offset", "70"), ("content-length", "30")];
    let expected = Append {
        named: Named::ByOffset,
        overlap: Overlap::Refused,
        completes: Completion::WhenWhole,
        id: UploadId::parse(ID).unwrap(),
        offset: 70.into(),
        length: 30.into(),
        file_bytes: None,
        digest: None,
        wait: Wait::ForObject,
    };
    assert_eq!(chunk(&headers), Ok(expected.clone()));
    let with_parameter = [("content-type", "Application/Offset+Octet-Stream; x=y"), headers[1], headers[2]];
    assert_eq!(chunk(&with_parameter), Ok(expected.clone()));
    let declaring = [&headers[..], &[("upload-length", "100")]].concat();
    assert_eq!(chunk(&declaring), Ok(Append { file_bytes: Some(100.into()), ..expected.clone() }));
    let far = [TYPE, ("upload-offset", "8589934592"), ("content-length", "30")];
    assert_eq!(chunk(&far), Ok(Append { offset: ByteCount::new(1 << 33).unwrap(), ..expected.clone() }));
    let too_far = [TYPE, ("upload-offset", "9007199254740993"), ("content-length", "30")];
    assert_eq!(chunk(&too_far), Ok(Append { offset: ByteCount::MAX, ..expected }));
    let checked = [&headers[..], &[("upload-checksum", "crc32c yZRlaQ==")]].concat();
    assert_eq!(chunk(&checked).unwrap().digest.unwrap().value, [0xc9, 0x94, 0x65, 0x69]);
}

#[test]
fn malformed_chunks() {
    let length = ("content-length", "30");
    for (headers, field) in [
        (vec![TYPE, length], "Upload-Offset"),
        (vec![TYPE, length, ("upload-offset", "-1")], "Upload-Offset"),
        (vec![TYPE, length, ("upload-offset", "")], "Upload-Offset"),
        (vec![TYPE, length, ("upload-offset", "zero")], "Upload-Offset"),
        (vec![TYPE, length, ("upload-offset", "0"), ("upload-length", "many")], "Upload-Length"),
        (vec![TYPE, length, ("upload-offset", "0"), ("upload-checksum", "sha1")], "Upload-Checksum"),
        (vec![TYPE, length, ("upload-offset", "0"), ("upload-checksum", "")], "Upload-Checksum"),
    ] {
        assert_bad(chunk(&headers), field, &headers);
    }
    let form = ("content-type", "multipart/form-data; boundary=x");
    let refused = creation(&[("upload-length", "30"), form, length]);
    assert!(matches!(refused, Err(ApiError::UnsupportedMediaType { .. })), "{refused:?}");
    for media_type in [
        None,
        Some("multipart/form-data; boundary=x"),
        Some("application/octet-stream"),
        Some("application/partial-upload"),
        Some(""),
    ] {
        let headers: Vec<_> =
            [Some(("upload-offset", "0")), Some(length), media_type.map(|text| ("content-type", text))]
                .into_iter()
                .flatten()
                .collect();
        assert!(matches!(chunk(&headers), Err(ApiError::UnsupportedMediaType { .. })), "{media_type:?}");
    }
}

#[test]
fn a_chunk_of_unknown_length() {
    let chunked = [V, TYPE, ("upload-offset", "7"), ("upload-length", "9"), ("transfer-encoding", "chunked")];
    let expected = Unsized {
        id: UploadId::parse(ID).unwrap(),
        offset: 7.into(),
        file_bytes: Some(9.into()),
        end: BodyEnd::Nothing,
        wait: Wait::ForObject,
    };
    assert_eq!(operation("PATCH", "/files/{id}", &chunked), Ok(Operation::AppendUnsized(expected)));
    let checked = [&chunked[..], &[("upload-checksum", "crc32c yZRlaQ==")]].concat();
    assert_eq!(operation("PATCH", "/files/{id}", &checked), Err(ApiError::LengthRequired));
}
