//! Requests and what is understood, case by case.

use super::*;

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";
const BUCKET: &str = "/upload/storage/v1/b/photos/o";

fn head(method: Method, address: &str, headers: &[(&'static str, &str)]) -> Head {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let headers = crate::Headers::of(headers.iter().copied());
    Head { method, path: path.to_owned(), query: query.to_owned(), headers }
}

fn ask(method: Method, address: &str, headers: &[(&'static str, &str)], body: &str) -> Result<Operation, ApiError> {
    let head = head(method, address, headers);
    match parse(&head)? {
        Parsed::Ready(operation) => Ok(*operation),
        Parsed::NeedsBody { finish, .. } => finish(&head, body.as_bytes()),
        Parsed::Form(_) => panic!("a form"),
    }
}

fn open(address: &str, headers: &[(&'static str, &str)], body: &str) -> Result<Create, ApiError> {
    match ask(Method::POST, address, headers, body)? {
        Operation::Create(create) => Ok(create),
        other => panic!("{other:?}"),
    }
}

fn put(headers: &[(&'static str, &str)]) -> Result<Operation, ApiError> {
    ask(Method::PUT, &format!("{BUCKET}?uploadType=resumable&upload_id={ID}"), headers, "")
}

fn field_of<T: std::fmt::Debug>(refused: Result<T, ApiError>) -> String {
    match refused {
        Err(ApiError::BadRequest { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whose_requests_they_are() {
    for (address, expected) in [
        (BUCKET, true),
        ("/upload?uploadType=resumable", true),
        ("/upload?name=x&uploadType=media", true),
        ("/upload", false),
        ("/upload?name=uploadType", false),
        ("/upload/storage/v1/b/photos", false),
        ("/upload/storage/v1/b//o", false),
        ("/upload/storage/v1/b/a/b/o", false),
        ("/upload/storage/v1/b/photo\u{11}/o", false),
        ("/upload/storage/v1/b/a-b_c.d9/o", true),
        ("/upload/init?uploadType=resumable", false),
    ] {
        assert_eq!(is_spoken(&head(Method::POST, address, &[])), expected, "{address}");
    }
}

#[test]
fn a_session_is_opened_by_headers_by_a_query_and_by_a_description() {
    let address = format!("{BUCKET}?uploadType=resumable&name=holiday%2Fcat.png");
    let create =
        open(&address, &[("x-upload-content-length", "9"), ("x-upload-content-type", "image/png")], "").unwrap();
    assert_eq!(
        (create.file.name.as_str(), create.file.content_type.as_deref()),
        ("holiday/cat.png", Some("image/png"))
    );
    assert_eq!(create.file_bytes, Some(9.into()));

    let described =
        r#"{"name": "a.txt", "contentType": "text/plain", "metadata": {"album": "x"}, "cacheControl": "no-store"}"#;
    for headers in [&[("content-length", "99")][..], &[("content-type", "application/json")]] {
        let create = open("/upload?uploadType=resumable", headers, described).unwrap();
        assert_eq!((create.file.name.as_str(), create.file.content_type.as_deref()), ("a.txt", Some("text/plain")));
        assert_eq!((create.file.metadata["album"].as_str(), create.file_bytes), ("x", None));
    }
    assert_eq!(open("/upload?uploadType=resumable", &[], "").unwrap().file.name, "file");
}

#[test]
fn descriptions_that_are_refused() {
    let json = [("content-type", "application/json")];
    for (body, field) in [
        ("[]", "body"),
        ("{", "body"),
        (r#"{"md5Hash": "x"}"#, "md5Hash"),
        (r#"{"crc32c": "x"}"#, "crc32c"),
        (r#"{"metadata": []}"#, "metadata"),
        (r#"{"metadata": {"a": 1}}"#, "metadata"),
        (r#"{"contentType": "movie"}"#, "X-Upload-Content-Type"),
    ] {
        assert_eq!(field_of(open("/upload?uploadType=resumable", &json, body)), field, "{body}");
    }
    let long = format!(r#"{{"metadata": {{"a": "{}"}}}}"#, "x".repeat(9000));
    assert_eq!(field_of(open("/upload?uploadType=resumable", &json, &long)), "metadata");
    let length = [("x-upload-content-length", "-1")];
    assert_eq!(field_of(open("/upload?uploadType=resumable", &length, "")), "X-Upload-Content-Length");
    for kind in ["", "uploadType=multipart", "uploadType="] {
        assert_eq!(field_of(open(&format!("{BUCKET}?{kind}"), &[], "")), TYPE, "{kind}");
    }
    let form = [("content-type", "multipart/related; boundary=x"), ("content-length", "9")];
    let refused = open("/upload?uploadType=resumable", &form, "");
    assert!(matches!(refused, Err(ApiError::UnsupportedMediaType { .. })), "{refused:?}");
}

#[test]
fn media_is_a_whole_file() {
    let address = format!("{BUCKET}?uploadType=media&name=cat.png");
    match ask(Method::POST, &address, &[("content-length", "5"), ("content-type", "image/png")], "") {
        Ok(Operation::CreateWith(create, first)) => {
            assert_eq!((create.file.name.as_str(), first.length), ("cat.png", 5.into()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_and_where_they_end() {
    // headers -> offset, length, the file's length
    type Understood = (u32, u32, Option<u32>);
    let cases: [(&[(&'static str, &str)], Understood); 9] = [
        (&[("content-length", "5"), ("content-range", "bytes 0-4/9")], (0, 5, Some(9))),
        (&[("content-length", "4"), ("content-range", "bytes 5-8/9")], (5, 4, Some(9))),
        (&[("content-length", "5"), ("content-range", "bytes 0-4/*")], (0, 5, None)),
        (&[("content-length", "5"), ("content-range", "bytes 4-*/*")], (4, 5, Some(9))),
        (&[("content-length", "5"), ("content-range", "bytes 4-*/20")], (4, 5, Some(20))),
        (&[("content-length", "5")], (0, 5, Some(5))),
        (&[("content-length", "0"), ("content-range", "bytes */0")], (0, 0, Some(0))),
        (&[("content-range", "bytes */9")], (9, 0, Some(9))),
        (&[("content-length", "0"), ("content-range", "bytes 0-*/0")], (0, 0, Some(0))),
    ];
    for (headers, (offset, length, total)) in cases {
        match put(headers) {
            Ok(Operation::Append(Append {
                offset: from,
                length: bytes,
                file_bytes,
                named: Named::ByRange,
                overlap: Overlap::PassedOver,
                ..
            })) => {
                let expected = (ByteCount::from(offset), ByteCount::from(length), total.map(ByteCount::from));
                assert_eq!((from, bytes, file_bytes), expected, "{headers:?}");
            }
            other => panic!("{headers:?}: {other:?}"),
        }
    }
    for (range, expected) in [
        (None, (0, None, BodyEnd::FileEnds)),
        (Some("bytes 0-*/*"), (0, None, BodyEnd::FileEnds)),
        (Some("bytes 7-*/20"), (7, Some(20), BodyEnd::Nothing)),
        (Some("bytes 7-9/*"), (7, None, BodyEnd::Nothing)),
    ] {
        let headers: Vec<_> = range.map(|range| ("content-range", range)).into_iter().collect();
        match put(&headers) {
            Ok(Operation::AppendUnsized(Unsized { offset, file_bytes, end, .. })) => {
                let (from, total, ends) = expected;
                assert_eq!((offset, file_bytes, end), (from.into(), total.map(Into::into), ends), "{range:?}");
            }
            other => panic!("{range:?}: {other:?}"),
        }
    }
}

#[test]
fn questions_and_the_end() {
    let id = UploadId::parse(ID).unwrap();
    for headers in [&[("content-range", "bytes */*")][..], &[("content-range", "bytes */*"), ("content-length", "0")]] {
        assert_eq!(put(headers), Ok(Operation::Probe(id, Wait::ForObject)));
    }
    let address = format!("/upload?uploadType=resumable&upload_id={ID}");
    assert_eq!(ask(Method::DELETE, &address, &[], ""), Ok(Operation::Cancel(id)));
    for (method, address) in [(Method::GET, address.as_str()), (Method::PATCH, &address), (Method::PUT, BUCKET)] {
        let refused = ask(method.clone(), address, &[], "");
        assert!(matches!(refused, Err(ApiError::MethodNotAllowed { .. })), "{method} {address}: {refused:?}");
    }
    assert_eq!(ask(Method::PUT, &format!("{BUCKET}?upload_id=7"), &[], ""), Err(ApiError::NotAnUploadId));
}

#[test]
fn lying_ranges_are_refused() {
    for headers in [
        &[("content-length", "5"), ("content-range", "bytes 0-5/9")][..],
        &[("content-length", "5"), ("content-range", "bytes 0-3/9")],
        &[("content-length", "5"), ("content-range", "bytes 8-*/9")],
        &[("content-length", "5"), ("content-range", "bytes */*")],
        &[("content-length", "5"), ("content-range", "bytes */9")],
        &[("content-length", "5"), ("content-range", "bytes 9007199254740990-*/*")],
    ] {
        assert_eq!(field_of(put(headers)), "Content-Range", "{headers:?}");
    }
}
