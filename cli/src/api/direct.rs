//! The calls of an upload whose bytes go to R2 itself: a URL is asked for, the chunk stored there, and that recorded. Only the two calls to
//! the server bear the token; R2 gets what the URL says and nothing else.

use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use serde::Deserialize;
use serde_json::json;

use crate::api::documents::ChunkTaken;
use crate::api::{Api, Refusal, SendingBody, UploadRef};

/// Where a chunk may be stored.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedPart {
    pub(crate) part_number: u16,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) url: String,
}

#[derive(Deserialize)]
struct SignedParts {
    parts: Vec<SignedPart>,
}

/// A chunk that R2 has.
#[derive(Clone, Debug)]
pub(crate) struct StoredPart {
    pub(crate) part_number: u16,
    pub(crate) etag: String,
}

impl Api {
    /// The right to store a chunk, counted from 0.
    pub(crate) async fn sign(&self, upload: &UploadRef, chunk: u64) -> Result<SignedPart, Refusal> {
        let request = self
            .about(Method::POST, upload, "/parts/sign")
            .header(CONTENT_TYPE, "application/json")
            .body(json!({ "chunks": [chunk] }).to_string());
        let signed: SignedParts = self.line.document(request).await?;
        let part = signed.parts.into_iter().next();
        part.ok_or_else(|| Refusal::passing("The server has signed nothing.".to_owned()))
    }

    /// Stores it. A URL that is refused may have been too old: another may be taken.
    pub(crate) async fn store(&self, part: &SignedPart, body: SendingBody) -> Result<StoredPart, Refusal> {
        let (moving, length) = (body.moving(), body.length());
        let request = self.line.http.put(&part.url).header(CONTENT_LENGTH, length).body(body.into_body());
        let answer = self.line.while_moving(&moving, self.line.send(request)).await?;
        let status = answer.status();
        let etag = answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        match etag.filter(|_| status.is_success()) {
            Some(etag) => {
                answer.is_right();
                Ok(StoredPart { part_number: part.part_number, etag })
            }
            None => Err(Refusal::passing(format!("R2 has answered {} to a chunk.", status.as_u16()))),
        }
    }

    /// From here on it counts.
    pub(crate) async fn record(&self, upload: &UploadRef, part: &StoredPart) -> Result<(), Refusal> {
        let StoredPart { part_number, etag } = part;
        let request = self
            .about(Method::POST, upload, "/parts")
            .header(CONTENT_TYPE, "application/json")
            .body(json!({ "parts": [{ "partNumber": part_number, "etag": etag }] }).to_string());
        self.line.document::<ChunkTaken>(request).await.map(drop)
    }
}
