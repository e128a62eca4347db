//! The object of one owner: admits uploads, knows which are open, and which verified bytes are stored already.
//!
//! Promises: an upload is admitted at most once per `Idempotency-Key`; what is open counts against the quota until its upload
//! has ended, and never longer than its expiry and an hour; nothing of one owner is ever shown to another, since each
//! owner has an object of their own.

#![allow(missing_docs, reason = "#[durable_object] expands to public methods without documentation")]

use std::cell::Cell;

use crate::fault::Result;
use upload_core::{
    ledger::{Admission, OpenUpload},
    log_line::LogLine,
    refusal::Refusal,
    units::{UnixMs, UploadId},
};
use worker::{DurableObject, Env, Request, Response, State, Storage, durable_object};

use crate::{
    clock::{now, set_alarm},
    log,
    rpc::{
        Command, answer,
        ledger::{Admit, ForgetObject, ListOpen, Recall, Settle},
    },
    sql::ledger as sql,
};

/// When the ledger could not be swept, it is tried again after a minute.
const ALARM_FALLBACK_MS: u64 = 60_000;

/// The object of one owner.
#[durable_object(alarm)]
pub struct OwnerLedger {
    state: State,
    /// Whether the tables are there; not known until something is to be written.
    prepared: Cell<bool>,
    /// When the alarm rings; not known until it has been set here. An entry whose time is over later than that needs no other, so
    /// that of many uploads only the first one pays for an alarm.
    armed: Cell<Option<UnixMs>>,
}

impl DurableObject for OwnerLedger {
    fn new(state: State, env: Env) -> Self {
        log::bind(&env);
        Self { state, prepared: Cell::default(), armed: Cell::default() }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        Ok(self.asked(request).await?)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let next = match sql::sweep(&self.state.storage(), now()) {
            Ok(next) => next,
            Err(error) => {
                let line = LogLine { event: "fault", code: Some("sweep"), ..LogLine::default() };
                log::error(&LogLine { detail: Some(error.to_string()), ..line });
                Some(now().plus_ms(ALARM_FALLBACK_MS))
            }
        };
        self.armed.set(next);
        if let Err(error) = set_alarm(&self.state, next) {
            self.armed.take();
            log::error(&LogLine { event: "fault", detail: Some(error.to_string()), ..LogLine::default() });
        }
        Response::empty()
    }
}

impl OwnerLedger {
    /// Carries out a command.
    async fn asked(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        let body = request.text().await?;
        let storage = self.state.storage();
        match path.trim_start_matches('/') {
            Admit::NAME => answer(self.admit(&serde_json::from_str(&body)?)?),
            Recall::NAME if sql::exists(&storage)? => {
                let Recall(asked) = serde_json::from_str(&body)?;
                let found = sql::remembered(&storage, &asked.key, now())?;
                answer(Ok(found.filter(|found| found.request == asked.request).map(|found| found.upload_id)))
            }
            Recall::NAME => answer(Ok(None::<UploadId>)),
            Settle::NAME => {
                let settle: Settle = serde_json::from_str(&body)?;
                self.prepare(&storage)?;
                sql::settle(&storage, settle.upload_id, settle.object.as_ref())?;
                answer(Ok(()))
            }
            ForgetObject::NAME if sql::exists(&storage)? => {
                let forget: ForgetObject = serde_json::from_str(&body)?;
                sql::forget(&storage, forget.sha256)?;
                answer(Ok(()))
            }
            ForgetObject::NAME => answer(Ok(())),
            ListOpen::NAME if sql::exists(&storage)? => answer(Ok(sql::list(&storage, now())?)),
            ListOpen::NAME => answer(Ok(Vec::<OpenUpload>::new())),
            _ => Ok(Response::error("no such command", 404)?),
        }
    }

    /// No `await`: between looking and writing nobody else comes in.
    fn admit(&self, admit: &Admit) -> Result<std::result::Result<Admission, Refusal>> {
        let storage = self.state.storage();
        let now = now();
        if self.prepared.get() || sql::exists(&storage)? {
            if let Some(idempotency) = &admit.idempotency
                && let Some(remembered) = sql::remembered(&storage, &idempotency.key, now)?
            {
                let same = remembered.request == idempotency.request;
                return Ok(if same {
                    Ok(Admission::Repeated(remembered.upload_id))
                } else {
                    Err(Refusal::IdempotencyMismatch)
                });
            }
            if let Some(sha256) = admit.sha256
                && let Some(known) = sql::find(&storage, sha256)?
                && known.file_size == admit.upload.file_size
            {
                return Ok(Ok(Admission::Known(known)));
            }
            if let Err(refusal) =
                admit.quota.admit(sql::usage(&storage, admit.quota, now)?, admit.upload.file_size, now)
            {
                return Ok(Err(refusal));
            }
        } else if let Err(refusal) =
            admit.quota.admit(upload_core::ledger::Usage::default(), admit.upload.file_size, now)
        {
            return Ok(Err(refusal));
        }
        self.prepare(&storage)?;
        let armed = Cell::new(self.armed.get());
        sql::open(&storage, &admit.upload, admit.idempotency.as_ref(), now, |first_due| {
            // One that is late may never come: it is set again.
            if armed.get().is_some_and(|armed| now < armed && armed <= first_due) {
                return Ok(());
            }
            armed.set(sql::next_sweep(&storage)?);
            set_alarm(&self.state, armed.get())
        })?;
        self.armed.set(armed.get());
        // Dies here: the entry is there and the upload is not. It goes with its expiry.
        Ok(Ok(Admission::Opened))
    }

    fn prepare(&self, storage: &Storage) -> Result<()> {
        if !self.prepared.get() {
            sql::prepare(storage)?;
            self.prepared.set(true);
        }
        Ok(())
    }
}
