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

use super::{Content, LeaseState, Phase, RemainderSource, Session, StateChange, UploadState, WRITER_STOPS_AFTER_MS};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    units::{ByteCount, UnixMs},
    upload::{LiveState, Snapshot},
};

/// Before the latest end of any upload a live one has so long left for its last part: an hour.
pub(super) const LAST_PART_MS: u64 = 3_600_000;

/// So long whoever stores the last part has for it, before somebody else is asked: a minute, for a part that is copied within R2.
const LAST_PART_AGAIN_MS: u64 = 60_000;

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
        let is_read = self.is_readable() && matches!(self.content, Content::Sequence(_));
        is_read.then(|| format!("{}part-", self.spec.segment_prefix()))
    }

    /// Whether it may be read before it is whole. Not where its first bytes, or all of it, are looked at before anybody gets it.
    pub fn is_readable(&self) -> bool {
        self.spec.live.is_some() && self.spec.types.is_none() && !self.spec.hold
    }

    /// Which rows say where the bytes from `from` on are. Refused where nothing can be read before the object is there.
    pub fn growing(&self, from: ByteCount) -> Result<GrowingParts, ApiError> {
        if self.progress.phase == Phase::Completed {
            return self.find_object().map(|_| GrowingParts { parts_from: None, has_tail: false });
        }
        let Content::Sequence(sequence) = &self.content else { return Err(self.no_object()) };
        match self.progress.phase {
            Phase::Open | Phase::Completing | Phase::Verifying if self.is_readable() => {}
            _ => return Err(self.no_object()),
        }
        let in_parts = from < sequence.parts_end();
        Ok(GrowingParts { parts_from: in_parts.then_some(from), has_tail: sequence.last_segment.is_some() })
    }

    /// Whether somebody who has read up to there would learn something new: there are more bytes, or none can come.
    pub fn has_grown_beyond(&self, read: ByteCount) -> bool {
        let may_grow = match self.progress.phase {
            Phase::Open => self.plan().declared_bytes().is_none_or(|bytes| read < bytes),
            Phase::Completing | Phase::Verifying => read < self.plan().file_bytes,
            _ => false,
        };
        self.uploaded_bytes() > read || !may_grow
    }

    /// How a live upload stands.
    pub(super) fn live_state(&self) -> Option<LiveState> {
        let is_truncated = self.progress.truncated_at.is_some();
        self.spec.live.map(|_| if is_truncated { LiveState::Truncated } else { LiveState::Whole })
    }

    /// Whether more may come of a live upload: nobody has said that all that is there is all.
    pub(super) fn is_growing(&self) -> bool {
        let plan = self.plan();
        let is_all = !plan.open_ended && self.missing_bytes().is_zero();
        let is_said = is_all && self.progress.completes == Completion::WhenWhole;
        self.spec.live.is_some() && self.progress.phase == Phase::Open && !is_said
    }

    /// When a live upload ends by itself unless more comes: at the latest when it would expire, so that nothing recorded is lost. None
    /// where nothing has come at all: then it does expire.
    ///
    /// Whoever has the right to write may be at work without having been heard of, and an object that was asleep does not know. So first it
    /// is doubted, and then there is as much time as a writer that is at work needs to say so.
    pub(super) fn ends_silent_at(&self) -> Option<UnixMs> {
        let said = self.spec.live.map(|live| live.end_after_ms)?;
        if !self.is_growing() || self.uploaded_bytes().is_zero() {
            return None;
        }
        let after_ms = if said == 0 { self.spec.policy.ttl_ms } else { said };
        let silent_at = self.last_seen_at().plus_ms(after_ms).min(self.expires_at());
        // Its last part takes time, too.
        let at_the_latest = UnixMs(self.spec.latest_end().0.saturating_sub(LAST_PART_MS));
        Some(self.doubted_at().map_or(silent_at, |at| at.plus_ms(WRITER_STOPS_AFTER_MS)).min(at_the_latest))
    }

    /// Since when it is doubted that somebody who may write still does. Whatever was begun or counted since has shown it.
    fn doubted_at(&self) -> Option<UnixMs> {
        self.progress.doubted_at.filter(|at| *at >= self.last_seen_at())
    }

    /// Nothing has come for so long that what is there is the recording.
    pub(super) fn end_silent_if_due(&self, now: UnixMs) -> Option<StateChange> {
        self.ends_silent_at().filter(|at| now >= *at)?;
        let is_latest = now.plus_ms(LAST_PART_MS) >= self.spec.latest_end();
        if self.doubted_at().is_none() && self.may_be_written() && !is_latest {
            return Some(UploadState { doubted_at: Some(now), ..self.progress.clone() }.into());
        }
        let mut change = self.ended_here(now);
        if let Some(progress) = &mut change.progress {
            (progress.truncated_at, progress.job_not_before) = (Some(now), now);
        }
        Some(change)
    }

    /// Whether somebody has the right to write, and has not used it to its end.
    fn may_be_written(&self) -> bool {
        matches!(&self.content, Content::Sequence(sequence) if self.running_lease(sequence).is_some())
    }

    /// Whoever has been doubted is there. Stored, since an object that falls asleep between two words of a writer would forget it.
    pub(super) fn believed(&self, now: UnixMs) -> Option<UploadState> {
        self.doubted_at().map(|_| UploadState { doubted_at: None, ..self.seen(now) })
    }

    /// What is there is all of it, whatever length was declared. Whoever may still be writing has lost the right to.
    pub(super) fn ended_here(&self, now: UnixMs) -> StateChange {
        let plan = Some(self.plan().declare(self.uploaded_bytes()));
        let mut progress = UploadState { plan, completes: Completion::WhenWhole, ..self.progress.clone() };
        if let Some(lease) = progress.lease.as_mut().filter(|lease| lease.state == LeaseState::Held) {
            lease.state = LeaseState::Fenced;
        }
        let mut change = progress.into();
        if !self.has_tail() {
            self.complete_if_whole(now, &mut change);
        }
        change
    }

    /// All of a live upload is there but that its last bytes are in the tail: when somebody is to be asked to put them into the last part.
    /// Whoever has said that this is the end does so itself, unless it dies.
    pub(super) fn last_part_due_at(&self) -> Option<UnixMs> {
        let is_all = self.spec.live.is_some() && self.progress.phase == Phase::Open && !self.is_growing();
        let begun_at = self.progress.lease.map(|lease| lease.begun_at).unwrap_or_default();
        // Nobody is at it yet where it has just ended by itself.
        let is_begun = self.progress.truncated_at.is_none_or(|at| begun_at >= at);
        let own_try = if is_begun { self.last_seen_at().plus_ms(LAST_PART_AGAIN_MS) } else { UnixMs::default() };
        (is_all && self.has_tail()).then(|| self.progress.job_not_before.max(own_try))
    }

    /// Somebody is asked to put the tail into the last part. Crash there, or the message is lost: somebody is asked again.
    pub(crate) fn last_part_asked_for(&self, now: UnixMs) -> StateChange {
        UploadState { job_not_before: now.plus_ms(LAST_PART_AGAIN_MS), ..self.progress.clone() }.into()
    }
}
