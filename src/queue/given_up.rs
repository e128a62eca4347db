//! What is about to be given up is noted first, in the register: so whoever runs the service finds it.

use durable_objects::platform::error::Result;
use durable_objects::rpc::{
    ObjectClient, call,
    delivery::EventFacts,
    register::{NoteFailedDelivery, REGISTER},
};
use upload_session::event::DeliveryOutcome;
use upload_types::{admin::Noted, units::UnixMs};
use worker::Env;

use crate::log::now_ms;

/// Notes, before the upload's object hears how this attempt has ended, that its telling is about to be given up. Crash here: the attempt is
/// made again, and noted again. Where the register does not answer, the message comes again, too: nothing is given up that nobody can find.
pub(super) async fn note(facts: &EventFacts, outcome: &DeliveryOutcome, env: &Env) -> Result<()> {
    let is_last = matches!(outcome, DeliveryOutcome::Refused { policy, .. } if facts.attempt >= policy.max_attempts);
    if !is_last {
        return Ok(());
    }
    let failed_at = UnixMs(now_ms());
    let failed = Noted { upload_id: facts.snapshot.id, owner: facts.owner.clone(), at: failed_at };
    call(&ObjectClient::to_ledgers(env)?, REGISTER, &NoteFailedDelivery(failed)).await
}
