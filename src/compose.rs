//! A new upload that is put together from others: all of them must live and be their owner's, and are kept until it is done.
//! Its bytes are copied in the queue's time (`copying`); the answer waits for the object as long as a client may be kept
//! waiting, where nothing but copying is left to do.

use durable_objects::fault::Result;
use durable_objects::rpc::{Door, ask, ledger::Recall, upload::Status};
use upload_core::{
    ledger::Idempotency,
    operation::{Create, Outcome, Wait},
    plan::Limits,
    refusal::Refusal,
    session::{Piece, Wanted},
    units::{ByteCount, UnixMs, UploadId},
    upload::{Phase, Purpose},
};

use crate::{call::Call, copying, create, finishing, log::now_ms, uploads::Carried};

/// How long before its creation an upload's pieces are asked for, at most. They are kept so much longer.
const BEFORE_CREATION_MS: u64 = 5_000;

/// How often the same pieces can be put together anew with nothing but the list to tell it by, within the day that it is
/// remembered.
const MOST_TIMES_ANEW: usize = 16;

/// Creates the upload, or finds the one that was created for the same request.
pub(crate) async fn carry_out(create: Create, wait: Wait, call: Call<'_>) -> Carried {
    let Purpose::Composition(ids) = &create.purpose else { return create::carry_out(create, call).await };
    let pieces = match pieces(ids, &create.purpose, call).await? {
        Ok(pieces) => pieces,
        // What it was put together from may be gone by now. The answer to the same request stays the same.
        Err(refusal) => return Ok(earlier(create, call).await?.ok_or(refusal)),
    };
    let limits = match call.access.creator(&create.purpose) {
        Ok(creator) => creator.permit.tighten(call.config.limits),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let file_bytes = match total(&pieces, limits, create.mode) {
        Ok(file_bytes) => file_bytes,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let created = once(Create { file_bytes, ..create }, call).await?;
    let all_there = pieces.iter().all(|piece| piece.object.is_some());
    match created {
        Ok(Outcome::Created { snapshot, limits, upload_token }) if all_there && wait == Wait::ForObject => {
            let now = finishing::awaited(snapshot.id, call).await.unwrap_or(Ok(snapshot));
            Ok(now.map(|snapshot| Outcome::Created { snapshot, limits, upload_token }))
        }
        created => Ok(created),
    }
}

/// All pieces, kept from now on for as long as the upload may live.
async fn pieces(ids: &[UploadId], purpose: &Purpose, call: Call<'_>) -> Result<Result<Vec<Piece>, Refusal>> {
    let owner = match call.access.creator(purpose) {
        Ok(creator) => creator.owner.clone(),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let until = UnixMs(now_ms()).plus_ms(call.config.policy.ttl_ms + BEFORE_CREATION_MS);
    let wanted = Wanted { owner, pieces: ids.to_vec(), until };
    let objects = call.uploads()?;
    Ok(copying::ask_for(&wanted, &objects).await?.into_iter().collect())
}

/// How long the file will be, where all pieces know it. What is known of it must not be too long already.
fn total(pieces: &[Piece], limits: Limits, mode: upload_core::plan::Mode) -> Result<Option<ByteCount>, Refusal> {
    let limit_bytes = limits.largest_file(mode);
    let mut known = pieces.iter().filter_map(|piece| piece.bytes);
    let sum = known.try_fold(ByteCount::ZERO, ByteCount::checked_add);
    let sum = sum.filter(|sum| *sum <= limit_bytes).ok_or(Refusal::UploadTooLarge { limit_bytes })?;
    Ok(pieces.iter().all(|piece| piece.bytes.is_some()).then_some(sum))
}

/// The upload that was created for this request before, unless that has ended without an object.
async fn earlier(create: Create, call: Call<'_>) -> Result<Option<Outcome>> {
    let Ok(creator) = call.access.creator(&create.purpose) else { return Ok(None) };
    let ledgers = Door::to_ledgers(call.env)?;
    let objects = call.uploads()?;
    let mut asked = create.idempotency;
    while let Some(idempotency) = asked {
        let Ok(Some(id)) = ask(&ledgers, &creator.owner, &Recall(idempotency.clone())).await? else { break };
        match ask(&objects, id, &Status).await? {
            Ok(snapshot) if snapshot.phase != Phase::Failed => {
                let upload_token = create::upload_token(snapshot.id, call.config);
                return Ok(Some(Outcome::Created { snapshot, limits: call.config.limits, upload_token }));
            }
            _ => asked = idempotency.anew(),
        }
    }
    Ok(None)
}

/// One upload for the same request, however often it is repeated; another once that one has ended without an object.
async fn once(mut create: Create, call: Call<'_>) -> Carried {
    for _ in 0..MOST_TIMES_ANEW {
        let created = create::carry_out(create.clone(), call).await?;
        let has_ended = match &created {
            Ok(Outcome::Created { snapshot, .. }) => snapshot.phase == Phase::Failed,
            Err(refusal) => matches!(refusal, Refusal::UploadGone { .. }),
            Ok(_) => false,
        };
        match create.idempotency.as_ref().and_then(Idempotency::anew).filter(|_| has_ended) {
            Some(anew) => create.idempotency = Some(anew),
            None => return Ok(created),
        }
    }
    create::carry_out(create, call).await
}
