//! A chunk whose sender does not say how long it is. Storage takes only what has a length, so its bytes are gathered in memory,
//! up to where a part ends and never more than [`PIECE_BYTES`], and each gathering is stored as a chunk of its own, whose
//! length is known by then; linked to the one before it, so that nobody comes between them. What has been stored counts,
//! however the body ends.

use durable_objects::fault::{Error, Result};
use durable_objects::rpc::{ask, upload::Status};
use upload_core::{
    chunk::Named,
    operation::{Append, Outcome, Unsized, Wait},
    plan::PREFERRED_PART_BYTES,
    refusal::Refusal,
    session::{Link, Release, ReleaseReason},
    units::ByteCount,
    upload::Phase,
};
use web_sys::ReadableStream;

use crate::{
    append::{self, Stored},
    call::{Call, Storing},
    finishing,
    relay::{Broken, Relay, drain},
    streams::stream_of,
    uploads::Carried,
};

/// How much of a body is held in memory at once: 8 MiB of the 128 MiB that all requests of an isolate share, and a part of
/// most files.
const PIECE_BYTES: u64 = PREFERRED_PART_BYTES;

/// Stores the chunk. The work goes on for a while when the client goes away, as for any other chunk.
pub(crate) async fn carry_out(chunk: Unsized, body: Option<ReadableStream>, call: Call<'_>) -> Carried {
    let (id, offset, file_bytes, wait) = (chunk.id, chunk.offset, chunk.file_bytes, chunk.wait);
    let stored = match body {
        None => Ok(None),
        Some(body) => {
            let storing = call.storing()?;
            call.outliving_its_client(async move { store(chunk, &body, &storing).await }).await??
        }
    };
    match stored {
        Ok(Some(appended)) => finishing::wait_for_object(wait, Ok(appended), call).await,
        Ok(None) => {
            let (named, length) = (Named::ByOffset, ByteCount::ZERO);
            let nothing = Append { id, offset, named, length, file_bytes, digest: None, wait };
            append::carry_out(nothing, None, call).await
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// What came of the last piece; none where the body had no bytes.
async fn store(chunk: Unsized, body: &ReadableStream, storing: &Storing) -> Result<Result<Option<Outcome>, Refusal>> {
    let plan = match ask(&storing.objects, chunk.id, &Status).await? {
        Ok(now) => now.plan,
        Err(refusal) => {
            drain(Some(body.clone())).await?;
            return Ok(Err(refusal));
        }
    };
    let mut relay = Relay::new(body, storing.stalled_after, None, None)?;
    let (mut offset, mut last) = (chunk.offset, None::<Stored>);
    loop {
        let to_part_end = plan.part_bytes.saturating_sub(offset.saturating_sub(plan.part_start(offset)));
        let most = to_part_end.min(ByteCount::new(PIECE_BYTES).unwrap_or(to_part_end));
        let (piece, end) = match relay.row(most).await {
            Ok(read) => read,
            Err(broken) => return Err(not_gathered(broken)),
        };
        let length = ByteCount::from(piece.length());
        if !length.is_zero() {
            let (id, file_bytes) = (chunk.id, chunk.file_bytes);
            let named = Named::ByOffset;
            let part = Append { id, offset, named, length, file_bytes, digest: None, wait: Wait::No };
            let link = Link { after: last.as_ref().map(|stored| stored.attempt), more: end.is_none() };
            match append::store(part, link, Some(stream_of(&piece)?), storing).await? {
                Ok(stored) => last = Some(stored),
                Err(refusal) => {
                    relay.drain().await;
                    return Ok(Err(beyond_end(refusal, last.as_ref())));
                }
            }
            offset = offset.checked_add(length).unwrap_or(offset);
        }
        let Some(end) = end else { continue };
        if length.is_zero()
            && let Some(stored) = &last
        {
            // Another piece was announced and does not come. Dies here: who asks where to go on waits 2 s and takes the lease.
            let release = Release { attempt: stored.attempt, reason: ReleaseReason::GaveUp };
            let _counted = ask(&storing.objects, chunk.id, &release).await?;
        }
        return match end {
            // Whether it ended or was cut off cannot be told, and makes no difference: what arrived counts.
            Broken::BodyEnded => Ok(Ok(last.map(|stored| stored.outcome))),
            Broken::BodyStalled => Ok(Err(Refusal::BodyStalled { uploaded_bytes: offset })),
            broken => Err(not_gathered(broken)),
        };
    }
}

fn not_gathered(broken: Broken) -> Error {
    match broken {
        Broken::Fault(error) => error,
        _ => Error::from("the body could not be gathered"),
    }
}

/// A body that goes on behind the last byte of the file finds the upload complete, by its own earlier pieces.
fn beyond_end(refusal: Refusal, last: Option<&Stored>) -> Refusal {
    match (refusal, last.map(|stored| &stored.outcome)) {
        (
            Refusal::OffsetMismatch { uploaded_bytes },
            Some(Outcome::Appended { phase, file_bytes: Some(file_bytes), .. }),
        ) if *phase != Phase::Open => Refusal::BeyondDeclaredLength { file_bytes: *file_bytes, uploaded_bytes },
        (refusal, _) => refusal,
    }
}
