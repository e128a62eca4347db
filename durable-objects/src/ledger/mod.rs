//! The object of one owner: admits uploads, knows which are open and which have left a file, and which verified bytes are stored already.
//!
//! Promises: an upload is admitted at most once per `Idempotency-Key`; what is open counts against the quota until its upload
//! has ended, and never longer than its latest end and an hour; what is stored counts until its upload says that it is gone; nothing of one owner is ever shown to another, since each
//! owner has an object of their own. What is asked and answered stands in [`crate::ledger::book`].
//!
//! Whoever listens on a socket is named each file that is admitted, once its row is written; nothing waits for that, and nothing is kept of it.
//!
//! An owner who has created an upload stands in the [`register`], which is told once, behind an answer, and again until it has heard it. The
//! register itself is such an object, too, of a name that no owner has.
//!
//! The alarm sweeps. It is set once a day at most, two days ahead, so that of all creations of a day one pays for it; while an owner
//! goes on creating, each day's first creation sweeps and puts it off. A lost alarm does no harm: nothing counts that is over.

#![allow(missing_docs, reason = "#[durable_object] expands to public methods without documentation")]

pub(crate) mod book;
pub(crate) mod database;
pub(crate) mod finished;
pub(crate) mod links;
pub(crate) mod register;
pub(crate) mod tables;

use std::{cell::Cell, rc::Rc};

use crate::platform::error::Result;
use crate::platform::telemetry::log_line::LogLine;
use upload_types::{
    ledger::{Admission, EntryKind, EntryName},
    units::UnixMs,
};
use worker::{
    DurableObject, Env, Request, Response, State, Storage, WebSocket, WebSocketIncomingMessage, durable_object,
};

use crate::{
    ledger::book::Ledger,
    platform::{
        background::run_behind_object,
        clock::{now, set_alarm},
        logging, sockets,
    },
    rpc::{
        ObjectClient, WATCH, answer, call,
        ledger::{LedgerCommand, ListUploads},
        register::{NoteOwner, REGISTER, RegisterCommand},
        respond,
    },
};

/// When the ledger could not be swept, it is tried again after a minute.
const ALARM_FALLBACK_MS: u64 = 60_000;

/// The object of one owner.
#[durable_object]
pub struct OwnerLedger {
    state: State,
    env: Env,
    ledger: Rc<Ledger<Storage>>,
    /// Whether the register is being told just now that this owner is there.
    is_registering: Rc<Cell<bool>>,
}

impl DurableObject for OwnerLedger {
    fn new(state: State, env: Env) -> Self {
        logging::bind(&env);
        let ledger = Rc::new(Ledger::new(state.storage()));
        Self { state, env, ledger, is_registering: Rc::default() }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        respond(self.asked(request).await)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let next = self.ledger.sweep(now()).unwrap_or_else(|error| {
            let line = LogLine { event: "fault", code: Some("sweep"), ..LogLine::default() };
            logging::error(&LogLine { detail: Some(error.to_string()), ..line });
            Some(now().plus_ms(ALARM_FALLBACK_MS))
        });
        if let Err(error) = set_alarm(&self.state, next) {
            logging::error(&LogLine { event: "fault", detail: Some(error.to_string()), ..LogLine::default() });
        }
        Response::empty()
    }

    /// Nothing that somebody who listens says means anything.
    async fn websocket_message(&self, _socket: WebSocket, _message: WebSocketIncomingMessage) -> worker::Result<()> {
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        _code: usize,
        _reason: String,
        _clean: bool,
    ) -> worker::Result<()> {
        sockets::close(&socket);
        Ok(())
    }

    async fn websocket_error(&self, _socket: WebSocket, _error: worker::Error) -> worker::Result<()> {
        Ok(())
    }
}

impl OwnerLedger {
    /// Carries out a command.
    async fn asked(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        if path.trim_start_matches('/') == WATCH {
            return Ok(sockets::accept(&self.state)?.1);
        }
        let body = request.text().await?;
        let now = now();
        if let Some(command) = RegisterCommand::read(path.trim_start_matches('/'), &body)? {
            return register::carry_out(&self.state.storage(), command, now);
        }
        let arm = |at: UnixMs| set_alarm(&self.state, Some(at));
        match LedgerCommand::read(path.trim_start_matches('/'), &body)? {
            Some(LedgerCommand::Admit(admit)) => {
                let admission = self.ledger.admit(&admit, now, &arm)?;
                if let (Admission::Opened(name) | Admission::OpenedBeyond(name, _), EntryKind::File) =
                    (&admission, admit.entry.kind)
                {
                    self.tell(name);
                }
                self.register(&admit.owner);
                answer(admission)
            }
            Some(LedgerCommand::LookupIdempotencyKey(lookup)) => answer(self.ledger.recall(&lookup, now)?),
            Some(LedgerCommand::Charge(charge)) => answer(self.ledger.charge(&charge, now)?),
            Some(LedgerCommand::CloseUpload(close)) => answer(self.ledger.settle(&close, now, &arm)?),
            Some(LedgerCommand::ForgetObject(object)) => answer(self.ledger.forget(&object, now)?),
            Some(LedgerCommand::ListUploads(ListUploads(query))) => answer(self.ledger.list(&query, now)?),
            Some(LedgerCommand::ReadUsage(quota)) => answer(self.ledger.report(&quota, now)?),
            Some(LedgerCommand::FindLink(link)) => answer(self.ledger.find_link(&link)?),
            Some(LedgerCommand::ReleaseLink(link)) => answer(self.ledger.release(&link)?),
            Some(LedgerCommand::RevokeLink(link)) => answer(self.ledger.revoke(&link, now, &arm)?),
            None => Ok(Response::error("no such command", 404)?),
        }
    }

    /// Tells the register that this owner is there, behind the answer, until it has heard it once.
    fn register(&self, owner: &str) {
        if owner.is_empty() || self.is_registering.get() || self.ledger.is_registered().unwrap_or(true) {
            return;
        }
        self.is_registering.set(true);
        let (env, owner) = (self.env.clone(), owner.to_owned());
        let (ledger, is_registering) = (Rc::clone(&self.ledger), Rc::clone(&self.is_registering));
        let work = async move {
            // Crash here, or the register does not answer: the next upload has it told again.
            let told = match ObjectClient::to_ledgers(&env) {
                Ok(ledgers) => call(&ledgers, REGISTER, &NoteOwner(owner)).await,
                Err(error) => Err(error),
            };
            // Crash here: the same; what it is told twice the register has once.
            if let Err(error) = told.and_then(|()| ledger.registered()) {
                let line = LogLine { event: "fault", code: Some("register"), ..LogLine::default() };
                logging::error(&LogLine { detail: Some(error.to_string()), ..line });
            }
            is_registering.set(false);
        };
        run_behind_object(&self.state, Box::pin(work));
    }

    /// Names an upload that was admitted to whoever listens. Its object may not be there yet.
    fn tell(&self, name: &EntryName) {
        let text = name.to_string();
        for socket in self.state.get_websockets() {
            // One that cannot be sent to has gone.
            let _ = socket.send_with_str(&text);
        }
    }
}
