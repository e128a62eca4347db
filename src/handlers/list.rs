//! The list of what is open. The owner's ledger knows which uploads there may be; how they stand each one's object knows, and is asked.
//! So nothing is listed that does not exist or has ended, and lengths and times are those of now.

use durable_objects::platform::error::Result;
use durable_objects::rpc::{
    ObjectClient, ask,
    ledger::{CloseUpload, ListOpen},
    upload::Status,
};
use futures_util::{StreamExt as _, stream};
use upload_core::{
    api_error::ApiError,
    ledger::{CREATION_MS, EntryName},
    log_line::LogLine,
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
pub(crate) async fn list(after: Option<EntryName>, call: RequestContext<'_>) -> HandlerResult {
    let owner = match call.access.lister() {
        Ok(creator) => &creator.owner,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (ledgers, objects) = (ObjectClient::to_ledgers(call.env)?, call.uploads()?);
    let page = match ask(&ledgers, owner, &ListOpen { after }).await? {
        Ok(page) => page,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let asked = page.entries.iter().map(|name| async {
        let stands = ask(&objects, name.upload_id, &Status).await;
        listed(*name, stands, owner, &ledgers).await
    });
    let uploads: Vec<Option<Snapshot>> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    Ok(Ok(Outcome::Listed { uploads: uploads.into_iter().flatten().collect(), next: page.next }))
}

/// The upload, where it is there and has not ended.
async fn listed(
    name: EntryName,
    stands: Result<std::result::Result<Snapshot, ApiError>>,
    owner: &str,
    ledgers: &ObjectClient,
) -> Option<Snapshot> {
    match stands {
        Ok(Ok(snapshot)) => {
            Some(snapshot).filter(|now| matches!(now.phase, Phase::Open | Phase::Damaged) || now.phase.is_finishing())
        }
        Ok(Err(ApiError::UploadNotFound)) if UnixMs(now_ms()).ms_since(name.created_at) > CREATION_MS => {
            // Its creation died after the ledger had admitted it. Crash here, or fails: it is found again by the next list.
            let settle = CloseUpload { name, bytes: None, sha256: None, object: None };
            let _settled = ask(ledgers, owner, &settle).await;
            None
        }
        // It is just being created, or has ended and is about to be settled.
        Ok(Err(_)) => None,
        Err(error) => {
            // One that cannot be asked must not keep its owner from all others.
            let line = LogLine { code: Some("list"), ..LogLine::of("fault", name.upload_id) };
            log::error(&LogLine { detail: Some(error.to_string()), ..line });
            None
        }
    }
}
