//! What is to be done next, and when. Derived from the session alone, so that an object that has forgotten everything but
//! its rows knows its duties again: there is no list of jobs that could disagree with the facts.

use super::{Leftovers, Phase, Session};
use upload_types::{cost::Cost, units::UnixMs};

/// A duty of the object, carried out in its alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// End the upload, or let go of a partial upload: its time is over. Of a live upload: nothing has come for so long that it is whole.
    Expire,
    /// Have the next batch of a concatenation copied.
    CopyNext,
    /// Have the next chunks of a file copied that is put together anew.
    Copy,
    /// Have the tail of a live upload that has ended put into its last part.
    StoreLastPart,
    /// Have R2 put the object together.
    Assemble,
    /// Have the next slice of the object read back.
    Verify,
    /// Have R2 let go of what is not to be kept.
    Cleanup,
    /// Have R2 let go of damaged objects that are not needed any more.
    Discard,
    /// Hand the event to the queue.
    EnqueueEvent,
    /// Tell the owner's ledger how the upload ended.
    NotifyLedger,
    /// Forget the upload.
    Purge,
}

impl Session {
    /// The earliest duty and its time; `None` where there is nothing left to do, which is so of what is held or public alone: the last
    /// duty is to forget.
    pub fn next_job(&self) -> Option<(UnixMs, Job)> {
        self.jobs().into_iter().flatten().min_by_key(|(due, _)| *due)
    }

    fn jobs(&self) -> [Option<(UnixMs, Job)>; 6] {
        let progress = &self.progress;
        let phase_job = match progress.phase {
            Phase::Open if self.is_concatenation() && progress.job_not_before < self.expires_at() => {
                Some((progress.job_not_before, Job::CopyNext))
            }
            Phase::Open if self.is_copying() && progress.job_not_before < self.expires_at() => {
                Some((progress.job_not_before, Job::Copy))
            }
            Phase::Open | Phase::Damaged => Some(match self.last_part_due_at() {
                Some(at) if at < self.expires_at() => (at, Job::StoreLastPart),
                _ => (self.ends_silent_at().unwrap_or_else(|| self.expires_at()), Job::Expire),
            }),
            Phase::Completing => Some((progress.job_not_before, Job::Assemble)),
            Phase::Verifying => Some((progress.job_not_before, Job::Verify)),
            Phase::Completed => self.partial_ends_at().map(|at| (at, Job::Expire)),
            _ => None,
        };
        let has_ended = progress.ended_at.is_some();
        let forgotten_at = self.forgotten_at();
        let sweep_again = progress.leftovers == Leftovers::SweptOnce;
        let to_free =
            (self.is_unwanted() && progress.holds_storage) || (has_ended && progress.leftovers == Leftovers::Unswept);
        let free_at = if to_free { Some(progress.job_not_before) } else { forgotten_at.filter(|_| sweep_again) };
        let free = free_at.map(|at| (at.max(progress.job_not_before), Job::Cleanup));
        let tell = self.outbox.next().map(|delivery| (delivery.next_send_at, Job::EnqueueEvent));
        // A partial upload counts for as long as it takes room.
        let counts_still = self.partial_ends_at().is_some();
        let told_at = progress.ended_at.max(progress.deleted_at).filter(|_| progress.owes_ledger && !counts_still);
        let settle = told_at.map(|at| (at.max(progress.ledger_backoff.not_before), Job::NotifyLedger));
        let has_discarded = !progress.damage.discarded.is_empty();
        let discard = has_discarded.then_some((progress.job_not_before, Job::Discard));
        // Nothing is forgotten that is still owed to R2, to the ledger or to the origin, that somebody is still to look at, or that everybody
        // gets: it is found through what is remembered.
        let nothing_owed = !self.is_held()
            && !self.is_public()
            && phase_job.is_none()
            && free.is_none()
            && settle.is_none()
            && tell.is_none()
            && discard.is_none();
        let forget_at = forgotten_at.map(|at| at.max(progress.ledger_backoff.not_before));
        let forget = forget_at.filter(|_| nothing_owed).map(|at| (at, Job::Purge));
        // Of what is due at the same time, what the origin and the owner wait for comes first.
        [phase_job, tell, settle, free, discard, forget]
    }

    /// What carrying out a duty costs that begins now.
    pub fn cost_of(&self, job: Job) -> Cost {
        match job {
            // What was put is only looked at.
            Job::Assemble if self.is_single_object() => Cost { r2_class_b: 1, ..Cost::NONE },
            Job::Assemble => Cost { r2_class_a: 1, ..Cost::NONE },
            Job::Cleanup => Cost { r2_class_a: self.may_have_leftovers().into(), ..Cost::NONE },
            // Written, read, deleted.
            Job::EnqueueEvent | Job::Verify | Job::CopyNext | Job::Copy | Job::StoreLastPart => {
                Cost { queue_operations: 3, ..Cost::NONE }
            }
            // The register hears of it, too.
            Job::NotifyLedger if self.registered_hold().is_some() => {
                Cost { object_requests: 2, rows_written: 2, ..Cost::NONE }
            }
            Job::NotifyLedger => Cost { object_requests: 1, rows_written: 1, ..Cost::NONE },
            // Deleting costs nothing, and what forgetting costs nobody can ask any more.
            Job::Expire | Job::Purge | Job::Discard => Cost::NONE,
        }
    }

    /// When the upload may be forgotten, once it has ended: a while after its end, or after its deletion, and not before the last
    /// link that was handed out has expired, since its object is found through what is remembered.
    pub fn forgotten_at(&self) -> Option<UnixMs> {
        let ended_at = self.progress.ended_at?.max(self.progress.deleted_at.unwrap_or_default());
        let linked_until = self.outbox.linked_until().filter(|_| self.stored_object().is_some()).unwrap_or_default();
        Some(ended_at.plus_ms(self.spec.policy.tombstone_ms).max(linked_until))
    }
}
