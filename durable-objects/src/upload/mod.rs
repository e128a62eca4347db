//! The object of one upload: takes its decisions one at a time, stores them, and does its duties.
//!
//! Promises:
//! * An answer is given after what it says has been stored: the platform holds every answer back until the writes before
//!   it are durable.
//! * Between reading the session and storing its change there is no `await`, so no two decisions are ever taken on the same
//!   facts. That, not single-threading, is what makes the object a lock: while it waits for R2, others come in.
//! * The alarm is set no later than the next duty, in the same transaction as the fact that made it one, or else it is ringing and
//!   is set at its end: [`crate::upload::alarm`]. An alarm handler returns no error, unless that fails: after six the platform would drop
//!   the alarm for good.

#![allow(missing_docs, reason = "#[durable_object] expands to public methods without documentation")]

pub(crate) mod alarm;
mod arming;
pub(crate) mod arrivals;
pub(crate) mod begin;
pub(crate) mod charge;
pub(crate) mod commands;
pub(crate) mod create;
pub mod enqueue;
pub(crate) mod facts;
mod growing;
pub(crate) mod history;
mod multipart;
mod playlist;
pub(crate) mod presigned;
pub(crate) mod queries;
mod repair;
mod ring;
mod rows;
pub(crate) mod storage;
pub(crate) mod tables;
pub(crate) mod wait;
pub(crate) mod watchers;

use std::{cell::RefCell, rc::Rc};

use crate::platform::error::Result;
use serde::Serialize;
use upload_session::session::{Decision, Session, StateChange, Uncount};
use upload_types::{api_error::ApiError, cost::Cost, units::UnixMs, upload::Snapshot};
use worker::{DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage, durable_object};

use crate::{
    platform::{
        clock::{now, set_alarm},
        logging,
        metering::metered,
        object_storage::ObjectStorage,
        sockets,
    },
    rpc::{answer, respond},
    upload::{alarm::Alarm, arrivals::RequestOrder, history::HistoryRecorder, tables::Stored, watchers::Watchers},
};

/// When the alarm is set for the next duty. Each setting is charged for as a row.
#[derive(Clone, Copy)]
pub(crate) enum Arm {
    /// In one transaction with the change that makes it due.
    WithTheChange,
    /// The alarm is ringing, and is set when its handler is done; until then the platform runs it again should it die.
    WhenAllIsDone,
}

/// The object of one upload.
#[durable_object]
pub struct UploadSession {
    pub(crate) state: Rc<State>,
    pub(crate) watchers: Watchers,
    env: Env,
    /// The session as it is stored; none until it has been read, or where there is none.
    pub(crate) session: RefCell<Option<Session>>,
    pub(crate) history: HistoryRecorder,
    pub(crate) arrivals: RequestOrder,
    pub(crate) alarm: Alarm,
    looker: playlist::Looker,
}

impl DurableObject for UploadSession {
    fn new(state: State, env: Env) -> Self {
        logging::bind(&env);
        let state = Rc::new(state);
        Self {
            watchers: Watchers::new(Rc::clone(&state)),
            state,
            env,
            session: RefCell::new(None),
            history: HistoryRecorder::default(),
            arrivals: RequestOrder::default(),
            alarm: Alarm::default(),
            looker: playlist::Looker::default(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        respond(self.asked(request).await)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.rings(now());
        self.ring().await;
        // Crash here, or anywhere above: the platform runs the alarm again, and the duties are derived from the facts anew.
        self.rearm()?;
        Response::empty()
    }

    /// Nothing that a watcher says means anything.
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

impl UploadSession {
    /// Brings the session into memory, unless it is there.
    pub(crate) fn load(&self) -> Result<()> {
        if self.session.borrow().is_none() {
            let (loaded, rows) = metered(|| tables::load(&self.state.storage(), now()));
            if let Some(Stored { session, history }) = loaded? {
                self.history.restore(history);
                *self.session.borrow_mut() = Some(session);
            }
            self.charge(rows);
        }
        Ok(())
    }

    /// Takes a decision, stores what it changes, and answers. No `await` in between.
    pub(crate) fn decide<T: Serialize>(
        &self,
        cost: Cost,
        mut rule: impl FnMut(&Session, UnixMs) -> Decision<T>,
    ) -> Result<Response> {
        answer(self.take(cost, None, &mut rule)?)
    }

    /// The same, answering with how the upload stands then.
    pub(crate) fn decide_then_show(
        &self,
        cost: Cost,
        mut rule: impl FnMut(&Session, UnixMs) -> Decision<()>,
    ) -> Result<Response> {
        self.take(cost, None, &mut rule)?;
        answer(self.snapshot()?)
    }

    /// How the upload stands.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.session.borrow().as_ref().map(Session::snapshot).ok_or(ApiError::UploadNotFound)?)
    }

    /// The decision that a rule takes, stored. `cost` is that of the command, beside its rows.
    pub(crate) fn take<T>(
        &self,
        cost: Cost,
        content: Option<&[u8]>,
        rule: &mut dyn FnMut(&Session, UnixMs) -> Decision<T>,
    ) -> Result<T> {
        let mut answer = Err(ApiError::UploadNotFound);
        self.store_if_there(cost, content, &mut |session, now| {
            let decision = rule(session, now);
            answer = decision.answer;
            decision.change
        })?;
        if let Err(refusal) = &answer {
            self.history.refused(now(), self.session.borrow().as_ref(), refusal);
        }
        Ok(answer?)
    }

    /// What all commands share.
    fn store_if_there(
        &self,
        cost: Cost,
        content: Option<&[u8]>,
        rule: &mut dyn FnMut(&Session, UnixMs) -> StateChange,
    ) -> Result<()> {
        self.load()?;
        self.charge(cost);
        let now = now();
        if self.session.borrow().is_none() {
            return Ok(());
        }
        self.store_with(None, Arm::WithTheChange, &mut |session| session.expire_if_due(now).unwrap_or_default())?;
        self.store_with(content, Arm::WithTheChange, &mut |session| rule(session, now))
    }

    /// Somebody asks. What was put off is brought forward, since somebody waits for it, and an alarm that was lost is set again.
    pub(crate) fn look_after_duties(&self) -> Result<()> {
        let now = now();
        self.store_with(None, Arm::WithTheChange, &mut |session| session.hurried(now))?;
        self.heal_alarm()
    }

    /// Stores what a rule changes, sets the alarm if the next duty comes before it rings, and only then believes it.
    pub(crate) fn store_with(
        &self,
        content: Option<&[u8]>,
        arm: Arm,
        rule: &mut dyn FnMut(&Session) -> StateChange,
    ) -> Result<()> {
        let mut slot = self.session.borrow_mut();
        let Some(session) = slot.as_mut() else { return Ok(()) };
        let (change, now) = (rule(session), now());
        if change.is_only_in_memory() {
            session.apply(change);
            return Ok(());
        }
        let mut after = session.clone();
        after.apply(change.clone());
        let due = |session: &Session| session.next_job().map(|(due, _)| due);
        let ring_at = match arm {
            Arm::WithTheChange => self.alarm.must_ring_at(now, due(session), due(&after)),
            Arm::WhenAllIsDone => None,
        };
        if change.uncount != Uncount::Nothing {
            self.looker.forget();
        }
        let history = self.history.changed(now, session, &change, &after);
        let (stored, rows) = metered(|| {
            tables::store(&self.state.storage(), session, &change, &history, content, || {
                set_alarm(&self.state, ring_at)
            })
        });
        stored?;
        after.charge(rows);
        if ring_at.is_some() {
            self.alarm.set(ring_at);
        }
        // Crash here: the rows say it, and whoever reads them next knows it. The answer was not given yet.
        if after.phase() != session.phase() {
            logging::phase(&after);
        }
        self.watchers.stored(session, &after);
        *session = after;
        Ok(())
    }

    /// Counts what something costs. It is stored with the next row that says how far the upload is.
    pub(crate) fn charge(&self, cost: Cost) {
        if let Some(session) = &mut *self.session.borrow_mut() {
            session.charge(cost);
        }
    }

    pub(crate) fn bucket(&self) -> Result<ObjectStorage> {
        ObjectStorage::open(&self.env)
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }
}
