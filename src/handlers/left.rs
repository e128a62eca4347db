//! An upload that is not the one that is meant by its name any more: nothing more will come of it, and its owner has its room again.

use durable_objects::{
    platform::error::Result,
    rpc::{ObjectClient, call, ledger::CloseUpload, unless_refused, upload::Cancel},
};
use upload_session::session::DeleteRight;
use upload_types::{
    ledger::EntryName,
    units::ByteCount,
    upload::{Phase, Snapshot},
};

use crate::context::RequestContext;

/// The upload that is left.
pub(crate) struct Left {
    name: EntryName,
    is_open: bool,
    came_to: Option<ByteCount>,
}

impl Left {
    /// The upload that stands so, and whose creation declared so many bytes. Where it declared none it was charged with what arrived, and
    /// somewhat ahead, so what it came to corrects that.
    pub(crate) fn of(now: &Snapshot, declared: Option<ByteCount>) -> Self {
        let is_whole = now.phase == Phase::Completed;
        let bytes = if is_whole { now.plan.file_bytes } else { now.uploaded_bytes };
        let name = EntryName { created_at: now.created_at, upload_id: now.id };
        Self { name, is_open: now.phase == Phase::Open, came_to: declared.is_none().then_some(bytes) }
    }

    /// Ends it, if it is open, and takes it out of the ledger of this owner.
    pub(crate) async fn close(&self, owner: &str, context: RequestContext<'_>) -> Result<()> {
        if self.is_open {
            let cancel = Cancel(DeleteRight::Unfinished);
            if unless_refused(call(&context.uploads()?, self.name.upload_id, &cancel).await)?.is_none() {
                // It has come to its end meanwhile, and says itself what it came to.
                return Ok(());
            }
        }
        // Crash here: it has ended, and whoever begins anew finds it so. The same after the next call, which its own object makes, too.
        let close = CloseUpload::entry(self.name, self.came_to);
        call(&ObjectClient::to_ledgers(context.env)?, owner, &close).await
    }
}
