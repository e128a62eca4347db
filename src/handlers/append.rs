//! A chunk, carried out: the upload's object grants the right to store it, the relay stores it, and the object counts it,
//! part by part; or all at once, where the chunk's checksum must be right first.

use durable_objects::{
    platform::error::{Error, Result},
    rpc::{
        call, unless_refused,
        upload::{BeginAnswer, BeginChunk, Cancel, Counted, Declare, Status},
    },
};
use upload_session::session::{BeginAppend, Continuation, DeleteRight, WriteLease};
use upload_types::{
    api_error::ApiError,
    chunk::{Named, Overlap},
    integrity::RunningSha256,
    operation::{Append, Outcome, Wait},
    units::ByteCount,
    upload::Snapshot,
};
use web_sys::ReadableStream;

use crate::{
    context::{HandlerResult, RequestContext, TransferContext},
    handlers::await_object,
    http::server_timing::Step,
    transfer::{
        attempt,
        body::fixed_length,
        error::TransferError,
        relay::{Relay, drain},
    },
};

/// Stores a chunk. The work goes on for a while when the client goes away: what has arrived by then may be whole parts.
pub(crate) async fn handle(chunk: Append, body: Option<ReadableStream>, context: RequestContext<'_>) -> HandlerResult {
    let limit_bytes = context.config.limits.max_chunk_bytes;
    if chunk.length > limit_bytes {
        return Err(ApiError::ChunkTooLarge { limit_bytes }.into());
    }
    if chunk.length.is_zero() {
        return without_bytes(chunk, context).await;
    }
    let wait = chunk.wait;
    let appended = in_background(chunk, None, body, context).await?;
    await_object::wait_for_object(wait, appended, context).await
}

/// Stores the chunk in a task of its own. `leased` is the right to do so, where it is there already.
pub(crate) async fn in_background(
    chunk: Append,
    leased: Option<WriteLease>,
    body: Option<ReadableStream>,
    context: RequestContext<'_>,
) -> HandlerResult {
    let storing = context.storing()?;
    context
        .run_with_wait_until(async move {
            let stored = match leased {
                Some(lease) => store_granted(chunk, lease, ByteCount::ZERO, body, &storing).await?,
                None => store(chunk, Continuation::default(), body, &storing).await?,
            };
            Ok(stored.outcome)
        })
        .await?
}

/// A chunk without bytes adds nothing; at the right offset that is no mistake, and it may declare the length. Where that shows
/// that all bytes are there, those still in the tail go into the last part now.
async fn without_bytes(chunk: Append, context: RequestContext<'_>) -> HandlerResult {
    let objects = context.uploads()?;
    if chunk.digest.as_ref().is_some_and(|digest| !digest.is_of_nothing()) {
        let uploaded_bytes = call(&objects, chunk.id, &Status).await?.uploaded_bytes;
        return Err(ApiError::ChecksumMismatch { uploaded_bytes }.into());
    }
    let Append { offset, file_bytes, completes, .. } = chunk;
    let declare = Declare { offset, file_bytes, completes, metadata: None };
    let now = call(&objects, chunk.id, &declare).await?;
    let wait = chunk.wait;
    let appended = if await_object::lacks_last_part(&now) {
        in_background(Append { completes: now.completes, ..chunk }, None, None, context).await?
    } else {
        await_object::shown(&now)
    };
    await_object::wait_for_object(wait, appended, context).await
}

/// A chunk that has been stored.
pub(crate) struct Stored {
    /// By which attempt; 0 where it was there already.
    pub(crate) attempt: u64,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// Stores a chunk that has bytes, or a section of one.
pub(crate) async fn store(
    mut chunk: Append,
    continuation: Continuation,
    body: Option<ReadableStream>,
    storing: &TransferContext,
) -> Result<Stored> {
    let first = chunk.offset;
    loop {
        let all_or_nothing = chunk.is_all_or_nothing();
        let Append { offset, named, completes, length, file_bytes, .. } = chunk;
        let begin = BeginAppend { offset, length, file_bytes, all_or_nothing, named, completes, continuation };
        match storing.timings.measure(Step::Begin, call(&storing.objects, chunk.id, &BeginChunk(begin))).await {
            Ok(BeginAnswer::Leased(lease)) => {
                return store_granted(chunk, *lease, offset.saturating_sub(first), body, storing).await;
            }
            // Its sender has missed the answer that it gets now.
            Ok(BeginAnswer::Counted(counted)) => {
                let now = compare(&chunk, *counted, body, storing).await?;
                return Ok(Stored { attempt: 0, outcome: await_object::shown(&now) });
            }
            Err(error) => {
                // Each time it is shorter.
                if let Some(rest) = rest_of(&chunk, &error) {
                    chunk = rest;
                    continue;
                }
                if let Error::Refused(_) = error {
                    drain(body).await?;
                }
                return Err(error);
            }
        }
    }
}

/// What is left of a chunk of which more counts than its sender knew, where that may be passed over.
fn rest_of(chunk: &Append, error: &Error) -> Option<Append> {
    match error {
        Error::Refused(ApiError::OffsetMismatch { uploaded_bytes, is_whole: false }) => chunk.behind(*uploaded_bytes),
        _ => None,
    }
}

/// The bytes of the chunk count already. Where it has a checksum, it is looked whether that is right, and whether these are the same bytes;
/// where it has none, nobody has said what they should be. But where what counts may be another file's, they have to be the same, and
/// what cannot be compared, since a part is more than this chunk, is taken for another's. Answers how the upload stands.
async fn compare(
    chunk: &Append,
    counted: Counted,
    body: Option<ReadableStream>,
    storing: &TransferContext,
) -> Result<Snapshot> {
    let Counted { now, crc64nvme } = counted;
    let uploaded_bytes = now.uploaded_bytes;
    let may_be_anothers = chunk.overlap == Overlap::Compared;
    if may_be_anothers && crc64nvme.is_none() {
        drain(body).await?;
        return Err(end_mixed(chunk, uploaded_bytes, storing).await?.into());
    }
    let Some(stream) = body.as_ref().filter(|_| chunk.is_all_or_nothing()) else {
        drain(body).await?;
        return Ok(now);
    };
    let relay = Relay::new(stream, storing.stalled_after, chunk.digest.as_ref(), None)?;
    let refusal = match relay.read_through(chunk.length).await {
        Ok((_, false)) => ApiError::ChecksumMismatch { uploaded_bytes },
        Ok((crc, true)) if crc64nvme.is_some_and(|counted| counted != crc) => {
            if may_be_anothers {
                end_mixed(chunk, uploaded_bytes, storing).await?
            } else {
                ApiError::ChunkDiffers { uploaded_bytes }
            }
        }
        Ok((_, true)) => return Ok(now),
        Err(TransferError::BodyEnded) => ApiError::BodyCutShort { uploaded_bytes },
        Err(TransferError::BodyStalled) => ApiError::BodyStalled { uploaded_bytes },
        Err(TransferError::Fault(error) | TransferError::Storage(error)) => return Err(error),
        Err(TransferError::MultipartGone | TransferError::SegmentLost | TransferError::Superseded) => {
            return Err(Error::from("a body that is only read does not meet storage"));
        }
    };
    Err(refusal.into())
}

/// Two files have one name, and which of them the counted bytes are of, nobody knows: the upload ends, so that neither becomes a file with
/// bytes of the other. What has become one already stays. Its sender could not go on in it in any case.
async fn end_mixed(chunk: &Append, uploaded_bytes: ByteCount, storing: &TransferContext) -> Result<ApiError> {
    unless_refused(call(&storing.objects, chunk.id, &Cancel(DeleteRight::Unfinished)).await)?;
    // Crash here: it has ended, and its sender, who has no answer, is told that when the chunk comes again.
    Ok(ApiError::ChunkDiffers { uploaded_bytes })
}

/// Stores it with the right to do so. So many bytes of the body come before it, and count already.
async fn store_granted(
    chunk: Append,
    lease: WriteLease,
    passed_over: ByteCount,
    body: Option<ReadableStream>,
    storing: &TransferContext,
) -> Result<Stored> {
    let TransferContext { bucket, stalled_after, .. } = storing;
    let body = match body {
        Some(body) => body,
        None if chunk.length.is_zero() => fixed_length(0)?.1,
        None => return Err(Error::from("a chunk without a body")),
    };
    let resume = |id: &String| bucket.resume_multipart(&lease.key, id);
    let upload = lease.multipart_id.as_ref().map(resume).transpose()?;
    let file_sha256 = if lease.carry_sha256 {
        let running = RunningSha256::resume(lease.sha256_so_far.as_ref());
        Some(running.ok_or_else(|| Error::from("the saved state of a SHA-256 cannot be read back"))?)
    } else {
        None
    };
    let mut relay = Relay::new(&body, *stalled_after, chunk.digest.as_ref(), file_sha256)?;
    relay.passed_over = passed_over.get();
    // On the heap: it is most of what a request has to remember.
    let outcome = Box::pin(attempt::store(&chunk, &lease, upload.as_ref(), relay, storing)).await?;
    Ok(Stored { attempt: lease.attempt, outcome })
}

/// The chunk without bytes that puts the tail into the last part.
pub(crate) fn last_part(now: &Snapshot) -> Append {
    let (id, offset, length) = (now.id, now.offset, ByteCount::ZERO);
    let (named, overlap, completes) = (Named::ByOffset, Overlap::Refused, now.completes);
    Append { id, offset, named, overlap, completes, length, file_bytes: None, digest: None, wait: Wait::No }
}

/// Puts the tail into the last part where that has not been done, and waits for the object. For whoever asks where to go on
/// and would take the answer for the end.
pub(crate) async fn finish(now: Snapshot, wait: Wait, context: RequestContext<'_>) -> Result<Snapshot> {
    if await_object::lacks_last_part(&now) {
        without_bytes(last_part(&now), context).await?;
    } else if !now.phase.is_finishing() && !await_object::lacks_result(now.object.as_ref(), context.config) {
        return Ok(now);
    }
    match wait {
        Wait::No => Ok(now),
        Wait::ForObject => Ok(await_object::awaited(now.id, context).await?.unwrap_or(now)),
    }
}
