//! Uploads that are held, whosever they are. The register has a row for each, since each one's object tells it, and tells it again once that is
//! over, by its alarm and until it is heard. What is not held any more is taken out of it here, too, also where a call that was late has put it
//! back.

use durable_objects::platform::error::Result;
use durable_objects::rpc::{
    ObjectClient, call,
    register::{Held, REGISTER},
};
use upload_types::{
    admin::{AdminOutcome, Noted},
    ledger::EntryName,
    upload::Snapshot,
};
use worker::Env;

use super::{
    asker::{Admin, page},
    noted::{Standing, stand},
};

/// A page of them, oldest first.
pub(super) async fn list(after: Option<EntryName>, admin: Admin<'_>, env: &Env) -> Result<AdminOutcome> {
    let register = ObjectClient::to_ledgers(env)?;
    let mut known = call(&register, REGISTER, &Held::List(after)).await?;
    let next = page(&mut known).map(Noted::name);
    let (uploads, over) = stand(known, standing, admin).await;
    if !over.is_empty() {
        // Crash here, or fails: the next list finds them again.
        let _left = call(&register, REGISTER, &Held::Drop(over)).await;
    }
    Ok(AdminOutcome::Held { uploads, next })
}

fn standing(now: &Snapshot) -> Standing {
    if now.held { Standing::So } else { Standing::Over }
}
