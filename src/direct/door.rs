//! R2's S3 API: where it is, with which keys, and what is signed for it (AWS Signature Version 4, in the query). A URL gives
//! one request the right to store one part of one length, for a short time, and whoever has it may use it.

use std::time::Duration;

use jiff::Timestamp;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle, actions};
use upload_core::{
    direct::SignedPart,
    refusal::Refusal,
    session::Slot,
    units::{UnixMs, UploadId},
    upload::object_key,
};
use worker::{Env, Fetch, Method, Request, Response, Result};

use crate::config;

/// R2 has one region under this name (<https://developers.cloudflare.com/r2/api/s3/api/>).
const REGION: &str = "auto";

/// How long a request of our own may take to arrive.
const OWN_REQUEST: Duration = Duration::from_secs(60);

/// The way to the bucket that does not lead through its binding.
pub(crate) struct Door {
    bucket: Bucket,
    credentials: Credentials,
    /// How long a URL works.
    url_ttl_seconds: u64,
}

impl Door {
    /// Reads `R2_S3_ENDPOINT`, `R2_S3_BUCKET`, `DIRECT_URL_TTL_SECONDS` and the two secrets; refuses naming the first that is
    /// missing or malformed.
    pub(crate) fn open(env: &Env) -> Result<Self, Refusal> {
        let endpoint = config::text(env, "R2_S3_ENDPOINT")?;
        if endpoint.is_empty() {
            return Err(config::missing("R2_S3_ENDPOINT", "is empty, so there is no direct door"));
        }
        let endpoint = endpoint.parse().map_err(|_| config::missing("R2_S3_ENDPOINT", "is not a URL"))?;
        let name = config::text(env, "R2_S3_BUCKET")?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, name, REGION)
            .map_err(|_| config::missing("R2_S3_ENDPOINT", "is not an http or https URL"))?;
        let key_id = secret(env, "R2_ACCESS_KEY_ID")?;
        let credentials = Credentials::new(key_id, secret(env, "R2_SECRET_ACCESS_KEY")?);
        let url_ttl_seconds = config::number(env, "DIRECT_URL_TTL_SECONDS")?;
        Ok(Self { bucket, credentials, url_ttl_seconds })
    }

    /// Signs the right to store a part. Where its length is known the URL works for no other: `Content-Length` is signed too.
    pub(crate) fn sign(&self, slot: &Slot, now: UnixMs) -> Result<SignedPart> {
        let left_seconds = slot.expires_at.ms_since(now) / 1000;
        let valid_seconds = self.url_ttl_seconds.min(left_seconds).max(1);
        let mut action =
            actions::UploadPart::new(&self.bucket, Some(&self.credentials), &slot.key, slot.number, &slot.multipart_id);
        if let Some((_, bytes)) = slot.span {
            action.headers_mut().insert("content-length", bytes.to_string());
        }
        let url = action.sign_with_time(Duration::from_secs(valid_seconds), &instant(now)?);
        Ok(SignedPart { chunk: slot.chunk, number: slot.number, span: slot.span, url: url.into(), valid_seconds })
    }

    /// Asks R2 for the parts of an upload behind this number, up to a thousand.
    pub(crate) async fn list_parts(&self, key: &str, multipart_id: &str, behind: u16, now: UnixMs) -> Result<Response> {
        let mut action = actions::ListParts::new(&self.bucket, Some(&self.credentials), key, multipart_id);
        if behind > 0 {
            action.set_part_number_marker(behind);
        }
        send(Method::Get, action.sign_with_time(OWN_REQUEST, &instant(now)?).as_str()).await
    }

    /// Whether R2 lets these keys write into this bucket: by aborting an upload that never was, which costs and changes nothing.
    /// So a deployment whose keys are wrong says so when an upload is created, not when its first part has been sent.
    pub(crate) async fn prove(&self, id: UploadId, now: UnixMs) -> Result<Result<(), Refusal>> {
        let (key, nobody) = (object_key(id), id.simple());
        let action = actions::AbortMultipartUpload::new(&self.bucket, Some(&self.credentials), &key, &nobody);
        let mut answer = match send(Method::Delete, action.sign_with_time(OWN_REQUEST, &instant(now)?).as_str()).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(config::missing("R2_S3_ENDPOINT", &format!("does not answer: {error}")))),
        };
        let status = answer.status_code();
        Ok(complaint(status, &answer.text().await?).map_or(Ok(()), Err))
    }
}

/// What R2's answer to [`Door::prove`] says of the settings.
fn complaint(status: u16, body: &str) -> Option<Refusal> {
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    match (status, code) {
        (204, _) | (404, "NoSuchUpload") => None,
        (401 | 403, _) => Some(refused_keys(code)),
        (404, "NoSuchBucket") => Some(config::missing("R2_S3_BUCKET", "names no bucket at R2_S3_ENDPOINT")),
        _ => Some(config::missing("R2_S3_ENDPOINT", &format!("answers {status} {code}, which is not what R2 answers"))),
    }
}

/// The keys are wrong, or may not do this.
pub(super) fn refused_keys(code: &str) -> Refusal {
    let complaint =
        format!("and R2_SECRET_ACCESS_KEY are refused by R2 ({code}): set the keys of an API token that may write");
    config::missing("R2_ACCESS_KEY_ID", &complaint)
}

async fn send(method: Method, url: &str) -> Result<Response> {
    Fetch::Request(Request::new(url, method)?).send().await
}

fn instant(now: UnixMs) -> Result<Timestamp> {
    let ms = i64::try_from(now.0).map_err(|_| "a time beyond all times")?;
    Timestamp::from_millisecond(ms).map_err(|error| error.to_string().into())
}

fn secret(env: &Env, name: &str) -> Result<String, Refusal> {
    let found = env.secret(name).map(|secret| secret.to_string()).ok().filter(|secret| !secret.is_empty());
    found.ok_or_else(|| config::missing(name, &format!("is not set. Run `wrangler secret put {name}`")))
}
