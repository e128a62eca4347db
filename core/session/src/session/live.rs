//! A live upload: a recording that is still being made. R2 does not give out the parts of an unfinished multipart upload, so every part
//! is stored twice, from one pass over its bytes: as the part that becomes the object, and as an object of its own, which can be read at once.
//! A part counts once both are there. What counts and fills no part yet lies in the tail, which can be read as it is. So every byte that
//! is acknowledged can be read from then on, and at the end nothing has to be copied: the parts are put together as those of any other
//! upload, and the copies go.
//!
//! A copy is found by its part's number. Two writers never write under the same number at the same time (see `part_numbers`), so the copy
//! is that of the part that counts.
//!
//! A recorder may die. When nothing has come for as long as the creation said, or for as long as any upload is kept, what is there is the
//! recording from then on, *truncated*: its length is declared, and what lies in the tail goes into the last part, by way of the queue, since bytes never pass an upload's object.

use serde::{Deserialize, Serialize};

use super::{Content, Decision, Phase, RemainderSource, Session, StateChange, UploadState};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    units::{ByteCount, UnixMs},
    upload::{LiveState, Snapshot},
};

/// Before the latest end of any upload a live one has so long left for its last part: an hour.
pub(super) const LAST_PART_MS: u64 = 3_600_000;

/// What can be read of an upload that still grows, from some byte on; or of one that has grown to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growing {
    /// How the upload stands.
    pub now: Snapshot,
    /// Where the first source begins in the file: at the byte that was asked for, or before it.
    pub from: ByteCount,
    /// Where the next bytes are, in order, one behind the other. None where none count yet, or the object has them.
    pub sources: Vec<RemainderSource>,
}

/// Which rows say where the bytes from some byte on are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrowingParts {
    /// Those of parts that end behind this byte.
    pub parts_from: Option<ByteCount>,
    /// Whether those of the tail do, too.
    pub has_tail: bool,
}

impl Session {
    /// What the keys of the copies of its parts begin with, where it is live.
    pub fn copies_prefix(&self) -> Option<String> {
        self.spec.live.map(|_| format!("{}part-", self.spec.segment_prefix()))
    }

    /// Which rows say where the bytes from `from` on are. Refused where nothing can be read before the object is there.
    pub fn growing(&self, from: ByteCount) -> Result<GrowingParts, ApiError> {
        let Content::Sequence(sequence) = &self.content else { return Err(self.no_object()) };
        match self.progress.phase {
            Phase::Completed if self.stored_object().is_some() => {
                return Ok(GrowingParts { parts_from: None, has_tail: false });
            }
            Phase::Open | Phase::Completing | Phase::Verifying if self.spec.live.is_some() => {}
            _ => return Err(self.no_object()),
        }
        let in_parts = from < sequence.parts_end();
        Ok(GrowingParts { parts_from: in_parts.then_some(from), has_tail: sequence.last_segment.is_some() })
    }

    /// Whether somebody who has read up to there would learn something new: there are more bytes, or none can come.
    pub fn has_grown_beyond(&self, read: ByteCount) -> bool {
        let may_grow = matches!(self.progress.phase, Phase::Open | Phase::Completing | Phase::Verifying);
        self.uploaded_bytes() > read || !may_grow
    }

    /// How a live upload stands.
    pub(super) fn live_state(&self) -> Option<LiveState> {
        let is_truncated = self.progress.truncated_at.is_some();
        self.spec.live.map(|_| if is_truncated { LiveState::Truncated } else { LiveState::Whole })
    }

    /// When a live upload ends by itself unless more comes: at the latest when it would expire, so that nothing recorded is lost. None
    /// where nothing has come at all: then it does expire.
    pub(super) fn ends_silent_at(&self) -> Option<UnixMs> {
        let said = self.spec.live.map(|live| live.end_after_ms)?;
        let after_ms = if said == 0 { self.spec.policy.ttl_ms } else { said };
        // Whoever brings a long part has been heard of since it began.
        let heard_at = self.progress.lease.map(|lease| lease.heard_at).unwrap_or_default();
        let ends_at = self.last_seen_at().max(heard_at).plus_ms(after_ms).min(self.expires_at());
        // Its last part takes time, too.
        let at_the_latest = UnixMs(self.spec.latest_end().0.saturating_sub(LAST_PART_MS));
        let is_growing = self.progress.phase == Phase::Open && self.plan().open_ended;
        let has_bytes = !self.uploaded_bytes().is_zero();
        (is_growing && has_bytes).then(|| ends_at.min(at_the_latest))
    }

    /// Nothing has come for so long that what is there is the recording.
    pub(super) fn end_silent_if_due(&self, now: UnixMs) -> Option<StateChange> {
        self.ends_silent_at().filter(|at| now >= *at)?;
        let uploaded_bytes = self.uploaded_bytes();
        let Decision { mut change, answer } =
            self.declare(now, uploaded_bytes, Some(uploaded_bytes), Completion::WhenWhole);
        answer.ok()?;
        let progress = change.progress.get_or_insert_with(|| self.progress.clone());
        (progress.truncated_at, progress.job_not_before) = (Some(now), now);
        Some(change)
    }

    /// The recorder says that this is all, however much it is.
    pub(super) fn end_live(&self, now: UnixMs) -> Decision<()> {
        let uploaded_bytes = self.uploaded_bytes();
        self.declare(now, uploaded_bytes, Some(uploaded_bytes), Completion::WhenWhole)
    }

    /// All of a live upload is there but that its last bytes are in the tail: when somebody is to be asked to put them into the last part.
    /// Whoever has said that this is the end does so itself, unless it dies.
    pub(super) fn last_part_due_at(&self) -> Option<UnixMs> {
        let is_ended = self.progress.phase == Phase::Open && !self.plan().open_ended;
        let lacks = self.spec.live.is_some() && is_ended && self.missing_bytes().is_zero() && self.has_tail();
        let its_own_try = self.last_seen_at().plus_ms(self.spec.policy.resend_ms);
        let not_before = if self.progress.truncated_at.is_some() { UnixMs::default() } else { its_own_try };
        lacks.then(|| self.progress.job_not_before.max(not_before))
    }

    /// Somebody is asked to put the tail into the last part. Crash there, or the message is lost: somebody is asked again.
    pub(crate) fn last_part_asked_for(&self, now: UnixMs) -> StateChange {
        UploadState { job_not_before: now.plus_ms(self.spec.policy.resend_ms), ..self.progress.clone() }.into()
    }
}
