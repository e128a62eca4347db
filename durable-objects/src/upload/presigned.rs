//! The object's answers about parts that its client stores itself. What it hands out and counts the session decides. Such an object
//! sleeps while the parts are under way, so with the numbers of a request goes the row that says how far the upload is, with its
//! cost and its trail.

use upload_core::{
    log_line::LogLine,
    session::{Decision, Session},
    units::{ByteCount, UnixMs},
    upload::Snapshot,
};
use worker::Response;

use crate::{
    platform::{
        error::Result,
        logging,
        metering::{BY_CLIENT, LISTING},
    },
    rpc::{
        Command, answer,
        direct::{AssembleParts, FindSigned, RecordParts, SignParts},
    },
    upload::UploadSession,
};

impl UploadSession {
    /// Answers a command of `rpc::direct`, by its name.
    pub(crate) fn direct(&self, name: &str, body: &str) -> Result<Response> {
        match name {
            SignParts::NAME => self.sign_parts(&serde_json::from_str(body)?),
            FindSigned::NAME => self.find_signed(&serde_json::from_str(body)?),
            RecordParts::NAME => self.count_parts(body, |session, now, RecordParts(found)| {
                let Decision { answer, change } = session.record(now, found);
                Decision { answer: answer.map(drop), change }
            }),
            AssembleParts::NAME => {
                self.count_parts(body, |session, now, AssembleParts(chosen)| session.assemble_of(now, chosen))
            }
            _ => Ok(Response::error("no such command", 404)?),
        }
    }

    fn sign_parts(&self, asked: &SignParts) -> Result<Response> {
        self.charge(BY_CLIENT);
        answer(self.take(SignParts::NAME, None, &mut |session, now| session.sign(now, &asked.0))?)
    }

    /// Whoever learns this asks R2 for them.
    fn find_signed(&self, _: &FindSigned) -> Result<Response> {
        let taken = self.take(FindSigned::NAME, None, &mut |session, _| session.signed())?;
        if !taken.numbers.is_empty() {
            self.charge(LISTING);
        }
        answer(taken)
    }

    fn count_parts<C: Command<Answer = Snapshot>>(
        &self,
        body: &str,
        rule: impl Fn(&Session, UnixMs, &C) -> Decision<()>,
    ) -> Result<Response> {
        let (bytes_before, mut counted_parts) = (self.counted_bytes(), 0);
        let shown = self.decide_then_show(body, |session, now, command: &C| {
            let decision = rule(session, now, command);
            counted_parts = decision.change.parts.len();
            decision
        })?;
        if let (1.., Some(session)) = (counted_parts, &*self.session.borrow()) {
            logging::info(&LogLine {
                bytes: Some(self.counted_bytes().saturating_sub(bytes_before)),
                parts: Some(counted_parts as u64),
                ..LogLine::of("parts_recorded", session.birth.id)
            });
        }
        Ok(shown)
    }

    fn counted_bytes(&self) -> ByteCount {
        self.session.borrow().as_ref().map_or(ByteCount::ZERO, Session::uploaded_bytes)
    }
}
