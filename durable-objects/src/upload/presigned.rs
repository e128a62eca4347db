//! The object's answers about parts that its client stores itself. What it hands out and counts the session decides. Such an object
//! sleeps while the parts are under way, so with the numbers of a request goes the row that says how far the upload is, with its
//! cost and its history.

use crate::platform::telemetry::log_line::LogLine;
use upload_session::session::{Decision, Session};
use upload_types::{
    cost::Cost,
    units::{ByteCount, UnixMs},
};
use worker::Response;

use crate::{
    platform::{
        error::Result,
        logging,
        metering::{BY_CLIENT, LISTING},
    },
    rpc::{answer, direct::SignParts},
    upload::UploadSession,
};

impl UploadSession {
    /// Hands out the right to store parts.
    pub(crate) fn sign_parts(&self, cost: Cost, sign: &SignParts) -> Result<Response> {
        self.charge(BY_CLIENT);
        answer(self.take(cost, None, &mut |session, now| session.sign(now, &sign.0))?)
    }

    /// Whoever learns this asks R2 for them.
    pub(crate) fn find_signed(&self, cost: Cost) -> Result<Response> {
        let signed = self.take(cost, None, &mut |session, _| session.signed())?;
        if !signed.numbers.is_empty() {
            self.charge(LISTING);
        }
        answer(signed)
    }

    /// Counts parts, as a rule decides.
    pub(crate) fn count_parts(&self, cost: Cost, rule: impl Fn(&Session, UnixMs) -> Decision<()>) -> Result<Response> {
        let (bytes_before, mut counted_parts) = (self.counted_bytes(), 0);
        let shown = self.decide_then_show(cost, |session, now| {
            let decision = rule(session, now);
            counted_parts = decision.change.parts.len();
            decision
        })?;
        if let (1.., Some(session)) = (counted_parts, &*self.session.borrow()) {
            logging::chunk(&LogLine {
                bytes: Some(self.counted_bytes().saturating_sub(bytes_before)),
                parts: Some(counted_parts as u64),
                ..LogLine::of("parts_recorded", session.spec().id)
            });
        }
        Ok(shown)
    }

    fn counted_bytes(&self) -> ByteCount {
        self.session.borrow().as_ref().map_or(ByteCount::ZERO, Session::uploaded_bytes)
    }
}
