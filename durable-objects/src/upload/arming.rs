//! Setting the object's alarm, at the end of its handler and where it was lost. What is known of it, and why, is in [`super::alarm`].

use crate::platform::telemetry::log_line::LogLine;
use upload_session::session::Session;
use upload_types::units::UnixMs;

use crate::{
    platform::{
        clock::{now, set_alarm},
        error::Result,
        logging,
        metering::{self, metered},
    },
    upload::UploadSession,
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

impl UploadSession {
    /// The alarm's handler is done: the alarm is set to the next duty.
    pub(crate) fn rearm(&self) -> Result<()> {
        self.alarm.has_rung();
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
            logging::error(&LogLine { detail: Some(error.to_string()), ..logging::fault("rearm") });
        })
    }

    /// Somebody asks. If the next duty is overdue, and nobody is at it, the alarm must have been lost.
    pub(crate) fn heal_alarm(&self) -> Result<()> {
        let now = now();
        let set_again_at = self.alarm.set_again_at();
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
        let next = self.session.borrow().as_ref().and_then(|session| Some((session.spec().id, session.next_job()?)));
        let Some((upload, (due, job))) = next else { return Ok(()) };
        if self.alarm.is_ringing(now) || now.ms_since(due) < overdue_ms {
            return Ok(());
        }
        let (set, rows) = metered(|| set_alarm(&self.state, Some(now)));
        set?;
        self.charge(rows);
        self.alarm.set_again(now);
        let detail = format!("{job:?} was due {} ms ago", now.ms_since(due));
        logging::info(&LogLine { detail: Some(detail), ..LogLine::of("alarm_overdue", upload) });
        Ok(())
    }
}
