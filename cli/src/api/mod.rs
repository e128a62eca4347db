//! The calls of Quayside's JSON API, one method each. An answer becomes a value, or a [`Refusal`]; nothing is tried twice here.

mod body;
pub(crate) mod direct;
pub(crate) mod documents;
pub(crate) mod refusal;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use upload_types::integrity::Crc64Nvme;
use upload_types::ledger::OwnerUsage;
use upload_types::units::UploadId;

pub(crate) use body::SendingBody;
use documents::{ChunkTaken, CreateRequest, Creation, OpenUploads, Status};
pub(crate) use refusal::{Refusal, Verdict};

use crate::failure::{Failure, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// For an answer to a question without a body to speak of.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// An upload, and what opens it where that is not the token of whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct UploadRef {
    pub(crate) id: UploadId,
    pub(crate) token: Option<String>,
}

/// A part of a file, on its way.
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    pub(crate) crc64nvme: Crc64Nvme,
    pub(crate) body: SendingBody,
}

/// A server, and who asks it.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    endpoint: String,
    token: Option<String>,
}

impl Api {
    pub(crate) fn new(endpoint: &str, token: Option<String>) -> Result<Self> {
        let endpoint = checked_endpoint(endpoint)?;
        if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Failure::usage("The token has characters that no token has: is it the token itself?"));
        }
        // Refused only where another provider was installed before, which nobody does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("quay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::usage(format!("No HTTP client can be made: {error}.")))?;
        Ok(Self { http, endpoint, token })
    }

    /// Where the server is, without a slash at its end.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whose uploads these are, as the token says it. The server decides; here it keeps two people's state apart.
    pub(crate) fn subject(&self) -> Option<String> {
        let payload = URL_SAFE_NO_PAD.decode(self.token.as_ref()?.split('.').nth(1)?).ok()?;
        serde_json::from_slice::<Value>(&payload).ok()?["sub"].as_str().map(str::to_owned)
    }

    /// Creates an upload. Repeated with the same body and key, it gives the same upload.
    pub(crate) async fn create(&self, request: &CreateRequest, key: &str) -> Result<Creation, Refusal> {
        let request = self
            .request(Method::POST, "/upload/init", None)
            .header("Idempotency-Key", key)
            .header(CONTENT_TYPE, "application/json")
            .body(serde_json::to_string(request).unwrap_or_default());
        json(answered(request.timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// Creates an upload with all bytes of its file, by tus, whose creation can bring them: one request for a small file.
    pub(crate) async fn create_with(
        &self,
        bytes: Vec<u8>,
        headers: HeaderMap,
        key: &str,
    ) -> Result<(UploadId, u64), Refusal> {
        let request = self
            .request(Method::POST, "/files", None)
            .header("Tus-Resumable", "1.0.0")
            .header("Idempotency-Key", key)
            .header("Upload-Length", bytes.len())
            .header(CONTENT_TYPE, "application/offset+octet-stream")
            .headers(headers)
            .body(bytes);
        let response = answered(request.timeout(ANSWER_TIMEOUT)).await?;
        Ok((created_by_tus(&response)?, offset_of(&response)?))
    }

    /// Creates an upload whose length is told later, by tus.
    pub(crate) async fn create_open_ended(&self, headers: HeaderMap, key: &str) -> Result<UploadId, Refusal> {
        let request = self
            .request(Method::POST, "/files", None)
            .header("Tus-Resumable", "1.0.0")
            .header("Idempotency-Key", key)
            .header("Upload-Defer-Length", "1")
            .headers(headers);
        created_by_tus(&answered(request.timeout(ANSWER_TIMEOUT)).await?)
    }

    /// Adds bytes to an upload of unknown length, by tus; with the length where these are the last. The new offset.
    pub(crate) async fn append(
        &self,
        id: UploadId,
        offset: u64,
        bytes: bytes::Bytes,
        headers: HeaderMap,
    ) -> Result<u64, Refusal> {
        let request = self.append_request(id, offset).headers(headers);
        // What brings nothing is a question, and answered like one.
        let request = if bytes.is_empty() { request.timeout(ANSWER_TIMEOUT) } else { request };
        let request = request.body(bytes);
        offset_of(&answered(request).await?)
    }

    /// The same with bytes of which nobody knows how many there will be, for as long as they come.
    pub(crate) async fn append_live(
        &self,
        id: UploadId,
        offset: u64,
        body: reqwest::Body,
        lasts: Duration,
    ) -> Result<u64, Refusal> {
        let request = self.append_request(id, offset).body(body);
        offset_of(&answered(request.timeout(lasts + ANSWER_TIMEOUT)).await?)
    }

    fn append_request(&self, id: UploadId, offset: u64) -> RequestBuilder {
        self.request(Method::PATCH, &format!("/files/{id}"), None)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", offset)
            .header(CONTENT_TYPE, "application/offset+octet-stream")
    }

    /// Where an upload of unknown length goes on. Ends an append that still runs.
    pub(crate) async fn offset(&self, id: UploadId) -> Result<u64, Refusal> {
        let request = self.request(Method::HEAD, &format!("/files/{id}"), None).header("Tus-Resumable", "1.0.0");
        offset_of(&answered(request.timeout(ANSWER_TIMEOUT)).await?)
    }

    /// How an upload stands.
    pub(crate) async fn status(&self, upload: &UploadRef) -> Result<Status, Refusal> {
        json(answered(self.status_request(upload)).await?).await
    }

    /// The same document, whole.
    pub(crate) async fn status_document(&self, upload: &UploadRef) -> Result<Value, Refusal> {
        json(answered(self.status_request(upload)).await?).await
    }

    fn status_request(&self, upload: &UploadRef) -> RequestBuilder {
        self.about(Method::GET, upload, "/status").timeout(ANSWER_TIMEOUT)
    }

    /// Sends a chunk, with its checksum.
    pub(crate) async fn put(&self, upload: &UploadRef, chunk: Chunk) -> Result<(), Refusal> {
        let Chunk { offset, crc64nvme, body } = chunk;
        let (moving, length) = (body.moving(), body.length());
        let sending = self.put_body(upload, offset, Some(crc64nvme), length, body.into_body());
        tokio::select! {
            taken = sending => taken,
            complaint = moving.until_stalled() => Err(Refusal::passing(complaint)),
        }
    }

    /// The same with bytes that lie in memory.
    pub(crate) async fn put_bytes(
        &self,
        upload: &UploadRef,
        offset: u64,
        crc64nvme: Crc64Nvme,
        bytes: bytes::Bytes,
    ) -> Result<(), Refusal> {
        let length = bytes.len() as u64;
        self.put_body(upload, offset, Some(crc64nvme), length, bytes.into()).await
    }

    /// A chunk whose body is shorter than it says: what a connection does that is cut.
    pub(crate) async fn put_cut(
        &self,
        upload: &UploadRef,
        offset: u64,
        length: u64,
        body: reqwest::Body,
    ) -> Result<(), Refusal> {
        self.put_body(upload, offset, None, length, body).await
    }

    async fn put_body(
        &self,
        upload: &UploadRef,
        offset: u64,
        crc64nvme: Option<Crc64Nvme>,
        length: u64,
        body: reqwest::Body,
    ) -> Result<(), Refusal> {
        let request = self
            .about(Method::PUT, upload, "")
            .header("X-Upload-Offset", offset)
            .header(CONTENT_LENGTH, length)
            .body(body);
        let request = match crc64nvme {
            Some(crc) => request.header("X-Chunk-Checksum", format!("crc64nvme={crc}")),
            None => request,
        };
        // What is not such a document was not said by Quayside.
        json::<ChunkTaken>(answered(request).await?).await.map(drop)
    }

    /// Asks for completion: what makes an upload of no bytes complete.
    pub(crate) async fn complete(&self, upload: &UploadRef) -> Result<Value, Refusal> {
        json(answered(self.about(Method::POST, upload, "/complete").timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// Nothing of it shall remain.
    pub(crate) async fn delete(&self, upload: &UploadRef) -> Result<(), Refusal> {
        answered(self.about(Method::DELETE, upload, "").timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// What has happened to it.
    pub(crate) async fn log(&self, upload: &UploadRef) -> Result<Value, Refusal> {
        json(answered(self.about(Method::GET, upload, "/log").timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// An address of the object that needs no token.
    pub(crate) async fn link(&self, upload: &UploadRef, wanted: &Value) -> Result<Value, Refusal> {
        let request = self.about(Method::POST, upload, "/links").header(CONTENT_TYPE, "application/json");
        json(answered(request.body(wanted.to_string()).timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// How it stands, live: Server-Sent Events.
    pub(crate) async fn events(&self, upload: &UploadRef) -> Result<Response, Refusal> {
        answered(self.about(Method::GET, upload, "/events").header(ACCEPT, "text/event-stream")).await
    }

    /// A page of the owner's open uploads.
    pub(crate) async fn open_uploads(&self, cursor: Option<&str>) -> Result<OpenUploads, Refusal> {
        let path = cursor.map_or("/uploads".to_owned(), |cursor| format!("/uploads?cursor={cursor}"));
        json(answered(self.request(Method::GET, &path, None).timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// What the owner uses, and may use.
    pub(crate) async fn usage(&self) -> Result<OwnerUsage, Refusal> {
        json(answered(self.request(Method::GET, "/usage", None).timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// The object, from this byte on; of this version of it, where one is known.
    pub(crate) async fn content(&self, from: &Content, offset: u64, etag: Option<&str>) -> Result<Response, Refusal> {
        let request = match from {
            Content::Of(id) => self.request(Method::GET, &format!("/upload/{id}/content"), None),
            Content::At(url) => self.http.get(url.clone()),
        };
        let request = if offset > 0 { request.header(RANGE, format!("bytes={offset}-")) } else { request };
        let request = match etag {
            Some(etag) => request.header(IF_RANGE, etag),
            None => request,
        };
        answered(request).await
    }

    /// Any question about no upload: the status, the headers and the body, whatever they are.
    pub(crate) async fn look(&self, method: Method, path: &str, headers: HeaderMap) -> Result<Looked, Refusal> {
        let request = self.request(method, path, None).headers(headers).timeout(ANSWER_TIMEOUT);
        let response = request.send().await.map_err(|error| Refusal::of_transport(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.map_err(|error| Refusal::of_transport(&error))?;
        Ok(Looked { status, headers, body })
    }

    fn about(&self, method: Method, upload: &UploadRef, route: &str) -> RequestBuilder {
        self.request(method, &format!("/upload/{}{route}", upload.id), upload.token.as_deref())
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.endpoint));
        match token.or(self.token.as_deref()) {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }
}

/// Where an object is downloaded from.
pub(crate) enum Content {
    /// An upload of whoever asks.
    Of(UploadId),
    /// A signed link.
    At(Url),
}

/// An answer, as it is.
pub(crate) struct Looked {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Scheme, host and perhaps a path; nothing behind it.
pub(crate) fn checked_endpoint(text: &str) -> Result<String> {
    let url = Url::parse(text).map_err(|error| {
        Failure::usage(format!("`{text}` is no endpoint: {error}. One looks like https://upload.example.com"))
    })?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || url.query().is_some() || url.fragment().is_some() {
        return Err(Failure::usage(format!("`{text}` is no endpoint. One looks like https://upload.example.com")));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

async fn answered(request: RequestBuilder) -> Result<Response, Refusal> {
    let response = request.send().await.map_err(|error| Refusal::of_transport(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.unwrap_or_default();
    Err(Refusal::of_answer(status, &headers, &body))
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, Refusal> {
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(|error| Refusal::of_transport(&error))?;
    serde_json::from_slice(&body).map_err(|_| Refusal::of_stranger(status))
}

fn created_by_tus(response: &Response) -> Result<UploadId, Refusal> {
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    let id = location.and_then(|location| location.rsplit('/').next()).and_then(UploadId::parse);
    id.ok_or_else(|| Refusal::of_stranger(response.status().as_u16()))
}

fn offset_of(response: &Response) -> Result<u64, Refusal> {
    let offset = response.headers().get("upload-offset").and_then(|value| value.to_str().ok());
    offset.and_then(|text| text.parse().ok()).ok_or_else(|| Refusal::of_stranger(response.status().as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host_and_perhaps_a_path() {
        assert_eq!(checked_endpoint("https://a.example/").unwrap(), "https://a.example");
        assert_eq!(checked_endpoint("http://127.0.0.1:8787/api/files/").unwrap(), "http://127.0.0.1:8787/api/files");
        for wrong in ["", "a.example", "ftp://a.example", "https://a.example?x=1", "file:///etc", "https://"] {
            assert!(checked_endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn whose_uploads_these_are_is_read_from_the_token_and_nothing_is_believed() {
        let token = format!("x.{}.y", URL_SAFE_NO_PAD.encode(r#"{"sub":"alice"}"#));
        let api = |token: &str| Api::new("http://a.example", Some(token.to_owned())).unwrap();
        assert_eq!(api(&token).subject().as_deref(), Some("alice"));
        assert_eq!(api("opaque").subject(), None);
        assert!(Api::new("http://a.example", Some("two words".to_owned())).is_err());
    }
}
