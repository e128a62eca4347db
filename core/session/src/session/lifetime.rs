//! How long an unfinished upload lives: for `Policy::ttl_ms` after its uploader was last seen at work, and never longer than
//! [`LATEST_END_MS`] after its creation.
//!
//! "Seen at work" is derived from rows that are written anyway: when the last part or segment was counted, and when the last
//! attempt began. Where there is no such row, [`UploadState::seen_at`](super::UploadState::seen_at) says it. So moving the end costs no
//! row of its own, and the alarm is not moved with it: one that rings early finds nothing due and is set to the new end.

use super::{Content, Phase, Session, StateChange, UploadState};
use upload_types::units::UnixMs;

/// The longest life of an unfinished upload, however busy it is: 6.5 days. R2 drops unfinished multipart uploads 7 days after they
/// were opened (<https://developers.cloudflare.com/r2/buckets/object-lifecycles/>).
pub const LATEST_END_MS: u64 = 561_600_000;

/// For an attempt whose begin is written without the progress, the progress is written too once so much of the time to live is over.
const SEEN_SHARE: u64 = 4;

impl super::UploadSpec {
    /// It ends by then, whatever happens.
    pub fn latest_end(&self) -> UnixMs {
        self.created_at.plus_ms(LATEST_END_MS)
    }
}

impl Session {
    /// When the upload ends, unless bytes come in before or it is complete by then; a damaged one, unless it is repaired. A live one that
    /// lacks nothing but its last part has all the time there is for that.
    pub(crate) fn expires_at(&self) -> UnixMs {
        if self.last_part_due_at().is_some() {
            return self.spec.latest_end();
        }
        let damaged_until = self.progress.damage.until.filter(|_| self.progress.phase == Phase::Damaged);
        damaged_until.unwrap_or_else(|| self.expires_at_if_seen(self.last_seen_at()))
    }

    /// When it would end, had its uploader been seen at work then for the last time.
    pub(super) fn expires_at_if_seen(&self, at: UnixMs) -> UnixMs {
        at.plus_ms(self.spec.policy.ttl_ms).min(self.spec.latest_end())
    }

    /// When its uploader was last seen at work.
    pub(super) fn last_seen_at(&self) -> UnixMs {
        let begun_at = self.progress.lease.map(|lease| lease.begun_at).unwrap_or_default();
        self.progress.seen_at.max(begun_at).max(self.content.last_stored_at())
    }

    /// Its uploader is at work, and no row says so: it has asked for the right to store parts itself, or must store some again.
    pub(super) fn seen(&self, now: UnixMs) -> UploadState {
        UploadState { seen_at: now.max(self.progress.seen_at), ..self.progress.clone() }
    }

    /// Says in a change that begins an attempt that its uploader is at work. Only where it is needed: most attempts end, and are
    /// counted, long before the time is over.
    pub(super) fn note_seen(&self, now: UnixMs, change: &mut StateChange) {
        let is_recent = now < self.last_seen_at().plus_ms(self.spec.policy.ttl_ms / SEEN_SHARE);
        if self.progress.phase == Phase::Open && !is_recent && change.progress.is_none() {
            change.progress = Some(self.seen(now));
        }
    }
}

impl Content {
    /// When the newest of the counted bytes were counted.
    fn last_stored_at(&self) -> UnixMs {
        match self {
            Self::Sequence(sequence) => {
                let part_at = sequence.last_part.as_ref().map(|part| part.stored_at).unwrap_or_default();
                let segment_at = sequence.last_segment.as_ref().map(|segment| segment.stored_at).unwrap_or_default();
                part_at.max(segment_at)
            }
            Self::Parallel(parallel_chunks) => parallel_chunks.last_stored_at(),
        }
    }
}
