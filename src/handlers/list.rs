//! The list of what is open. The owner's ledger knows which uploads there may be; how they stand each one's object knows, and is asked.
//! So nothing is listed that does not exist or has ended, and lengths and times are those of now.

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{CloseUpload, ListOpen, ReadUsage},
    upload::Status,
};
use futures_util::{StreamExt as _, stream};
use upload_session::retention::CREATION_MS;
use upload_types::{
    api_error::ApiError,
    ledger::EntryName,
    operation::Outcome,
    units::UnixMs,
    upload::{Phase, Snapshot},
};

use crate::{
    context::{HandlerResult, RequestContext},
    log::{self, now_ms},
};

/// So many uploads are asked at the same time: the platform lets a Worker wait for six answers at once.
const ASKED_AT_ONCE: usize = 6;

/// A page of them, newest first.
pub(crate) async fn list(after: Option<EntryName>, context: RequestContext<'_>) -> HandlerResult {
    let owner = &context.access.lister()?.owner;
    let (ledgers, objects) = (ObjectClient::to_ledgers(context.env)?, context.uploads()?);
    let page = call(&ledgers, owner, &ListOpen { after }).await?;
    let asked = page.entries.iter().map(|name| async {
        let stands = call(&objects, name.upload_id, &Status).await;
        listed(*name, stands, owner, &ledgers).await
    });
    let uploads: Vec<Option<Snapshot>> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    Ok(Outcome::Listed { uploads: uploads.into_iter().flatten().collect(), next: page.next })
}

/// What the owner uses, and may use.
pub(crate) async fn usage(context: RequestContext<'_>) -> HandlerResult {
    let owner = &context.access.lister()?.owner;
    let ledgers = ObjectClient::to_ledgers(context.env)?;
    Ok(Outcome::Usage(call(&ledgers, owner, &ReadUsage(context.config.quota)).await?))
}

/// The upload, where it is there and has not ended.
async fn listed(name: EntryName, stands: Result<Snapshot>, owner: &str, ledgers: &ObjectClient) -> Option<Snapshot> {
    match stands {
        Ok(snapshot) => {
            Some(snapshot).filter(|now| matches!(now.phase, Phase::Open | Phase::Damaged) || now.phase.is_finishing())
        }
        Err(Error::Refused(ApiError::UploadNotFound)) if UnixMs(now_ms()).ms_since(name.created_at) > CREATION_MS => {
            // Its creation died after the ledger had admitted it. Crash here, or fails: it is found again by the next list.
            let settle = CloseUpload { name, bytes: None, sha256: None, object: None };
            let _settled = call(ledgers, owner, &settle).await;
            None
        }
        // It is just being created, or has ended and is about to be settled.
        Err(Error::Refused(_)) => None,
        Err(Error::Fault(fault)) => {
            // One that cannot be asked must not keep its owner from all others.
            let line = LogLine { code: Some("list"), ..LogLine::of("fault", name.upload_id) };
            log::error(&LogLine { detail: Some(fault.to_string()), ..line });
            None
        }
    }
}
