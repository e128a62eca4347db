//! A chunk of an upload that its client has a name of its own for. The owner's ledger says which upload that is, or it is created, by
//! whichever chunk comes first. Clients send several at once, and storage takes them in their order: one that comes too early waits for its
//! turn, with its body unread, so that the connection goes to those in front of it. From then on it is a chunk as any other.

use std::time::Duration;

use durable_objects::{
    platform::error::{Error, Result},
    rpc::{
        ObjectClient, call,
        ledger::LookupIdempotencyKey,
        upload::{AwaitBytes, BytesAwaited, Status},
    },
};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named},
    keyed_chunk::{KeyedChunk, Placed},
    live::Liveness,
    operation::{Append, Create, Outcome, Wait},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::{ByteCount, UploadId},
    upload::{Phase, Purpose, Snapshot},
};
use web_sys::ReadableStream;

use crate::{
    context::{HandlerResult, RequestContext},
    handlers::{
        append,
        create::{self, Earlier},
        left::Left,
    },
    log::Stopwatch,
    transfer::relay::drain,
};

/// A chunk waits while nobody appends for so many times as long as a body may stall: who sent what lies in front of it, and was cut off, has
/// this time to come again.
const STALLED_BODIES: u32 = 3;

/// So long it waits at most, however much is appended.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Whether all bytes of the chunk count.
pub(crate) async fn find(chunk: KeyedChunk, context: RequestContext<'_>) -> HandlerResult {
    let Some(id) = known(&chunk, context).await? else { return Ok(Outcome::Found(false)) };
    let now = match call(&context.uploads()?, id, &Status).await {
        Err(Error::Refused(ApiError::UploadNotFound | ApiError::UploadGone { .. })) => {
            return Ok(Outcome::Found(false));
        }
        now => now?,
    };
    let Placed { offset, file_bytes } = chunk.placed(&now)?;
    let is_same_length = file_bytes.is_none() || file_bytes == now.plan.declared_bytes();
    let counts = offset.checked_add(chunk.length).is_some_and(|end| end <= now.uploaded_bytes);
    Ok(Outcome::Found(counts && is_same_length && !chunk.begins_anew(&now)))
}

/// Stores the chunk, whose body is this.
pub(crate) async fn append(
    chunk: KeyedChunk,
    body: Option<ReadableStream>,
    context: RequestContext<'_>,
) -> HandlerResult {
    match when_its_turn_comes(&chunk, context).await {
        Ok(chunk) => append::handle(chunk, body, context).await,
        Err(error) => {
            if let Error::Refused(_) = error {
                drain(body).await?;
            }
            Err(error)
        }
    }
}

/// The chunk, once everything in front of it counts.
pub(crate) async fn when_its_turn_comes(chunk: &KeyedChunk, context: RequestContext<'_>) -> Result<Append> {
    let limit_bytes = context.config.limits.max_chunk_bytes;
    if chunk.length > limit_bytes {
        return Err(ApiError::ChunkTooLarge { limit_bytes }.into());
    }
    let now = upload_of(chunk, context).await?;
    let now = in_turn(chunk, now, context).await?;
    let Placed { offset, file_bytes } = chunk.placed(&now)?;
    Ok(Append {
        id: now.id,
        offset,
        named: Named::ByRange,
        overlap: chunk.overlap(),
        completes: Completion::WhenWhole,
        length: chunk.length,
        file_bytes,
        digest: None,
        wait: Wait::ForObject,
    })
}

/// The upload that has this name for this owner.
async fn known(chunk: &KeyedChunk, context: RequestContext<'_>) -> Result<Option<UploadId>> {
    let namer = context.access.namer()?;
    let lookup = LookupIdempotencyKey(namer.named(&chunk.key));
    call(&ObjectClient::to_ledgers(context.env)?, &namer.owner, &lookup).await
}

/// How the upload stands that the chunk belongs to; a new one, where there is none.
async fn upload_of(chunk: &KeyedChunk, context: RequestContext<'_>) -> Result<Snapshot> {
    let Some(id) = known(chunk, context).await? else { return created(chunk, None, context).await };
    match call(&context.uploads()?, id, &Status).await {
        Ok(now) if chunk.begins_anew(&now) => {
            created(chunk, Some(Earlier { id, left: Some(Left::of(&now, chunk.declared_bytes())) }), context).await
        }
        Ok(now) => Ok(now),
        Err(Error::Refused(ApiError::UploadGone { .. })) if chunk.outlives_its_upload() => {
            created(chunk, Some(Earlier { id, left: None }), context).await
        }
        // It was never created, or has been forgotten: the ledger knows which.
        Err(Error::Refused(ApiError::UploadNotFound)) => created(chunk, None, context).await,
        Err(error) => Err(error),
    }
}

async fn created(chunk: &KeyedChunk, instead_of: Option<Earlier>, context: RequestContext<'_>) -> Result<Snapshot> {
    if !chunk.may_come_first() {
        return Err(ApiError::OffsetMismatch { uploaded_bytes: ByteCount::ZERO, is_whole: false }.into());
    }
    let create = Create {
        mode: Mode::Sequential,
        file: chunk.file.clone(),
        file_bytes: chunk.declared_bytes(),
        chunking: Chunking::Unspoken,
        purpose: Purpose::File,
        idempotency: Some(chunk.key.clone()),
        on_mismatch: OnMismatch::Fail,
        live: Liveness::Never,
    };
    let outcome = match instead_of {
        Some(earlier) => create::instead_of(create, earlier, context).await?,
        None => create::handle(create, context).await?,
    };
    match outcome {
        Outcome::Created { snapshot, .. } => Ok(snapshot),
        _ => Err(Error::from("what has no digest is no duplicate")),
    }
}

/// How the upload stands once the chunk is not ahead of it any more.
async fn in_turn(chunk: &KeyedChunk, mut now: Snapshot, context: RequestContext<'_>) -> Result<Snapshot> {
    let objects = context.uploads()?;
    let longest_standstill = context.config.stalled_after * STALLED_BODIES;
    let watch = Stopwatch::start();
    let mut moved_at = Duration::ZERO;
    loop {
        let (Placed { offset, .. }, uploaded_bytes) = (chunk.placed(&now)?, now.uploaded_bytes);
        if now.phase != Phase::Open || offset <= uploaded_bytes {
            return Ok(now);
        }
        if !chunk.may_wait() {
            return Err(ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }.into());
        }
        let waited = Duration::from_millis(watch.elapsed_ms());
        let left = longest_standstill.saturating_sub(waited.saturating_sub(moved_at));
        if left.is_zero() || waited > LONGEST_WAIT {
            return Err(ApiError::ChunkTooEarly { uploaded_bytes }.into());
        }
        let longest_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let awaited = AwaitBytes { bytes: offset, longest_ms };
        let BytesAwaited(snapshot, was_appended) = call(&objects, now.id, &awaited).await?;
        now = snapshot;
        // Of a chunk that is sent slowly bytes may count only at its end.
        if was_appended || now.uploaded_bytes > uploaded_bytes {
            moved_at = Duration::from_millis(watch.elapsed_ms());
        }
    }
}
