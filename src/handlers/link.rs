//! A link to the object, or to what is there of a live upload: signed for its owner or whoever runs the service, good for whoever has it.

use durable_objects::{
    platform::error::{Error, Result},
    rpc::upload::FoundObject,
};
use upload_types::{
    api_error::ApiError,
    link::{Disposition, LinkRequest, inline_type},
    operation::Outcome,
    units::{UnixMs, UploadId},
    upload::Snapshot,
};

use crate::{
    access::signed_url,
    config::Config,
    context::{HandlerResult, RequestContext},
    handlers::{download, growing},
    log::now_ms,
};

/// Signs a link to what an upload has: its object, or what is there of a live one.
pub(crate) async fn handle(id: UploadId, wanted: &LinkRequest, context: RequestContext<'_>) -> HandlerResult {
    // However an upload ends, and whenever: it is remembered so long from now on. So is what is held, whose time has not begun.
    let mut good_until = UnixMs(now_ms()).plus_ms(context.config.policy.tombstone_ms);
    let now = match download::find(id, &wanted.presentation, context).await {
        Ok(FoundObject { snapshot, forgotten_at, .. }) => {
            if !snapshot.held {
                good_until = forgotten_at.ok_or("the upload's object is of an older build")?;
            }
            snapshot
        }
        Err(Error::Refused(unfinished @ (ApiError::Incomplete { .. } | ApiError::Completing))) => {
            growing::look(id, unfinished, context).await?
        }
        Err(error) => return Err(error),
    };
    sign(id, wanted, &now, good_until, context.config)
}

/// Signs a link to it.
fn sign(id: UploadId, wanted: &LinkRequest, now: &Snapshot, good_until: UnixMs, config: &Config) -> HandlerResult {
    let content_type = now.file.content_type.as_deref();
    if wanted.presentation.disposition == Disposition::Inline && content_type.and_then(inline_type).is_none() {
        let why = "may be `inline` only for images (no SVG), audio, video and plain text";
        return Err(ApiError::bad_request("disposition", why).into());
    }
    let ttl_seconds = wanted.expires_in_seconds.unwrap_or(config.download_url_ttl_seconds.max(1));
    let expires_unix_seconds = expiry(good_until, UnixMs(now_ms()), ttl_seconds)?;
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
fn expiry(forgotten_at: UnixMs, now: UnixMs, ttl_seconds: u64) -> Result<u64> {
    let (now, forgotten) = (now.unix_seconds(), forgotten_at.unix_seconds());
    let expires = now.saturating_add(ttl_seconds).min(forgotten);
    if expires > now { Ok(expires) } else { Err(ApiError::UploadNotFound.into()) }
}
