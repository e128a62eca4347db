//! Links that take one file: made for their owner, taken back by it, and whether one that has opened an upload may open another.

use durable_objects::platform::{
    error::{Error, Result},
    telemetry::log_line::LogLine,
};
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{FindLink, RevokeLink},
    upload::Status,
};
use upload_access::token::{
    UploadPolicy,
    upload_link::{self, UploadLink},
};
use upload_session::{retention::CREATION_MS, session::UploadSpec};
use upload_types::{
    api_error::ApiError,
    ledger::{Admission, EntryName},
    media_types::MediaTypes,
    operation::{Create, Outcome},
    units::{UnixMs, UploadId},
    upload::{Phase, Snapshot},
    upload_link::{LinkId, MAX_UPLOAD_LINK_BYTES, MAX_UPLOAD_LINK_SECONDS, UploadLinkRequest},
};

use crate::{
    access::{Principal, rate_limit},
    config::Auth,
    context::{HandlerResult, RequestContext},
    handlers::left::Left,
    log::{self, now_ms},
};

/// How long a link is good that says nothing of it: a day.
const DEFAULT_SECONDS: u64 = 86_400;

/// An upload that has brought something so shortly ago, or was begun, is not taken for one that was given up: who comes with the same file comes
/// at the same time. Five seconds; where nobody has said how long the file is, twice as long as a body may stall, which is a minute: there the
/// name alone says that it is the same.
pub(crate) const JUST_MOVED_MS: u64 = 5_000;

/// Makes a link. Nothing is written: what it allows stands in it.
pub(crate) async fn create(wanted: UploadLinkRequest, context: RequestContext<'_>) -> HandlerResult {
    let config = context.config;
    let creator = context.access.lister()?;
    if let Auth::Tokens(_) = config.auth {
        rate_limit::count_one(&creator.owner, context).await?;
    }
    let UploadLinkRequest { expires_in_seconds, max_bytes, types, metadata } = wanted;
    let mut permit = creator.permit.clone();
    permit.narrow(UploadPolicy { max_bytes, types, ..UploadPolicy::default() }, config.types.as_ref());
    if permit.types.as_ref().is_some_and(MediaTypes::is_empty) {
        return Err(ApiError::bad_request("types", "has none that may be uploaded here").into());
    }
    // An upload is remembered for so long after its end, and by that its link is known to be used up: no link is good for longer.
    let longest_seconds = MAX_UPLOAD_LINK_SECONDS.min(config.policy.tombstone_ms / 1000);
    let seconds = expires_in_seconds.unwrap_or(DEFAULT_SECONDS).min(longest_seconds);
    let until = UnixMs((UnixMs(now_ms()).unix_seconds() + seconds) * 1000);
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::from(error.to_string()))?;
    let id = LinkId::from_random_bytes(random);
    let secret = config.download_secrets.first().ok_or("there is no DOWNLOAD_SECRET to sign links with")?;
    let link = UploadLink { id, owner: creator.owner.clone(), until, permit, metadata };
    let token = upload_link::mint(secret, link).ok_or("the link could not be signed")?;
    if token.len() > MAX_UPLOAD_LINK_BYTES {
        let why = "makes the link longer than 4 KiB, together with what the token says: say less with a link, and look it up by its `linkId`";
        return Err(ApiError::bad_request("metadata", why).into());
    }
    log::info(&LogLine { event: "link_created", ..about(id) });
    Ok(Outcome::UploadLinked { id, token, expires_at: until })
}

/// Takes a link of this owner back, whether it was ever made or not.
pub(crate) async fn revoke(id: LinkId, context: RequestContext<'_>) -> HandlerResult {
    let owner = &context.access.lister()?.owner;
    if let Auth::Tokens(_) = context.config.auth {
        // Apart from what is made: whoever has stolen a token must not keep its owner from taking back what they make with it.
        rate_limit::count_one(&format!("revoking {owner}"), context).await?;
    }
    let until = UnixMs(now_ms()).plus_ms(MAX_UPLOAD_LINK_SECONDS * 1000);
    let opened = call(&ObjectClient::to_ledgers(context.env)?, owner, &RevokeLink { id, until }).await?;
    log::info(&LogLine { event: "link_revoked", ..about(id) });
    Ok(Outcome::UploadLinkRevoked(id, opened))
}

/// By its id a link can be taken back whose address nobody has.
fn about(id: LinkId) -> LogLine<'static> {
    LogLine { detail: Some(id.to_string()), ..LogLine::default() }
}

/// Refuses a creation by a link that takes no file any more, before anybody else is asked about it. Not one that may be repeated under its key:
/// what it has begun stays its own.
pub(crate) async fn is_open(creator: &Principal, create: &Create, context: RequestContext<'_>) -> Result<()> {
    let Some(link) = creator.link.as_ref().filter(|_| create.idempotency.is_none()) else { return Ok(()) };
    match call(&ObjectClient::to_ledgers(context.env)?, &creator.owner, &FindLink(link.usage.id)).await? {
        Some(Admission::LinkRevoked) => Err(ApiError::LinkRevoked.into()),
        Some(Admission::LinkUsed(earlier)) => match phase(earlier.upload_id, context).await? {
            Some(Phase::Completed | Phase::Deleted) => Err(ApiError::LinkUsed.into()),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The upload that the link has opened, once it is sure that it has left no file and never will. Refused otherwise. Where the same file is
/// sent again, whoever sends it has no use for the try before: that is ended.
pub(crate) async fn without_file(
    earlier: EntryName,
    spec: &UploadSpec,
    context: RequestContext<'_>,
) -> Result<UploadId> {
    let (id, age_ms) = (earlier.upload_id, UnixMs(now_ms()).ms_since(earlier.created_at));
    match call(&context.uploads()?, id, &Status).await {
        Ok(now) if now.phase == Phase::Open && is_same_file(&now, spec) && is_left(&now, spec, context) => {
            // What it has brought counts, and not what it would have.
            Left::of(&now, None).close(&spec.owner, context).await?;
            // Crash here: the try has ended, and the link is free for whoever comes next.
        }
        Ok(_) | Err(Error::Refused(_)) => {}
        Err(fault) => return Err(fault),
    }
    match phase(id, context).await? {
        Some(Phase::Failed | Phase::Aborted | Phase::Expired) => Ok(id),
        Some(Phase::Completed | Phase::Deleted) => Err(ApiError::LinkUsed.into()),
        // It may be on its way to its object for so long.
        None if age_ms > CREATION_MS => Ok(id),
        _ => Err(in_use(id, left_after_ms(spec, context))),
    }
}

/// What is said while another file is on its way by the link, or the same one may be.
pub(crate) fn in_use(upload: UploadId, left_after_ms: u64) -> Error {
    let retry_after_seconds = u32::try_from(left_after_ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1);
    ApiError::LinkInUse { upload, retry_after_seconds }.into()
}

/// Where an upload is in its life; none where there is none, or not yet.
async fn phase(id: UploadId, context: RequestContext<'_>) -> Result<Option<Phase>> {
    match call(&context.uploads()?, id, &Status).await {
        Ok(Snapshot { phase, .. }) | Err(Error::Refused(ApiError::UploadGone { phase, .. })) => Ok(Some(phase)),
        Err(Error::Refused(ApiError::UploadNotFound)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nothing has moved in it for so long that whoever sent it has gone. It ends so long after its last accepted byte as it was promised.
fn is_left(earlier: &Snapshot, spec: &UploadSpec, context: RequestContext<'_>) -> bool {
    let left_ms = earlier.expires_at.ms_since(UnixMs(now_ms()));
    spec.policy.ttl_ms.saturating_sub(left_ms) > left_after_ms(spec, context)
}

fn left_after_ms(spec: &UploadSpec, context: RequestContext<'_>) -> u64 {
    let longest_stall_ms = u64::try_from(context.config.stalled_after.as_millis()).unwrap_or(u64::MAX);
    if spec.plan.declared_bytes().is_some() { JUST_MOVED_MS } else { longest_stall_ms.saturating_mul(2) }
}

/// By what a client says of it: nobody has seen more of it yet.
fn is_same_file(earlier: &Snapshot, spec: &UploadSpec) -> bool {
    earlier.plan.declared_bytes() == spec.plan.declared_bytes() && earlier.file.name == spec.file.name
}
