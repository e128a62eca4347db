//! Multipart uploads that R2 opens: for a new upload, for the first chunk that needs one, and for a repair. Others come in while R2 is
//! asked, and one of them may have been faster: what is not used then is aborted.

use crate::platform::telemetry::log_line::LogLine;
use upload_session::session::Session;

use crate::{
    platform::{error::Result, logging, metering},
    upload::UploadSession,
};

/// A multipart upload that R2 has opened, of which no session knows yet.
pub(crate) struct Opened {
    /// Under which key.
    pub(crate) key: String,
    /// R2's id of it.
    pub(crate) id: String,
}

impl UploadSession {
    /// Has R2 open one under this key; none where R2 opens none just now.
    ///
    /// Crash here, and until its id is stored: R2 holds an empty multipart upload that nobody knows. R2 itself drops it after its 7 days.
    pub(crate) async fn open_multipart(&self, key: String) -> Result<Option<Opened>> {
        self.charge(metering::OPENING);
        match self.bucket()?.create_multipart(&key).await {
            Ok(id) => Ok(Some(Opened { key, id })),
            Err(error) => {
                logging::error(&LogLine { detail: Some(error.to_string()), ..logging::fault("open") });
                Ok(None)
            }
        }
    }

    /// Has R2 drop it where the session has taken another, or none: meanwhile somebody else had one opened, or brought the whole, or the
    /// upload ended.
    pub(crate) async fn abort_unless_used(&self, opened: Option<Opened>) -> Result<()> {
        let is_used = |opened: &Opened| {
            let session = self.session.borrow();
            session.as_ref().and_then(Session::multipart_id) == Some(opened.id.as_str())
        };
        if let Some(Opened { key, id }) = opened.filter(|opened| !is_used(opened)) {
            // Crash here, or fails: R2 drops it after its 7 days.
            let _aborted = self.bucket()?.abort(&key, &id).await;
        }
        Ok(())
    }
}
