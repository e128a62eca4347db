//! Uploads with an event whose telling was given up. The register has a row for each that was about to be, made before it was; so none is
//! missing, and some are not so, or not any more. How each stands its own object says, and what is not so is taken out of the register.

use std::cell::RefCell;

use durable_objects::platform::error::Result;
use durable_objects::rpc::{
    ObjectClient, call,
    register::{DropFailedDeliveries, ListFailedDeliveries, REGISTER},
};
use futures_util::future::LocalBoxFuture;
use upload_types::{
    admin::{AdminOutcome, Noted},
    api_error::ApiError,
    batch::BatchError,
    units::UploadId,
    upload::{DeliveryState, Snapshot},
};
use worker::Env;

use super::{
    asker::{Admin, page},
    noted::{Standing, stand},
};
use crate::handlers::list;

/// A page of them.
pub(super) async fn list(after: Option<UploadId>, admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &ListFailedDeliveries(after)).await?;
    let next = page(&mut known).map(|last| last.upload_id);
    let (uploads, over) = stand(known, standing, admin).await;
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
    let (failed, mut over) = stand(known.clone(), standing, admin).await;
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
    let is_sent = |one: &Noted| uploads.iter().any(|(id, sent)| one.upload_id == *id && is_over(sent));
    over.extend(known.into_iter().filter(|one| is_sent(one) && !still_failed.contains(&one.upload_id)));
    let left = drop_those(over, &register).await?;
    Ok(AdminOutcome::RedeliveredMany { uploads, left, next })
}

/// Whether nothing is left to be sent again: it is on its way, or never can be.
fn is_over(sent: &Result<(), BatchError>) -> bool {
    use ApiError::{UploadGone, UploadNotFound};
    matches!(sent, Ok(()) | Err(BatchError::Refused(UploadGone { .. } | UploadNotFound)))
}

/// What is on its way stays unshown: its object may not have heard yet how the attempt ended that was noted as the last, and behind one event
/// that was given up another one may wait.
fn standing(now: &Snapshot) -> Standing {
    if is_told(now, DeliveryState::Failed) {
        Standing::So
    } else if is_told(now, DeliveryState::Queued) {
        Standing::Unclear
    } else {
        Standing::Over
    }
}

/// Whether the telling of the origin, or of any other receiver, is so far.
fn is_told(snapshot: &Snapshot, state: DeliveryState) -> bool {
    snapshot.delivery == Some(state) || snapshot.receivers.iter().any(|receiver| receiver.state == Some(state))
}

/// Takes them out of the register. Says how many are left.
async fn drop_those(over: Vec<Noted>, register: &ObjectClient) -> Result<u64> {
    call(register, REGISTER, &DropFailedDeliveries(over)).await
}
