//! A new upload that is put together from others: all of them must live and be their owner's, and are kept until it is done, once it has
//! been admitted: what is refused keeps nothing. Its bytes are copied in the queue's time (`copying`); the answer waits for the object as long as a client may be kept
//! waiting, where nothing but copying is left to do.

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{ObjectClient, call, ledger::LookupIdempotencyKey, upload::Status};
use upload_session::session::{PartialUpload, Wanted};
use upload_types::{
    api_error::ApiError,
    bucket::BucketName,
    ledger::Idempotency,
    operation::{Create, Outcome, Wait},
    plan::Limits,
    units::{ByteCount, UnixMs, UploadId},
    upload::{Phase, Purpose},
};

use crate::{
    context::{HandlerResult, RequestContext},
    handlers::{await_object, create},
    queue::concat,
};

/// How often the same partial uploads can be put together anew with nothing but the list to tell it by, within the day that it is
/// remembered.
const MOST_TIMES_ANEW: usize = 16;

/// Creates the upload, or finds the one that was created for the same request.
pub(crate) async fn handle(create: Create, wait: Wait, context: RequestContext<'_>) -> HandlerResult {
    let Purpose::Composition(ids) = create.purpose.clone() else { return create::handle(create, context).await };
    let creator = context.access.creator(&create.purpose)?;
    let (owner, limits) = (creator.owner.clone(), creator.permit.tighten(context.config.limits));
    let partials = match asked(&ids, None, &owner, context).await {
        // What it was put together from may be gone by now. The answer to the same request stays the same.
        Err(Error::Refused(refusal)) => return Ok(earlier(create, context).await?.ok_or(refusal)?),
        partials => partials?,
    };
    stays_in(creator.permit.bucket.as_ref().map_or("", BucketName::as_str), &partials)?;
    let file_bytes = total(&partials, limits, create.mode)?;
    let created = once(Create { file_bytes, ..create }, &partials, context).await?;
    if let Outcome::Created { snapshot, .. } = &created
        && snapshot.phase == Phase::Open
    {
        // Crash here, or fails: the upload is there and its partial uploads are not kept yet. It asks for them itself when it is copied, and
        // keeps them then; one that is gone by that time fails it, and says so.
        let _kept = asked(&ids, Some(snapshot.expires_at), &owner, context).await;
    }
    let all_there = partials.iter().all(|partial| partial.object.is_some());
    match created {
        Outcome::Created { snapshot, limits, upload_token } if all_there && wait == Wait::ForObject => {
            let snapshot = await_object::awaited(snapshot.id, context).await?.unwrap_or(snapshot);
            Ok(Outcome::Created { snapshot, limits, upload_token })
        }
        created => Ok(created),
    }
}

/// All partial uploads; kept until then, where that is said.
async fn asked(
    ids: &[UploadId],
    until: Option<UnixMs>,
    owner: &str,
    context: RequestContext<'_>,
) -> Result<Vec<PartialUpload>> {
    let wanted = Wanted { owner: owner.to_owned(), partials: ids.to_vec(), until };
    let objects = context.uploads()?;
    concat::ask_for(&wanted, &objects).await.into_iter().collect()
}

/// What lies in a bucket of its own comes out by no token of another one. The application's word, which comes later, goes over both.
fn stays_in(bucket: &str, partials: &[PartialUpload]) -> Result<(), ApiError> {
    match partials.iter().find(|partial| !partial.bucket.is_empty() && partial.bucket != bucket) {
        None => Ok(()),
        Some(partial) => Err(ApiError::InvalidPartial {
            upload: partial.entry.upload_id,
            reason: format!("It lies in the bucket {}, and this token's uploads do not.", partial.bucket),
        }),
    }
}

/// How long the file will be, where all partial uploads know it. What is known of it must not be too long already.
fn total(
    partials: &[PartialUpload],
    limits: Limits,
    mode: upload_types::plan::Mode,
) -> Result<Option<ByteCount>, ApiError> {
    let limit_bytes = limits.largest_file(mode);
    let mut known = partials.iter().filter_map(|partial| partial.bytes);
    let sum = known.try_fold(ByteCount::ZERO, ByteCount::checked_add);
    let sum = sum.filter(|sum| *sum <= limit_bytes).ok_or(ApiError::UploadTooLarge { limit_bytes })?;
    Ok(partials.iter().all(|partial| partial.bytes.is_some()).then_some(sum))
}

/// The upload that was created for this request before, unless that has ended without an object.
async fn earlier(create: Create, context: RequestContext<'_>) -> Result<Option<Outcome>> {
    // By a link, the creation itself finds it: it hands out no token.
    let creator = context.access.creator(&create.purpose).ok().filter(|creator| creator.link.is_none());
    let Some(creator) = creator else { return Ok(None) };
    let ledgers = ObjectClient::to_ledgers(context.env)?;
    let objects = context.uploads()?;
    let mut asked = create.idempotency;
    while let Some(idempotency) = asked {
        let lookup = LookupIdempotencyKey(creator.named(&idempotency));
        let Some(id) = call(&ledgers, &creator.owner, &lookup).await? else { break };
        match call(&objects, id, &Status).await {
            Ok(snapshot) if snapshot.phase != Phase::Failed => {
                let upload_token = create::upload_token(snapshot.id, context.config);
                return Ok(Some(Outcome::Created { snapshot, limits: context.config.limits, upload_token }));
            }
            Ok(_) | Err(Error::Refused(_)) => asked = idempotency.anew(),
            Err(fault) => return Err(fault),
        }
    }
    Ok(None)
}

/// One upload for the same request, however often it is repeated; another once that one has ended without an object.
async fn once(mut create: Create, partials: &[PartialUpload], context: RequestContext<'_>) -> HandlerResult {
    // Where it is not known how long they are together, it counts for nothing yet, and they go on counting for themselves.
    let is_known = create.file_bytes.is_some();
    let hold = partials.iter().any(|partial| partial.hold);
    let takes_over = || partials.iter().filter(|_| is_known).map(|partial| partial.entry).collect();
    for _ in 0..MOST_TIMES_ANEW {
        let created = create::of_partials(create.clone(), takes_over(), hold, context).await;
        let has_ended = match &created {
            Ok(Outcome::Created { snapshot, .. }) => snapshot.phase == Phase::Failed,
            Err(error) => matches!(error, Error::Refused(ApiError::UploadGone { .. })),
            Ok(_) => false,
        };
        match create.idempotency.as_ref().and_then(Idempotency::anew).filter(|_| has_ended) {
            Some(anew) => create.idempotency = Some(anew),
            None => return created,
        }
    }
    create::of_partials(create, takes_over(), hold, context).await
}
