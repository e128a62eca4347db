//! A new upload whose first bytes come in the same request: so many, or as many as there are.

use durable_objects::platform::error::Error;
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    call,
    upload::{Cancel, Complete, Probe, Status},
};
use upload_session::session::{BeginAppend, Continuation, DeleteRight};
use upload_types::{
    api_error::ApiError,
    chunk::{Named, Overlap},
    live::Liveness,
    operation::{Append, BodyEnd, Create, FirstChunk, Outcome, Unsized, Wait},
    units::ByteCount,
    upload::{Phase, Snapshot},
};
use web_sys::ReadableStream;

use crate::{
    context::{HandlerResult, RequestContext},
    handlers::{append, append_stream, create},
    log,
};

/// Creates the upload and stores the bytes that came with the creation. Where they are cut short, the upload is there with
/// what counted of them; where they are not what they were said to be, nothing is.
pub(crate) async fn first_chunk(
    create: Create,
    first: FirstChunk,
    body: Option<ReadableStream>,
    context: RequestContext<'_>,
) -> HandlerResult {
    let limit_bytes = context.config.limits.max_chunk_bytes;
    if first.length > limit_bytes {
        return Err(ApiError::ChunkTooLarge { limit_bytes }.into());
    }
    if create.file_bytes.is_some_and(|file_bytes| first.length > file_bytes) {
        let (file_bytes, uploaded_bytes) = (create.file_bytes.unwrap_or_default(), ByteCount::ZERO);
        return Err(ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes }.into());
    }
    let (wait, length) = (first.wait, first.length);
    let all_or_nothing = first.digest.is_some();
    let (offset, named, completes, continuation) =
        (ByteCount::ZERO, Named::ByOffset, first.completes, Continuation::default());
    let chunk = BeginAppend { offset, length, file_bytes: None, all_or_nothing, named, completes, continuation };
    let first_begin = (!length.is_zero()).then_some(chunk);
    let (created, lease) = create::and_begin(create, first_begin, context).await?;
    let Outcome::Created { snapshot, limits, upload_token } = created else { return Ok(created) };
    let id = snapshot.id;
    let is_new = snapshot.phase == Phase::Open && snapshot.uploaded_bytes.is_zero();
    let objects = context.uploads()?;
    let now = if !is_new {
        // Asked before, and the bytes of that request may still be on their way: the offset told now must be accepted.
        call(&objects, id, &Probe).await?
    } else if length.is_zero() {
        snapshot
    } else {
        let (file_bytes, digest) = (None, first.digest);
        let overlap = Overlap::Refused;
        let chunk = Append { id, offset, named, overlap, completes, length, file_bytes, digest, wait: Wait::No };
        match append::in_background(chunk, lease, body, context).await {
            Ok(Outcome::Appended { uploaded_bytes, expires_at, phase, object, .. }) => {
                // The snapshot is of before the chunk began.
                Snapshot { completes, ..snapshot.appended(uploaded_bytes, expires_at, phase, object) }
            }
            Err(Error::Refused(
                refusal @ (ApiError::ChecksumMismatch { .. } | ApiError::FileDigestMismatch { .. }),
            )) => {
                // Crash here, or fails: the upload is there without a byte, and expires.
                let _expires = call(&objects, id, &Cancel(DeleteRight::Unfinished)).await;
                return Err(refusal.into());
            }
            // Whatever else went wrong, faults of ours too: the upload is there, and this is how it stands. A client that is not told
            // of it sends everything again, to another one.
            other => {
                if let Err(Error::Fault(fault)) = other {
                    log::error(&LogLine { detail: Some(fault.to_string()), ..LogLine::of("fault", id) });
                }
                call(&objects, id, &Status).await?
            }
        }
    };
    let snapshot = append::finish(now, wait, context).await?;
    Ok(Outcome::Created { snapshot, limits, upload_token })
}

/// Creates the upload and stores the bytes that come with the creation, however many those are. Where they are cut short, the upload
/// is there with what counted of them; where they contradict its length, or are more than it may have, nothing is.
pub(crate) async fn unsized_body(
    create: Create,
    end: BodyEnd,
    wait: Wait,
    body: Option<ReadableStream>,
    context: RequestContext<'_>,
) -> HandlerResult {
    // Others may have made it live: its client has never said so, and takes it for a file.
    let is_recording = matches!(create.live, Liveness::Asked(_));
    let created = create::handle(create, context).await?;
    let Outcome::Created { snapshot, limits, upload_token } = created else { return Ok(created) };
    let (id, objects) = (snapshot.id, context.uploads()?);
    if snapshot.phase != Phase::Open || !snapshot.uploaded_bytes.is_zero() {
        // Asked before, and the bytes of that request may still be on their way: the offset told now must be accepted.
        let snapshot = call(&objects, id, &Probe).await?;
        return Ok(Outcome::Created { snapshot, limits, upload_token });
    }
    let chunk = Unsized { id, offset: ByteCount::ZERO, file_bytes: None, end, wait };
    match append_stream::handle(chunk, body, context).await {
        Err(Error::Refused(
            refusal @ (ApiError::BeyondDeclaredLength { .. }
            | ApiError::InconsistentLength { .. }
            | ApiError::UploadTooLarge { .. }),
        )) => {
            let is_too_large = matches!(refusal, ApiError::UploadTooLarge { .. });
            if !is_recording || is_too_large && call(&objects, id, &Status).await?.uploaded_bytes.is_zero() {
                // Crash here, or fails: the upload is there, nobody knows its URL, and it expires, or ends where it is live.
                let _expires = call(&objects, id, &Cancel(DeleteRight::Unfinished)).await;
                return Err(refusal.into());
            }
            if is_too_large {
                // It has become as long as it may, but for what came with the last bytes, and that is the recording. Crash here: it ends by itself.
                append::finish(call(&objects, id, &Complete).await?, wait, context).await?;
            }
        }
        // Whatever else went wrong, faults of ours too: the upload is there, and its client is told how it stands.
        Ok(_) | Err(Error::Refused(_)) => {}
        Err(Error::Fault(fault)) => {
            log::error(&LogLine { detail: Some(fault.to_string()), ..LogLine::of("fault", id) });
        }
    }
    let snapshot = call(&objects, id, &Status).await?;
    Ok(Outcome::Created { snapshot, limits, upload_token })
}
