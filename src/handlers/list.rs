//! The list of what is there, and the deletion of many of it at once. The owner's ledger knows which uploads there may be; how they stand each
//! one's object knows, and is asked. So nothing is listed that does not exist, and lengths and times are those of now.

use std::cell::RefCell;

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{CloseUpload, ListUploads, ReadUsage},
    upload::{Cancel, Status},
};
use futures_util::{StreamExt as _, future::LocalBoxFuture, stream};
use upload_session::retention::CREATION_MS;
use upload_types::{
    api_error::ApiError,
    batch::BatchError,
    ledger::{EntryName, ListQuery, Listed, Listing},
    operation::Outcome,
    units::{UnixMs, UploadId},
    upload::{Phase, Snapshot},
};

use crate::{
    context::{HandlerResult, RequestContext},
    log::{self, now_ms},
};

/// So many uploads are asked at the same time: the platform lets a Worker wait for six answers at once.
const ASKED_AT_ONCE: usize = 6;

/// A page of them, newest first.
pub(crate) async fn list(query: ListQuery, context: RequestContext<'_>) -> HandlerResult {
    of(&context.access.lister()?.owner, query, context).await
}

/// A page of somebody's.
pub(super) async fn of(owner: &str, query: ListQuery, context: RequestContext<'_>) -> HandlerResult {
    let (ledgers, objects) = (ObjectClient::to_ledgers(context.env)?, context.uploads()?);
    let asked = ListUploads(query);
    let page = call(&ledgers, owner, &asked).await?;
    let ListUploads(query) = &asked;
    let found: RefCell<Vec<_>> = RefCell::new(vec![None; page.entries.len()]);
    let asked = page.entries.iter().enumerate().map(|(index, name)| -> LocalBoxFuture<'_, ()> {
        let (objects, ledgers, found) = (&objects, &ledgers, &found);
        Box::pin(async move {
            let stands = call(objects, name.upload_id, &Status).await;
            let now = listed(*name, stands, owner, ledgers).await;
            found.borrow_mut()[index] = now.filter(|now| is_wanted(now, query));
        })
    });
    ask_each(asked.collect()).await;
    Ok(Outcome::Listed { uploads: found.into_inner().into_iter().flatten().collect(), next: page.next })
}

/// What the owner uses, and may use.
pub(crate) async fn usage(context: RequestContext<'_>) -> HandlerResult {
    let owner = &context.access.lister()?.owner;
    let ledgers = ObjectClient::to_ledgers(context.env)?;
    Ok(Outcome::Usage(call(&ledgers, owner, &ReadUsage(context.config.quota)).await?))
}

/// Ends or deletes each of them, as far as the caller may. Each decides for itself. Crash here, or anywhere below: some are gone, and
/// whoever asks again is told so of all that are.
pub(crate) async fn delete(ids: Vec<UploadId>, context: RequestContext<'_>) -> HandlerResult {
    context.access.lister()?;
    let (objects, cancel) = (context.uploads()?, Cancel(context.access.delete_right));
    let delete = |id| -> LocalBoxFuture<'_, Result<()>> { Box::pin(call(&objects, id, &cancel)) };
    Ok(Outcome::DeletedMany(delete_each(&ids, &delete).await))
}

/// What came of doing something to each of several uploads.
type Answers = Vec<(UploadId, Result<(), BatchError>)>;

/// How something is done to one of them.
type Act<'a> = dyn Fn(UploadId) -> LocalBoxFuture<'a, Result<()>> + 'a;

/// Deletes each. What its client deleted before is gone, as it was then.
pub(super) async fn delete_each(ids: &[UploadId], delete: &Act<'_>) -> Answers {
    let mut answers = each("delete", ids, delete).await;
    for (_, answer) in &mut answers {
        if matches!(answer, Err(BatchError::Refused(ApiError::UploadGone { .. }))) {
            *answer = Ok(());
        }
    }
    answers
}

/// Does something to each, which the log calls `code`.
pub(super) async fn each(code: &'static str, ids: &[UploadId], act: &Act<'_>) -> Answers {
    let answers: Vec<_> = ids.iter().map(|id| (*id, Err(BatchError::Unknown))).collect();
    let answers = RefCell::new(answers);
    let asked = ids.iter().enumerate().map(|(index, id)| -> LocalBoxFuture<'_, ()> {
        let answers = &answers;
        Box::pin(async move {
            let answer = act(*id).await.map_err(|error| match error {
                Error::Refused(refusal) => BatchError::Refused(refusal),
                Error::Fault(fault) => {
                    log_fault(code, *id, &fault);
                    BatchError::Unknown
                }
            });
            answers.borrow_mut()[index].1 = answer;
        })
    });
    ask_each(asked.collect()).await;
    answers.into_inner()
}

/// Asks so many, some at the same time. On the heap, and the same for all who ask: each would have a copy of the queue.
pub(super) async fn ask_each(asked: Vec<LocalBoxFuture<'_, ()>>) {
    stream::iter(asked).buffer_unordered(ASKED_AT_ONCE).collect::<()>().await;
}

fn log_fault(code: &'static str, id: UploadId, fault: &worker::Error) {
    let line = LogLine { code: Some(code), ..LogLine::of("fault", id) };
    log::error(&LogLine { detail: Some(fault.to_string()), ..line });
}

/// How the upload stands, where it is there.
async fn listed(name: EntryName, stands: Result<Snapshot>, owner: &str, ledgers: &ObjectClient) -> Option<Snapshot> {
    match stands {
        Ok(snapshot) => Some(snapshot),
        Err(Error::Refused(ApiError::UploadNotFound)) if UnixMs(now_ms()).ms_since(name.created_at) > CREATION_MS => {
            // Its creation died after the ledger had admitted it, or it was forgotten and the ledger did not hear of it. Crash here, or
            // fails: it is found again by the next list.
            let close = CloseUpload::entry(name, None).listed(Listing::Gone);
            let _closed = call(ledgers, owner, &close).await;
            None
        }
        // It is just being created, or has ended and is about to be settled.
        Err(Error::Refused(_)) => None,
        Err(Error::Fault(fault)) => {
            // One that cannot be asked must not keep its owner from all others.
            log_fault("list", name.upload_id, &fault);
            None
        }
    }
}

/// Whether it is one of those that were asked for. What has ended just now the ledger may not have heard of yet.
fn is_wanted(now: &Snapshot, query: &ListQuery) -> bool {
    let is_open = matches!(now.phase, Phase::Open | Phase::Damaged) || now.phase.is_finishing();
    let is_there = now.phase == Phase::Completed && now.deleted_at.is_none();
    let is_listed = match query.listed {
        Listed::Open => is_open,
        Listed::Completed => is_there,
        Listed::All => is_open || is_there,
    };
    is_listed && now.file.name.starts_with(&query.prefix)
}
