//! How an upload comes to be: R2's multipart upload first, where it needs one, then the rows.

use crate::fault::Result;
use upload_core::{session::Session, upload::Snapshot};
use worker::Response;

use crate::{
    assembly,
    clock::set_alarm,
    metering::{self, metered},
    rpc::{answer, upload::CreateUpload},
    sql::{facts::Layout, session as sql},
    upload_session_do::UploadSession,
};

impl UploadSession {
    /// Creates the upload, or shows the one that is there.
    pub(crate) async fn create(&self, CreateUpload(mut birth): CreateUpload) -> Result<Response> {
        self.load()?;
        if let Some(session) = &*self.session.borrow() {
            return answer(Ok(session.snapshot()));
        }
        if birth.needs_multipart() {
            birth.multipart_id = Some(assembly::open(&self.bucket()?, &birth.key).await?);
        }
        // Dies here: R2 holds an empty multipart upload that nobody knows. R2 itself drops it after its 7 days.
        let created = self.session.borrow().as_ref().map(Session::snapshot);
        if let Some(snapshot) = created {
            // The same creation, asked twice at the same time: the other one was first, and this one's multipart upload is
            // one too many.
            assembly::abort(&self.bucket()?, &birth.key, birth.multipart_id.as_deref()).await?;
            return answer(Ok(snapshot));
        }
        let mut session = match Session::create(birth) {
            Ok(session) => session,
            Err(refusal) => return answer::<Snapshot>(Err(refusal)),
        };
        session.progress.cost = metering::of_creation(&session);
        let trail = session.begin_trail();
        let alarm_at = session.next_job().map(|(due, _)| due);
        let (created, rows) =
            metered(|| sql::create(&self.state.storage(), &session, &trail, || set_alarm(&self.state, alarm_at)));
        created?;
        session.progress.cost += rows;
        // From here the upload exists, and ends by itself: its first alarm is set.
        let snapshot = session.snapshot();
        self.trail.restore(trail);
        self.layout.set(Layout::default());
        *self.session.borrow_mut() = Some(session);
        answer(Ok(snapshot))
    }
}
