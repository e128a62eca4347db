//! The object's one alarm: when it is set, and what is done about one that does not ring.
//!
//! * It is never armed later than the next duty, and may be armed earlier: a duty that moves away does not move the alarm, which
//!   would cost a row. One that rings early finds nothing due and is set to the next duty.
//! * The platform loses alarms (<https://github.com/cloudflare/cloudflare-docs/issues/18324>), and drops one for good whose handler
//!   has failed six times. So whoever asks an object whose duty is overdue sets the alarm again.
//! * In its own handler it is never set to now or before: such an alarm may not ring until the object is disturbed
//!   (<https://github.com/cloudflare/workerd/issues/6866>).

use std::cell::Cell;

use upload_core::units::UnixMs;

/// An alarm handler is ended by the platform after 15 minutes, without a word.
const LONGEST_HANDLER_MS: u64 = 900_000;

/// What is known of the alarm. In memory only: the platform has it, and may have lost it.
#[derive(Default)]
pub(crate) struct Alarm {
    /// When it rings; not known until it has been set here, and while it rings.
    armed_at: Cell<Option<UnixMs>>,
    /// Since when its handler runs.
    ringing_since: Cell<Option<UnixMs>>,
    /// When it was set again, since it had not rung.
    set_again_at: Cell<Option<UnixMs>>,
}

impl Alarm {
    /// Where it must be set, since the next duty was and is due then. Where it is not known when it rings, then no later than the next
    /// duty was due.
    pub(crate) fn must_ring_at(&self, was_due: Option<UnixMs>, is_due: Option<UnixMs>) -> Option<UnixMs> {
        let armed_at = self.armed_at.get().or(was_due);
        is_due.filter(|due| armed_at.is_none_or(|armed| *due < armed))
    }

    /// It has been set.
    pub(crate) fn set(&self, at: Option<UnixMs>) {
        self.armed_at.set(at);
    }

    /// It rings: its handler runs.
    pub(crate) fn rings(&self, now: UnixMs) {
        self.armed_at.set(None);
        self.ringing_since.set(Some(now));
    }

    /// Its handler is done.
    pub(crate) fn has_rung(&self) {
        self.ringing_since.take();
    }

    /// It has been set once more, since it had not rung.
    pub(crate) fn set_again(&self, now: UnixMs) {
        self.set(Some(now));
        self.set_again_at.set(Some(now));
    }

    /// When that was.
    pub(crate) fn set_again_at(&self) -> Option<UnixMs> {
        self.set_again_at.get()
    }

    /// Whether its handler runs.
    pub(crate) fn is_ringing(&self, now: UnixMs) -> bool {
        self.ringing_since.get().is_some_and(|since| now.ms_since(since) < LONGEST_HANDLER_MS)
    }
}
