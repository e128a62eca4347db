//! The object's one alarm: when it is set, and what is done about one that does not ring.
//!
//! * It is never armed later than the next duty, and may be armed earlier: a duty that moves away does not move the alarm, which
//!   would cost a row. One that rings early finds nothing due and is set to the next duty.
//! * The platform loses alarms (<https://github.com/cloudflare/cloudflare-docs/issues/18324>), and drops one for good whose handler
//!   has failed six times. So whoever asks an object whose duty is overdue sets the alarm again.
//! * In its own handler it is never set to now or before: such an alarm may not ring until the object is disturbed
//!   (<https://github.com/cloudflare/workerd/issues/6866>).

use std::cell::Cell;

use upload_types::units::UnixMs;

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
    /// duty was due; but one that should have rung by now, and does not, may have been lost.
    pub(crate) fn must_ring_at(&self, now: UnixMs, was_due: Option<UnixMs>, is_due: Option<UnixMs>) -> Option<UnixMs> {
        let expected = was_due.filter(|due| *due > now || self.is_ringing(now));
        let armed_at = self.armed_at.get().or(expected);
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    #[allow(clippy::unnecessary_wraps, reason = "every case is about an instant that may be none")]
    fn at(seconds: i64) -> Option<UnixMs> {
        Some(UnixMs(NOW.0.checked_add_signed(seconds * 1000).unwrap()))
    }

    #[test]
    fn it_is_set_where_it_would_ring_too_late_or_may_have_been_lost() {
        let unknown = Alarm::default();
        assert_eq!(unknown.must_ring_at(NOW, at(60), at(90)), None, "it rings early");
        assert_eq!(unknown.must_ring_at(NOW, at(60), at(30)), at(30));
        assert_eq!(unknown.must_ring_at(NOW, None, at(30)), at(30));
        assert_eq!(unknown.must_ring_at(NOW, at(-1), at(0)), at(0), "it should have rung a second ago");
        assert_eq!(unknown.must_ring_at(NOW, at(-1), None), None);
    }

    #[test]
    fn what_is_known_of_it_counts() {
        let alarm = Alarm::default();
        alarm.set(at(30));
        assert_eq!(alarm.must_ring_at(NOW, at(-1), at(60)), None);
        assert_eq!(alarm.must_ring_at(NOW, at(-1), at(20)), at(20));
        alarm.rings(NOW);
        assert_eq!(alarm.must_ring_at(NOW, at(-1), at(0)), None, "its handler sets it when it is done");
    }
}
