//! Links that take one file: made for their owner, taken back by it, and whether one that has opened an upload may open another.

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{ObjectClient, call, ledger::RevokeLink, upload::Status};
use upload_access::token::{
    UploadPolicy,
    upload_link::{self, UploadLink},
};
use upload_session::session::UploadSpec;
use upload_types::{
    api_error::ApiError,
    ledger::EntryName,
    operation::Outcome,
    units::{UnixMs, UploadId},
    upload::{Phase, Snapshot},
    upload_link::{LinkId, MAX_UPLOAD_LINK_BYTES, MAX_UPLOAD_LINK_SECONDS, UploadLinkRequest},
};

use crate::{
    context::{HandlerResult, RequestContext},
    handlers::left::Left,
    log::now_ms,
};

/// How long a link is good that says nothing of it: a day.
const DEFAULT_SECONDS: u64 = 86_400;

/// An upload that the ledger has admitted and that is not there may be on its way for so long: an object is created within seconds.
const CREATION_MS: u64 = 60_000;

/// After so many seconds it is worth asking again whether the link is free.
const RETRY_SECONDS: u32 = 60;

/// Makes a link. Nothing is written: what it allows stands in it.
pub(crate) fn create(wanted: UploadLinkRequest, context: RequestContext<'_>) -> HandlerResult {
    let config = context.config;
    let creator = context.access.lister()?;
    let UploadLinkRequest { expires_in_seconds, max_bytes, types, metadata } = wanted;
    let mut permit = creator.permit.clone();
    permit.narrow(UploadPolicy { max_bytes, types, metadata, ..UploadPolicy::default() }, config.types.as_ref());
    // An upload is remembered for so long after its end, and by that its link is known to be used up: no link is good for longer.
    let longest_seconds = MAX_UPLOAD_LINK_SECONDS.min(config.policy.tombstone_ms / 1000);
    let seconds = expires_in_seconds.unwrap_or(DEFAULT_SECONDS).min(longest_seconds);
    let until = UnixMs((UnixMs(now_ms()).unix_seconds() + seconds) * 1000);
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::from(error.to_string()))?;
    let id = LinkId::from_random_bytes(random);
    let secret = config.download_secrets.first().ok_or("there is no DOWNLOAD_SECRET to sign links with")?;
    let link = UploadLink { id, owner: creator.owner.clone(), until, permit };
    let token = upload_link::mint(secret, link).ok_or("the link could not be signed")?;
    if token.len() > MAX_UPLOAD_LINK_BYTES {
        let why = "makes the link longer than 4 KiB, together with what the token says: say less with a link, and look it up by its `linkId`";
        return Err(ApiError::bad_request("metadata", why).into());
    }
    Ok(Outcome::UploadLinked { id, token, expires_at: until })
}

/// Takes a link of this owner back, whether it was ever made or not.
pub(crate) async fn revoke(id: LinkId, context: RequestContext<'_>) -> HandlerResult {
    let owner = &context.access.lister()?.owner;
    let until = UnixMs(now_ms()).plus_ms(MAX_UPLOAD_LINK_SECONDS * 1000);
    let opened = call(&ObjectClient::to_ledgers(context.env)?, owner, &RevokeLink { id, until }).await?;
    Ok(Outcome::UploadLinkRevoked(id, opened))
}

/// The upload that the link has opened, once it is sure that it has left no file and never will. Refused otherwise. Where the same file is
/// sent again, whoever sends it has no use for the try before: that is ended.
pub(crate) async fn without_file(
    earlier: EntryName,
    spec: &UploadSpec,
    context: RequestContext<'_>,
) -> Result<UploadId> {
    let id = earlier.upload_id;
    let in_use = || ApiError::LinkInUse { upload: id, retry_after_seconds: RETRY_SECONDS }.into();
    let phase = match call(&context.uploads()?, id, &Status).await {
        Ok(now) if now.phase == Phase::Open && is_same_file(&now, spec) => {
            Left::of(&now, now.plan.declared_bytes()).close(&spec.owner, context).await?;
            // Crash here: the try has ended, and the link is free for whoever comes next.
            return match call(&context.uploads()?, id, &Status).await {
                Ok(Snapshot { phase, .. }) | Err(Error::Refused(ApiError::UploadGone { phase, .. })) => {
                    free(phase, in_use).map(|()| id)
                }
                Err(error) => Err(error),
            };
        }
        Ok(now) => now.phase,
        Err(Error::Refused(ApiError::UploadGone { phase, .. })) => phase,
        Err(Error::Refused(ApiError::UploadNotFound)) => {
            let is_old = earlier.created_at.plus_ms(CREATION_MS) < UnixMs(now_ms());
            return if is_old { Ok(id) } else { Err(in_use()) };
        }
        Err(error) => return Err(error),
    };
    free(phase, in_use).map(|()| id)
}

fn free(phase: Phase, in_use: impl FnOnce() -> Error) -> Result<()> {
    match phase {
        Phase::Failed | Phase::Aborted | Phase::Expired => Ok(()),
        Phase::Completed | Phase::Deleted => Err(ApiError::LinkUsed.into()),
        Phase::Open | Phase::Completing | Phase::Verifying | Phase::Damaged => Err(in_use()),
    }
}

/// By what a client says of it: nobody has seen more of it yet.
fn is_same_file(earlier: &Snapshot, spec: &UploadSpec) -> bool {
    let length = earlier.plan.declared_bytes();
    length.is_some() && length == spec.plan.declared_bytes() && earlier.file.name == spec.file.name
}
