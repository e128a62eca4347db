//! Requests of the JSON protocol, as tables.

use super::*;
use upload_types::preconditions::Conditions;

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Head {
        method: method.parse().unwrap(),
        path: path.replace("{id}", ID),
        query: query.to_owned(),
        headers: crate::Headers::of(headers.iter().copied()),
    }
}

fn operation(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Operation, ApiError> {
    parse(&head(method, target, headers)).map(|parsed| match parsed {
        Parsed::Ready(operation) => *operation,
        Parsed::NeedsBody { .. } | Parsed::Form(_) => panic!("needs a body"),
    })
}

fn chunk(headers: &[(&str, &str)]) -> Result<Append, ApiError> {
    operation("PUT", "/upload/{id}", headers).map(|operation| match operation {
        Operation::Append(append) => append,
        other => panic!("{other:?}"),
    })
}

#[test]
fn routes() {
    let id = UploadId::parse(ID).unwrap();
    for (method, target, expected) in [
        ("GET", "/upload/{id}", Operation::Status(id)),
        ("GET", "/upload/{id}/status", Operation::Status(id)),
        ("HEAD", "/upload/{id}/status", Operation::Status(id)),
        ("HEAD", "/upload/{id}", Operation::Probe(id, Wait::No)),
        ("DELETE", "/upload/{id}", Operation::Cancel(id)),
        ("GET", "/upload/{id}/log", Operation::History(id)),
        ("POST", "/upload/{id}/complete", Operation::Complete(id)),
        ("POST", "/upload/{id}/redeliver", Operation::Redeliver(id, None)),
    ] {
        assert_eq!(operation(method, target, &[]), Ok(expected), "{method} {target}");
    }
    for target in ["/upload/init", "/upload/{id}/complete"] {
        let with_body = head("POST", target, &[("content-length", "2")]);
        assert!(matches!(parse(&with_body), Ok(Parsed::NeedsBody { .. })), "{target}");
    }
}

#[test]
fn events_come_over_a_websocket_or_over_http() {
    let id = UploadId::parse(ID).unwrap();
    let watch = |method, headers: &[(&str, &str)]| operation(method, "/upload/{id}/events", headers);
    let watching = |subprotocol| Ok(Operation::Watch(Watch { id, channel: WatchChannel::WebSocket { subprotocol } }));
    assert_eq!(watch("GET", &[("upgrade", "WebSocket")]), watching(None));
    let offer = |names| watch("GET", &[("upgrade", "websocket"), ("sec-websocket-protocol", names)]);
    assert_eq!(offer("bearer.x, quayside"), watching(Some("quayside")));
    assert_eq!(offer("quayside2, soap"), watching(None));
    let streaming = |last: Option<&str>| {
        let channel = WatchChannel::EventStream { last_event_id: last.map(str::to_owned) };
        Ok(Operation::Watch(Watch { id, channel }))
    };
    assert_eq!(watch("GET", &[("accept", "text/event-stream")]), streaming(None));
    let again = [("accept", "text/html, Text/Event-Stream;q=0.9"), ("last-event-id", "open-none-5")];
    assert_eq!(watch("GET", &again), streaming(Some("open-none-5")));
    assert_eq!(watch("GET", &[("accept", "*/*")]), Err(ApiError::UpgradeRequired));
    assert_eq!(watch("GET", &[]), Err(ApiError::UpgradeRequired));
    assert_eq!(watch("GET", &[("upgrade", "h2c")]), Err(ApiError::UpgradeRequired));
    let allow = "GET, OPTIONS".to_owned();
    assert_eq!(watch("POST", &[("upgrade", "websocket")]), Err(ApiError::MethodNotAllowed { allow }));
}

#[test]
fn what_is_no_route() {
    for (target, expected) in [
        ("/", ApiError::NoSuchRoute),
        ("/upload", ApiError::NoSuchRoute),
        ("/upload/", ApiError::NotAnUploadId),
        ("/upload/nonsense", ApiError::NotAnUploadId),
        ("/upload/067E6162-3B6F-4AE2-A171-2470B63DFF00", ApiError::NotAnUploadId),
        ("/upload/..%2F..%2Fetc%2Fpasswd", ApiError::NotAnUploadId),
        ("/upload/{id}/", ApiError::NoSuchRoute),
        ("/upload/{id}/nonsense", ApiError::NoSuchRoute),
        ("/upload/{id}/status/", ApiError::NoSuchRoute),
    ] {
        let outcome = operation("GET", target, &[]);
        let expected =
            if target == "/upload/{id}/" { Ok(Operation::Status(UploadId::parse(ID).unwrap())) } else { Err(expected) };
        assert_eq!(outcome, expected, "{target}");
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    for (method, target, expected) in [
        ("GET", "/upload/init", "POST, OPTIONS"),
        ("POST", "/upload/{id}", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("GET", "/uploads/delete", "POST, OPTIONS"),
        ("POST", "/uploads", "GET, OPTIONS"),
        ("GET", "/upload/{id}/complete", "POST, OPTIONS"),
        ("GET", "/upload/{id}/links", "POST, OPTIONS"),
        ("PUT", "/upload/{id}/content", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("TRACE", "/openapi.json", "GET, HEAD, OPTIONS"),
        ("POST", "/problems/fault", "GET, HEAD, OPTIONS"),
    ] {
        let allow = expected.to_owned();
        assert_eq!(operation(method, target, &[]), Err(ApiError::MethodNotAllowed { allow }), "{method} {target}");
    }
}

#[test]
fn where_a_chunk_begins() {
    for (headers, offset, total) in [
        (&[("content-length", "5")][..], 0, None),
        (&[("content-length", "5"), ("x-upload-offset", "7")], 7, None),
        (&[("content-length", "5"), ("content-range", "bytes 7-11/12")], 7, Some(12.into())),
        (&[("content-length", "5"), ("content-range", "bytes 7-11/*")], 7, None),
        (&[("content-length", "5"), ("content-range", "bytes 7-11/12"), ("x-upload-offset", "7")], 7, Some(12.into())),
        (&[("content-length", "1"), ("content-range", "bytes 0-0/1")], 0, Some(1.into())),
    ] {
        let parsed = chunk(headers).unwrap();
        assert_eq!((parsed.offset, parsed.file_bytes), (offset.into(), total), "{headers:?}");
    }
}

#[test]
fn malformed_headers_are_named() {
    for (name, values) in [
        (
            "Content-Range",
            &[
                "",
                "bytes",
                "bytes 0-4",
                "bytes 4-0/12",
                "bytes 0-5/12",
                "bytes 0-3/12",
                "bytes -4/12",
                "bytes 0-/12",
                "bytes 0-4/4",
                "bytes 0-4/x",
                "items 0-4/12",
                "bytes +0-4/12",
                "bytes 0 - 4/12",
                "bytes 0-4/12/12",
                "é",
            ][..],
        ),
        ("X-Upload-Offset", &["", "-1", "1.0", "0x10", "1e3", "9007199254740992", "99999999999999999999", "one", "é"]),
        ("X-Chunk-Checksum", &["", "sha256", "sha256=", "sha256=abc", "sha3=00", "SHA256=00", "crc32c=00"]),
        ("Content-Digest", &["", "sha-256", "sha-256=abc", "sha-256=:YWJj:", "unixsum=:AAAA:", "sha-256=(:YWJj:)"]),
    ] {
        for value in values {
            match chunk(&[("content-length", "5"), (name.to_lowercase().as_str(), value)]) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, name, "{value:?}"),
                other => panic!("{name}: {value:?}: {other:?}"),
            }
        }
    }
    assert_eq!(chunk(&[]), Err(ApiError::LengthRequired));
    let disagree = chunk(&[("content-length", "5"), ("content-range", "bytes 7-11/12"), ("x-upload-offset", "8")]);
    assert!(matches!(disagree, Err(ApiError::BadRequest { field, .. }) if field == "X-Upload-Offset"));
}

#[test]
fn what_belongs_to_another_protocol_is_not_overlooked() {
    let length = ("content-length", "5");
    match chunk(&[length, ("upload-offset", "5")]) {
        Err(ApiError::BadRequest { field, detail }) => {
            assert!(field == "Upload-Offset" && detail.contains("X-Upload-Offset"), "{field}: {detail}");
        }
        other => panic!("{other:?}"),
    }
    assert!(chunk(&[length, ("upload-offset", "5"), ("x-upload-offset", "5")]).is_ok());
    let form = ("content-type", "multipart/form-data; boundary=x");
    assert!(matches!(chunk(&[length, ("x-upload-offset", "5"), form]), Err(ApiError::UnsupportedMediaType { .. })));
    for route in ["/upload/init", "/upload/{id}/parts", "/upload/{id}/parts/sign", "/upload/{id}/links"] {
        let refused = parse(&head("POST", route, &[form]));
        assert!(matches!(refused, Err(ApiError::UnsupportedMediaType { .. })), "{route}: {refused:?}");
    }
}

#[test]
fn a_digest_may_be_said_in_three_ways() {
    let hex = "sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let base64 = "sha256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let standard = "unixsum=:AAAA:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let first = chunk(&[("content-length", "5"), ("x-chunk-checksum", hex)]).unwrap().digest;
    assert_eq!(first.as_ref().unwrap().algorithm, Algorithm::Sha256);
    assert_eq!(chunk(&[("content-length", "5"), ("x-chunk-checksum", base64)]).unwrap().digest, first);
    assert_eq!(chunk(&[("content-length", "5"), ("content-digest", standard)]).unwrap().digest, first);
}

#[test]
fn a_download_is_by_signature_or_for_the_owner() {
    let conditions = Conditions { range: Some("bytes=0-1".to_owned()), ..Conditions::default() };
    let owners = |head_only, conditions| Content {
        id: UploadId::parse(ID).unwrap(),
        head_only,
        conditions,
        missing: MissingObject::Refusal,
        served: Served::Bytes,
    };
    let asked = [("range", "bytes=0-1")];
    let whole = operation("GET", "/upload/{id}/content", &asked);
    assert_eq!(whole, Ok(Operation::Content(owners(false, conditions))));
    let head = operation("HEAD", "/upload/{id}/content", &asked);
    assert_eq!(head, Ok(Operation::Content(owners(true, Conditions::default()))));
    for half in ["expires=7", "signature=00", "signature="] {
        let parsed = operation("GET", &format!("/upload/{{id}}/content?{half}"), &[]);
        assert_eq!(parsed, Err(ApiError::BadSignature), "{half}");
    }
    assert_eq!(operation("GET", "/upload/{id}/content?expires=x&signature=00", &[]), Err(ApiError::BadSignature));
    let parsed = operation("HEAD", "/upload/{id}/content?expires=7&signature=00", &[("range", "bytes=0-1")]);
    let Ok(Operation::Download(download)) = parsed else { panic!("{parsed:?}") };
    assert!(download.head_only);
    assert_eq!((download.expires_unix_seconds, download.conditions), (7, Conditions::default()), "HEAD has no range");
    let asked = [("range", "bytes=0-1"), ("if-range", "\"a\""), ("if-none-match", "*")];
    let parsed = operation("GET", "/upload/{id}/content?expires=7&signature=00", &asked);
    let Ok(Operation::Download(Download { conditions, .. })) = parsed else { panic!("{parsed:?}") };
    assert_eq!((conditions.range.as_deref(), conditions.if_range.as_deref()), (Some("bytes=0-1"), Some("\"a\"")));
    assert_eq!((conditions.if_none_match.as_deref(), conditions.if_match), (Some("*"), None));
}

#[test]
fn a_link_says_as_what_the_object_is_wanted() {
    let presented = |more: &str| {
        let target = format!("/upload/{{id}}/content?expires=7&signature=00{more}");
        operation("GET", &target, &[]).map(|operation| match operation {
            Operation::Download(download) => download.presentation,
            other => panic!("{other:?}"),
        })
    };
    let named =
        |disposition, name: &str| Presentation { disposition, file_name: Some(name.to_owned()), for_scanner: false };
    assert_eq!(presented(""), Ok(Presentation::default()));
    assert_eq!(presented("&disposition=inline&fileName=a%20%C3%BC"), Ok(named(Disposition::Inline, "a ü")));
    assert_eq!(presented("&fileName=a+%26"), Ok(named(Disposition::Attachment, "a &")), "as forms have it");
    assert_eq!(presented("&fileName="), Ok(named(Disposition::Attachment, "")), "which no link has");
    for unsigned in ["attachment", "Inline", ""] {
        assert_eq!(presented(&format!("&disposition={unsigned}")), Err(ApiError::BadSignature), "{unsigned}");
    }
}
