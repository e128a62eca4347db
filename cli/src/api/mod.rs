//! The calls of Quayside's JSON API, one method each. An answer becomes a value, or a [`Refusal`]; nothing is tried twice here.

mod body;
pub(crate) mod credential;
pub(crate) mod direct;
pub(crate) mod documents;
mod line;
pub(crate) mod refusal;

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use upload_types::integrity::Crc64Nvme;
use upload_types::ledger::OwnerUsage;
use upload_types::units::UploadId;
use upload_types::upload_link::LinkId;

pub(crate) use body::{Moving, SendingBody};
use credential::Credential;
use documents::{ChunkTaken, CreateRequest, Creation, OpenUploads, Status};
pub(crate) use line::Answer;
use line::Line;
pub(crate) use refusal::{Refusal, Verdict};

use crate::failure::{Failure, Result};

/// For any question about no upload.
const LOOK_TIMEOUT: Duration = Duration::from_mins(1);
/// For a body that is cut on purpose, over any line.
const CUT_TIMEOUT: Duration = Duration::from_mins(5);
/// Where uploads are created whose length is told later.
pub(crate) const OPEN_ENDED: &str = "/files";

/// Where those are created that can be read while they grow: their receivers are told of each so many bytes, and they end when nothing has come
/// for so long. The server has its own words where that is not said.
pub(crate) fn live_address(tell_every_bytes: Option<u64>, end_after: Option<Duration>) -> String {
    let told = tell_every_bytes.map_or_else(String::new, |bytes| format!("&tellEveryBytes={bytes}"));
    let ends = end_after.map_or_else(String::new, |silence| format!("&endAfterSeconds={}", silence.as_secs()));
    format!("/files?live{told}{ends}")
}

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
    line: Line,
    endpoint: String,
    credential: Arc<Credential>,
}

impl Api {
    pub(crate) fn new(endpoint: &str, credential: Credential) -> Result<Self> {
        let (endpoint, credential) = (checked_endpoint(endpoint)?, Arc::new(credential));
        Ok(Self { line: Line::new(Arc::clone(&credential))?, endpoint, credential })
    }

    /// Where the server is, without a slash at its end.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whose uploads these are, as the token says it. The server decides; here it keeps two people's state apart.
    pub(crate) fn subject(&self) -> Option<String> {
        let payload = URL_SAFE_NO_PAD.decode(self.credential.token()?.split('.').nth(1)?).ok()?;
        serde_json::from_slice::<Value>(&payload).ok()?["sub"].as_str().map(str::to_owned)
    }

    /// A Quayside has answered at the endpoint in an earlier run: whoever answers in its place is in between, and goes away again.
    pub(crate) fn is_known(&self) {
        if let Ok(url) = Url::parse(&self.endpoint) {
            self.line.is_known(url.authority());
        }
    }

    /// Creates an upload. Repeated with the same body and key, it gives the same upload.
    pub(crate) async fn create(&self, request: &CreateRequest, key: &str) -> Result<Creation, Refusal> {
        let request = self
            .request(Method::POST, "/upload/init", None)
            .header("Idempotency-Key", key)
            .header(CONTENT_TYPE, "application/json")
            .body(serde_json::to_string(request).unwrap_or_default());
        self.line.document(request).await
    }

    /// Creates an upload with all bytes of its file, by tus, whose creation can bring them: one request for a small file.
    pub(crate) async fn create_with(
        &self,
        bytes: bytes::Bytes,
        headers: HeaderMap,
        key: &str,
    ) -> Result<(UploadId, u64), Refusal> {
        let request = self
            .request(Method::POST, "/files", None)
            .header("Tus-Resumable", "1.0.0")
            .header("Idempotency-Key", key)
            .header("Upload-Length", bytes.len())
            .header(CONTENT_TYPE, "application/offset+octet-stream")
            .headers(headers);
        let created = async |answer: Answer| Ok((answer.created_by_tus()?, answer.offset()?));
        self.line.bring(request, SendingBody::of_bytes(bytes), created).await
    }

    /// Creates an upload whose length is told later, by tus: at [`OPEN_ENDED`] or [`live_address`].
    pub(crate) async fn create_open_ended(
        &self,
        address: &str,
        headers: HeaderMap,
        key: &str,
    ) -> Result<UploadId, Refusal> {
        let request = self
            .request(Method::POST, address, None)
            .header("Tus-Resumable", "1.0.0")
            .header("Idempotency-Key", key)
            .header("Upload-Defer-Length", "1")
            .headers(headers);
        self.line.ask_shortly(request).await?.created_by_tus()
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
        self.line.bring(request, SendingBody::of_bytes(bytes), async |answer: Answer| answer.offset()).await
    }

    /// The same with bytes of which nobody knows how many there will be, for as long as they are `moving`.
    pub(crate) async fn append_live(
        &self,
        id: UploadId,
        offset: u64,
        body: reqwest::Body,
        moving: &Moving,
    ) -> Result<u64, Refusal> {
        let request = self.append_request(id, offset).body(body);
        self.line.while_moving(moving, async { self.line.ask(request).await?.offset() }).await
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
        self.line.ask_shortly(request).await?.offset()
    }

    /// How an upload stands.
    pub(crate) async fn status(&self, upload: &UploadRef) -> Result<Status, Refusal> {
        self.line.document(self.about(Method::GET, upload, "/status")).await
    }

    /// The same document, whole.
    pub(crate) async fn status_document(&self, upload: &UploadRef) -> Result<Value, Refusal> {
        self.line.document(self.about(Method::GET, upload, "/status")).await
    }

    /// Sends a chunk, with its checksum.
    pub(crate) async fn put(&self, upload: &UploadRef, chunk: Chunk) -> Result<(), Refusal> {
        let Chunk { offset, crc64nvme, body } = chunk;
        let request = self
            .about(Method::PUT, upload, "")
            .header("X-Upload-Offset", offset)
            .header("X-Chunk-Checksum", format!("crc64nvme={crc64nvme}"));
        // What is not such a document was not said by Quayside.
        self.line.bring(request, body, async |answer: Answer| answer.json::<ChunkTaken>().await).await.map(drop)
    }

    /// A chunk whose body is shorter than it says: what a connection does that is cut.
    pub(crate) async fn put_cut(
        &self,
        upload: &UploadRef,
        offset: u64,
        length: u64,
        body: reqwest::Body,
    ) -> Result<(), Refusal> {
        let request = self.about(Method::PUT, upload, "").header("X-Upload-Offset", offset);
        let request = request.header(CONTENT_LENGTH, length).body(body).timeout(CUT_TIMEOUT);
        self.line.ask(request).await?.json::<ChunkTaken>().await.map(drop)
    }

    /// Asks for completion: what makes an upload of no bytes complete.
    pub(crate) async fn complete(&self, upload: &UploadRef) -> Result<Value, Refusal> {
        self.line.document(self.about(Method::POST, upload, "/complete")).await
    }

    /// Nothing of it shall remain.
    pub(crate) async fn delete(&self, upload: &UploadRef) -> Result<(), Refusal> {
        let answer = self.line.ask_shortly(self.about(Method::DELETE, upload, "")).await?;
        // A sign-in page is a success, too, as far as it goes.
        if answer.status() != StatusCode::NO_CONTENT {
            return Err(answer.strangers());
        }
        answer.is_right();
        Ok(())
    }

    /// What has happened to it.
    pub(crate) async fn log(&self, upload: &UploadRef) -> Result<Value, Refusal> {
        self.line.document(self.about(Method::GET, upload, "/log")).await
    }

    /// An address of the object that needs no token.
    pub(crate) async fn link(&self, upload: &UploadRef, wanted: &Value) -> Result<Value, Refusal> {
        let request = self.about(Method::POST, upload, "/links").header(CONTENT_TYPE, "application/json");
        self.line.document(request.body(wanted.to_string())).await
    }

    /// A link that takes one file.
    pub(crate) async fn upload_link(&self, wanted: &Value) -> Result<Value, Refusal> {
        let request = self.request(Method::POST, "/upload/links", None).header(CONTENT_TYPE, "application/json");
        self.line.document(request.body(wanted.to_string())).await
    }

    /// Such a link is taken back.
    pub(crate) async fn revoke_upload_link(&self, id: LinkId) -> Result<Value, Refusal> {
        self.line.document(self.request(Method::DELETE, &format!("/upload/links/{id}"), None)).await
    }

    /// How it stands, live: Server-Sent Events.
    pub(crate) async fn events(&self, upload: &UploadRef) -> Result<Answer, Refusal> {
        let request = self.about(Method::GET, upload, "/events").header(ACCEPT, "text/event-stream");
        let answer = self.line.ask_at_length(request).await?;
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|content_type| content_type.starts_with("text/event-stream")) {
            return Err(answer.strangers());
        }
        answer.is_right();
        Ok(answer)
    }

    /// A page of the owner's open uploads.
    pub(crate) async fn open_uploads(&self, cursor: Option<&str>) -> Result<OpenUploads, Refusal> {
        let path = cursor.map_or("/uploads".to_owned(), |cursor| format!("/uploads?cursor={cursor}"));
        self.line.document(self.request(Method::GET, &path, None)).await
    }

    /// What the owner uses, and may use.
    pub(crate) async fn usage(&self) -> Result<OwnerUsage, Refusal> {
        self.line.document(self.request(Method::GET, "/usage", None)).await
    }

    /// The object, from this byte on; of this version of it, where one is known.
    pub(crate) async fn content(&self, from: &Content, offset: u64, etag: Option<&str>) -> Result<Answer, Refusal> {
        let request = match from {
            Content::Of(id) => self.request(Method::GET, &format!("/upload/{id}/content"), None),
            Content::At(url) => self.line.http.get(url.clone()),
        };
        let request = if offset > 0 { request.header(RANGE, format!("bytes={offset}-")) } else { request };
        let request = match etag {
            Some(etag) => request.header(IF_RANGE, etag),
            None => request,
        };
        self.line.ask_at_length(request).await
    }

    /// Any question about no upload: the status, the headers and the body, whatever they are.
    pub(crate) async fn look(&self, method: Method, path: &str, headers: HeaderMap) -> Result<Looked, Refusal> {
        let request = self.request(method, path, None).headers(headers).timeout(LOOK_TIMEOUT);
        let mut answer = self.line.send(request).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Looked { status, headers, body: answer.text().await? })
    }

    fn about(&self, method: Method, upload: &UploadRef, route: &str) -> RequestBuilder {
        self.request(method, &format!("/upload/{}{route}", upload.id), upload.token.as_deref())
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.line.http.request(method, format!("{}{path}", self.endpoint));
        match token.map(str::to_owned).or_else(|| self.credential.token()) {
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
        let credential = |token: &str| Credential::given(Some(token.to_owned())).unwrap();
        let api = |token: &str| Api::new("http://a.example", credential(token)).unwrap();
        assert_eq!(api(&token).subject().as_deref(), Some("alice"));
        assert_eq!(api("opaque").subject(), None);
    }
}
