//! The object's answers about a damaged file: its manifest, and that it is put together anew. Before the latter is decided R2 opens a
//! multipart upload for it.

use upload_session::session::{Decision, OpenedForRepair, Session, StateChange};
use upload_types::{cost::Cost, repair::Manifest};
use worker::Response;

use crate::{
    platform::{error::Result, metering},
    rpc::{answer, repair::RepairUpload},
    upload::{UploadSession, multipart::Opened, tables},
};

impl UploadSession {
    /// The parts that are kept, as they were stored.
    pub(crate) fn manifest(&self, cost: Cost) -> Result<Response> {
        let rule = &mut |session: &Session, _| {
            let about = (session.spec().id, session.plan().file_bytes);
            Decision { answer: session.is_damaged().map(|()| about), change: StateChange::none() }
        };
        let (id, file_bytes) = self.take(cost, None, rule)?;
        let (parts, rows) = metering::metered(|| tables::kept_parts(&self.state.storage()));
        self.charge(rows);
        answer(Manifest { id, file_bytes, parts: parts? })
    }

    /// Has the file put together anew.
    pub(crate) async fn repair(&self, cost: Cost, repair: &RepairUpload) -> Result<Response> {
        self.load()?;
        let key = self.session.borrow().as_ref().and_then(|session| session.next_repair_key(&repair.sent_again).ok());
        let opened = match key {
            Some(key) => self.open_multipart(key).await?,
            None => None,
        };
        let shown = self.decide_then_show(cost, |session, now| {
            let opened = opened.as_ref().map(|Opened { key, id }| OpenedForRepair { key, multipart_id: id });
            session.repair(now, &repair.sent_again, repair.limits, opened)
        })?;
        self.abort_unless_used(opened).await?;
        Ok(shown)
    }
}
