//! Where an upload's file can be cut for a playlist: kept here for whoever asks next, found by whoever asked. What it means the Worker knows.
//!
//! One at a time looks, and only what that one brings is kept: it has been told what is kept, and nobody has changed that since. Nothing else
//! is derived of it, and it is derived of nothing but the bytes that count: what is lost is found again.

mod tables;

use std::cell::{Cell, RefCell};

use upload_types::{cost::Cost, units::UnixMs};
use worker::Response;

use crate::{
    platform::{clock::now, error::Result, metering::metered},
    rpc::upload::{MAY_I_LOOK, NOTHING_NEW},
    upload::UploadSession,
};

/// So long somebody may look before the next one is let: 4 seconds, and as much for the calls around them.
const LONGEST_LOOK_MS: u64 = 8_000;

/// Who looks. It is in memory alone: where that is lost, what is found meanwhile is lost, too.
#[derive(Default)]
pub(crate) struct Looker {
    /// What whoever looks has to say: when they were let in. Zero where nobody looks.
    right: Cell<UnixMs>,
    /// What they look at: how much is there.
    looked_at: RefCell<String>,
    /// The same of somebody who has found nothing new. Nobody else looks at that.
    seen: RefCell<String>,
}

impl Looker {
    /// Lets somebody look at what is there, unless somebody looks, or has seen that there is nothing new. What they have to say when they
    /// bring what they have found.
    fn let_in(&self, there: &str, now: UnixMs) -> String {
        if *self.seen.borrow() == there {
            return NOTHING_NEW.to_owned();
        }
        if now.0 < self.right.get().0 + LONGEST_LOOK_MS {
            return String::new();
        }
        self.right.set(now);
        there.clone_into(&mut self.looked_at.borrow_mut());
        now.0.to_string()
    }

    /// Whether this one may bring what they have found, which they may once.
    fn lets_out(&self, right: &str, found: &str) -> bool {
        let looks_since = self.right.get();
        let is_right = looks_since != UnixMs::default() && right == looks_since.0.to_string();
        if is_right {
            let looked_at = self.looked_at.take();
            self.forget();
            if found.is_empty() {
                self.seen.replace(looked_at);
            }
        }
        is_right
    }

    /// Whoever looks has looked at bytes that do not count any more.
    pub(crate) fn forget(&self) {
        self.right.set(UnixMs::default());
        self.seen.borrow_mut().clear();
    }
}

impl UploadSession {
    /// Takes what was found, and answers with all that is kept; see [`crate::rpc::upload::keep_cuts`]. Whether whoever asks may read the file was found out before.
    pub(crate) fn keep_cuts(&self, said: &str) -> Result<Response> {
        let cost = Cost { object_requests: 1, ..Cost::NONE };
        self.take(cost, None, &mut |session, _| session.status())?;
        let right = said.strip_prefix(MAY_I_LOOK).map_or(String::new(), |there| self.looker.let_in(there, now()));
        let found = said.split_once('\n').filter(|(right, found)| self.looker.lets_out(right, found));
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
        let first = looker.let_in("100", UnixMs(10_000));
        assert!(!first.is_empty());
        assert_eq!(looker.let_in("200", UnixMs(17_999)), "");
        // It has taken too long: what it brings is not that of whoever is let in then.
        let second = looker.let_in("200", UnixMs(18_000));
        assert!(!looker.lets_out(&first, "found"));
        assert!(looker.lets_out(&second, "found"));
        assert!(!looker.lets_out(&second, "found"), "once");
        assert!(!looker.lets_out("0", ""), "nobody looks");
    }

    #[test]
    fn nobody_looks_where_nothing_is_new() {
        let looker = Looker::default();
        let first = looker.let_in("100", UnixMs(10_000));
        assert!(looker.lets_out(&first, "found"));
        let second = looker.let_in("100", UnixMs(10_001));
        assert!(looker.lets_out(&second, ""), "there may have been more than it could look at");
        assert_eq!(looker.let_in("100", UnixMs(10_002)), NOTHING_NEW);
        let third = looker.let_in("200", UnixMs(10_003));
        looker.forget();
        assert!(!looker.lets_out(&third, "found"), "it has looked at bytes that are given up");
        assert!(!looker.let_in("100", UnixMs(10_004)).is_empty());
    }
}
