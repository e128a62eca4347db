//! The alarm rings: carries out what [`Ring`] asks for, with R2, the queues, the ledger and the rows, and says what came of it.

use crate::platform::telemetry::log_line::LogLine;
use upload_session::{
    alarm::{Effect, Input, Log, Message, Ring},
    session::{RegisteredHold, Session, StateChange, UploadSpec},
};
use upload_types::ledger::Listing;

use crate::{
    platform::{clock::now, error::Result, logging, object_storage::StorageError},
    rpc::{
        ObjectClient, call,
        ledger::CloseUpload,
        register::{Held, REGISTER},
        upload::QueueMessage,
    },
    upload::{Arm, UploadSession, enqueue, storage, tables},
};

impl UploadSession {
    /// Does the duties that are due.
    pub(crate) async fn ring(&self) {
        let (mut ring, mut input) = (Ring::default(), Input::Rings);
        loop {
            if let Err(error) = self.load() {
                logging::error(&LogLine { detail: Some(error.to_string()), ..logging::fault("load") });
                return;
            }
            let effect = ring.next(now(), self.session.borrow().as_ref(), input);
            if effect == Effect::Rest {
                return;
            }
            let done = self.do_what_is_due(effect).await;
            input =
                done.unwrap_or_else(|StorageError { fault, cause }| Input::Failed { fault, error: cause.to_string() });
        }
    }

    async fn do_what_is_due(&self, effect: Effect) -> Result<Input, StorageError> {
        match effect {
            Effect::Charge(job) => {
                let cost = self.session.borrow().as_ref().map(|session| session.cost_of(job));
                self.charge(cost.unwrap_or_default());
            }
            Effect::Store { change, log } => self.store(*change, log)?,
            Effect::ReadParts => return Ok(Input::Parts(tables::part_names(&self.state.storage())?)),
            Effect::Complete { key, multipart_id, parts } => {
                return storage::complete(&self.bucket()?, &key, &multipart_id, parts).await;
            }
            Effect::PutEmpty { key } => return storage::put_empty(&self.bucket()?, &key).await,
            Effect::Look { key } => return storage::look(&self.bucket()?, &key).await,
            Effect::ReadFirstBytes { key } => return storage::read_first_bytes(&self.bucket()?, &key).await,
            Effect::Delete(deletion) => storage::delete(&self.bucket()?, deletion).await?,
            Effect::Enqueue(message) => self.enqueue(message).await?,
            Effect::CloseInLedger => self.close_in_ledger(false).await?,
            Effect::Unlist => self.close_in_ledger(true).await?,
            Effect::Purge => {
                self.state.storage().delete_all().await?;
                *self.session.borrow_mut() = None;
                self.watchers.forget();
            }
            Effect::Rest => {}
        }
        Ok(Input::Done)
    }

    /// Stores what a duty changes.
    fn store(&self, change: StateChange, log: Option<Log>) -> Result<()> {
        match log {
            Some(Log::AssemblyPostponed(error)) => {
                if let Some(session) = &*self.session.borrow() {
                    let line = LogLine::of("assembly_postponed", session.spec().id);
                    logging::info(&LogLine { detail: Some(error), ..line });
                }
            }
            Some(Log::DutyFailed(job, error)) => {
                let detail = Some(format!("{job:?}: {error}"));
                logging::error(&LogLine { detail, ..logging::fault("alarm") });
            }
            None => {}
        }
        let mut change = Some(change);
        self.store_with(None, Arm::WhenAllIsDone, &mut |_| change.take().unwrap_or_default())
    }

    async fn enqueue(&self, message: Message) -> Result<()> {
        let message = {
            let session = self.session.borrow();
            let Some(spec) = session.as_ref().map(Session::spec) else { return Ok(()) };
            message_of(spec, message)
        };
        enqueue::enqueue(self.env(), &message).await
    }

    /// Tells the owner's ledger how the upload stands; or, where it is about to be forgotten, that it is listed no more: its object in R2
    /// stays, and with it what the ledger remembers of its bytes. What is held, or was, the register hears of, too: of what is over, before
    /// it is forgotten.
    async fn close_in_ledger(&self, is_forgotten: bool) -> Result<()> {
        let Some(session) = self.session.borrow().clone() else { return Ok(()) };
        let mut close = CloseUpload::entry(session.spec().entry(), None).listed(Listing::Gone);
        if !is_forgotten {
            let (bytes, sha256, object) = (session.came_to(), session.spec().file.sha256, session.fingerprint());
            let told = CloseUpload { sha256, object, ..CloseUpload::entry(session.spec().entry(), bytes) };
            close = told.listed(session.listing());
        }
        let ledgers = ObjectClient::to_ledgers(self.env())?;
        call(&ledgers, &session.spec().owner, &close).await?;
        if is_forgotten {
            return Ok(());
        }
        // Crash here, or the register does not answer: both are told once more.
        let said = match session.registered_hold() {
            Some(RegisteredHold::Held(held)) => Held::Note(held),
            Some(RegisteredHold::Over(gone)) => Held::Drop(vec![gone]),
            None => return Ok(()),
        };
        call(&ledgers, REGISTER, &said).await.map(drop)
    }
}

/// What the queue carries.
fn message_of(spec: &UploadSpec, message: Message) -> QueueMessage {
    let upload_id = spec.id;
    match message {
        Message::Tell(id) => {
            let receiver = spec.receivers.name_of(id.receiver).to_owned();
            QueueMessage::Tell { upload_id, receiver, event_id: id.event_id(upload_id) }
        }
        Message::CopyNext => QueueMessage::Compose { upload_id },
        Message::Copy => QueueMessage::Copy { upload_id },
        Message::StoreLastPart => QueueMessage::StoreLastPart { upload_id },
        Message::Verify => QueueMessage::Verify { upload_id },
    }
}
