//! How an upload ends, how what was completed is deleted, and what follows: freeing, and settling with the ledger.
//!
//! | by whom | what is left | event |
//! |---|---|---|
//! | its client, unfinished | nothing: `Aborted` | `upload.aborted` |
//! | its clock, unfinished | nothing: `Expired` | `upload.expired` |
//! | its clock, damaged and not repaired | nothing: `Failed` | `upload.failed` |
//! | a client whom the application allows it, completed | nothing: `Deleted` | `upload.deleted`, after that of its completion |
//! | its origin, by its answer to the completion event, once every receiver has heard | `Completed` for good, without the bytes | none: the origin knows |
//! | its client, completed and held | nothing: `Deleted` | `upload.deleted`, after that it was held |
//! | who looked at what is held | nothing: `Failed` | `upload.rejected` |
//! | a client whom the application allows it, a duplicate | the object, which is another upload's: `Deleted` | `upload.deleted`, likewise |
//! | its client or its clock, a completed partial upload | nothing: `Deleted` | none: the origin never heard of it |

use super::{Backoff, Decision, Job, Phase, Session, StateChange, UploadState, backoff::pause_ms};
use crate::{event::EventKind, storage_fault::StorageFault};
use upload_types::{api_error::ApiError, chunk::Completion, ledger::Listing, units::UnixMs, upload::Purpose};

/// What somebody may delete of the uploads that are theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteRight {
    /// What is not complete.
    #[default]
    Unfinished,
    /// What is complete, too.
    Completed,
}

/// What the owner's ledger was told of an upload's object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ToldOfObject {
    is_listed: bool,
    is_there: bool,
}

impl Session {
    /// The client says that it has sent everything. Mostly it need not: the last byte has started completion already.
    pub fn complete(&self, now: UnixMs) -> Decision<()> {
        match self.progress.phase {
            Phase::Open if self.is_growing() => Decision::yes((), self.ended_here(now)),
            // Somebody has been asked already to put the last bytes where they belong.
            Phase::Open if self.last_part_due_at().is_some() => Decision::yes((), StateChange::none()),
            Phase::Open if self.waits_to_be_told() => {
                self.declare(now, self.uploaded_bytes(), None, Completion::WhenWhole)
            }
            // What is still to be copied is not the client's to send.
            Phase::Open if self.is_copying() && self.awaited_bytes().is_zero() => {
                Decision::yes((), StateChange::none())
            }
            Phase::Open => Decision::no(self.incomplete()),
            Phase::Damaged => Decision::no(self.damaged_refusal()),
            Phase::Completing | Phase::Verifying | Phase::Completed => Decision::yes((), StateChange::none()),
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => Decision::no(self.gone()),
        }
    }

    /// The client wants nothing of it to remain.
    pub fn cancel(&self, now: UnixMs, right: DeleteRight) -> Decision<()> {
        match self.progress.phase {
            Phase::Open | Phase::Damaged => {
                let reason = "The upload was cancelled.".to_owned();
                Decision::yes((), self.end(now, Phase::Aborted, EventKind::Aborted, Some(reason)))
            }
            // The object is being made at this moment; what would be freed is not known until it is.
            Phase::Completing | Phase::Verifying => Decision::no(ApiError::Completing),
            // A partial upload is no file yet. Whoever gives up what it was to be part of takes the partial uploads back, whole or not. Nor has
            // anybody got what is held.
            Phase::Completed
                if right == DeleteRight::Completed || self.spec.purpose == Purpose::Partial || self.is_held() =>
            {
                Decision::yes((), self.deleted(now, "The upload was deleted."))
            }
            Phase::Completed => Decision::no(not_permitted()),
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => Decision::no(self.gone()),
        }
    }

    /// Ends the upload if its time is over, and lets go of a partial upload. Asked before everything else, so that an alarm that is late
    /// changes nothing.
    pub fn expire_if_due(&self, now: UnixMs) -> Option<StateChange> {
        if self.partial_ends_at().is_some_and(|at| now >= at) {
            return Some(self.deleted(now, "The time in which it could be put together with others is over."));
        }
        if let Some(change) = self.unrepaired_if_due(now) {
            return Some(change);
        }
        if let Some(change) = self.end_silent_if_due(now) {
            return Some(change);
        }
        let expires_at = self.expires_at();
        // What has been recorded is not thrown away: it ends, once nobody can be at it any more.
        let is_recording = self.ends_silent_at().is_some();
        let due = self.progress.phase == Phase::Open && now >= expires_at && !is_recording;
        due.then(|| {
            let reason = format!("The upload was not complete by {}.", expires_at.rfc3339());
            self.end(now, Phase::Expired, EventKind::Expired, Some(reason))
        })
    }

    /// The origin has taken the object over. The upload stays complete, and only its bytes go.
    pub(super) fn taken(&self, now: UnixMs) -> StateChange {
        self.unwanted(now).into()
    }

    /// Nothing of a completed upload is wanted any more. Who has asked for that hears of it.
    fn deleted(&self, now: UnixMs, reason: &str) -> StateChange {
        let progress = UploadState { phase: Phase::Deleted, reason: Some(reason.to_owned()), ..self.unwanted(now) };
        let outbox = self.outbox.deleted(&self.hearing(EventKind::Deleted), now);
        let outbox = (outbox != self.outbox).then_some(outbox);
        StateChange { progress: Some(progress), outbox, ..StateChange::none() }
    }

    fn unwanted(&self, now: UnixMs) -> UploadState {
        UploadState {
            deleted_at: self.progress.deleted_at.or(Some(now)),
            leftovers: self.progress.leftovers.unswept(),
            // Of what shares an object the ledger knows nothing.
            owes_ledger: !self.shares_object(),
            job_failures: 0,
            job_not_before: now,
            ledger_backoff: Backoff::default(),
            ..self.progress.clone()
        }
    }

    /// Whether it has ended, and nothing is said of it any more but that.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.progress.phase, Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted)
    }

    /// Whether nothing of the upload is to remain in R2.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.is_gone() || self.progress.deleted_at.is_some()
    }

    /// What the owner's ledger is told of the object: that it is listed, and that others may share it.
    pub(crate) fn told_of_object(&self) -> ToldOfObject {
        ToldOfObject { is_listed: self.listing() != Listing::Gone, is_there: self.stored_object().is_some() }
    }

    /// The owner's ledger knows how the upload stood when it was told, and whether it had an object then. Where that has become unwanted
    /// since, or what was held is not any more, the ledger hears again.
    pub(crate) fn settled(&self, told: ToldOfObject) -> StateChange {
        let owes_ledger = told != self.told_of_object();
        UploadState { owes_ledger, ledger_backoff: Backoff::default(), ..self.progress.clone() }.into()
    }

    /// The ledger was told that the upload is about to be forgotten, and it is not: it is told once more how it stands.
    pub(crate) fn listed_again(&self) -> StateChange {
        UploadState { owes_ledger: true, ..self.progress.clone() }.into()
    }

    /// A duty has failed, for a reason that may pass: it is tried again after a pause. What R2 does not do keeps nobody from telling the
    /// ledger or the origin, and the other way round.
    pub(crate) fn postponed(&self, now: UnixMs, job: Job, error: &str) -> StateChange {
        match job {
            Job::Assemble => self.assembly_refused(now, StorageFault::Retry, error),
            Job::EnqueueEvent => self.outbox.next().map(|next| self.event_sent(now, next.id())).unwrap_or_default(),
            Job::NotifyLedger | Job::Purge => {
                let ledger_backoff = self.progress.ledger_backoff.after_failure(now);
                UploadState { ledger_backoff, ..self.progress.clone() }.into()
            }
            Job::Expire
            | Job::CopyNext
            | Job::Copy
            | Job::StoreLastPart
            | Job::Verify
            | Job::Cleanup
            | Job::Discard => self.postponed_progress(now).into(),
        }
    }

    pub(super) fn postponed_progress(&self, now: UnixMs) -> UploadState {
        UploadState {
            job_failures: self.progress.job_failures.saturating_add(1),
            job_not_before: now.plus_ms(pause_ms(self.progress.job_failures)),
            ..self.progress.clone()
        }
    }
}

fn not_permitted() -> ApiError {
    let detail = "The upload is complete. Deleting it takes a token in which the application says so (`quayside.delete`), or, \
                  where the deployment allows it, any token of its owner that has not expired.";
    ApiError::NotPermitted { detail: detail.to_owned() }
}
