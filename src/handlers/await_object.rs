//! What follows the last byte: an answer that is given only with the object waits for it.

use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::{
    platform::error::{Error, Result},
    rpc::{call, upload::AwaitObject},
};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    operation::{Outcome, Wait},
    units::UploadId,
    upload::{ObjectFacts, Phase, Snapshot},
};

use crate::{
    config::Config,
    context::{HandlerResult, RequestContext},
    log,
};

/// Whether all bytes are there and nothing follows, but some are in the tail: whoever said so, and was to put them into the last
/// part, has gone.
pub(crate) fn lacks_last_part(now: &Snapshot) -> bool {
    let is_whole = now.plan.declared_bytes() == Some(now.uploaded_bytes);
    now.phase == Phase::Open && is_whole && now.completes == Completion::WhenWhole
}

/// The answer, once the object is there where it waits for that.
pub(crate) async fn wait_for_object(wait: Wait, appended: Outcome, context: RequestContext<'_>) -> HandlerResult {
    match (wait, &appended) {
        (Wait::ForObject, &Outcome::Appended { id, phase, ref object, .. })
            if phase != Phase::Open && (object.is_none() || lacks_result(object.as_ref(), context.config)) =>
        {
            Ok(awaited(id, context).await?.map_or(appended, |now| shown(&now)))
        }
        _ => Ok(appended),
    }
}

/// Whether the application may have something to say about this object, and answers wait for that.
pub(crate) fn lacks_result(object: Option<&ObjectFacts>, config: &Config) -> bool {
    config.result_ms > 0 && object.is_some_and(|object| object.result.is_none())
}

/// How the upload stands once it has its object, or after a while. An upload that has failed is gone. None where it could not be
/// asked: its bytes are stored all the same, and a client that is told of a fault now might send them all again.
pub(crate) async fn awaited(id: UploadId, context: RequestContext<'_>) -> Result<Option<Snapshot>> {
    let result_ms = context.config.result_ms;
    let answer = async { call(&context.uploads()?, id, &AwaitObject { result_ms }).await };
    let now = match answer.await {
        Err(Error::Fault(fault)) => {
            log::error(&LogLine { detail: Some(fault.to_string()), ..LogLine::of("object_not_awaited", id) });
            return Ok(None);
        }
        answer => answer?,
    };
    match now.phase {
        Phase::Failed => {
            let reason = now.reason.unwrap_or_else(|| "It failed.".to_owned());
            Err(ApiError::UploadGone { phase: now.phase, reason }.into())
        }
        Phase::Damaged => Err(ApiError::Damaged { reason: now.reason.unwrap_or_default() }.into()),
        _ => Ok(Some(now)),
    }
}

/// The answer to a chunk, from how the upload stands.
pub(crate) fn shown(now: &Snapshot) -> Outcome {
    Outcome::Appended {
        id: now.id,
        uploaded_bytes: now.uploaded_bytes,
        file_bytes: now.plan.declared_bytes(),
        expires_at: now.expires_at,
        phase: now.phase,
        object: now.object.clone(),
    }
}
