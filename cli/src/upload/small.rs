//! A small file goes along with the creation of its upload, by tus, whose creation can bring bytes: one request, and the object is whole
//! with the answer. The server compares the bytes with the SHA-256 that comes with them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use upload_types::integrity::{Crc64Nvme, Sha256Digest};

use crate::api::documents::CreateRequest;
use crate::aside::aside;
use crate::failure::Result;
use crate::state::journal::Intent;
use crate::upload::base::{Upload, fresh_key};
use crate::upload::retry::Streak;
use crate::upload::sent::Sent;
use crate::upload::source::unreadable;

/// What is larger is worth the requests that tell how much of it has arrived.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;
/// Proxies take no longer headers.
const MAX_HEADER_BYTES: usize = 2048;
/// In tus these say the file's name and type.
const OTHER_MEANING: [&str; 5] = ["filename", "name", "filetype", "type", "contentType"];

/// The headers that describe the file, where it may go along.
pub(super) fn goes_along(request: &CreateRequest) -> Option<HeaderMap> {
    let is_small = (1..=MAX_BYTES).contains(&request.file_size.get());
    if !is_small || request.parallel || request.sha256.is_some() {
        return None;
    }
    described(request)
}

/// `Upload-Metadata`, as tus has it; `None` where it cannot say the same.
pub(super) fn described(request: &CreateRequest) -> Option<HeaderMap> {
    let is_sayable = |key: &str| {
        let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        is_plain && !OTHER_MEANING.contains(&key)
    };
    if !request.metadata.keys().all(|key| is_sayable(key)) {
        return None;
    }
    let file_type = request.content_type.iter().map(|text| ("filetype", text.as_str()));
    let more = request.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let pairs = [("filename", request.file_name.as_str())].into_iter().chain(file_type).chain(more);
    let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    let header = pairs.join(",");
    if header.len() > MAX_HEADER_BYTES {
        return None;
    }
    Some(HeaderMap::from_iter([(
        reqwest::header::HeaderName::from_static("upload-metadata"),
        HeaderValue::from_str(&header).ok()?,
    )]))
}

/// `None` where something in front of the server does not let it through, or not all of it has arrived: then it goes the long way.
pub(super) async fn send(upload: &Upload<'_>, intent: &Intent, described: HeaderMap) -> Result<Option<Sent>> {
    let bytes = upload.bytes();
    let source = Arc::clone(&upload.source);
    let (content, sha256, crc64nvme) = aside(move || {
        let mut content = vec![0; usize::try_from(bytes).unwrap_or(0)];
        source.read_at(0, &mut content).map_err(|error| unreadable(&source.path, &error))?;
        source.must_be_unchanged()?;
        let (sha256, crc64nvme) = (Sha256Digest::of(&content), Crc64Nvme::of(&content));
        Ok((Bytes::from(content), sha256, crc64nvme))
    })
    .await?;
    let mut headers = described;
    if let Ok(checksum) = HeaderValue::from_str(&format!("sha256 {}", STANDARD.encode(sha256.0))) {
        headers.insert("upload-checksum", checksum);
    }
    let mut key = intent.idempotency_key.clone();
    let mut streak = Streak::default();
    let (upload_id, offset) = loop {
        let permit = upload.seat.enter().await;
        upload.shared.throttle.wait_for(bytes).await;
        let answer = upload.shared.api.create_with(content.clone(), headers.clone(), &key).await;
        upload.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        match answer {
            Ok(created) => {
                permit.confirmed(bytes);
                upload.patience.succeeded();
                break created;
            }
            Err(refusal) => {
                let is_foreign = refusal.is_strangers() && matches!(refusal.status, Some(400..=499 | 501));
                if is_foreign {
                    return Ok(None);
                }
                if refusal.code.as_deref() == Some("checksum-mismatch") {
                    // That upload is gone, and its key with it.
                    key = fresh_key()?;
                }
                // Too many at once is another matter than too many in a minute.
                if refusal.status == Some(429) {
                    drop(permit);
                } else {
                    permit.failed();
                    drop(permit);
                }
                upload.patience.wait(refusal, &mut streak).await?;
            }
        }
    };
    if offset != bytes {
        return Ok(None);
    }
    upload.progress.started(upload_id, 0);
    upload.progress.confirmed(bytes);
    Ok(Some(Sent {
        upload_id,
        bytes,
        sha256: Some(sha256),
        crc64nvme: Some(crc64nvme),
        duplicate: false,
        resumed_from_bytes: 0,
        sent_bytes: upload.sent_bytes.load(Ordering::Relaxed),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use upload_types::units::ByteCount;

    use super::*;

    fn request(bytes: u64, metadata: &[(&str, &str)]) -> CreateRequest {
        CreateRequest {
            file_name: "a b.txt".to_owned(),
            file_size: ByteCount::new(bytes).unwrap(),
            content_type: Some("text/plain".to_owned()),
            chunk_size: None,
            parallel: false,
            direct: false,
            sha256: None,
            metadata: metadata
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn a_small_file_goes_along_and_others_do_not() {
        let header = goes_along(&request(5, &[("album", "2026")])).unwrap();
        assert_eq!(header["upload-metadata"], "filename YSBiLnR4dA==,filetype dGV4dC9wbGFpbg==,album MjAyNg==");
        for long_way in [
            request(0, &[]),
            request(MAX_BYTES + 1, &[]),
            request(5, &[("two words", "x")]),
            request(5, &[("filename", "x")]),
            request(5, &[("long", &"x".repeat(MAX_HEADER_BYTES))]),
            CreateRequest { parallel: true, ..request(5, &[]) },
            CreateRequest { sha256: Some(Sha256Digest::of(b"")), ..request(5, &[]) },
        ] {
            assert!(goes_along(&long_way).is_none(), "{long_way:?}");
        }
    }
}
