//! What whoever runs the service asks for. Every question leaves a log line that says who asked for what, and whose it is, before it is
//! carried out.

mod asker;
mod failed;
mod held;
mod noted;

use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    register::{ListOwners, REGISTER, SetSwitch},
};
use futures_util::future::LocalBoxFuture;
use upload_session::held_verdict::{self, HeldVerdict};
use upload_types::{
    admin::{AdminOperation, AdminOutcome, Redelivery},
    operation::Outcome,
    switch::{Switch, SwitchRequest},
    units::UnixMs,
};

use self::asker::{Admin, page};
use super::{link, list};
use crate::{
    access::rate_limit,
    context::{HandlerResult, RequestContext},
    log::{self, now_ms},
    switch,
};

/// Carries it out.
pub(crate) async fn handle(operation: AdminOperation, context: RequestContext<'_>) -> HandlerResult {
    let name = context.access.admin()?;
    // The switch is needed most where somebody else uses up what is counted by address.
    if !matches!(operation, AdminOperation::ReadSwitch | AdminOperation::SetSwitch(_)) {
        // No owner is counted under such a name: theirs have no control characters.
        rate_limit::count_one(&format!("\nadmin {name}"), context).await?;
    }
    let objects = &context.uploads()?;
    let admin = Admin { name, asks: operation.name(), objects };
    let answer = match operation {
        AdminOperation::ListOwners(after) => {
            admin.log(None, None);
            let mut owners = call(&ObjectClient::to_ledgers(context.env)?, REGISTER, &ListOwners(after)).await?;
            let next = page(&mut owners).cloned();
            AdminOutcome::Owners { owners, next }
        }
        AdminOperation::ListUploads(owner, query) => {
            admin.log(None, Some(&owner));
            return list::of(&owner, query, context).await;
        }
        AdminOperation::Show(id) => AdminOutcome::Upload(Box::new(admin.find(id).await?)),
        AdminOperation::Delete(id) => {
            admin.delete(id).await?;
            return Ok(Outcome::Cancelled);
        }
        AdminOperation::DeleteMany(ids) => {
            let delete = |id| -> LocalBoxFuture<'_, Result<()>> { Box::pin(admin.delete(id)) };
            return Ok(Outcome::DeletedMany(list::delete_each(&ids, &delete).await));
        }
        AdminOperation::Redeliver(id) => admin.redeliver(id).await?,
        AdminOperation::ListHeld(after) => {
            admin.log(None, None);
            held::list(after, admin, context.env).await?
        }
        AdminOperation::Release(id) => admin.judge(id, HeldVerdict::Release).await?,
        AdminOperation::Reject(id, reason) => {
            admin.judge(id, HeldVerdict::Delete(held_verdict::reason(&reason))).await?
        }
        AdminOperation::Link(id, mut wanted) => {
            admin.find(id).await?;
            // Here alone, and behind the gate above: no link that an owner asks for finds what is held.
            wanted.presentation.for_scanner = true;
            return link::handle(id, &wanted, context).await;
        }
        AdminOperation::ListFailedDeliveries(after) => {
            admin.log(None, None);
            failed::list(after, admin, context.env).await?
        }
        AdminOperation::RedeliverMany(Redelivery::These(ids)) => failed::redeliver(&ids, admin, context.env).await?,
        AdminOperation::RedeliverMany(Redelivery::All(after)) => {
            failed::redeliver_all(after, admin, context.env).await?
        }
        AdminOperation::ReadSwitch => {
            admin.log(None, None);
            AdminOutcome::Switch(switch::read(context.env).await?, UnixMs(now_ms()))
        }
        AdminOperation::SetSwitch(wanted) => set_switch(wanted, admin, context).await?,
    };
    Ok(Outcome::Admin(answer))
}

/// Sets the switch. This isolate goes by it at once, every other once it has read it.
async fn set_switch(wanted: SwitchRequest, admin: Admin<'_>, context: RequestContext<'_>) -> Result<AdminOutcome> {
    let now = UnixMs(now_ms());
    let SwitchRequest { mode, reason, expires_in_seconds } = wanted;
    let line = LogLine { event: "admin", code: Some(admin.asks), ..LogLine::default() };
    log::info(&LogLine { detail: Some(format!("by {}, to {}", admin.name, mode.name())), ..line });
    let expires_at = expires_in_seconds.map(|seconds| now.plus_ms(seconds.saturating_mul(1_000)));
    let changed_by = admin.name.to_owned();
    let wanted = SetSwitch(Switch { mode, reason, expires_at, changed_by, ..Switch::default() });
    // Crash here, or the answer is lost: it is set or it is not, and whoever asks is told which. Setting it again does no harm.
    let set = call(&ObjectClient::to_ledgers(context.env)?, REGISTER, &wanted).await?;
    switch::was_set(&set);
    Ok(AdminOutcome::Switch(set, now))
}
