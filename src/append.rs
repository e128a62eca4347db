//! A chunk, carried out: the upload's object grants the right to store it, the relay stores it, and the object counts it,
//! part by part; or all at once, where the chunk's checksum must be right first.

use durable_objects::{
    fault::{Error, Result},
    rpc::{
        ask,
        upload::{BeginAnswer, BeginChunk, Declare, Status},
    },
};
use upload_core::{
    integrity::RunningSha256,
    operation::{Append, Outcome},
    refusal::Refusal,
    session::{Begin, Grant, Link},
};
use web_sys::ReadableStream;

use crate::{
    attempt::{Attempt, Ended},
    call::{Call, Storing},
    finishing,
    log::Stopwatch,
    relay::{Broken, Relay, drain},
    streams::fixed_length,
    timings::Step,
    uploads::Carried,
};

/// Stores a chunk. The work goes on for a while when the client goes away: what has arrived by then may be whole parts.
pub(crate) async fn carry_out(chunk: Append, body: Option<ReadableStream>, call: Call<'_>) -> Carried {
    let limit_bytes = call.config.limits.max_chunk_bytes;
    if chunk.length > limit_bytes {
        return Ok(Err(Refusal::ChunkTooLarge { limit_bytes }));
    }
    if chunk.length.is_zero() {
        return without_bytes(chunk, call).await;
    }
    let wait = chunk.wait;
    let appended = in_background(chunk, None, body, call).await?;
    finishing::wait_for_object(wait, appended, call).await
}

/// Stores the chunk in a task of its own. `granted` is the right to do so, where it is there already.
pub(crate) async fn in_background(
    chunk: Append,
    granted: Option<Grant>,
    body: Option<ReadableStream>,
    call: Call<'_>,
) -> Carried {
    let storing = call.storing()?;
    call.outliving_its_client(async move {
        let stored = match granted {
            Some(grant) => store_granted(chunk, grant, body, &storing).await?,
            None => store(chunk, Link::default(), body, &storing).await?,
        };
        Ok(stored.map(|stored| stored.outcome))
    })
    .await?
}

/// A chunk without bytes adds nothing; at the right offset that is no mistake, and it may declare the length. Where that shows
/// that all bytes are there, those still in the tail go into the last part now.
async fn without_bytes(chunk: Append, call: Call<'_>) -> Carried {
    let objects = call.uploads()?;
    if chunk.digest.as_ref().is_some_and(|digest| !digest.is_of_nothing()) {
        return Ok(ask(&objects, chunk.id, &Status).await?.and_then(|now| {
            let uploaded_bytes = now.uploaded_bytes;
            Err(Refusal::ChecksumMismatch { uploaded_bytes })
        }));
    }
    let declare = Declare { offset: chunk.offset, file_bytes: chunk.file_bytes, completes: chunk.completes };
    let now = match ask(&objects, chunk.id, &declare).await? {
        Ok(now) => now,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let wait = chunk.wait;
    let appended = if finishing::lacks_last_part(&now) {
        in_background(Append { completes: now.completes, ..chunk }, None, None, call).await?
    } else {
        Ok(finishing::shown(&now))
    };
    finishing::wait_for_object(wait, appended, call).await
}

/// A chunk that has been stored.
pub(crate) struct Stored {
    /// By which attempt; 0 where it was there already.
    pub(crate) attempt: u64,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// Stores a chunk that has bytes, or a piece of one.
pub(crate) async fn store(
    chunk: Append,
    link: Link,
    body: Option<ReadableStream>,
    storing: &Storing,
) -> Result<Result<Stored, Refusal>> {
    let whole = chunk.digest.is_some();
    let Append { offset, named, completes, length, file_bytes, .. } = chunk;
    let begin = Begin { offset, length, file_bytes, whole, named, completes, link };
    let begin = BeginChunk { begin, digest: chunk.digest.clone() };
    match storing.timings.measure(Step::Begin, ask(&storing.objects, chunk.id, &begin)).await? {
        Ok(BeginAnswer::Granted(grant)) => store_granted(chunk, *grant, body, storing).await,
        Ok(BeginAnswer::Counted(now)) => {
            // Its sender has missed the answer that it gets now.
            drain(body).await?;
            Ok(Ok(Stored { attempt: 0, outcome: finishing::shown(&now) }))
        }
        Err(refusal) => {
            drain(body).await?;
            Ok(Err(refusal))
        }
    }
}

/// Stores it with the right to do so.
async fn store_granted(
    chunk: Append,
    grant: Grant,
    body: Option<ReadableStream>,
    storing: &Storing,
) -> Result<Result<Stored, Refusal>> {
    let Storing { bucket, stalled_after, .. } = storing;
    let body = match body {
        Some(body) => body,
        None if chunk.length.is_zero() => fixed_length(0)?.1,
        None => return Err(Error::from("a chunk without a body")),
    };
    let resume = |id: &String| bucket.resume_multipart_upload(&grant.key, id);
    let upload = grant.multipart_id.as_ref().map(resume).transpose()?;
    let file_sha256 = if grant.carry_sha256 {
        let running = RunningSha256::resume(grant.sha256_so_far.as_ref());
        Some(running.ok_or_else(|| Error::from("the saved state of a SHA-256 cannot be read back"))?)
    } else {
        None
    };
    let mut relay = Relay::new(&body, *stalled_after, chunk.digest.as_ref(), file_sha256)?;
    let watch = Stopwatch::start();
    let mut attempt = Attempt::new(&chunk, &grant, upload.as_ref(), storing);
    let end = chunk.offset.checked_add(chunk.length).unwrap_or(chunk.offset);
    // On the heap: it is most of what a request has to remember.
    let stored = Box::pin(attempt.run(&mut relay, end)).await;
    if !matches!(stored, Ok(()) | Err(Ended::Broken(Broken::BodyEnded | Broken::BodyStalled))) {
        relay.drain().await;
    }
    match stored {
        Ok(()) => Ok(Ok(Stored { attempt: grant.attempt, outcome: attempt.appended(chunk.length, &watch) })),
        Err(Ended::Refused(refusal)) => Ok(Err(refusal)),
        Err(Ended::Broken(broken)) => attempt.broken(broken).await,
    }
}
