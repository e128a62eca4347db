//! Room for an upload of unknown length: its owner's ledger is asked before bytes come for which it is not charged yet.

use upload_session::session::{Growth, Session};
use upload_types::cost::Cost;
use worker::Response;

use crate::{
    platform::{
        clock::now,
        error::{Error, Result},
    },
    rpc::{ObjectClient, call, ledger::Charge, upload::Declare},
    upload::UploadSession,
};

impl UploadSession {
    /// Refuses unless the owner has room for what `growth` finds to be lacking. Others come in while the ledger is asked: whoever called
    /// decides after it.
    pub(crate) async fn has_room(&self, growth: impl Fn(&Session) -> Option<Growth>) -> Result<()> {
        self.load()?;
        let asked = self.session.borrow().as_ref().and_then(|session| {
            let growth = growth(session)?;
            Some((growth, session.spec().owner.clone(), session.spec().entry()))
        });
        let Some((Growth { bytes, ahead, quota }, owner, name)) = asked else { return Ok(()) };
        let ledgers = ObjectClient::to_ledgers(self.env())?;
        // Where there is no room for what may follow, there may be some for what is there.
        for wanted in [ahead, bytes] {
            let charged = call(&ledgers, &owner, &Charge { name, bytes: wanted, quota }).await;
            // Crash here: the ledger has charged what nobody remembers here; it is asked once more, and charges nothing twice.
            match charged {
                Ok(()) => {
                    if let Some(session) = &mut *self.session.borrow_mut() {
                        session.charged_with(wanted);
                    }
                    return Ok(());
                }
                Err(Error::Refused(_)) if wanted != bytes => {}
                Err(error) => {
                    if let Error::Refused(refusal) = &error {
                        self.history.refused(now(), self.session.borrow().as_ref(), refusal);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Declares the length, where there is room for it.
    pub(crate) async fn declare(&self, cost: Cost, declare: &Declare) -> Result<Response> {
        let growth = |session: &Session| session.growth_by_length(now(), declare.offset, declare.file_bytes);
        self.has_room(growth).await?;
        let Declare { offset, file_bytes, completes, ref metadata } = *declare;
        self.decide_then_show(cost, |session, now| match metadata {
            None => session.declare(now, offset, file_bytes, completes),
            Some(metadata) => session.declare_and_describe(now, offset, file_bytes, completes, metadata),
        })
    }
}
