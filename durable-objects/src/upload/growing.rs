//! Where the bytes of a live upload are, as far as they count.

use upload_session::session::{Decision, Growing, RemainderSource, StateChange};
use upload_types::{cost::Cost, units::ByteCount};
use worker::Response;

use crate::{
    platform::{error::Result, metering::metered},
    rpc::answer,
    upload::{UploadSession, tables},
};

impl UploadSession {
    /// Answers where the bytes from `from` on are, and no further than to `to`.
    pub(crate) fn growing(&self, cost: Cost, from: ByteCount, to: Option<ByteCount>) -> Result<Response> {
        let wanted = self.take(cost, None, &mut |session, _| {
            let answer = session.growing(from);
            Decision { answer, change: StateChange::none() }
        })?;
        let mut read = Cost::NONE;
        let mut growing = Growing { now: self.snapshot()?, from, sources: Vec::new() };
        if let Some(session) = &*self.session.borrow() {
            let (found, rows) = metered(|| tables::growing(&self.state.storage(), session, wanted, from));
            (growing.from, growing.sources) = found?;
            read = rows;
        }
        let mut end = growing.from.get();
        growing.sources.retain(|source| {
            let is_wanted = to.is_none_or(|to| end < to.get());
            end += source.bytes().get();
            is_wanted
        });
        let r2_class_b =
            growing.sources.iter().filter(|source| matches!(source, RemainderSource::Object { .. })).count();
        self.charge(Cost { r2_class_b: r2_class_b as u64, ..read });
        answer(growing)
    }
}
