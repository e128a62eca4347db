//! Uploads with an event whose telling was given up. The register has a row for each that was about to be, made before it was; so none is
//! missing, and some are not so, or not any more. How each stands its own object says, and what is not so is taken out of the register.

use std::cell::RefCell;

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{
    ObjectClient, call,
    register::{DropFailedDeliveries, ListFailedDeliveries, REGISTER},
    upload::ShowToAdmin,
};
use futures_util::future::LocalBoxFuture;
use upload_types::{
    admin::{AdminOutcome, FailedDelivery, FailedUpload},
    api_error::ApiError,
    batch::BatchError,
    units::{UnixMs, UploadId},
    upload::{DeliveryState, Snapshot},
};
use worker::Env;

use super::asker::{Admin, page};
use crate::handlers::list;
use crate::log::now_ms;

/// An attempt that has been noted as the last has told the upload's object how it ended by then: that call is tried for 6.35 s. One that has
/// not will be made again, and noted anew.
const SETTLED_MS: u64 = 60_000;

/// A page of them.
pub(super) async fn list(after: Option<UploadId>, admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &ListFailedDeliveries(after)).await?;
    let next = page(&mut known).map(|last| last.upload_id);
    let (uploads, over) = stand(known, admin).await;
    drop_those(over, &register).await?;
    Ok(AdminOutcome::FailedDeliveries { uploads, next })
}

/// Sends the events of these again.
pub(super) async fn redeliver(ids: &[UploadId], admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let again = |id| -> LocalBoxFuture<'_, Result<()>> { Box::pin(async move { admin.redeliver(id).await.map(drop) }) };
    let uploads = list::each("redeliver", ids, &again).await;
    let left = drop_those(Vec::new(), &ObjectClient::to_ledgers(env)?).await?;
    Ok(AdminOutcome::RedeliveredMany { uploads, left })
}

/// Sends the events of the first hundred again. Crash here, or anywhere below: some are on their way; who asks again has the others sent.
pub(super) async fn redeliver_all(admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &ListFailedDeliveries(None)).await?;
    page(&mut known);
    let (failed, mut over) = stand(known.clone(), admin).await;
    let ids: Vec<_> = failed.iter().map(|upload| upload.snapshot.id).collect();
    let again = |id| -> LocalBoxFuture<'_, Result<()>> { Box::pin(async move { admin.redeliver(id).await.map(drop) }) };
    let uploads = list::each("redeliver", &ids, &again).await;
    // What is given up once more is noted anew, with a later time, and stays.
    over.extend(known.into_iter().filter(|one| uploads.iter().any(|(id, sent)| one.upload_id == *id && is_over(sent))));
    let left = drop_those(over, &register).await?;
    Ok(AdminOutcome::RedeliveredMany { uploads, left })
}

/// Whether nothing is left to be sent again: it is on its way, or never can be.
fn is_over(sent: &Result<(), BatchError>) -> bool {
    use ApiError::{NothingToRedeliver, UploadGone, UploadNotFound};
    matches!(sent, Ok(()) | Err(BatchError::Refused(NothingToRedeliver | UploadGone { .. } | UploadNotFound)))
}

/// Those that were given up, and those that are known to be over. What cannot be asked just now is neither.
async fn stand(known: Vec<FailedDelivery>, admin: Admin<'_>) -> (Vec<FailedUpload>, Vec<FailedDelivery>) {
    let (failed, over) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let now = UnixMs(now_ms());
    let asked = known.into_iter().map(|one| -> LocalBoxFuture<'_, ()> {
        let (failed, over) = (&failed, &over);
        Box::pin(async move {
            let is_settled = now.ms_since(one.failed_at) > SETTLED_MS;
            match call(admin.objects, one.upload_id, &ShowToAdmin).await {
                Ok(view) if is_told(&view.snapshot, DeliveryState::Failed) => {
                    let FailedDelivery { owner, failed_at, .. } = one;
                    failed.borrow_mut().push(FailedUpload { owner, failed_at, snapshot: view.snapshot });
                }
                Ok(view) if is_told(&view.snapshot, DeliveryState::Queued) && !is_settled => {}
                Ok(_) | Err(Error::Refused(ApiError::UploadNotFound)) => over.borrow_mut().push(one),
                Err(_) => {}
            }
        })
    });
    list::ask_each(asked.collect()).await;
    let mut failed = failed.into_inner();
    failed.sort_unstable_by_key(|upload| upload.snapshot.id);
    (failed, over.into_inner())
}

/// Whether the telling of the origin, or of any other receiver, is so far.
fn is_told(snapshot: &Snapshot, state: DeliveryState) -> bool {
    snapshot.delivery == Some(state) || snapshot.receivers.iter().any(|receiver| receiver.state == Some(state))
}

/// Takes them out of the register. Says how many are left.
async fn drop_those(over: Vec<FailedDelivery>, register: &ObjectClient) -> Result<u64> {
    call(register, REGISTER, &DropFailedDeliveries(over)).await
}
