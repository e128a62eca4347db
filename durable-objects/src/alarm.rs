//! The object's one alarm: when it is set, and what is done about one that does not ring.
//!
//! * It is never armed later than the next duty, and may be armed earlier: a duty that moves away does not move the alarm, which
//!   would cost a row. One that rings early finds nothing due and is set to the next duty.
//! * The platform loses alarms (<https://github.com/cloudflare/cloudflare-docs/issues/18324>), and drops one for good whose handler
//!   has failed six times. So whoever asks an object whose duty is overdue sets the alarm again.
//! * In its own handler it is never set to now or before: such an alarm may not ring until the object is disturbed
//!   (<https://github.com/cloudflare/workerd/issues/6866>).

use std::cell::Cell;

use upload_core::{log_line::LogLine, session::Session, units::UnixMs};

use crate::{
    clock::{now, set_alarm},
    fault::Result,
    log,
    metering::{self, metered},
    upload_session_do::UploadSession,
};

/// When an alarm handler could not even store what it did, it comes back after half a minute.
const FALLBACK_MS: u64 = 30_000;

/// The handler sets the alarm to no earlier than this from now.
const SOONEST_MS: u64 = 1_000;

/// A duty so late is overdue: an alarm that works rings within moments.
const OVERDUE_MS: u64 = 5_000;

/// The same, for whoever asks for completion or delivery.
const OVERDUE_IF_WANTED_MS: u64 = 1_000;

/// So often an overdue alarm is set again, at most.
const SET_AGAIN_AFTER_MS: u64 = 30_000;

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

    fn is_ringing(&self, now: UnixMs) -> bool {
        self.ringing_since.get().is_some_and(|since| now.ms_since(since) < LONGEST_HANDLER_MS)
    }
}

impl UploadSession {
    /// The alarm's handler is done: the alarm is set to the next duty.
    pub(crate) fn rearm(&self) -> Result<()> {
        self.alarm.ringing_since.take();
        self.charge(metering::of_alarm());
        let loaded = self.load();
        let next = self.session.borrow().as_ref().and_then(Session::next_job);
        let at = match (next, loaded) {
            (Some((due, _)), _) => due.max(now().plus_ms(SOONEST_MS)),
            // Nothing to do any more, or forgotten for good.
            (None, Ok(())) => return Ok(()),
            (None, Err(_)) => now().plus_ms(FALLBACK_MS),
        };
        self.alarm.set(Some(at));
        set_alarm(&self.state, Some(at)).inspect_err(|error| {
            self.alarm.set(None);
            log::error(&LogLine { detail: Some(error.to_string()), ..log::fault("rearm") });
        })
    }

    /// Somebody asks. If the next duty is overdue, and nobody is at it, the alarm must have been lost.
    pub(crate) fn heal_alarm(&self) -> Result<()> {
        let now = now();
        let set_again_at = self.alarm.set_again_at.get();
        if set_again_at.is_none_or(|at| now.ms_since(at) >= SET_AGAIN_AFTER_MS) {
            self.set_overdue_alarm(now, OVERDUE_MS)?;
        }
        Ok(())
    }

    /// The same for somebody who wants the duty done, however often that is.
    pub(crate) fn force_alarm(&self) -> Result<()> {
        self.set_overdue_alarm(now(), OVERDUE_IF_WANTED_MS)
    }

    fn set_overdue_alarm(&self, now: UnixMs, overdue_ms: u64) -> Result<()> {
        let next = self.session.borrow().as_ref().and_then(|session| Some((session.birth.id, session.next_job()?)));
        let Some((upload, (due, job))) = next else { return Ok(()) };
        if self.alarm.is_ringing(now) || now.ms_since(due) < overdue_ms {
            return Ok(());
        }
        let (set, rows) = metered(|| set_alarm(&self.state, Some(now)));
        set?;
        self.charge(rows);
        self.alarm.set(Some(now));
        self.alarm.set_again_at.set(Some(now));
        let detail = format!("{job:?} was due {} ms ago", now.ms_since(due));
        log::info(&LogLine { detail: Some(detail), ..LogLine::of("alarm_overdue", upload) });
        Ok(())
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
