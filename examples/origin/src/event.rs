//! What Quayside says: a webhook's body, parsed once into types that cannot be wrong.
//!
//! Fields that this origin has no use for are skipped, and so are types of event it does not know: Quayside may add
//! both.

use std::fmt;
use std::str::FromStr;

use hex::FromHex;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// The id of an upload: a UUID, always written the same way, and so safe as a file name. Nothing else from an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct UploadId(Uuid);

impl fmt::Display for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

impl FromStr for UploadId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

/// One event. However often it is delivered, `id` is the same.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// `upload.completed` and its siblings.
    pub(crate) kind: String,
    pub(crate) news: News,
}

/// What happened, as far as this origin cares.
#[derive(Debug)]
pub(crate) enum News {
    /// `upload.completed`: there is an object to fetch. Or `upload.duplicate`: it is there since an earlier upload, and is somebody's file
    /// under another name now.
    Completed(Box<CompletedUpload>),
    /// `upload.progressed`: more of a recording is there, which goes on.
    Progressed(Box<GrowingUpload>),
    /// `upload.deleted`: what was completed is not wanted any more, whether or not this origin has heard of it.
    Deleted(Box<Described>),
    /// Anything else; about this upload, if it names one.
    Other { upload_id: Option<String> },
}

/// A completed upload, as Quayside describes it in every event about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    #[serde(rename = "uploadId")]
    pub(crate) id: UploadId,
    pub(crate) owner: String,
    /// What the client called its file: to show, never to open.
    pub(crate) file_name: String,
    /// What the client said its file was.
    pub(crate) content_type: Option<String>,
    #[serde(rename = "fileSize")]
    pub(crate) size_bytes: u64,
    pub(crate) etag: String,
}

/// The object of an `upload.completed` or `upload.duplicate`.
#[derive(Debug)]
pub(crate) struct CompletedUpload {
    pub(crate) described: Described,
    pub(crate) expected: Expected,
    pub(crate) download_url: DownloadUrl,
}

/// What is new of a recording that goes on.
#[derive(Debug)]
pub(crate) struct GrowingUpload {
    pub(crate) id: UploadId,
    /// Where the new bytes begin in the file.
    pub(crate) from_bytes: u64,
    /// And end.
    pub(crate) to_bytes: u64,
    pub(crate) download_url: DownloadUrl,
}

/// What the bytes must be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) size_bytes: u64,
    pub(crate) crc64nvme: [u8; 8],
    /// Present when the client declared it.
    pub(crate) sha256: Option<[u8; 32]>,
}

/// Where to fetch the object. Its query is a signature that opens the object to whoever holds it, so it is not shown.
pub(crate) struct DownloadUrl(pub(crate) Url);

impl DownloadUrl {
    fn parse(text: &str) -> Result<Self, Malformed> {
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self(url)),
            _ => Err(Malformed("data.downloadUrl: not an http or https URL".to_owned())),
        }
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}?…", self.0.origin().ascii_serialization(), self.0.path())
    }
}

/// The body is not an event. The sentence is for the sender.
#[derive(Debug)]
pub(crate) struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompletedData {
    #[serde(flatten)]
    described: Described,
    digests: Digests,
    download_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProgressedData {
    upload_id: UploadId,
    from_bytes: u64,
    to_bytes: u64,
    download_url: String,
}

#[derive(Deserialize)]
struct Digests {
    crc64nvme: String,
    sha256: Option<String>,
}

impl Event {
    /// `id` is the `webhook-id` header, `body` the bytes whose signature has been verified.
    pub(crate) fn parse(id: &str, body: &[u8]) -> Result<Self, Malformed> {
        let Envelope { r#type: kind, data } =
            serde_json::from_slice(body).map_err(|error| Malformed(format!("body: {error}")))?;
        let news = match kind.as_str() {
            "upload.completed" | "upload.duplicate" => News::Completed(Box::new(CompletedUpload::parse(data)?)),
            "upload.progressed" => News::Progressed(Box::new(GrowingUpload::parse(data)?)),
            "upload.deleted" => News::Deleted(Box::new(in_data(data)?)),
            _ => News::Other { upload_id: data["uploadId"].as_str().map(str::to_owned) },
        };
        Ok(Self { id: id.to_owned(), kind, news })
    }
}

impl CompletedUpload {
    fn parse(data: Value) -> Result<Self, Malformed> {
        let data: CompletedData = in_data(data)?;
        Ok(Self {
            expected: Expected {
                size_bytes: data.described.size_bytes,
                crc64nvme: digest("data.digests.crc64nvme", &data.digests.crc64nvme)?,
                sha256: data.digests.sha256.map(|text| digest("data.digests.sha256", &text)).transpose()?,
            },
            download_url: DownloadUrl::parse(&data.download_url)?,
            described: data.described,
        })
    }
}

impl GrowingUpload {
    fn parse(data: Value) -> Result<Self, Malformed> {
        let ProgressedData { upload_id: id, from_bytes, to_bytes, download_url } = in_data(data)?;
        if from_bytes >= to_bytes {
            return Err(Malformed("data.toBytes: nothing is new".to_owned()));
        }
        Ok(Self { id, from_bytes, to_bytes, download_url: DownloadUrl::parse(&download_url)? })
    }
}

fn in_data<T: serde::de::DeserializeOwned>(data: Value) -> Result<T, Malformed> {
    serde_json::from_value(data).map_err(|error| Malformed(format!("data: {error}")))
}

fn digest<D: FromHex<Error = hex::FromHexError>>(field: &str, text: &str) -> Result<D, Malformed> {
    D::from_hex(text).map_err(|error| Malformed(format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn completed() -> Value {
        json!({
            "type": "upload.completed",
            "timestamp": "2026-11-21T09:00:00.000Z",
            "data": {
                "uploadId": "0199B2C3-0000-7000-8000-000000000001", "key": "uploads/x", "owner": "anonymous",
                "fileName": "holiday.mp4", "contentType": null, "fileSize": 9, "etag": "e-1",
                "digests": { "crc64nvme": "ae8b14860a799888", "sha256": null }, "metadata": {},
                "downloadUrl": "https://example.com/upload/x/content?expires=1&signature=hush",
            },
        })
    }

    fn parse(body: &Value) -> Result<Event, Malformed> {
        Event::parse("evt_1", body.to_string().as_bytes())
    }

    #[test]
    fn a_completed_upload() {
        let event = parse(&completed()).unwrap();
        assert!(!format!("{event:?}").contains("hush"), "the signature must not be shown");
        let News::Completed(upload) = event.news else { panic!("{event:?}") };
        assert_eq!(upload.described.id.to_string(), "0199b2c3-0000-7000-8000-000000000001");
        assert_eq!(
            (upload.expected.size_bytes, upload.expected.sha256, upload.described.content_type),
            (9, None, None)
        );
    }

    #[test]
    fn a_duplicate_is_fetched_like_any_other() {
        let mut body = completed();
        body["type"] = json!("upload.duplicate");
        body["data"]["duplicateOf"] = json!("0199b2c3-0000-7000-8000-000000000002");
        let event = parse(&body).unwrap();
        assert!(matches!(event.news, News::Completed(upload) if upload.described.file_name == "holiday.mp4"));
    }

    #[test]
    fn a_deleted_upload_has_no_link() {
        let mut body = completed();
        body["type"] = json!("upload.deleted");
        body["data"].as_object_mut().unwrap().remove("downloadUrl");
        let News::Deleted(upload) = parse(&body).unwrap().news else { panic!("{body}") };
        assert_eq!((upload.owner.as_str(), upload.size_bytes, upload.etag.as_str()), ("anonymous", 9, "e-1"));
    }

    #[test]
    fn what_is_new_of_a_recording_is_a_range() {
        let data = |from: u64, to: u64| {
            json!({
                "uploadId": "0199B2C3-0000-7000-8000-000000000001", "fromBytes": from, "toBytes": to,
                "downloadUrl": "https://example.com/upload/x/content?expires=1&signature=hush",
            })
        };
        let event = |data| parse(&json!({ "type": "upload.progressed", "data": data }));
        let News::Progressed(upload) = event(data(5, 9)).unwrap().news else { panic!() };
        assert_eq!((upload.from_bytes, upload.to_bytes), (5, 9));
        let Malformed(message) = event(data(9, 9)).unwrap_err();
        assert!(message.starts_with("data.toBytes"), "{message}");
    }

    #[test]
    fn other_events_need_no_more_than_a_type() {
        for (data, expected) in [(json!({ "uploadId": "u" }), Some("u")), (json!({}), None), (json!(7), None)] {
            let event = parse(&json!({ "type": "upload.invented", "data": data })).unwrap();
            assert!(matches!(event.news, News::Other { upload_id } if upload_id.as_deref() == expected));
        }
    }

    #[test]
    fn what_is_malformed_is_named() {
        let cases = [
            ("/type", json!(null), "body: "),
            ("/data", json!([]), "data: "),
            ("/data/uploadId", json!("../../etc/passwd"), "data: UUID"),
            ("/data/fileSize", json!(-1), "data: invalid value: integer `-1`"),
            ("/data/digests/crc64nvme", json!("ae8b"), "data.digests.crc64nvme"),
            ("/data/digests/sha256", json!("zz"), "data.digests.sha256"),
            ("/data/downloadUrl", json!("file:///etc/passwd"), "data.downloadUrl"),
        ];
        for (pointer, value, expected) in cases {
            let mut body = completed();
            *body.pointer_mut(pointer).unwrap() = value;
            let Malformed(message) = parse(&body).unwrap_err();
            assert!(message.starts_with(expected), "{pointer}: {message}");
        }
    }
}
