//! Requests and what is understood, case by case.

use super::*;
use upload_types::{chunk::Completion, integrity::Sha256Digest, preconditions::Conditions};

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

fn ask(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Result<Operation, ApiError> {
    let head = Head {
        method,
        path: path.to_owned(),
        query: String::new(),
        headers: crate::Headers::of(headers.iter().copied()),
    };
    parse(&head, Completion::WhenTold)
}

fn create(headers: &[(&'static str, &str)]) -> Result<Operation, ApiError> {
    ask(Method::POST, "/files", headers)
}

fn append(headers: &[(&'static str, &str)]) -> Result<Operation, ApiError> {
    let media_type = ("content-type", PARTIAL_UPLOAD);
    ask(Method::PATCH, &format!("/files/{ID}"), &[&[media_type], headers].concat())
}

fn field_of(refused: Result<Operation, ApiError>) -> String {
    match refused {
        Err(ApiError::BadRequest { field, .. }) => field,
        Err(ApiError::LengthRequired) => "411".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn creations() {
    // headers -> the declared length, the content's length where there is content to take
    type Understood = (Option<u32>, Option<u32>);
    let cases: [(&[(&'static str, &str)], Understood); 7] = [
        (&[(COMPLETE, "?0"), ("content-length", "0")], (None, None)),
        (&[(COMPLETE, "?0"), ("content-length", "0"), (LENGTH, "9")], (Some(9), None)),
        (&[(COMPLETE, "?0"), ("content-length", "4"), (LENGTH, "9")], (Some(9), Some(4))),
        (&[(COMPLETE, "?0"), ("content-length", "4"), (LENGTH, "\"9\"")], (None, Some(4))),
        (&[(COMPLETE, "?0"), ("content-length", "0"), (LENGTH, "0")], (Some(0), Some(0))),
        (&[(COMPLETE, "?1"), ("content-length", "0")], (Some(0), Some(0))),
        (&[(COMPLETE, "?1"), ("content-length", "9"), (LENGTH, "9")], (Some(9), Some(9))),
    ];
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        for (headers, expected) in &cases {
            let understood = match ask(method.clone(), "/files", headers) {
                Ok(Operation::Create(create)) => (create.file_bytes, None),
                Ok(Operation::CreateWith(create, first)) => (create.file_bytes, Some(first.length)),
                other => panic!("{other:?}"),
            };
            let expected = (expected.0.map(ByteCount::from), expected.1.map(ByteCount::from));
            assert_eq!(understood, expected, "{method} {headers:?}");
        }
    }
}

#[test]
fn contents_whose_length_nobody_has_said() {
    let id = UploadId::parse(ID).unwrap();
    for (complete, unfinished, end) in [
        ("?0", Completion::WhenTold, BodyEnd::MoreFollows),
        ("?0", Completion::WhenWhole, BodyEnd::Nothing),
        ("?1", Completion::WhenTold, BodyEnd::FileEnds),
        ("?1", Completion::WhenWhole, BodyEnd::FileEnds),
    ] {
        let ask = |method, path: &str, headers: &[(&'static str, &str)]| {
            parse(
                &Head {
                    method,
                    path: path.to_owned(),
                    query: String::new(),
                    headers: crate::Headers::of(headers.iter().copied()),
                },
                unfinished,
            )
        };
        for (length, declared) in [("", None), ("9", Some(ByteCount::from(9)))] {
            let said = [(COMPLETE, complete), (LENGTH, length), (OFFSET, "7"), ("content-type", PARTIAL_UPLOAD)];
            match ask(Method::POST, "/files", &said) {
                Ok(Operation::CreateWithUnsized(create, understood, Wait::ForObject)) => {
                    assert_eq!((create.file_bytes, understood), (declared, end), "{complete} {length:?}");
                }
                other => panic!("{other:?}"),
            }
            let chunk = Unsized { id, offset: 7.into(), file_bytes: declared, end, wait: Wait::ForObject };
            assert_eq!(ask(Method::PATCH, &format!("/files/{ID}"), &said), Ok(Operation::AppendUnsized(chunk)));
        }
    }
    // With a digest nothing could count before its end, and its end is unknown.
    let digest = ("content-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    assert_eq!(create(&[(COMPLETE, "?0"), digest]), Err(ApiError::LengthRequired));
    assert_eq!(append(&[(COMPLETE, "?1"), (OFFSET, "0"), digest]), Err(ApiError::LengthRequired));
}

#[test]
fn the_last_byte_completes_where_that_is_said() {
    let at_20 = [(OFFSET, "20"), ("content-length", "5")];
    for (complete, expected) in [("?0", Completion::WhenTold), ("?1", Completion::WhenWhole)] {
        let appended = append(&[&at_20[..], &[(COMPLETE, complete)]].concat());
        assert!(matches!(appended, Ok(Operation::Append(Append { completes, .. })) if completes == expected));
        let created = create(&[(COMPLETE, complete), ("content-length", "5")]);
        assert!(matches!(created, Ok(Operation::CreateWith(_, first)) if first.completes == expected));
    }
}

#[test]
fn what_a_creation_says_of_the_file() {
    let sha256 = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let file = |extra: &[(&'static str, &str)]| match create(
        &[&[(COMPLETE, "?0"), ("content-length", "0")], extra].concat(),
    ) {
        Ok(Operation::Create(create)) => (create.file, create.idempotency),
        other => panic!("{other:?}"),
    };
    let (said, idempotency) = file(&[
        ("content-disposition", "inline; filename=\"file name.jpg\""),
        ("content-type", "image/jpeg"),
        ("content-encoding", "gzip"),
        ("repr-digest", sha256),
        ("idempotency-key", "\"k\""),
    ]);
    assert_eq!((said.name.as_str(), said.content_type.as_deref()), ("file name.jpg", Some("image/jpeg")));
    assert_eq!(said.metadata["Content-Encoding"], "gzip");
    assert_eq!(said.sha256, Some(Sha256Digest::of(b"")));
    let (nothing, _) = file(&[("content-type", PARTIAL_UPLOAD)]);
    assert_eq!((nothing.name.as_str(), nothing.content_type, nothing.metadata.len()), ("file", None, 0));
    let (_, other) = file(&[("idempotency-key", "\"k\"")]);
    let (one, other) = (idempotency.unwrap(), other.unwrap());
    assert_eq!((one.key.as_str(), one.request == other.request), ("k", false), "another request under the same key");
}

#[test]
fn appends() {
    let understood = |headers: &[_]| match append(headers) {
        Ok(Operation::Append(append)) => {
            (append.offset.get(), append.length.get(), append.file_bytes.map(ByteCount::get))
        }
        other => panic!("{other:?}"),
    };
    let at_20 = [(OFFSET, "20"), ("content-length", "5")];
    let with = |headers: &[(&'static str, &'static str)]| understood(&[&at_20[..], headers].concat());
    assert_eq!(with(&[(COMPLETE, "?0")]), (20, 5, None));
    assert_eq!(with(&[(COMPLETE, "?1")]), (20, 5, Some(25)), "the length is the offset and Content-Length together");
    assert_eq!(with(&[(COMPLETE, "?0"), (LENGTH, "99")]), (20, 5, Some(99)));
    assert_eq!(with(&[(COMPLETE, "?0"), (LENGTH, "-99")]), (20, 5, None));
    assert_eq!(understood(&[(OFFSET, "20"), ("content-length", "0"), (COMPLETE, "?1")]), (20, 0, Some(20)));
}

#[test]
fn every_complaint_names_its_field() {
    let (complete, half) = ((COMPLETE, "?1"), (COMPLETE, "?0"));
    for (headers, field) in [
        (&[][..], "Upload-Complete"),
        (&[(COMPLETE, "true")], "Upload-Complete"),
        (&[half, ("content-length", "4"), (LENGTH, "3")], "Upload-Length"),
        (&[complete, ("content-length", "4"), (LENGTH, "5")], "Upload-Length"),
        (&[half, ("content-type", "movie")], "Content-Type"),
        (&[half, ("repr-digest", "sha-256=?1")], "Repr-Digest"),
        (&[half, ("content-digest", "md5=:AA==:")], "Content-Digest"),
        (&[half, ("idempotency-key", "")], "Idempotency-Key"),
        (&[half, ("content-encoding", &"gzip, ".repeat(50))], "Content-Encoding"),
    ] {
        assert_eq!(field_of(create(headers)), field, "{headers:?}");
    }
    let (at, five) = ((OFFSET, "20"), ("content-length", "5"));
    for (headers, field) in [
        (&[at, five][..], "Upload-Complete"),
        (&[half, five], "Upload-Offset"),
        (&[half, five, (OFFSET, "?1")], "Upload-Offset"),
        (&[half, five, (OFFSET, "-1")], "Upload-Offset"),
        (&[complete, at, five, (LENGTH, "24")], "Upload-Length"),
        (&[half, at, five, ("content-digest", "sha-256=:AA==:")], "Content-Digest"),
        (&[half, at, ("content-length", "9007199254740991")], "Upload-Offset"),
    ] {
        assert_eq!(field_of(append(headers)), field, "{headers:?}");
    }
    let form = ("content-type", "Multipart/Form-Data; boundary=x");
    for form in [
        create(&[complete, five, form]),
        create(&[half, form]),
        ask(Method::PATCH, &format!("/files/{ID}"), &[half, at, five, form]),
    ] {
        assert!(matches!(form, Err(ApiError::UnsupportedMediaType { .. })), "{form:?}");
    }
    let wrong_type = ask(Method::PATCH, &format!("/files/{ID}"), &[half, at, five, ("content-type", "text/plain")]);
    assert!(matches!(wrong_type, Err(ApiError::UnsupportedMediaType { .. })), "{wrong_type:?}");
}

#[test]
fn routes() {
    let id = UploadId::parse(ID).unwrap();
    let upload = format!("/files/{ID}");
    assert_eq!(ask(Method::HEAD, &upload, &[]), Ok(Operation::Probe(id, Wait::ForObject)));
    assert_eq!(ask(Method::DELETE, &upload, &[]), Ok(Operation::Cancel(id)));
    assert_eq!(ask(Method::OPTIONS, "/files", &[]), Ok(Operation::Discover));
    let conditions = Conditions { range: Some("bytes=0-".to_owned()), ..Conditions::default() };
    let content = Content { id, head_only: false, conditions, missing: MissingObject::Status, served: Served::Bytes };
    assert_eq!(ask(Method::GET, &upload, &[("range", "bytes=0-")]), Ok(Operation::Content(content)));
    for path in ["/files/nobody", "/files/../x", &format!("{upload}/status"), &ID.to_uppercase()] {
        let refused = ask(Method::HEAD, path, &[]).unwrap_err();
        assert!(matches!(refused, ApiError::NotAnUploadId | ApiError::NoSuchRoute), "{path}: {refused:?}");
    }
    for (method, path) in
        [(Method::POST, upload.as_str()), (Method::PUT, &upload), (Method::DELETE, "/files"), (Method::GET, "/files")]
    {
        let refused = ask(method, path, &[(COMPLETE, "?0")]).unwrap_err();
        assert!(matches!(refused, ApiError::MethodNotAllowed { .. }), "{path}: {refused:?}");
    }
}
