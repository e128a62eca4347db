//! A chunk begins. The first one that needs R2's multipart upload, where that was not opened with the upload, has it opened first.

use crate::fault::Result;
use upload_core::{
    json,
    log_line::LogLine,
    session::{Begin, Session},
};
use worker::Response;

use crate::{
    assembly,
    clock::now,
    log,
    metering::{self, metered},
    rpc::{Command, answer},
    sql::session as sql,
    upload_session_do::UploadSession,
};

impl UploadSession {
    /// Grants the right to store a chunk.
    pub(crate) async fn begin(&self, body: &str) -> Result<Response> {
        let begin: Begin = json::from_str(body)?;
        let opened = self.open_for(begin).await?;
        // Dies here: R2 holds an empty multipart upload that nobody knows. R2 itself drops it after its 7 days.
        let rule = &mut |session: &Session, now| session.begin_opened(now, begin, opened.as_deref());
        let mut taken = self.take(Begin::NAME, None, rule)?;
        let session = self.session.borrow().clone();
        if let Some(session) = &session {
            if let Ok(grant) = &mut taken
                && grant.reserved > 0
            {
                // The bytes that the attempt's first part begins with.
                let (tail, rows) = metered(|| sql::tail(&self.state.storage(), &session.birth));
                grant.tail = tail?;
                self.charge(rows);
            }
            if opened.is_some() && session.multipart_id() != opened.as_deref() {
                // While it was opened, another chunk had one opened, or brought the whole, or the upload ended: it is one too many.
                // Dies here, or fails: as above.
                let _aborted = assembly::abort(&self.bucket()?, &session.birth.key, opened.as_deref()).await;
            }
        }
        self.charge(metering::of_begin(&begin, taken.as_ref().ok()));
        answer(taken)
    }

    /// Opens the multipart upload that this chunk lacks, if that is all it lacks. Where R2 does not, the chunk is told so.
    async fn open_for(&self, begin: Begin) -> Result<Option<String>> {
        self.load()?;
        let birth = match &*self.session.borrow() {
            Some(session) if session.lacks_multipart(now(), begin) => session.birth.clone(),
            _ => return Ok(None),
        };
        self.charge(metering::OPENING);
        let opened = assembly::open(&self.bucket()?, &birth.key).await;
        if let Err(error) = &opened {
            log::error(&LogLine { detail: Some(error.to_string()), ..log::fault("open") });
        }
        Ok(opened.ok())
    }
}
