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
    units::UploadId,
    upload::{DeliveryState, Snapshot},
};
use worker::Env;

use super::asker::{Admin, page};
use crate::handlers::list;

/// A page of them.
pub(super) async fn list(after: Option<UploadId>, admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &ListFailedDeliveries(after)).await?;
    let next = page(&mut known).map(|last| last.upload_id);
    let (uploads, over) = stand(known, admin).await;
    if !over.is_empty() {
        drop_those(over, &register).await?;
    }
    Ok(AdminOutcome::FailedDeliveries { uploads, next })
}

/// Sends the events of these again.
pub(super) async fn redeliver(ids: &[UploadId], admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let again = |id| -> LocalBoxFuture<'_, Result<()>> { Box::pin(async move { admin.redeliver(id).await.map(drop) }) };
    let uploads = list::each("redeliver", ids, &again).await;
    let left = drop_those(Vec::new(), &ObjectClient::to_ledgers(env)?).await?;
    Ok(AdminOutcome::RedeliveredMany { uploads, left, next: None })
}

/// Sends the events of a page of them again: where nobody takes those of the first one, whoever asks goes on behind it. Crash here, or anywhere below: some are on their way; who asks again has the others sent.
pub(super) async fn redeliver_all(after: Option<UploadId>, admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &ListFailedDeliveries(after)).await?;
    let next = page(&mut known).map(|last| last.upload_id);
    let (failed, mut over) = stand(known.clone(), admin).await;
    let ids: Vec<_> = failed.iter().map(|upload| upload.snapshot.id).collect();
    // Where one of several receivers cannot be told again yet.
    let still_failed = RefCell::new(Vec::new());
    let again = |id| -> LocalBoxFuture<'_, Result<()>> {
        let still_failed = &still_failed;
        Box::pin(async move {
            if let AdminOutcome::Redelivering(now) = admin.redeliver(id).await?
                && is_told(&now, DeliveryState::Failed)
            {
                still_failed.borrow_mut().push(id);
            }
            Ok(())
        })
    };
    let uploads = list::each("redeliver", &ids, &again).await;
    let still_failed = still_failed.take();
    // What is given up once more is noted anew, with a later time, and stays.
    let is_sent = |one: &FailedDelivery| uploads.iter().any(|(id, sent)| one.upload_id == *id && is_over(sent));
    over.extend(known.into_iter().filter(|one| is_sent(one) && !still_failed.contains(&one.upload_id)));
    let left = drop_those(over, &register).await?;
    Ok(AdminOutcome::RedeliveredMany { uploads, left, next })
}

/// Whether nothing is left to be sent again: it is on its way, or never can be.
fn is_over(sent: &Result<(), BatchError>) -> bool {
    use ApiError::{UploadGone, UploadNotFound};
    matches!(sent, Ok(()) | Err(BatchError::Refused(UploadGone { .. } | UploadNotFound)))
}

/// Those that were given up, and those that are known to be over. Neither is what cannot be asked just now, nor what is on its way: its object may
/// not have heard yet how the attempt ended that was noted as the last, and behind one event that was given up another one may wait.
async fn stand(known: Vec<FailedDelivery>, admin: Admin<'_>) -> (Vec<FailedUpload>, Vec<FailedDelivery>) {
    let (failed, over) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let asked = known.into_iter().map(|one| -> LocalBoxFuture<'_, ()> {
        let (failed, over) = (&failed, &over);
        Box::pin(async move {
            match call(admin.objects, one.upload_id, &ShowToAdmin).await {
                Ok(view) if is_told(&view.snapshot, DeliveryState::Failed) => {
                    let FailedDelivery { owner, failed_at, .. } = one;
                    failed.borrow_mut().push(FailedUpload { owner, failed_at, snapshot: view.snapshot });
                }
                Ok(view) if is_told(&view.snapshot, DeliveryState::Queued) => {}
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
