//! Requests of the JSON protocol: routes, and the headers that come with a chunk.

use http::Method;

use crate::json::{admin, allow::allow, complete, describe, init, judge, link, list, presigned, repair, upload_link};
use crate::{Head, Parsed, body_type, byte_sequences, numbers::byte_count, problem_page};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    integrity::{Algorithm, ChunkDigest},
    link::{Disposition, Download, Presentation, Served},
    operation::{Append, Content, MissingObject, Operation, Wait, Watch, WatchChannel},
    units::{ByteCount, UploadId},
    upload_link::LinkId,
};

/// What is about no upload, and is answered before a protocol is asked where it is only read.
const READ_ONLY: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    if head.path == "/uploads" {
        allow(head, &[Method::GET])?;
        return Ok(Parsed::Ready(Box::new(list::parse(head)?)));
    }
    if head.path == list::DELETE_PATH {
        allow(head, &[Method::POST])?;
        body_type::json(head)?;
        return Ok(Parsed::NeedsBody { max_bytes: list::MAX_BODY_BYTES, finish: list::parse_deletion });
    }
    if head.path == "/usage" {
        allow(head, &[Method::GET])?;
        return Ok(Parsed::Ready(Box::new(Operation::Usage)));
    }
    if head.path == "/uploads/events" {
        allow(head, &[Method::GET])?;
        return Ok(Parsed::Ready(Box::new(Operation::WatchAll)));
    }
    if let Some(route) = head.path.strip_prefix(admin::PATH) {
        return admin::parse(head, route);
    }
    if READ_ONLY.contains(&head.path.as_str()) || head.path.starts_with(problem_page::PATH) {
        allow(head, &[Method::GET, Method::HEAD])?;
    }
    let rest = head.path.strip_prefix("/upload/").ok_or(ApiError::NoSuchRoute)?;
    if rest == "init" {
        return allow(head, &[Method::POST])
            .and_then(|()| body_type::json(head))
            .map(|()| Parsed::NeedsBody { max_bytes: init::MAX_BODY_BYTES, finish: init::parse });
    }
    if rest == upload_link::ROUTE {
        allow(head, &[Method::POST])?;
        body_type::json(head)?;
        return Ok(Parsed::NeedsBody { max_bytes: upload_link::MAX_BODY_BYTES, finish: upload_link::parse });
    }
    let (id, route) = rest.split_once('/').unwrap_or((rest, ""));
    if id == upload_link::ROUTE {
        let link = LinkId::parse(route).ok_or(ApiError::NoSuchRoute)?;
        return allow(head, &[Method::DELETE]).map(|()| Parsed::Ready(Box::new(Operation::RevokeUploadLink(link))));
    }
    let id = UploadId::parse(id).ok_or(ApiError::NotAnUploadId)?;
    let operation = match route {
        "" => {
            allow(head, &[Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE])?;
            match head.method {
                Method::PATCH => {
                    body_type::json(head)?;
                    return Ok(Parsed::NeedsBody { max_bytes: describe::MAX_BODY_BYTES, finish: describe::parse });
                }
                Method::PUT => Operation::Append(append(id, head)?),
                Method::DELETE => Operation::Cancel(id),
                Method::HEAD => Operation::Probe(id, Wait::No),
                _ => Operation::Status(id),
            }
        }
        "parts" | "parts/sign" => {
            allow(head, &[Method::POST])?;
            body_type::json(head)?;
            let finish = if route == "parts" { presigned::record } else { presigned::sign };
            return Ok(Parsed::NeedsBody { max_bytes: presigned::MAX_BODY_BYTES, finish });
        }
        "repair" => {
            allow(head, &[Method::POST])?;
            body_type::json(head)?;
            return Ok(Parsed::NeedsBody { max_bytes: repair::MAX_BODY_BYTES, finish: repair::parse });
        }
        // Whoever brings nothing asks whether all is there, also in a body that does not say that it is empty.
        "complete" if head.header("content-length").is_none_or(|length| length.trim() == "0") => {
            allow(head, &[Method::POST]).map(|()| Operation::Complete(id))?
        }
        "complete" => {
            allow(head, &[Method::POST])?;
            body_type::json(head)?;
            return Ok(Parsed::NeedsBody { max_bytes: complete::MAX_BODY_BYTES, finish: complete::parse });
        }
        "links" => {
            allow(head, &[Method::POST])?;
            body_type::json(head)?;
            return Ok(Parsed::NeedsBody { max_bytes: link::MAX_BODY_BYTES, finish: link::parse });
        }
        "release" | "reject" => return judge::parse(head, id, route),
        "manifest" => allow(head, &[Method::GET]).map(|()| Operation::Manifest(id))?,
        "status" => allow(head, &[Method::GET, Method::HEAD]).map(|()| Operation::Status(id))?,
        "log" => allow(head, &[Method::GET]).map(|()| Operation::History(id))?,
        "events" => allow(head, &[Method::GET]).and_then(|()| watch(id, head))?,
        "redeliver" => allow(head, &[Method::POST]).map(|()| Operation::Redeliver(id, head.query_text("receiver")))?,
        "content" => allow(head, &[Method::GET, Method::HEAD]).and_then(|()| download(id, Served::Bytes, head))?,
        "index.m3u8" => {
            allow(head, &[Method::GET, Method::HEAD]).and_then(|()| download(id, Served::Playlist, head))?
        }
        _ => return Err(ApiError::NoSuchRoute),
    };
    Ok(Parsed::Ready(Box::new(operation)))
}

/// What a client offers as its WebSocket subprotocol. A browser sends no `Authorization` with a handshake; whoever needs one
/// offers it beside this name, as `bearer.<token>`, and a browser insists that one of what it offered is chosen.
const SUBPROTOCOL: &str = "quayside";

/// The handshake of a WebSocket (RFC 6455, section 4.2.1), of which the platform does the rest; or events over HTTP.
fn watch(id: UploadId, head: &Head) -> Result<Operation, ApiError> {
    let is_handshake = head.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    let channel = if is_handshake {
        let offered = head.header("sec-websocket-protocol").unwrap_or_default();
        let subprotocol = offered.split(',').any(|name| name.trim() == SUBPROTOCOL).then_some(SUBPROTOCOL);
        WatchChannel::WebSocket { subprotocol }
    } else if head.header("accept").is_some_and(takes_events) {
        WatchChannel::EventStream { last_event_id: head.header("last-event-id").map(str::to_owned) }
    } else {
        return Err(ApiError::UpgradeRequired);
    };
    Ok(Operation::Watch(Watch { id, channel }))
}

/// Whether the answer may be Server-Sent Events: they must be named, since a browser that opens the address takes anything.
fn takes_events(accept: &str) -> bool {
    accept
        .split(',')
        .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream"))
}

fn append(id: UploadId, head: &Head) -> Result<Append, ApiError> {
    body_type::bare_bytes(head, "`Content-Type: application/octet-stream`")?;
    refuse_other_offset(head)?;
    let length = match head.header("content-length") {
        Some(text) => byte_count("Content-Length", text)?,
        None => return Err(ApiError::LengthRequired),
    };
    let declared = head.present("x-upload-offset").map(|text| byte_count("X-Upload-Offset", text)).transpose()?;
    let range = head.present("content-range").map(|text| content_range(text, length)).transpose()?;
    let (offset, named) = match (declared, &range) {
        (Some(offset), Some(range)) if offset != range.first => {
            return Err(ApiError::bad_request("X-Upload-Offset", "differs from where Content-Range begins"));
        }
        (Some(offset), _) => (offset, Named::ByOffset),
        (None, Some(range)) => (range.first, Named::ByRange),
        (None, None) => (ByteCount::ZERO, Named::Implied),
    };
    let file_bytes = range.and_then(|range| range.total);
    let (overlap, completes, digest) = (Overlap::Refused, Completion::WhenWhole, chunk_digest(head)?);
    Ok(Append { id, offset, named, overlap, completes, length, file_bytes, digest, wait: Wait::No })
}

/// The header that tus and the IETF draft say the same with is no offset here. Overlooked, the chunk would count elsewhere.
fn refuse_other_offset(head: &Head) -> Result<(), ApiError> {
    let has = |name: &str| head.headers.contains_key(name);
    if has("upload-offset") && !has("x-upload-offset") && !has("content-range") {
        let detail = "is a header of tus and of the IETF draft; the JSON API's is X-Upload-Offset, or Content-Range";
        return Err(ApiError::bad_request("Upload-Offset", detail));
    }
    Ok(())
}

/// `Content-Range: bytes 0-99/1000` (RFC 9110, section 14.4): both ends are inclusive.
struct ContentRange {
    first: ByteCount,
    total: Option<ByteCount>,
}

fn content_range(text: &str, length: ByteCount) -> Result<ContentRange, ApiError> {
    const FIELD: &str = "Content-Range";
    let malformed = || ApiError::bad_request(FIELD, "is not of the form `bytes first-last/total`, with inclusive ends");
    let (ends, total) = text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(malformed)?;
    let (first, last) = ends.split_once('-').ok_or_else(malformed)?;
    let (first, last) = (byte_count(FIELD, first)?, byte_count(FIELD, last)?);
    let total = if total == "*" { None } else { Some(byte_count(FIELD, total)?) };
    if last < first {
        return Err(ApiError::bad_request(FIELD, "ends before it begins"));
    }
    if last.get() - first.get() + 1 != length.get() {
        return Err(ApiError::bad_request(
            FIELD,
            "names another number of bytes than Content-Length; both ends are inclusive",
        ));
    }
    if total.is_some_and(|total| last >= total) {
        return Err(ApiError::bad_request(FIELD, "ends beyond its own total"));
    }
    Ok(ContentRange { first, total })
}

/// `X-Chunk-Checksum: sha256=<hex or base64>`, or `Content-Digest: sha-256=:<base64>:` (RFC 9530, section 2).
fn chunk_digest(head: &Head) -> Result<Option<ChunkDigest>, ApiError> {
    let ours = head.present("x-chunk-checksum");
    let standard = head.present("content-digest");
    match (ours, standard) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ApiError::bad_request("X-Chunk-Checksum", "and Content-Digest: send one of them")),
        (Some(text), None) => x_chunk_checksum(text).map(Some),
        (None, Some(text)) => content_digest(text).map(Some),
    }
}

fn x_chunk_checksum(text: &str) -> Result<ChunkDigest, ApiError> {
    const FIELD: &str = "X-Chunk-Checksum";
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| ApiError::bad_request(FIELD, "is not of the form `sha256=<hex or base64>`"))?;
    let algorithm = Algorithm::by_name(name)
        .ok_or_else(|| ApiError::bad_request(FIELD, "names an unknown algorithm; sha256 is a known one"))?;
    ChunkDigest::parse(algorithm, value)
        .ok_or_else(|| ApiError::bad_request(FIELD, "is neither hexadecimal nor base64 of the algorithm's length"))
}

fn content_digest(text: &str) -> Result<ChunkDigest, ApiError> {
    const FIELD: &str = "Content-Digest";
    let dictionary = byte_sequences::read(text)
        .ok_or_else(|| ApiError::bad_request(FIELD, "is not a structured dictionary like `sha-256=:<base64>:`"))?;
    let known = dictionary.into_iter().find_map(|(name, value)| {
        let (algorithm, value) = (Algorithm::by_http_name(name)?, value?);
        (value.len() == algorithm.digest_bytes()).then_some(ChunkDigest { algorithm, value })
    });
    known.ok_or_else(|| {
        ApiError::bad_request(FIELD, "has no digest of a known algorithm and its length; sha-256 is a known one")
    })
}

/// By a link, whose signature is over all that it says, or for its owner, who has no signature.
fn download(id: UploadId, served: Served, head: &Head) -> Result<Operation, ApiError> {
    let (head_only, conditions) = (head.method == Method::HEAD, head.conditions());
    if head.query_parameter("signature").is_none() && head.query_parameter("expires").is_none() {
        return Ok(Operation::Content(Content { id, head_only, conditions, missing: MissingObject::Refusal, served }));
    }
    let expires = head.query_parameter("expires").and_then(|text| text.parse().ok()).ok_or(ApiError::BadSignature)?;
    let signature = head.query_parameter("signature").ok_or(ApiError::BadSignature)?;
    let disposition = match head.query_parameter("disposition") {
        None => Disposition::Attachment,
        Some("inline") => Disposition::Inline,
        Some(_) => return Err(ApiError::BadSignature),
    };
    let for_scanner = match head.query_parameter("for") {
        None => false,
        Some("scanner") => true,
        Some(_) => return Err(ApiError::BadSignature),
    };
    Ok(Operation::Download(Download {
        id,
        expires_unix_seconds: expires,
        signature: signature.to_owned(),
        presentation: Presentation { disposition, file_name: head.query_text("fileName"), for_scanner },
        head_only,
        conditions,
        served,
    }))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
