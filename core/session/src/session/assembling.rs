//! R2 puts the object together, or does not. What becomes of an upload whose object it refuses is decided in one place:
//! [`Session::assembly_refused`]. All bytes have arrived by then, so nothing is given up that may still be had; and nothing waits for
//! ever.

use super::{Phase, Session, StateChange, UploadState};
use crate::{event::EventKind, storage_fault::StorageFault};
use upload_types::{integrity::Crc64Nvme, units::UnixMs};

/// For so long what looks lost is asked for again: ten minutes. R2 may be in the middle of what it says that it does not have.
const LOOKS_LOST_MS: u64 = 600_000;

/// For so long after its last byte an upload waits for somebody to repair what makes R2 refuse: a day.
const REPAIR_MS: u64 = 86_400_000;

/// Clients that wait bring the next try forward, but there is none sooner after the one before.
const SHORTEST_PAUSE_MS: u64 = 5_000;

impl Session {
    /// The CRC that the whole file has, combined from those of its parts, instead of the declared one; `None` where none was declared,
    /// or it is right.
    pub(super) fn crc64nvme_mismatch(&self, actual: Crc64Nvme) -> Option<String> {
        let declared = self.spec.file.crc64nvme?;
        (declared != actual).then(|| format!("crc64nvme {actual}"))
    }

    /// R2 has the whole object: this is the moment at which the upload is complete, unless it must be read back first, or is known to be
    /// damaged. Nothing more is copied from an object of before.
    pub(crate) fn assembled(&self, now: UnixMs, etag: String, crc64nvme: Crc64Nvme) -> StateChange {
        let found = self.progress.damage.found.clone().or_else(|| self.crc64nvme_mismatch(crc64nvme));
        let mut change = if let Some(actual) = found {
            self.damaged(now, &actual)
        } else if self.must_be_read_back() {
            let (progress, damage) = (self.progress.clone(), self.progress.damage.without_source());
            let phase = Phase::Verifying;
            UploadState { phase, job_failures: 0, job_not_before: now, refused_since: None, damage, ..progress }.into()
        } else {
            self.whole(now)
        };
        if let Some(progress) = &mut change.progress {
            progress.etag = Some(etag);
            progress.crc64nvme = Some(crc64nvme);
        }
        change
    }

    /// R2 has the whole object, and it is not what it must be.
    pub(crate) fn unassembled(&self, now: UnixMs, reason: String) -> StateChange {
        self.end(now, Phase::Failed, EventKind::Failed, Some(reason))
    }

    /// R2 has not put the object together, and does not have it: for this reason, in these words. It is tried again, with a pause
    /// that grows; or that was the last try.
    ///
    /// What passes (R2 is down, or busy) is waited for as long as R2 keeps the parts. What somebody must repair (a bucket's lock, a
    /// subscription that has ended) is waited for a day. What looks lost may be there all the same, and is asked for several
    /// times.
    pub(crate) fn assembly_refused(&self, now: UnixMs, fault: StorageFault, error: &str) -> StateChange {
        let before = &self.progress;
        let refused_since = before.refused_since.unwrap_or(now);
        let looked_for_until = refused_since.plus_ms(LOOKS_LOST_MS);
        let (gives_up_at, reason) = match fault {
            StorageFault::Retry | StorageFault::ClientLeft => {
                let reason = format!("Storage could not put the object together in time: {error}");
                return self.assembly_postponed(now, reason);
            }
            StorageFault::Refused | StorageFault::Misfit => {
                let repaired_until = self.last_seen_at().plus_ms(REPAIR_MS);
                (looked_for_until.max(repaired_until), format!("Storage refuses to put the object together: {error}"))
            }
            StorageFault::Gone => (looked_for_until, "Storage has dropped the unfinished upload.".to_owned()),
            StorageFault::Damaged => (looked_for_until, format!("Storage has lost a part of the upload: {error}")),
        };
        // Asked once more, it says the same: of a part whose number was used before, that is no wonder, and it can come again.
        if fault == StorageFault::Damaged
            && before.refused_since.is_some()
            && let Some(reopened) = self.reopen_suspects(now, error)
        {
            return reopened;
        }
        if now >= gives_up_at {
            return self.unassembled(now, reason);
        }
        let again = self.postponed_progress(now);
        // The pauses begin anew with the first refusal: those before it may have grown to an hour.
        let is_first = before.refused_since.is_none();
        let job_failures = if is_first { 1 } else { again.job_failures };
        let job_not_before = if is_first { now.plus_ms(1_000) } else { again.job_not_before };
        let (refused_since, tried_at) = (Some(refused_since), Some(now));
        UploadState { job_failures, job_not_before, tried_at, refused_since, ..again }.into()
    }

    fn assembly_postponed(&self, now: UnixMs, reason: String) -> StateChange {
        if now >= self.spec.latest_end() {
            return self.unassembled(now, reason);
        }
        UploadState { refused_since: None, tried_at: Some(now), ..self.postponed_progress(now) }.into()
    }

    /// Somebody asks for an upload whose object R2 could not put together before: the next try need not wait for the pause that has
    /// grown meanwhile.
    pub fn hurried(&self, now: UnixMs) -> StateChange {
        let progress = &self.progress;
        let Some(tried_at) = progress.tried_at.filter(|_| progress.phase == Phase::Completing) else {
            return StateChange::none();
        };
        let job_not_before = tried_at.plus_ms(SHORTEST_PAUSE_MS).max(now);
        if job_not_before >= progress.job_not_before {
            return StateChange::none();
        }
        UploadState { job_not_before, ..progress.clone() }.into()
    }
}
