//! Where an upload's file can be cut for a playlist: kept here for whoever asks next, found by whoever asked. What it means the Worker knows.
//!
//! One at a time looks, and only what that one brings is kept: it has been told what is kept, and nobody has changed that since. Nothing else
//! is derived of it, and it is derived of nothing but the bytes that count: what is lost is found again.

mod tables;

use std::cell::Cell;

use upload_types::{cost::Cost, units::UnixMs};
use worker::Response;

use crate::{
    platform::{clock::now, error::Result, metering::metered},
    rpc::upload::MAY_I_LOOK,
    upload::UploadSession,
};

/// So long somebody may look before the next one is let: 4 seconds, and as much for the calls around them.
const LONGEST_LOOK_MS: u64 = 8_000;

/// Until when somebody looks. It is in memory alone: where that is lost, what is found meanwhile is lost, too.
#[derive(Default)]
pub(crate) struct Looker(Cell<UnixMs>);

impl Looker {
    /// Lets somebody look, unless somebody does. What they have to say when they bring what they have found.
    fn let_in(&self, now: UnixMs) -> String {
        if self.0.get() > now {
            return String::new();
        }
        self.0.set(UnixMs(now.0 + LONGEST_LOOK_MS));
        self.right()
    }

    /// What whoever looks has to say. Nobody had said it before: another one is let in later.
    fn right(&self) -> String {
        self.0.get().0.to_string()
    }

    /// Whoever looks is done, or has looked at bytes that do not count any more.
    pub(crate) fn forget(&self) {
        self.0.set(UnixMs::default());
    }
}

impl UploadSession {
    /// Takes what was found, and answers with all that is kept; see [`crate::rpc::upload::keep_cuts`]. Whether whoever asks may read the file was found out before.
    pub(crate) fn keep_cuts(&self, said: &str) -> Result<Response> {
        let cost = Cost { object_requests: 1, ..Cost::NONE };
        self.take(cost, None, &mut |session, _| session.status())?;
        let right = if said == MAY_I_LOOK { self.looker.let_in(now()) } else { String::new() };
        let found = said.split_once('\n').filter(|(right, _)| *right == self.looker.right());
        if found.is_some() {
            self.looker.forget();
        }
        let (kept, rows) = metered(|| tables::keep(&self.state.storage().sql(), found.map_or("", |(_, found)| found)));
        self.charge(rows);
        Ok(Response::ok([&right, "\n", &kept?].concat())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_looks() {
        let looker = Looker::default();
        let first = looker.let_in(UnixMs(1_000));
        assert!(!first.is_empty());
        assert_eq!(looker.let_in(UnixMs(8_999)), "");
        // It has taken too long: what it brings is not that of whoever is let in then.
        let second = looker.let_in(UnixMs(9_000));
        assert_ne!(second, first);
        assert_eq!(looker.right(), second);
        looker.forget();
        assert_ne!(looker.right(), second);
        assert!(!looker.let_in(UnixMs(9_001)).is_empty());
    }
}
