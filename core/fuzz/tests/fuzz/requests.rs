//! Whole requests, in each protocol: a line with method and address, headers, an empty line, the body.
//!
//! Whatever comes in, what goes out is a good answer: its headers can be sent (nothing in them ends a line), its document is JSON,
//! and what a client says of its file comes back in every rendering without breaking one.

use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use upload_protocols::{Asked, Head, Headers, Parsed, Protocol};
use upload_session::session::Session;
use upload_types::{
    api_error::ApiError,
    operation::{Create, Operation, Outcome, Reply},
    plan::{Limits, Plan},
    units::{ByteCount, UnixMs, UploadId},
};

use crate::rows;

pub(crate) fn json(input: &[u8]) {
    request(input, Protocol::Json);
}

pub(crate) fn tus(input: &[u8]) {
    request(input, Protocol::Tus);
}

pub(crate) fn ietf(input: &[u8]) {
    request(input, Protocol::Ietf);
}

pub(crate) fn plain(input: &[u8]) {
    request(input, Protocol::Plain);
}

pub(crate) fn google(input: &[u8]) {
    request(input, Protocol::Google);
}

pub(crate) fn chunked_form(input: &[u8]) {
    request(input, Protocol::ChunkedForm);
}

pub(crate) fn filepond(input: &[u8]) {
    request(input, Protocol::FilePond);
}

fn request(input: &[u8], protocol: Protocol) {
    let Some((head, body)) = read(input) else { return };
    let _ = Protocol::of(&head);
    let parsed = match protocol.parse(&head) {
        Ok(Parsed::Ready(operation)) => Ok(*operation),
        Ok(Parsed::NeedsBody { max_bytes, finish }) if body.len() <= max_bytes as usize => finish(&head, body),
        Ok(Parsed::NeedsBody { .. } | Parsed::Form(_)) => return,
        Err(refusal) => Err(refusal),
    };
    let asked = Asked {
        head: &head,
        limits: Some(limits()),
        base_url: "https://u.example",
        problems_url: "https://u.example/problems/",
        now: UnixMs(1_800_000_000_000),
    };
    match parsed {
        Err(refusal) => {
            let _ = protocol.consequence(&head, &refusal);
            sendable(&protocol.problem(&asked, &refusal, None));
        }
        Ok(operation) => {
            sendable(&protocol.problem(&asked, &ApiError::UploadNotFound, operation.upload_id()));
            if let Operation::Create(create)
            | Operation::CreateWith(create, _)
            | Operation::CreateWithUnsized(create, ..) = operation
            {
                created(create, protocol, &asked);
            }
        }
    }
}

/// A request as text; `None` where no HTTP library would have let it through.
pub(crate) fn read(input: &[u8]) -> Option<(Head, &[u8])> {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = (&input[..end], input.get(end + 2..).unwrap_or_default());
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, address) = first.split_once(' ')?;
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut pairs = Vec::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        // What a server lets through.
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        pairs.push((name, String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let headers = Headers::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    Some((Head { method, path: path.to_owned(), query: query.to_owned(), headers }, body))
}

pub(crate) fn limits() -> Limits {
    let bytes = |bytes| ByteCount::new(bytes).unwrap();
    Limits { max_upload_bytes: bytes(107_374_182_400), max_chunk_bytes: bytes(99_614_720) }
}

/// What was said of the file is fit to be told, in every way.
pub(crate) fn created(create: Create, protocol: Protocol, asked: &Asked<'_>) {
    assert!(!create.file.name.is_empty() && create.file.name.len() <= 1024, "{:?}", create.file.name);
    assert!(!create.file.name.chars().any(char::is_control), "{:?}", create.file.name);
    let content_type = create.file.content_type.as_deref().unwrap_or("a/b");
    assert!(HeaderValue::from_str(content_type).is_ok(), "{content_type:?}");
    let metadata_bytes: usize = create.file.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(metadata_bytes <= 8 * 1024);
    let Ok(plan) = Plan::for_chunks(create.mode, create.file_bytes, create.chunking, limits()) else { return };
    assert!(!plan.part_bytes.is_zero() && plan.part_count() <= 10_000);
    let spec = rows::spec(UploadId::from_random_bytes([3; 16]), plan, create.file);
    let Ok(session) = Session::create(spec, Some("multipart".to_owned())) else { return };
    let snapshot = session.snapshot();
    let outcomes = [
        Outcome::Created { snapshot: snapshot.clone(), limits: limits(), upload_token: None },
        Outcome::Probed(snapshot.clone()),
        Outcome::Status(snapshot.clone()),
        Outcome::Completing(snapshot.clone()),
    ];
    for outcome in outcomes {
        sendable(&protocol.reply(asked, &outcome));
    }
    for (name, value) in protocol.beside_content(asked, &snapshot) {
        assert!(HeaderValue::from_str(&value).is_ok(), "{name}: {value:?}");
    }
}

pub(crate) fn sendable(reply: &Reply) {
    assert!((200..600).contains(&reply.status), "{}", reply.status);
    for (name, value) in &reply.headers {
        assert!(HeaderValue::from_str(value).is_ok(), "{name}: {value:?}");
    }
    if let Some(body) = &reply.body {
        assert!(serde_json::from_str::<Value>(body).is_ok_and(|body| body.is_object()), "{body}");
    }
}
