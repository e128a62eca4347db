//! `Upload-Metadata`: comma-separated pairs of a key and a value in base64. It is given back as it came, byte for byte; what
//! is known in it becomes the file's name and media type, and the rest goes to the origin.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::concat;
use crate::{Head, file_words};
use upload_types::{api_error::ApiError, json, upload::FileInfo};

const FIELD: &str = "Upload-Metadata";

/// Where clients put the file's name: most of them, and Uppy.
const NAME_KEYS: [&str; 2] = ["filename", "name"];

/// Where clients put its media type: most of them, Uppy, and some.
const CONTENT_TYPE_KEYS: [&str; 3] = ["filetype", "type", "contentType"];

/// The name of a file that was given none.
const NAMELESS: &str = "file";

/// What is kept with an upload for this protocol alone. Another protocol's memo reads as an empty one.
#[derive(Default, Serialize, Deserialize)]
struct Memo {
    /// The header as it came.
    #[serde(rename = "uploadMetadata", default, skip_serializing_if = "Option::is_none")]
    upload_metadata: Option<String>,
    /// `Upload-Concat` as it came.
    #[serde(rename = "uploadConcat", default, skip_serializing_if = "Option::is_none")]
    upload_concat: Option<String>,
}

/// What the client says of the file. No header, and one without a pair, say nothing.
pub(super) fn file_info(head: &Head) -> Result<FileInfo, ApiError> {
    let raw = match head.headers.get("upload-metadata").map(crate::headers::printable) {
        None => "",
        Some(Some(value)) => value.trim(),
        Some(None) => return Err(ApiError::bad_request(FIELD, "is not ASCII")),
    };
    let mut pairs = if raw.is_empty() { Vec::new() } else { pairs(raw)? };
    let name = take(&mut pairs, &NAME_KEYS, |value| Some(String::from_utf8_lossy(value).into_owned()));
    let content_type = take(&mut pairs, &CONTENT_TYPE_KEYS, |value| {
        String::from_utf8(value.to_vec()).ok().filter(|text| file_words::is_media_type(text))
    });
    let upload_metadata = Some(raw.to_owned()).filter(|raw| !raw.is_empty());
    let memo = Memo { upload_metadata, upload_concat: concat::given(head).map(str::to_owned) };
    let is_needed = memo.upload_metadata.is_some() || memo.upload_concat.is_some();
    Ok(FileInfo {
        name: name.and_then(|name| file_words::clean_name(&name)).unwrap_or_else(|| NAMELESS.to_owned()),
        content_type,
        metadata: that_fits(pairs),
        sha256: None,
        crc64nvme: None,
        memo: is_needed.then(|| serde_json::to_string(&memo).ok()).flatten(),
    })
}

/// The header as it came, where this upload was created with one.
pub(super) fn given(file: &FileInfo) -> Option<String> {
    memo(file).upload_metadata
}

/// `Upload-Concat` as it came, where this upload was created with one.
pub(super) fn given_concat(file: &FileInfo) -> Option<String> {
    memo(file).upload_concat
}

fn memo(file: &FileInfo) -> Memo {
    file.memo.as_deref().and_then(|memo| json::from_str(memo).ok()).unwrap_or_default()
}

/// The pairs, in order.
fn pairs(raw: &str) -> Result<Vec<(String, Vec<u8>)>, ApiError> {
    let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
    for pair in raw.split(',') {
        // A header in several lines arrives with spaces behind the commas.
        let pair = pair.trim();
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if key.is_empty() {
            return Err(ApiError::bad_request(FIELD, "has a pair without a key"));
        }
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(ApiError::bad_request(FIELD, format!("has the key {key:?} twice")));
        }
        let value = STANDARD
            .decode(value)
            .map_err(|_| ApiError::bad_request(FIELD, format!("has a value that is not base64, of the key {key:?}")))?;
        pairs.push((key.to_owned(), value));
    }
    Ok(pairs)
}

/// Takes out the first of these keys whose value can be read.
fn take(pairs: &mut Vec<(String, Vec<u8>)>, keys: &[&str], read: impl Fn(&[u8]) -> Option<String>) -> Option<String> {
    let (index, value) = keys.iter().find_map(|key| {
        let index = pairs.iter().position(|(known, _)| known == key)?;
        let value = read(&pairs[index].1).filter(|value| !value.is_empty())?;
        Some((index, value))
    })?;
    pairs.remove(index);
    Some(value)
}

/// What the origin is told: the pairs that are text, as many as there is room for. `Upload-Metadata` has them all.
fn that_fits(pairs: Vec<(String, Vec<u8>)>) -> BTreeMap<String, String> {
    let mut room = file_words::MAX_METADATA_BYTES;
    let mut metadata = BTreeMap::new();
    for (key, value) in pairs {
        let Ok(value) = String::from_utf8(value) else { continue };
        let Some(left) = room.checked_sub(key.len() + value.len()) else { continue };
        room = left;
        metadata.insert(key, value);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::Headers;

    fn info(header: Option<&str>) -> Result<FileInfo, ApiError> {
        let headers = Headers::of(header.map(|header| ("upload-metadata", header)));
        file_info(&Head { method: Method::POST, path: "/files".to_owned(), query: String::new(), headers })
    }

    fn encoded(key: &str, value: &[u8]) -> String {
        format!("{key} {}", STANDARD.encode(value))
    }

    #[test]
    fn no_header_and_an_empty_one_say_nothing() {
        for header in [None, Some(""), Some("  ")] {
            let file = info(header).unwrap();
            assert_eq!((file.name.as_str(), &file.memo, file.metadata.len()), ("file", &None, 0), "{header:?}");
            assert_eq!(given(&file), None);
        }
    }

    #[test]
    fn it_is_given_back_as_it_came() {
        for header in [
            "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential",
            "is_confidential ,filename YQ==",
            "b Yg==, a YQ==",
            "raw /////w==",
        ] {
            assert_eq!(given(&info(Some(header)).unwrap()).as_deref(), Some(header));
        }
    }

    #[test]
    fn another_protocols_memo_is_none_of_ours() {
        let mut file = info(None).unwrap();
        for memo in [r#"{"disposition":"inline"}"#, "not JSON"] {
            file.memo = Some(memo.to_owned());
            assert_eq!(given(&file), None);
        }
    }

    #[test]
    fn name_and_type_are_found_under_the_keys_that_clients_use() {
        for (pairs, name, content_type, rest) in [
            (vec![("filename", "a.mp4"), ("filetype", "video/mp4")], "a.mp4", Some("video/mp4"), vec![]),
            (
                vec![("name", "b"), ("type", "text/plain; charset=utf-8")],
                "b",
                Some("text/plain; charset=utf-8"),
                vec![],
            ),
            (vec![("contentType", "a/b")], "file", Some("a/b"), vec![]),
            (vec![("name", "b"), ("filename", "a"), ("album", "🏖")], "a", None, vec!["album", "name"]),
            (vec![("filename", ""), ("name", "b")], "b", None, vec!["filename"]),
            (vec![("filetype", "movie"), ("type", "a/b\r\nX: y")], "file", None, vec!["filetype", "type"]),
            (vec![("filename", "a\r\nb\0c")], "abc", None, vec![]),
            (vec![("filename", "\n")], "file", None, vec![]),
        ] {
            let header: Vec<_> = pairs.iter().map(|(key, value)| encoded(key, value.as_bytes())).collect();
            let file = info(Some(&header.join(","))).unwrap();
            assert_eq!((file.name.as_str(), file.content_type.as_deref()), (name, content_type), "{pairs:?}");
            assert_eq!(file.metadata.keys().collect::<Vec<_>>(), rest, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_text_or_has_no_room_is_left_to_the_header() {
        let (long, half) = ("n".repeat(file_words::MAX_METADATA_BYTES), "n".repeat(4000));
        let header = [
            encoded("binary", b"\xff\xfe"),
            encoded("long", long.as_bytes()),
            encoded("first", half.as_bytes()),
            encoded("second", half.as_bytes()),
            encoded("third", half.as_bytes()),
            encoded("small", b"s"),
        ];
        let file = info(Some(&header.join(","))).unwrap();
        assert_eq!(file.metadata.keys().collect::<Vec<_>>(), ["first", "second", "small"]);
        assert_eq!(given(&file), Some(header.join(",")));
    }

    #[test]
    fn what_is_malformed() {
        for header in [
            ",",
            "a YQ==,",
            ",a YQ==",
            "a YQ==,,b Yg==",
            " YQ==,",
            "a YQ",
            "a Y Q==",
            "a  YQ==",
            "a %%%",
            "a YQ==,a Yg==",
            "a,a",
            "ключ YQ==",
        ] {
            match info(Some(header)) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, FIELD),
                other => panic!("{header:?}: {other:?}"),
            }
        }
    }
}
