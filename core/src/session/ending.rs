//! How an upload ends, and what follows: assembling the object, freeing what R2 holds, telling the origin.

use super::{Change, Decision, Phase, Progress, Session};
use crate::{
    event::{Delivery, EventKind, RetryPolicy, Verdict},
    integrity::Crc64Nvme,
    refusal::Refusal,
    units::UnixMs,
};

/// The longest pause before a failed duty in R2 is tried again: an hour.
const LONGEST_BACKOFF_SECONDS: u64 = 3_600;

impl Session {
    /// The client says that it has sent everything. It needs not: the last byte has started completion already.
    pub fn complete(&self) -> Decision<()> {
        match self.progress.phase {
            Phase::Open => Decision::no(self.incomplete()),
            Phase::Completing | Phase::Verifying | Phase::Completed => Decision::yes((), Change::none()),
            Phase::Failed | Phase::Aborted | Phase::Expired => Decision::no(self.gone()),
        }
    }

    /// The client wants nothing of it to remain.
    pub fn cancel(&self, now: UnixMs) -> Decision<()> {
        match self.progress.phase {
            Phase::Open => {
                let reason = "The upload was cancelled.".to_owned();
                Decision::yes((), self.end(now, Phase::Aborted, EventKind::Aborted, Some(reason)))
            }
            // The object is being made at this moment; what would be freed is not known until it is.
            Phase::Completing | Phase::Verifying => Decision::no(Refusal::Completing),
            Phase::Completed if !self.progress.discard => Decision::yes((), self.discarded(now)),
            Phase::Completed | Phase::Failed | Phase::Aborted | Phase::Expired => Decision::no(self.gone()),
        }
    }

    /// Ends the upload if its time is over, and lets go of a piece. Asked before everything else, so that an alarm that is late
    /// changes nothing.
    pub fn expire_if_due(&self, now: UnixMs) -> Option<Change> {
        if self.piece_ends_at().is_some_and(|at| now >= at) {
            return Some(self.discarded(now));
        }
        let due = self.progress.phase == Phase::Open && now >= self.birth.expires_at;
        due.then(|| {
            let reason = format!("The upload was not complete by {}.", self.birth.expires_at.rfc3339());
            self.end(now, Phase::Expired, EventKind::Expired, Some(reason))
        })
    }

    /// The CRC of the whole file, combined from those of its parts: whether it is the declared one, where one was.
    pub fn crc64nvme_mismatch(&self, actual: Crc64Nvme) -> Option<String> {
        let declared = self.birth.file.crc64nvme?;
        (declared != actual).then(|| Refusal::FileDigestMismatch { actual: format!("crc64nvme {actual}") }.to_string())
    }

    /// R2 has the whole object: this is the moment at which the upload is complete, unless it must be read back first.
    pub fn assembled(&self, now: UnixMs, etag: String, crc64nvme: Crc64Nvme) -> Change {
        let mut change = if self.must_be_read_back() {
            Progress { phase: Phase::Verifying, job_failures: 0, job_not_before: now, ..self.progress.clone() }.into()
        } else {
            self.end(now, Phase::Completed, EventKind::Completed, None)
        };
        if let Some(progress) = &mut change.progress {
            progress.etag = Some(etag);
            progress.crc64nvme = Some(crc64nvme);
        }
        change
    }

    /// R2 will never have the whole object.
    pub fn unassembled(&self, now: UnixMs, reason: String) -> Change {
        self.end(now, Phase::Failed, EventKind::Failed, Some(reason))
    }

    /// R2 has let go of everything that was not to be kept when it was asked.
    ///
    /// A completed object may have become unwanted since then, while only segments were being freed; so it is let go of
    /// in a second go. And segments are looked for a second time when the upload is forgotten, since an attempt that was
    /// writing one when the upload ended may finish after the first time.
    pub fn freed(&self) -> Change {
        let Progress { phase, holds_storage, holds_segments, segments_swept, .. } = self.progress;
        let is_first_sweep = holds_segments && !segments_swept;
        let to_free_storage = holds_storage && self.is_unwanted();
        let only_segments = is_first_sweep && phase == Phase::Completed;
        Progress {
            holds_storage: holds_storage && (only_segments || !to_free_storage),
            holds_segments: holds_segments && (is_first_sweep || to_free_storage),
            segments_swept: holds_segments,
            job_failures: 0,
            ..self.progress.clone()
        }
        .into()
    }

    /// The owner's ledger knows how the upload stood when it was told. An object that has become unwanted since then is
    /// still in R2: it hears again once that is gone.
    pub fn settled(&self) -> Change {
        let owes_ledger = self.progress.discard && self.progress.holds_storage;
        Progress { owes_ledger, job_failures: 0, ..self.progress.clone() }.into()
    }

    /// A duty in R2 failed for a passing reason: try again after a pause that doubles from one second up to an hour.
    pub fn postponed(&self, now: UnixMs) -> Change {
        let seconds = (1_u64 << self.progress.job_failures.min(12)).min(LONGEST_BACKOFF_SECONDS);
        Progress {
            job_failures: self.progress.job_failures.saturating_add(1),
            job_not_before: now.plus_ms(seconds * 1000),
            ..self.progress.clone()
        }
        .into()
    }

    /// The event has been handed to the queue, or could not be: either way, look again later.
    pub fn event_sent(&self, now: UnixMs) -> Change {
        self.delivery_changed(|delivery| delivery.sent(now, self.birth.policy.resend_ms))
    }

    /// An attempt at delivering begins that lasts at most `attempt_ms`. `None`: there is nothing to deliver any more.
    pub fn delivery_begun(&self, now: UnixMs, attempt_ms: u64) -> Option<Change> {
        use crate::event::DeliveryState::Queued;
        self.delivery.as_ref().filter(|delivery| delivery.state == Queued)?;
        Some(self.delivery_changed(|delivery| delivery.begun(now, attempt_ms, self.birth.policy.resend_ms)))
    }

    /// The origin has acknowledged the event, and may want the object gone.
    pub fn delivered(&self, now: UnixMs, discard: bool) -> Change {
        let mut change = self.delivery_changed(Delivery::acknowledged);
        if discard && self.progress.phase == Phase::Completed && !self.progress.discard {
            change.progress = self.discarded(now).progress;
        }
        change
    }

    /// The origin did not acknowledge the event.
    pub fn undelivered(&self, now: UnixMs, policy: RetryPolicy, asked_seconds: Option<u32>) -> (Verdict, Change) {
        let Some(delivery) = &self.delivery else { return (Verdict::Settled, Change::none()) };
        let (after, verdict) = delivery.refused(now, policy, asked_seconds, self.birth.policy.resend_ms);
        (verdict, Change { delivery: Some(after), ..Change::none() })
    }

    /// An operator wants the event sent again.
    pub fn redeliver(&self, now: UnixMs) -> Decision<()> {
        match self.delivery.as_ref().and_then(|delivery| delivery.again(now)) {
            Some(delivery) => Decision::yes((), Change { delivery: Some(delivery), ..Change::none() }),
            None => Decision::no(Refusal::NothingToRedeliver),
        }
    }

    /// Whether nothing of the upload is to remain in R2.
    pub fn is_unwanted(&self) -> bool {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired => true,
            Phase::Completed => self.progress.discard,
            Phase::Open | Phase::Completing | Phase::Verifying => false,
        }
    }

    fn discarded(&self, now: UnixMs) -> Change {
        Progress {
            discard: true,
            segments_swept: false,
            owes_ledger: true,
            job_failures: 0,
            job_not_before: now,
            ..self.progress.clone()
        }
        .into()
    }

    fn delivery_changed(&self, to: impl FnOnce(&Delivery) -> Delivery) -> Change {
        Change { delivery: self.delivery.as_ref().map(to), ..Change::none() }
    }
}
