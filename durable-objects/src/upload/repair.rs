//! The object's answers about a damaged file: its manifest, and that it is put together anew. Before the latter is decided R2 opens a
//! multipart upload for it; one that is not used then, since somebody else was first, is aborted, under the key that it was opened for.

use upload_core::{
    cost::Cost,
    log_line::LogLine,
    repair::Manifest,
    session::{Decision, OpenedForRepair, Session, StateChange},
};
use worker::Response;

use crate::{
    platform::{error::Result, logging, metering},
    rpc::{answer, repair::RepairUpload},
    upload::{UploadSession, storage, tables},
};

impl UploadSession {
    /// The parts that are kept, as they were stored.
    pub(crate) fn manifest(&self, cost: Cost) -> Result<Response> {
        let rule = &mut |session: &Session, _| {
            let about = (session.birth.id, session.plan().file_bytes);
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
        let opened = match &key {
            Some(key) => self.open_at(key).await?,
            None => None,
        };
        // Crash here: R2 holds an empty multipart upload that nobody knows. R2 itself drops it after its 7 days.
        let shown = self.decide_then_show(cost, |session, now| {
            let opened = key.as_deref().zip(opened.as_deref());
            let opened = opened.map(|(key, multipart_id)| OpenedForRepair { key, multipart_id });
            session.repair(now, &repair.sent_again, repair.limits, opened)
        })?;
        let multipart = self.session.borrow().as_ref().and_then(|session| session.multipart_id().map(str::to_owned));
        if let Some(key) = key
            && multipart != opened
        {
            // Crash here, or fails: R2 drops it after its 7 days.
            let _aborted = storage::abort(&self.bucket()?, &key, opened.as_deref()).await;
        }
        Ok(shown)
    }

    /// R2's id of a new multipart upload; none where R2 opens none just now.
    pub(crate) async fn open_at(&self, key: &str) -> Result<Option<String>> {
        self.charge(metering::OPENING);
        let opened = storage::open(&self.bucket()?, key).await;
        if let Err(error) = &opened {
            logging::error(&LogLine { detail: Some(error.to_string()), ..logging::fault("open") });
        }
        Ok(opened.ok())
    }
}
