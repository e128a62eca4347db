//! A chunk whose sender does not say how long it is. Storage takes only what has a length, so its bytes are gathered in memory,
//! up to where a part ends and as many as `upload_session::gathering` allows, and each gathering is stored as a chunk of its own, whose
//! length is known by then; linked to the one before it, so that nobody comes between them. What has been stored counts,
//! however the body ends.

use std::cell::Cell;

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{call, unless_refused, upload::Status};
use futures_util::future::{Either, join, select};
use upload_session::session::{Continuation, Release, ReleaseReason};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named, Overlap},
    operation::{Append, BodyEnd, Outcome, Unsized, Wait},
    plan::Plan,
    units::ByteCount,
    upload::Phase,
};
use web_sys::ReadableStream;

use crate::{
    context::{HandlerResult, RequestContext, TransferContext},
    handlers::{
        append::{self, Stored},
        await_object,
    },
    transfer::{
        body::fixed_length,
        gathering::{Arriving, Ended, Gathered, Source, gather, gather_ahead},
        held::Held,
        relay::drain,
    },
};

/// What came of a body.
pub(crate) struct Arrived {
    /// Its bytes are stored up to here.
    pub(crate) to: ByteCount,
    /// What came of the last section; none where it had no bytes.
    pub(crate) last: Option<Outcome>,
    /// Whether its end has been seen.
    pub(crate) is_all: bool,
}

/// Stores the chunk. The work goes on for a while when the client goes away, as for any other chunk. Where its end is that of the file,
/// the length is declared by it, once it has been seen.
pub(crate) async fn handle(chunk: Unsized, body: Option<ReadableStream>, context: RequestContext<'_>) -> HandlerResult {
    let Unsized { id, offset, file_bytes, end, wait } = chunk;
    let Arrived { to, last, is_all } = match body {
        None => Arrived { to: offset, last: None, is_all: true },
        Some(body) => {
            let storing = context.storing()?;
            context.run_with_wait_until(async move { store(chunk, &body, &storing).await }).await??
        }
    };
    let (named, overlap, length) = (Named::ByOffset, Overlap::Refused, ByteCount::ZERO);
    let (completes, digest) = (end.completes(), None);
    let nothing = Append { id, offset: to, named, overlap, completes, length, file_bytes, digest, wait };
    match (last, end) {
        // Crash here: all bytes count, and the client, which has no answer, asks and says once more that this is the end.
        (_, BodyEnd::FileEnds) if is_all => {
            let end = Append { file_bytes: Some(to), completes: Completion::WhenWhole, ..nothing };
            append::handle(end, None, context).await
        }
        (Some(appended), _) => await_object::wait_for_object(wait, appended, context).await,
        (None, _) => append::handle(nothing, None, context).await,
    }
}

/// Stores what the body brings.
async fn store(chunk: Unsized, body: &ReadableStream, storing: &TransferContext) -> Result<Arrived> {
    let plan = match call(&storing.objects, chunk.id, &Status).await {
        Ok(now) => now.plan,
        Err(error) => {
            if let Error::Refused(_) = error {
                drain(Some(body.clone())).await?;
            }
            return Err(error);
        }
    };
    let mut arriving = Arriving::new(body, storing.stalled_after)?;
    store_source(chunk, plan, &mut arriving, Gathered::default(), storing).await
}

/// Stores what comes from a source, in an upload of these sizes, behind what has been gathered of it already. While a section is being
/// stored, the next is gathered.
pub(crate) async fn store_source(
    chunk: Unsized,
    plan: Plan,
    source: &mut dyn Source,
    mut gathered: Gathered,
    storing: &TransferContext,
) -> Result<Arrived> {
    let to_part_end =
        |offset: ByteCount| plan.part_bytes.saturating_sub(offset.saturating_sub(plan.part_start(offset))).get();
    let (mut offset, mut last) = (chunk.offset, None::<Stored>);
    loop {
        gather(source, &mut gathered, to_part_end(offset), &Cell::new(false)).await;
        let Gathered { held, end, .. } = std::mem::take(&mut gathered);
        let length = ByteCount::new(held.bytes()).unwrap_or(ByteCount::MAX);
        if !length.is_zero() {
            let (id, file_bytes) = (chunk.id, chunk.file_bytes);
            let (named, overlap, completes) = (Named::ByOffset, Overlap::Refused, chunk.end.completes());
            let (digest, wait) = (None, Wait::No);
            let part = Append { id, offset, named, overlap, completes, length, file_bytes, digest, wait };
            let continuation =
                Continuation { after: last.as_ref().map(|stored| stored.attempt), has_more: end.is_none() };
            offset = offset.checked_add(length).unwrap_or(offset);
            let is_stored = Cell::new(end.is_some());
            let storing_it = async {
                let stored = store_held(part, continuation, held, storing).await;
                is_stored.set(true);
                stored
            };
            // Crash here: what is gathered meanwhile has not been promised to anybody.
            let gathering = gather_ahead(source, &mut gathered, to_part_end(offset), &is_stored);
            match join(storing_it, gathering).await.0 {
                Ok(stored) => last = Some(stored),
                Err(Error::Refused(refusal)) => {
                    source.drain().await;
                    return Err(beyond_end(refusal, last.as_ref()).into());
                }
                Err(fault) => return Err(fault),
            }
        }
        let Some(end) = end else { continue };
        if length.is_zero()
            && let Some(stored) = &last
        {
            // Another section was announced and does not come. Crash here: who asks where to go on waits 2 s and takes the lease.
            let release = Release { attempt: stored.attempt, reason: ReleaseReason::GaveUp };
            // Refused, it has lost its lease already.
            unless_refused(call(&storing.objects, chunk.id, &release).await)?;
        }
        // What arrived counts, however the body ended.
        let arrived = |is_all| Arrived { to: offset, last: last.map(|stored| stored.outcome), is_all };
        return match end {
            Ended::AtEnd => Ok(arrived(true)),
            Ended::CutOff => Ok(arrived(false)),
            Ended::Stalled => Err(ApiError::BodyStalled { uploaded_bytes: offset }.into()),
        };
    }
}

/// Stores what was gathered: by now it has a length. Memory is let go of with the last of it.
async fn store_held(part: Append, continuation: Continuation, held: Held, storing: &TransferContext) -> Result<Stored> {
    let (sink, readable) = fixed_length(held.bytes())?;
    let stored = Box::pin(append::store(part, continuation, Some(readable), storing));
    let flowing = Box::pin(held.flow_into(&sink));
    match select(stored, flowing).await {
        Either::Left((stored, _)) => stored,
        Either::Right((_, stored)) => stored.await,
    }
}

/// A body that goes on behind the last byte of the file finds the upload complete, by its own earlier sections.
fn beyond_end(refusal: ApiError, last: Option<&Stored>) -> ApiError {
    match (refusal, last.map(|stored| &stored.outcome)) {
        (
            ApiError::OffsetMismatch { uploaded_bytes, .. },
            Some(Outcome::Appended { phase, file_bytes: Some(file_bytes), .. }),
        ) if *phase != Phase::Open => ApiError::BeyondDeclaredLength { file_bytes: *file_bytes, uploaded_bytes },
        (refusal, _) => refusal,
    }
}
