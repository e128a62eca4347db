//! What the tests of all libraries share; and what holds for each of them: whose words are recognized, and what a piece becomes.

use http::Method;

use super::*;
use crate::{Protocol, sample};
use upload_types::{
    keyed_chunk::{KeyedChunk, KnownAs, Place},
    operation::{Outcome, Reply},
    upload::Phase,
};

type Read = fn(&Said<'_>) -> Result<Option<FormChunk>, ApiError>;

/// What one library's words say in the fields of a form.
pub(super) fn said(fields: &[(&str, &str)], read: Read) -> Result<Option<FormChunk>, ApiError> {
    said_with(&sample::head(Method::POST, PATH, &[]), fields, None, read)
}

/// The same with this head, and with what the file's part calls it.
pub(super) fn said_with(
    head: &Head,
    fields: &[(&str, &str)],
    file_name: Option<&str>,
    read: Read,
) -> Result<Option<FormChunk>, ApiError> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    read(&Said { head, fields: &fields, file_name, content_type: None })
}

/// The field that a refusal names.
pub(super) fn field_of<T: std::fmt::Debug>(refused: Result<T, ApiError>) -> String {
    match refused {
        Err(ApiError::BadRequest { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

const DROPZONE: [(&str, &str); 6] = [
    ("dzuuid", "7a0c"),
    ("dzchunkindex", "0"),
    ("dztotalfilesize", "25"),
    ("dzchunksize", "10"),
    ("dztotalchunkcount", "3"),
    ("dzchunkbyteoffset", "0"),
];

fn keyed(fields: &[(&str, &str)], length: u32) -> Result<KeyedChunk, ApiError> {
    let head = sample::head(Method::POST, PATH, &[]);
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let said = Said { head: &head, fields: &fields, file_name: Some("../x/a b.bin"), content_type: Some("image/png") };
    recognize(&said).unwrap().unwrap().keyed(&said, length.into())
}

#[test]
fn a_piece_is_of_the_file_that_its_fields_and_its_part_name() {
    let more = [&DROPZONE[..], &[("album", "summer"), ("", "x")]].concat();
    let chunk = keyed(&more, 10).unwrap();
    assert_eq!((chunk.file.name.as_str(), chunk.file.content_type.as_deref()), ("a b.bin", Some("image/png")));
    assert_eq!(chunk.file.metadata.into_iter().collect::<Vec<_>>(), [("album".to_owned(), "summer".to_owned())]);
    assert_eq!((chunk.place, chunk.known_as), (Place::At(ByteCount::ZERO), KnownAs::ThisUpload));
    let mut second = DROPZONE;
    (second[1].1, second[5].1) = ("1", "10");
    assert_eq!(keyed(&second, 10).unwrap().key, chunk.key, "every piece of a file has its key");
    let mut other = DROPZONE;
    other[0].1 = "7a0d";
    assert_ne!(keyed(&other, 10).unwrap().key, chunk.key);
    let fine = [("qquuid", "7a0c"), ("qqtotalfilesize", "25")];
    assert_ne!(keyed(&fine, 25).unwrap().key, chunk.key, "another library's identifier is another");
}

#[test]
fn a_key_that_a_client_says_is_for_one_file() {
    let key_of = |range: Option<&'static str>, fields: &[(&str, &str)], name: &str| {
        let headers: Vec<_> =
            [("idempotency-key", "k")].into_iter().chain(range.map(|range| ("content-range", range))).collect();
        let head = sample::head(Method::POST, PATH, &headers);
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let said = Said { head: &head, fields: &fields, file_name: Some(name), content_type: None };
        let chunk = recognize(&said).unwrap().unwrap();
        assert_eq!(chunk.known_as, KnownAs::ThisUpload);
        chunk.keyed(&said, 10.into()).unwrap().key
    };
    let plupload = |name, index, count| key_of(None, &[("name", name), ("chunk", index), ("chunks", count)], "blob");
    let first = plupload("a", "0", "3");
    assert_eq!((first.key.as_str(), plupload("a", "1", "3")), ("k", first.clone()));
    let ranged = |range, name| key_of(Some(range), &[], name);
    let second = ranged("bytes 0-9/25", "a");
    assert_eq!(ranged("bytes 10-19/25", "a"), second);
    for other in
        [plupload("b", "0", "3"), plupload("a", "0", "4"), ranged("bytes 0-9/25", "b"), ranged("bytes 0-9/26", "a")]
    {
        assert_eq!(other.key, "k");
        assert!(other.request != first.request && other.request != second.request, "another file is a mistake");
    }
    assert_ne!(first.request, second.request);
}

#[test]
fn the_type_of_a_file_is_said_by_its_library_its_page_or_its_part() {
    let fields: Vec<_> = DROPZONE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (header, part, expected) in [
        (None, Some("application/octet-stream"), None),
        (None, Some("image/png"), Some("image/png")),
        (Some("video/mp4"), Some("application/octet-stream"), Some("video/mp4")),
        (Some("nonsense"), None, None),
    ] {
        let headers: Vec<_> = header.map(|value| ("x-upload-content-type", value)).into_iter().collect();
        let head = sample::head(Method::POST, PATH, &headers);
        let said = Said { head: &head, fields: &fields, file_name: Some("a"), content_type: part };
        let chunk = recognize(&said).unwrap().unwrap().keyed(&said, 10.into()).unwrap();
        assert_eq!(chunk.file.content_type.as_deref(), expected, "{header:?} {part:?}");
    }
}

#[test]
fn a_body_of_another_length_than_the_fields_say_is_refused() {
    for length in [0, 9, 11] {
        assert_eq!(field_of(keyed(&DROPZONE, length)), "file", "{length}");
    }
    let plupload = [("name", "a"), ("chunk", "1"), ("chunks", "2")];
    assert_eq!(field_of(keyed(&plupload, 0)), "file");
    assert!(keyed(&plupload, 3).is_ok());
    let long = "x".repeat(9_000);
    assert_eq!(field_of(keyed(&[&DROPZONE[..], &[("note", long.as_str())]].concat(), 10)), "fields");
}

#[test]
fn a_path_inside_a_folder_is_metadata() {
    let fields = |path| {
        [
            ("flowChunkNumber", "1"),
            ("flowChunkSize", "10"),
            ("flowCurrentChunkSize", "10"),
            ("flowTotalSize", "10"),
            ("flowIdentifier", "10-ab"),
            ("flowFilename", "b"),
            ("flowRelativePath", path),
            ("flowTotalChunks", "1"),
        ]
    };
    assert_eq!(keyed(&fields("a/b"), 10).unwrap().file.metadata["relativePath"], "a/b");
    assert!(keyed(&fields("b"), 10).unwrap().file.metadata.is_empty(), "it is the name once more");
}

#[test]
fn whose_requests_they_are() {
    let resumable = "resumableIdentifier=a&resumableChunkNumber=1";
    for (method, address, headers, expected) in [
        (Method::GET, format!("/upload?{resumable}"), &[][..], true),
        (Method::POST, format!("/upload?{resumable}"), &[], true),
        (Method::POST, format!("/upload?{resumable}"), &[("content-type", "multipart/form-data; boundary=x")], false),
        (Method::POST, "/upload".to_owned(), &[("content-range", "bytes 0-1/2")], true),
        (Method::GET, "/upload".to_owned(), &[("content-range", "bytes 0-1/2")], false),
        (Method::GET, "/upload?identifier=a".to_owned(), &[], false),
        (Method::POST, "/upload?name=a".to_owned(), &[], false),
        (Method::GET, format!("/uploads?{resumable}"), &[], false),
        (Method::DELETE, format!("/upload?{resumable}"), &[], false),
    ] {
        let head = sample::head(method.clone(), &address, headers);
        assert_eq!(is_spoken(&head), expected, "{method} {address}");
        assert_eq!(Protocol::of(&head) == Protocol::ChunkedForm, expected, "{method} {address}");
    }
}

#[test]
fn a_question_and_a_bare_piece() {
    let query = "resumableChunkNumber=2&resumableChunkSize=10&resumableCurrentChunkSize=15&resumableTotalSize=25\
                 &resumableIdentifier=25-a+b&resumableFilename=a%20b&resumableTotalChunks=2";
    let ask = |method, headers: &[(&'static str, &str)]| {
        parse(&sample::head(method, &format!("/upload?{query}"), headers)).map(|parsed| match parsed {
            Parsed::Ready(operation) => *operation,
            Parsed::NeedsBody { .. } | Parsed::Form(_) => panic!("its body is bytes"),
        })
    };
    let Ok(Operation::FindKeyed(asked)) = ask(Method::GET, &[]) else { panic!() };
    let Ok(Operation::AppendKeyed(sent)) = ask(Method::POST, &[("content-length", "15")]) else { panic!() };
    assert_eq!(asked, sent);
    assert_eq!((sent.file.name.as_str(), sent.length), ("a b", 15.into()));
    assert_eq!(field_of(ask(Method::POST, &[("content-length", "14")])), "file");
    assert_eq!(ask(Method::POST, &[]), Err(ApiError::LengthRequired));
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    sample::header(reply, name)
}

#[test]
fn a_piece_that_is_stored_is_a_success_in_every_librarys_words() {
    let head = sample::head(Method::POST, PATH, &[]);
    let appended = |phase, uploaded_bytes: u32| Outcome::Appended {
        id: upload_types::units::UploadId::parse(sample::ID).unwrap(),
        uploaded_bytes: uploaded_bytes.into(),
        file_bytes: Some(100.into()),
        expires_at: upload_types::units::UnixMs(0),
        phase,
        object: None,
    };
    let stored = reply(&sample::asked(&head), &appended(Phase::Open, 40));
    let body = sample::body(&stored);
    assert_eq!((stored.status, &body["success"], &body["uploadedBytes"]), (200, &true.into(), &40.into()));
    assert_eq!((header(&stored, "range"), header(&stored, "location")), (Some("bytes=0-39"), None));
    let last = reply(&sample::asked(&head), &appended(Phase::Completed, 100));
    assert_eq!(header(&last, "location"), Some(format!("https://u.example/upload/{}", sample::ID).as_str()));
    for (found, status) in [(true, 200), (false, 204)] {
        assert_eq!(reply(&sample::asked(&head), &Outcome::Found(found)).status, status);
    }
}

#[test]
fn a_refusal_has_the_words_that_are_shown_and_ends_what_does_not_pass() {
    let gone = ApiError::UploadGone { phase: Phase::Expired, reason: "late".to_owned() };
    let early = ApiError::ChunkTooEarly { uploaded_bytes: 1.into() };
    for (address, refusal, status) in [
        ("/upload", &gone, 410),
        ("/upload?resumableIdentifier=a", &gone, 400),
        ("/upload", &early, 503),
        ("/upload?resumableIdentifier=a", &early, 503),
        ("/upload", &ApiError::Completing, 503),
        ("/upload?resumableIdentifier=a", &ApiError::BodyStalled { uploaded_bytes: 1.into() }, 408),
        ("/upload?resumableIdentifier=a", &ApiError::Unauthorized, 401),
        ("/upload?resumableIdentifier=a", &ApiError::NoSuchRoute, 404),
    ] {
        let head = sample::head(Method::POST, address, &[]);
        let reply = problem(&sample::asked(&head), refusal, None);
        assert_eq!(reply.status, status, "{address} {refusal:?}");
        let body = sample::body(&reply);
        assert_eq!((&body["success"], body["error"].is_string()), (&false.into(), true));
        assert_eq!(header(&reply, "retry-after").is_some(), status == 503, "{address} {refusal:?}");
    }
}
