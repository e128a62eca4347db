//! Uploads that are held, whosever they are. The register has a row for each, since each one's object tells it, and tells it again once that is
//! over, by its alarm and until it is heard. How each stands its own object says: what is not held any more is taken out of the register, also
//! where a call that was late has put it back.

use std::cell::RefCell;

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{
    ObjectClient, call,
    register::{DropHeld, ListHeld, REGISTER},
    upload::Status,
};
use futures_util::future::LocalBoxFuture;
use upload_types::{admin::AdminOutcome, api_error::ApiError, ledger::EntryName};
use worker::Env;

use super::asker::{Admin, page};
use crate::handlers::list;

/// A page of them, oldest first.
pub(super) async fn list(after: Option<EntryName>, admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &ListHeld(after)).await?;
    let next = page(&mut known).map(|last| last.name);
    let (found, over) = (RefCell::new(vec![None; known.len()]), RefCell::new(Vec::new()));
    let asked = known.into_iter().enumerate().map(|(index, one)| -> LocalBoxFuture<'_, ()> {
        let (found, over) = (&found, &over);
        Box::pin(async move {
            match call(admin.objects, one.name.upload_id, &Status).await {
                Ok(now) if now.held => found.borrow_mut()[index] = Some((one.owner, now)),
                Ok(_) | Err(Error::Refused(ApiError::UploadNotFound)) => over.borrow_mut().push(one.name),
                Err(Error::Refused(_)) => {}
                Err(Error::Fault(fault)) => list::log_fault(admin.asks, one.name.upload_id, &fault),
            }
        })
    });
    list::ask_each(asked.collect()).await;
    let over = over.into_inner();
    if !over.is_empty() {
        // Crash here, or fails: the next list finds them again.
        let _left = call(&register, REGISTER, &DropHeld(over)).await;
    }
    Ok(AdminOutcome::Held { uploads: found.into_inner().into_iter().flatten().collect(), next })
}
