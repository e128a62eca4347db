//! R2's S3 API: where it is, with which keys, and what is signed for it (AWS Signature Version 4, in the query). A URL gives
//! one request the right to store one part of one length, for a short time, and whoever has it may use it.

use durable_objects::platform::error::{Error, Result};
use upload_s3::{Endpoint, Keys, Request as S3Request};
use upload_session::session::Slot;
use upload_types::{
    api_error::ApiError,
    presigned::SignedPart,
    units::{UnixMs, UploadId},
};
use worker::{Env, Fetch, Method, Request, Response};

use crate::setting::{self, Complaint, Complaints};

const ENDPOINT: &str = "R2_S3_ENDPOINT";
const KEY_ID: &str = "R2_ACCESS_KEY_ID";
const KEY_SECRET: &str = "R2_SECRET_ACCESS_KEY";

/// How long a request of our own may take to arrive.
const OWN_REQUEST_SECONDS: u64 = 60;

/// The way to the bucket that does not lead through its binding.
pub(crate) struct S3Bucket {
    endpoint: Endpoint,
    keys: Keys,
    /// How long a URL works.
    url_ttl_seconds: u64,
}

impl S3Bucket {
    /// Reads `R2_S3_ENDPOINT`, `R2_S3_BUCKET`, `DIRECT_URL_TTL_SECONDS` and the two secrets; refuses naming each that is missing or
    /// malformed.
    pub(crate) fn open(env: &Env) -> Result<Self, ApiError> {
        let mut wrong = Complaints::default();
        let endpoint = wrong.hear(endpoint(env));
        let id = wrong.hear(secret(env, KEY_ID));
        let secret = wrong.hear(secret(env, KEY_SECRET));
        let url_ttl_seconds = wrong.hear(setting::number(env, "DIRECT_URL_TTL_SECONDS"));
        wrong.all()?;
        let bucket = || {
            Some(Self {
                endpoint: endpoint?,
                keys: Keys { id: id?, secret: secret? },
                url_ttl_seconds: url_ttl_seconds?,
            })
        };
        bucket().ok_or_else(|| setting::missing(ENDPOINT, "cannot be read").into())
    }

    /// Nobody needs it; but who has set a part of it wants it, and is told what is missing.
    pub(crate) fn is_whole_or_unset(env: &Env) -> Result<(), ApiError> {
        let is_begun = !setting::text(env, ENDPOINT).is_ok_and(|endpoint| endpoint.is_empty())
            || [KEY_ID, KEY_SECRET].into_iter().any(|name| secret(env, name).is_ok());
        if is_begun { Self::open(env).map(drop) } else { Ok(()) }
    }

    /// Signs the right to store a part. Where its length is known the URL works for no other: `Content-Length` is signed too.
    pub(crate) fn sign(&self, slot: &Slot, now: UnixMs) -> Result<SignedPart> {
        let left_seconds = slot.expires_at.ms_since(now) / 1000;
        let valid_seconds = self.url_ttl_seconds.min(left_seconds).max(1);
        let request = S3Request {
            method: "PUT",
            key: &slot.key,
            query: vec![("partNumber", slot.number.to_string()), ("uploadId", slot.multipart_id.clone())],
            content_length: slot.span.map(|(_, bytes)| bytes),
        };
        let url = self.url(&request, now, valid_seconds)?;
        Ok(SignedPart { chunk: slot.chunk, number: slot.number, span: slot.span, url, valid_seconds })
    }

    /// Asks R2 for the parts of an upload behind this number, up to a thousand.
    pub(crate) async fn list_parts(&self, key: &str, multipart_id: &str, behind: u16, now: UnixMs) -> Result<Response> {
        let query = vec![("uploadId", multipart_id.to_owned()), ("part-number-marker", behind.to_string())];
        self.send(Method::Get, S3Request { method: "GET", key, query, content_length: None }, now).await
    }

    /// Whether R2 lets these keys write into this bucket: by aborting an upload that never was, which costs and changes nothing.
    /// So a deployment whose keys are wrong says so when an upload is created, not when its first part has been sent.
    pub(crate) async fn prove(&self, id: UploadId, now: UnixMs) -> Result<()> {
        let (key, query) = (format!("uploads/{id}"), vec![("uploadId", id.simple())]);
        let request = S3Request { method: "DELETE", key: &key, query, content_length: None };
        let answer = self.send(Method::Delete, request, now).await;
        let mut answer =
            answer.map_err(|error| ApiError::from(setting::missing(ENDPOINT, &format!("does not answer: {error}"))))?;
        let status = answer.status_code();
        Ok(complaint(status, &answer.text().await?).map_or(Ok(()), |wrong| Err(ApiError::from(wrong)))?)
    }

    async fn send(&self, method: Method, request: S3Request<'_>, now: UnixMs) -> Result<Response> {
        let url = self.url(&request, now, OWN_REQUEST_SECONDS)?;
        Ok(Fetch::Request(Request::new(&url, method)?).send().await?)
    }

    fn url(&self, request: &S3Request<'_>, now: UnixMs, valid_seconds: u64) -> Result<String> {
        let url = self.endpoint.sign(request, &self.keys, now, valid_seconds);
        url.ok_or_else(|| Error::from("a request to R2's S3 API that cannot be signed"))
    }
}

/// What R2's answer to [`S3Bucket::prove`] says of the settings.
fn complaint(status: u16, body: &str) -> Option<Complaint> {
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    match (status, code) {
        (204, _) | (404, "NoSuchUpload") => None,
        (401 | 403, _) => Some(refused_keys(code)),
        (404, "NoSuchBucket") => Some(setting::missing("R2_S3_BUCKET", "names no bucket at R2_S3_ENDPOINT")),
        _ => {
            Some(setting::missing("R2_S3_ENDPOINT", &format!("answers {status} {code}, which is not what R2 answers")))
        }
    }
}

/// The keys are wrong, or may not do this.
pub(crate) fn refused_keys(code: &str) -> Complaint {
    let complaint =
        format!("and R2_SECRET_ACCESS_KEY are refused by R2 ({code}): set the keys of an API token that may write");
    setting::missing("R2_ACCESS_KEY_ID", &complaint)
}

fn endpoint(env: &Env) -> Result<Endpoint, Complaint> {
    let endpoint = setting::text(env, ENDPOINT)?;
    if endpoint.is_empty() {
        return Err(setting::missing(ENDPOINT, "is empty, so there is no direct door"));
    }
    Endpoint::new(&endpoint, &setting::text(env, "R2_S3_BUCKET")?)
        .ok_or_else(|| setting::missing(ENDPOINT, "is not an http or https URL, or R2_S3_BUCKET no name"))
}

fn secret(env: &Env, name: &str) -> Result<String, Complaint> {
    let found = setting::secret(env, name)?.filter(|secret| !secret.is_empty());
    found.ok_or_else(|| setting::missing(name, &format!("is not set. Run `wrangler secret put {name}`")))
}
