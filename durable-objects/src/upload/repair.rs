//! The object's answers about a damaged file: its manifest, and that it is put together anew. Before the latter is decided R2 opens a
//! multipart upload for it.

use upload_core::{
    repair::Manifest,
    session::{Decision, OpenedForRepair, Session, StateChange},
};
use worker::Response;

use crate::{
    platform::{error::Result, metering},
    rpc::{
        Command, answer,
        repair::{RepairUpload, ShowManifest},
    },
    upload::{UploadSession, multipart::Opened, tables},
};

impl UploadSession {
    /// The parts that are kept, as they were stored.
    pub(crate) fn manifest(&self) -> Result<Response> {
        let rule = &mut |session: &Session, _| {
            let about = (session.birth.id, session.plan().file_bytes);
            Decision { answer: session.is_damaged().map(|()| about), change: StateChange::none() }
        };
        let (id, file_bytes) = match self.take(ShowManifest::NAME, None, rule)? {
            Ok(about) => about,
            Err(refusal) => return answer::<Manifest>(Err(refusal)),
        };
        let (parts, rows) = metering::metered(|| tables::kept_parts(&self.state.storage()));
        self.charge(rows);
        answer(Ok(Manifest { id, file_bytes, parts: parts? }))
    }

    /// Has the file put together anew.
    pub(crate) async fn repair(&self, body: &str) -> Result<Response> {
        let asked: RepairUpload = serde_json::from_str(body)?;
        self.load()?;
        let key = self.session.borrow().as_ref().and_then(|session| session.next_repair_key(&asked.sent_again).ok());
        let opened = match key {
            Some(key) => self.open_multipart(key).await?,
            None => None,
        };
        let shown = self.decide_then_show(body, |session, now, asked: &RepairUpload| {
            let opened = opened.as_ref().map(|Opened { key, id }| OpenedForRepair { key, multipart_id: id });
            session.repair(now, &asked.sent_again, asked.limits, opened)
        })?;
        self.abort_unless_used(opened).await?;
        Ok(shown)
    }
}
