//! A link to the object: signed for its owner, good for whoever has it.

use durable_objects::platform::error::Result;
use durable_objects::rpc::upload::FoundObject;
use upload_types::{
    api_error::ApiError,
    link::{Disposition, LinkRequest, inline_type},
    operation::Outcome,
    units::{UnixMs, UploadId},
};

use crate::{access::signed_url, config::Config, context::HandlerResult, log::now_ms};

/// Signs a link to the object, found as its owner finds it.
pub(crate) fn sign(id: UploadId, wanted: &LinkRequest, found: &FoundObject, config: &Config) -> HandlerResult {
    let content_type = found.snapshot.file.content_type.as_deref();
    if wanted.presentation.disposition == Disposition::Inline && content_type.and_then(inline_type).is_none() {
        let why = "may be `inline` only for images (no SVG), audio, video and plain text";
        return Err(ApiError::bad_request("disposition", why).into());
    }
    let ttl_seconds = wanted.expires_in_seconds.unwrap_or(config.download_url_ttl_seconds.max(1));
    let expires_unix_seconds = expiry(found, UnixMs(now_ms()), ttl_seconds)?;
    let secret = config.download_secrets.first();
    let signed =
        secret.and_then(|secret| signed_url::sign_as(secret, "", id, expires_unix_seconds, &wanted.presentation));
    let path_and_query = signed.ok_or("the download URL could not be signed")?;
    Ok(Outcome::Linked { path_and_query, expires_at: UnixMs(expires_unix_seconds * 1000) })
}

/// When a link ends that is to be good for so long from now on, in seconds since the epoch. The object is found through its upload, which is
/// forgotten `TOMBSTONE_TTL_SECONDS` after its end, or when the last link of its events expires, if that is later. Nothing is written for
/// this link, so it puts that off no further, and ends then at the latest: with a week for both, a link that is asked for two days after the
/// end is good for 7 - 2 = 5 days. In the last second of its memory the upload counts as forgotten.
fn expiry(found: &FoundObject, now: UnixMs, ttl_seconds: u64) -> Result<u64> {
    let forgotten_at = found.forgotten_at.ok_or("the upload's object is of an older build")?;
    let (now, forgotten) = (now.unix_seconds(), forgotten_at.unix_seconds());
    let expires = now.saturating_add(ttl_seconds).min(forgotten);
    if expires > now { Ok(expires) } else { Err(ApiError::UploadNotFound.into()) }
}
