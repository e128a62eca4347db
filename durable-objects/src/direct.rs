//! The object's answers about parts that its client stores itself. What it hands out and counts the session decides; here each
//! number is stored before the next is handed out.

use crate::fault::Result;
use upload_core::{
    json,
    session::{Decision, Slot},
};
use worker::Response;

use crate::{
    rpc::{
        Command, answer,
        direct::{AssembleParts, FindSigned, RecordParts, SignParts},
    },
    upload_session_do::UploadSession,
};

impl UploadSession {
    /// Answers a command of `rpc::direct`, by its name.
    pub(crate) fn direct(&self, name: &str, body: &str) -> Result<Response> {
        match name {
            SignParts::NAME => self.sign_parts(&json::from_str(body)?),
            RecordParts::NAME => self.decide_then_show(body, |session, now, RecordParts(found)| {
                let Decision { answer, change } = session.record(now, found);
                Decision { answer: answer.map(drop), change }
            }),
            FindSigned::NAME => self.decide(body, |session, _, _: &FindSigned| session.signed()),
            AssembleParts::NAME => {
                self.decide_then_show(body, |session, now, AssembleParts(chosen)| session.assemble_of(now, chosen))
            }
            _ => Ok(Response::error("no such command", 404)?),
        }
    }

    fn sign_parts(&self, asked: &SignParts) -> Result<Response> {
        let mut slots = Vec::with_capacity(asked.0.len());
        for chunk in &asked.0 {
            match self.take(SignParts::NAME, None, &mut |session, now| session.sign(now, *chunk))? {
                Ok(slot) => slots.push(slot),
                Err(refusal) => return answer::<Vec<Slot>>(Err(refusal)),
            }
        }
        answer(Ok(slots))
    }
}
