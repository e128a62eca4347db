//! How an upload comes to be: R2's multipart upload first, where it needs one, then the rows. A chunk that came with the creation
//! begins in the same row. What is stored already needs neither.

use crate::platform::error::Result;
use upload_session::session::{BeginAppend, Session, UploadSpec, WriteLease};
use upload_types::{api_error::ApiError, history::History, ledger::StoredObject, upload::Snapshot};

use crate::{
    platform::{
        clock::{now, set_alarm},
        metering::{self, metered},
    },
    rpc::upload::Begun,
    upload::{UploadSession, tables},
};

impl UploadSession {
    /// Creates the upload, or shows the one that is there. Every creation may be repeated: what was begun with the one before,
    /// whose answer was lost, is taken over by the chunk's own begin.
    pub(crate) async fn create(&self, spec: UploadSpec, first: Option<BeginAppend>) -> Result<Begun> {
        self.load()?;
        if let Some(snapshot) = self.shown() {
            return Ok(Begun { snapshot, lease: None });
        }
        let opened = if spec.needs_multipart() {
            Some(self.open_multipart(spec.key.clone()).await?.ok_or(ApiError::NotCreated)?)
        } else {
            None
        };
        if let Some(snapshot) = self.shown() {
            // The same creation, asked twice at the same time: the other one was first, and this one's multipart upload is
            // one too many.
            self.abort_unless_used(opened).await?;
            return Ok(Begun { snapshot, lease: None });
        }
        let mut session = Session::create(spec, opened.map(|opened| opened.id))?;
        session.charge(metering::of_creation(&session));
        let mut history = session.begin_history();
        let lease = first.and_then(|first| begin(&mut session, &mut history, first));
        let snapshot = self.store_new(session, history)?;
        // From here the upload exists, and ends by itself: its first alarm is set. Crash here: nobody knows that it was granted
        // anything, and whoever comes next takes that over.
        Ok(Begun { snapshot, lease })
    }

    /// Creates an upload that shares the object of another one, or shows the one that is there. There is nothing to wait for.
    pub(crate) fn create_duplicate(&self, spec: UploadSpec, stored: &StoredObject) -> Result<Snapshot> {
        self.load()?;
        if let Some(snapshot) = self.shown() {
            return Ok(snapshot);
        }
        let mut session = Session::create_duplicate(spec, stored)?;
        session.charge(metering::of_creation(&session));
        let history = session.begin_history();
        // Crash here: as if nobody had asked. Crash behind it: the event is there, and the alarm that has it told; nobody was answered
        // yet, and who asks again under the same key finds it.
        self.store_new(session, history)
    }

    /// Stores what is new, with its alarm, and believes it.
    fn store_new(&self, mut session: Session, history: History) -> Result<Snapshot> {
        let alarm_at = session.next_job().map(|(due, _)| due);
        let (created, rows) =
            metered(|| tables::create(&self.state.storage(), &session, &history, || set_alarm(&self.state, alarm_at)));
        created?;
        session.charge(rows);
        self.alarm.set(alarm_at);
        let snapshot = session.snapshot();
        self.history.restore(history);
        *self.session.borrow_mut() = Some(session);
        Ok(snapshot)
    }

    fn shown(&self) -> Option<Snapshot> {
        self.session.borrow().as_ref().map(Session::snapshot)
    }
}

/// Begins the first chunk of an upload that is about to be stored. Where it is refused, it is asked about again, and told why.
fn begin(session: &mut Session, history: &mut History, first: BeginAppend) -> Option<WriteLease> {
    let now = now();
    let decision = session.begin(now, first);
    let lease = decision.answer.ok()?;
    let before = session.clone();
    session.apply(decision.change.clone());
    before.record_change(history, now, &decision.change, session);
    Some(lease)
}
