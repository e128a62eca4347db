//! Whoever runs the service, as one question of theirs is carried out: what they do to one upload, and the log line that says so before it
//! is done.

use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    upload::{Cancel, Judge, Redeliver, ShowToAdmin},
};
use upload_session::{held_verdict::HeldVerdict, quota::PAGE_ENTRIES, session::DeleteRight};
use upload_types::{
    admin::{AdminOutcome, AdminView},
    units::UploadId,
};

use crate::log;

/// Somebody who runs the service, and what they ask for.
#[derive(Clone, Copy)]
pub(super) struct Admin<'a> {
    /// The `sub` of their token.
    pub(super) name: &'a str,
    /// What the log calls what they ask for.
    pub(super) asks: &'static str,
    /// The way to any upload.
    pub(super) objects: &'a ObjectClient,
}

impl Admin<'_> {
    /// Says who asks for what, and whose it is.
    pub(super) fn log(self, upload: Option<UploadId>, owner: Option<&str>) {
        let of = owner.map(|owner| format!(", of {owner}")).unwrap_or_default();
        let line = LogLine { event: "admin", upload_id: upload, code: Some(self.asks), ..LogLine::default() };
        log::info(&LogLine { detail: Some(format!("by {}{of}", self.name)), ..line });
    }

    /// An upload, whosever it is and whatever has become of it.
    pub(super) async fn find(self, id: UploadId) -> Result<AdminView> {
        let view = call(self.objects, id, &ShowToAdmin).await?;
        self.log(Some(id), Some(&view.owner));
        Ok(view)
    }

    /// Ends it, or deletes what it has left.
    pub(super) async fn delete(self, id: UploadId) -> Result<()> {
        self.find(id).await?;
        // Crash here: nothing has changed. Crash behind it: the upload's object goes on by itself.
        call(self.objects, id, &Cancel(DeleteRight::Completed)).await
    }

    /// Sends its event again.
    pub(super) async fn redeliver(self, id: UploadId) -> Result<AdminOutcome> {
        self.find(id).await?;
        call(self.objects, id, &Redeliver(None)).await.map(|now| AdminOutcome::Redelivering(Box::new(now)))
    }

    /// Says what becomes of what is held. Crash before the call: nothing has changed; behind it: all has.
    pub(super) async fn judge(self, id: UploadId, said: HeldVerdict) -> Result<AdminOutcome> {
        self.find(id).await?;
        call(self.objects, id, &Judge(said)).await.map(|now| AdminOutcome::Judged(Box::new(now)))
    }
}

/// Leaves a page of what was found. Its last entry, where there is another page behind it.
pub(super) fn page<T>(found: &mut Vec<T>) -> Option<&T> {
    let has_more = found.len() > PAGE_ENTRIES;
    found.truncate(PAGE_ENTRIES);
    found.last().filter(|_| has_more)
}
