//! Single values: what stands in one header or one setting.

use http::{HeaderValue, Method};
use upload_access::cors::AllowedOrigins;
use upload_protocols::{Head, Headers, Parsed, Protocol};
use upload_session::storage_fault;
use upload_types::{
    byte_range::{self, Wanted},
    media_types::MediaTypes,
    operation::Operation,
    units::ByteCount,
};

fn head(method: Method, path: &str, headers: &[(&'static str, &[u8])]) -> Option<Head> {
    let mut pairs = Vec::new();
    for (name, value) in headers {
        // What a server lets through.
        HeaderValue::from_bytes(value).ok()?;
        pairs.push((*name, String::from_utf8_lossy(value)));
    }
    let headers = Headers::of(pairs.iter().map(|(name, value)| (*name, &**value)));
    Some(Head { method, path: path.to_owned(), query: String::new(), headers })
}

/// Each of the structured fields (RFC 9651) that is read.
pub(crate) fn structured_fields(input: &[u8]) {
    const ID: &str = "/files/067e6162-3b6f-4ae2-a171-2470b63dff00";
    for name in
        ["upload-complete", "upload-length", "upload-offset", "content-digest", "repr-digest", "want-repr-digest"]
    {
        let remainder: [(&str, &[u8]); 3] = [
            ("upload-draft-interop-version", b"8"),
            ("content-length", b"5"),
            ("content-type", b"application/partial-upload"),
        ];
        for (method, path) in [(Method::POST, "/files"), (Method::PATCH, ID)] {
            let fields = [&remainder[..], &[(name, input)]].concat();
            let Some(head) = head(method, path, &fields) else { return };
            let _ = Protocol::Ietf.parse(&head);
            let _ = Protocol::Tus.parse(&head);
        }
    }
    let chunk: [(&str, &[u8]); 3] = [("content-length", b"5"), ("x-upload-offset", b"0"), ("content-digest", input)];
    let Some(head) = head(Method::PUT, "/upload/067e6162-3b6f-4ae2-a171-2470b63dff00", &chunk) else { return };
    if let Ok(Parsed::Ready(operation)) = Protocol::Json.parse(&head)
        && let Operation::Append(append) = *operation
        && let Some(digest) = append.digest
    {
        assert_eq!(digest.value.len(), digest.algorithm.digest_bytes());
    }
}

/// `Upload-Metadata` of tus: what is kept of it is bounded, and is text.
pub(crate) fn metadata(input: &[u8]) {
    let fields: [(&str, &[u8]); 3] = [("tus-resumable", b"1.0.0"), ("upload-length", b"5"), ("upload-metadata", input)];
    let Some(head) = head(Method::POST, "/files", &fields) else { return };
    let Ok(Parsed::Ready(operation)) = Protocol::Tus.parse(&head) else { return };
    let (Operation::Create(create) | Operation::CreateWith(create, _)) = *operation else { panic!("not a creation") };
    let kept: usize = create.file.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(kept <= 8 * 1024, "{kept}");
    assert!(!create.file.name.chars().any(char::is_control));
}

/// `Content-Disposition` of the draft (RFC 6266): a name comes out of it clean, or none does.
pub(crate) fn dispositions(input: &[u8]) {
    let fields: [(&str, &[u8]); 4] =
        [("upload-complete", b"?0"), ("upload-length", b"5"), ("content-length", b"0"), ("content-disposition", input)];
    let Some(head) = head(Method::POST, "/files", &fields) else { return };
    let Ok(Parsed::Ready(operation)) = Protocol::Ietf.parse(&head) else { return };
    let (Operation::Create(create) | Operation::CreateWith(create, _)) = *operation else { panic!("not a creation") };
    assert!(!create.file.name.is_empty() && !create.file.name.chars().any(char::is_control));
}

/// What is wanted lies within the object.
pub(crate) fn ranges(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for bytes in [0, 1, 100, 9_007_199_254_740_991] {
        if let Ok(Wanted::Range { first, last }) = byte_range::wanted(Some(&text), ByteCount::new(bytes).unwrap()) {
            assert!(first <= last && last < bytes, "{first}-{last} of {bytes}");
        }
    }
}

/// Nobody is allowed who is not listed: of a fixed list, by another way of looking; of a list that is made up, nobody by its
/// end alone.
pub(crate) fn origins(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let list = AllowedOrigins::parse("https://app.test, https://*.example.com").unwrap();
    if list.allow(&text).is_some() && text != "https://app.test" {
        let host = text.strip_prefix("https://").unwrap();
        let labels = host.strip_suffix(".example.com").unwrap();
        assert!(labels.split('.').all(|label| !label.is_empty()), "{text}");
        assert!(host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte)));
    }
    if let Ok(list) = AllowedOrigins::parse(&text)
        && !text.contains('*')
    {
        for origin in ["https://evil.test.made.up", "null", "", "https://"] {
            assert!(list.allow(origin).is_none() || text.contains(origin), "{text}");
        }
    }
}

/// A list, an empty line, and the first bytes of a file.
pub(crate) fn media_types(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let list = String::from_utf8_lossy(&input[..end]);
    let bytes = input.get(end + 2..).unwrap_or_default();
    let Ok(types) = MediaTypes::parse(list.split(',')) else { return };
    for declared in list.split(',').chain(["image/png", "text/plain", "application/zip", "", "a"]) {
        let _ = types.allow(declared);
        let _ = types.check_first_bytes(declared, bytes);
    }
    let png = MediaTypes::parse(["image/png"]).unwrap();
    if png.check_first_bytes("image/png", bytes).is_ok() {
        assert!(bytes.starts_with(b"\x89PNG"), "{bytes:?}");
    }
}

/// What R2 says when something went wrong.
pub(crate) fn storage_messages(input: &[u8]) {
    let _ = storage_fault::classify(&String::from_utf8_lossy(input));
}
