//! How bytes come in: an attempt begins, commits part by part (or all at once, where a checksum must be right first), and is
//! released. Who may do what in which mode stands in `sequence` and `parallel`, what is asked and answered in `messages`.

use super::{
    BeginAppend, Commit, Committed, Content, Decision, Heard, Lease, Phase, Release, ReleaseReason, Renew, Session,
    StateChange, Storage, UploadState, WRITER_STOPS_AFTER_MS, WriteLease,
};
use crate::event::EventKind;
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named},
    plan,
    units::{ByteCount, UnixMs},
};

impl Session {
    /// Takes the right to store a chunk, from whoever had it, where no multipart upload must be opened for it first.
    pub fn begin(&self, now: UnixMs, begin: BeginAppend) -> Decision<WriteLease> {
        self.begin_opened(now, begin, None)
    }

    /// The same, for whoever brings the bytes of a concatenation, too.
    pub(super) fn begin_as_writer(&self, now: UnixMs, begin: BeginAppend) -> Decision<WriteLease> {
        let uploaded_bytes = self.uploaded_bytes();
        if let Some(refusal) = self.takes_no_bytes() {
            return Decision::no(refusal);
        }
        if self.progress.phase != Phase::Open {
            return Decision::no(self.behind_the_end(begin));
        }
        if begin.named == Named::Implied && self.plan().mode != plan::Mode::Sequential {
            let detail = "is missing: a chunk of a parallel upload says where it begins";
            return Decision::no(ApiError::bad_request("X-Upload-Offset", detail));
        }
        if self.is_direct() {
            return Decision::no(ApiError::DirectOnly);
        }
        let plan = match self.plan_with(begin.file_bytes, begin.offset.checked_add(begin.length)) {
            Ok(plan) => self.fitted(plan, begin),
            Err(refusal) => return Decision::no(refusal),
        };
        if begin.offset.checked_add(begin.length).is_none_or(|end| end > plan.file_bytes) {
            return Decision::no(match plan.declared_bytes() {
                Some(file_bytes) => ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes },
                None => ApiError::UploadTooLarge { limit_bytes: plan.file_bytes },
            });
        }
        // No bytes are a chunk only where all are there and the last of them still lie in the tail.
        let is_all = !plan.open_ended && uploaded_bytes == plan.file_bytes;
        if begin.length.is_zero() && !(is_all && self.has_tail()) {
            return Decision::no(ApiError::bad_request("Content-Length", "a chunk has at least one byte"));
        }
        let lease_for = |attempt, first_number, reserved_parts| WriteLease {
            attempt,
            key: if self.progress.storage.takes_whole_objects() {
                self.spec.put_key(attempt)
            } else {
                self.object_key()
            },
            multipart_id: self.multipart_id().map(str::to_owned),
            plan,
            offset: begin.offset,
            first_number,
            reserved_parts,
            tail: Vec::new(),
            remainder_key: self.spec.segment_key(attempt),
            copies_prefix: self.copies_prefix(),
            expires_at: self.expires_at_if_seen(now),
            carry_sha256: false,
            sha256_so_far: None,
        };
        match &self.content {
            Content::Sequence(sequence) => self.begin_in_sequence(sequence, now, begin, plan, lease_for),
            Content::Parallel(parallel_chunks) => {
                let mut decision = parallel_chunks.begin(now, begin, lease_for);
                if decision.answer.is_ok() {
                    self.note_seen(now, &mut decision.change);
                }
                decision
            }
        }
    }

    /// All bytes are there. Whoever begins before their end has missed an answer; nothing can be added behind it.
    fn behind_the_end(&self, begin: BeginAppend) -> ApiError {
        let (file_bytes, uploaded_bytes) = (self.plan().file_bytes, self.uploaded_bytes());
        let end = begin.offset.checked_add(begin.length);
        if begin.offset <= file_bytes && end.is_none_or(|end| end > file_bytes) {
            return ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes };
        }
        self.offset_mismatch()
    }

    /// Who goes on has to go on elsewhere; or nowhere, where all is there.
    pub(super) fn offset_mismatch(&self) -> ApiError {
        let is_whole = self.progress.phase != Phase::Open;
        ApiError::OffsetMismatch { uploaded_bytes: self.uploaded_bytes(), is_whole }
    }

    /// Whether all bytes of the chunk count already, and its sender has said exactly which it means: then it is told how the upload
    /// stands, as if they had arrived now.
    pub fn repeats_what_counts(&self, begin: BeginAppend) -> bool {
        let Some(end) = begin.offset.checked_add(begin.length).filter(|_| !begin.length.is_zero()) else {
            return false;
        };
        let is_alive = !self.is_gone() && !self.is_concatenation();
        let is_there = match &self.content {
            Content::Sequence(sequence) => begin.named == Named::ByRange && end <= sequence.offset(),
            Content::Parallel(parallel_chunks) => {
                let chunk = parallel_chunks.chunk_at(begin.offset, begin.length);
                !self.is_direct()
                    && begin.named != Named::Implied
                    && chunk.is_some_and(|chunk| parallel_chunks.is_stored(chunk))
            }
        };
        let is_same_length = begin.file_bytes.is_none_or(|said| self.plan().declared_bytes() == Some(said));
        is_alive && is_there && is_same_length
    }

    /// Where the chunk is exactly one part, where that ends: its bytes can be compared by the part's CRC.
    pub fn part_of_repetition(&self, begin: BeginAppend) -> Option<ByteCount> {
        let plan = self.plan();
        let end = begin.offset.checked_add(begin.length)?;
        let is_part = begin.offset == plan.part_start(begin.offset)
            && (begin.length == plan.part_bytes || (begin.length < plan.part_bytes && end == plan.file_bytes));
        is_part.then_some(end)
    }

    /// Somebody says how long the file is, or just that nothing is missing before `offset`, and brings no bytes. Where all
    /// bytes are there but some still in the tail, the upload stays open until a chunk without bytes has put them into
    /// the last part. `WhenWhole` also says that nothing follows: an upload that waits to be told so is complete then.
    pub fn declare(
        &self,
        now: UnixMs,
        offset: ByteCount,
        file_bytes: Option<ByteCount>,
        completes: Completion,
    ) -> Decision<()> {
        let uploaded_bytes = self.uploaded_bytes();
        if let Some(refusal) = self.takes_no_bytes() {
            return Decision::no(refusal);
        }
        if self.is_concatenation() {
            return Decision::no(ApiError::ConcatenationTakesNoBytes);
        }
        if offset != self.first_missing() {
            return Decision::no(self.offset_mismatch());
        }
        let plan = match self.plan_with(file_bytes, Some(uploaded_bytes)) {
            Ok(plan) if plan == self.plan() => self.progress.plan,
            Ok(plan) => Some(plan),
            Err(refusal) => return Decision::no(refusal),
        };
        // What was said is not taken back.
        let completes = if completes == Completion::WhenWhole { completes } else { self.progress.completes };
        let mut change = StateChange::from(UploadState { plan, completes, ..self.progress.clone() });
        let may_complete = self.progress.phase == Phase::Open && !self.has_tail();
        if may_complete && self.complete_if_whole(now, &mut change) == Phase::Completing {
            let wrong = self.sha256_mismatch(self.sha256_so_far());
            if let Some(actual) = wrong.or_else(|| self.put_crc64nvme_mismatch(&change)) {
                let (refusal, change) = self.found_damaged(now, actual, change);
                return Decision { answer: Err(refusal), change };
            }
            self.complete_if_put(now, &mut change);
        } else if plan == self.progress.plan && completes == self.progress.completes {
            return Decision::yes((), StateChange::none());
        }
        Decision::yes((), change)
    }

    /// Whether all bytes are in parts, and nothing is left but to say so.
    pub(super) fn waits_to_be_told(&self) -> bool {
        let is_whole = self.missing_bytes().is_zero() && !self.plan().open_ended && !self.has_tail();
        self.progress.phase == Phase::Open && is_whole
    }

    /// The sizes, where nothing counts yet: those that fit this chunk. Unless it counts as a whole or not at all, only where they were a
    /// guess: the last chunk of a file says nothing of the others, and a piece of a body nothing of how its sender cuts the file. A
    /// file that is put stays one part, or becomes one.
    ///
    /// Whoever began under other sizes is no danger: this begin takes the lease from it, in the same change.
    pub(super) fn fitted(&self, plan: plan::Plan, begin: BeginAppend) -> plan::Plan {
        let is_first = begin.offset.is_zero() && self.uploaded_bytes().is_zero();
        if !is_first || begin.continuation.has_more {
            return plan;
        }
        let chunk = begin.length;
        let is_all = chunk >= plan.file_bytes;
        match (self.is_one_part(), begin.all_or_nothing, is_all) {
            (false, true, true) => plan.with_chunk_as_part(chunk),
            (false, true, false) => {
                let as_part = plan.with_chunk_as_part(chunk);
                if as_part.part_bytes == chunk { as_part } else { plan.fitted_to(chunk) }
            }
            (false, false, false) => plan.fitted_to(chunk),
            (true, _, false) => plan.with_chunks_like(chunk),
            (true, _, true) | (false, false, true) => plan,
        }
    }

    fn is_one_part(&self) -> bool {
        matches!(self.progress.storage, Storage::SingleObject { .. })
    }

    /// The sizes, where somebody says how long the file is, and bytes up to `end` are there or coming.
    pub(super) fn plan_with(&self, said: Option<ByteCount>, end: Option<ByteCount>) -> Result<plan::Plan, ApiError> {
        let (plan, uploaded_bytes) = (self.plan(), self.uploaded_bytes());
        match said {
            Some(file_bytes) if plan.open_ended && file_bytes > plan.file_bytes => {
                Err(ApiError::UploadTooLarge { limit_bytes: plan.file_bytes })
            }
            Some(file_bytes) if plan.open_ended && end.is_none_or(|end| file_bytes < end.max(uploaded_bytes)) => {
                Err(ApiError::BeyondDeclaredLength { file_bytes, uploaded_bytes })
            }
            Some(file_bytes) if plan.open_ended => Ok(plan.declare(file_bytes)),
            Some(file_bytes) if file_bytes != plan.file_bytes => {
                Err(ApiError::InconsistentLength { file_bytes: plan.file_bytes, uploaded_bytes })
            }
            Some(_) | None => Ok(plan),
        }
    }

    /// Counts stored bytes. Saying the same commit twice, since its answer was lost, gets the same answer.
    pub fn commit(&self, now: UnixMs, commit: &Commit) -> Decision<Committed> {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => return Decision::no(self.gone()),
            Phase::Open | Phase::Completing | Phase::Verifying | Phase::Damaged | Phase::Completed => {}
        }
        let mut decision = match &self.content {
            Content::Sequence(sequence) => self.commit_in_sequence(sequence, now, commit),
            Content::Parallel(parallel_chunks) => self.commit_in_parallel(parallel_chunks, now, commit),
        };
        if let Ok(committed) = &mut decision.answer {
            let counts = !decision.change.parts.is_empty() || decision.change.segment.is_some();
            committed.expires_at = if counts { self.expires_at_if_seen(now) } else { self.expires_at() };
            decision.change = self.with_progress_told(now, decision.change);
            if committed.phase == Phase::Completed {
                let mut after = self.clone();
                after.apply(decision.change.clone());
                committed.object = after.object();
            }
        }
        decision
    }

    /// A part of an attempt is under way, and takes long. Whoever has lost its right is told so, and ends its request to R2.
    pub fn renew(&self, now: UnixMs, renew: Renew) -> Decision<()> {
        let heard = StateChange { heard: Some(Heard { attempt: renew.attempt, at: now }), ..StateChange::none() };
        let may_go_on = self.progress.phase == Phase::Open
            && match &self.content {
                Content::Sequence(_) => self.holds_lease(renew.attempt),
                Content::Parallel(parallel_chunks) => parallel_chunks.may_go_on(renew.attempt),
            };
        let progress = if may_go_on { self.believed(now) } else { None };
        Decision {
            answer: if may_go_on { Ok(()) } else { Err(self.superseded()) },
            change: StateChange { progress, ..heard },
        }
    }

    /// Whether somebody is appending who has been heard of lately, which whoever does is now and then.
    pub fn is_heard_appending(&self, now: UnixMs) -> bool {
        let is_heard = |lease: Lease| now.ms_since(lease.heard_at.max(lease.begun_at)) < WRITER_STOPS_AFTER_MS;
        self.is_appending() && self.progress.lease.is_some_and(is_heard)
    }

    /// Gives the right back. What has been committed stays, and is the answer: how many bytes count.
    pub fn release(&self, now: UnixMs, release: Release) -> Decision<ByteCount> {
        if self.progress.phase != Phase::Open {
            return Decision::yes(self.uploaded_bytes(), StateChange::none());
        }
        let fatal = match release.reason {
            ReleaseReason::GaveUp => None,
            ReleaseReason::MultipartGone
                if self.multipart_id().is_none() || !self.is_of_this_multipart(release.attempt) =>
            {
                None
            }
            ReleaseReason::MultipartGone => Some("Storage has dropped the unfinished upload."),
            // Whoever was taken over may look for a tail that has gone into a part since.
            ReleaseReason::SegmentLost if !self.holds_lease(release.attempt) => None,
            ReleaseReason::SegmentLost => Some("Storage has lost accepted bytes of the upload."),
        };
        if let Some(reason) = fatal {
            return Decision::yes(
                self.uploaded_bytes(),
                self.end(now, Phase::Failed, EventKind::Failed, Some(reason.to_owned())),
            );
        }
        match &self.content {
            Content::Sequence(_) => {
                let change = self.release_in_sequence(release.attempt);
                // Whoever was taken over gives up nothing: somebody else is at it.
                let is_its_turn = self.holds_lease(release.attempt);
                let change = if is_its_turn { self.copy_given_up(now, change) } else { change };
                Decision::yes(self.uploaded_bytes(), change)
            }
            // A chunk belongs to whoever began it last; what is given back is the number.
            Content::Parallel(parallel_chunks) => {
                let change = self.chunk_given_up(now, release, parallel_chunks.ended(release.attempt));
                Decision::yes(self.uploaded_bytes(), change)
            }
        }
    }

    /// Where to go on: the offset that will be accepted. A running append of a sequential upload loses its lease, so that
    /// this stays true until somebody appends.
    pub fn probe(&self, now: UnixMs) -> Decision<()> {
        match (self.progress.phase, &self.content) {
            (Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted, _) => Decision::no(self.gone()),
            (Phase::Damaged, _) => Decision::no(self.damaged_refusal()),
            // Of a concatenation nobody is told an offset to go on at.
            (Phase::Open, Content::Sequence(sequence)) if !self.is_concatenation() => {
                Decision::yes((), self.fence(sequence, now))
            }
            (Phase::Open | Phase::Completing | Phase::Verifying | Phase::Completed, _) => {
                Decision::yes((), StateChange::none())
            }
        }
    }

    /// How it stands, for whoever may ask at any time. Of what was given up only that it is gone.
    pub fn status(&self) -> Decision<()> {
        match self.progress.phase {
            Phase::Aborted | Phase::Expired | Phase::Deleted => Decision::no(self.gone()),
            Phase::Open | Phase::Completing | Phase::Verifying | Phase::Damaged | Phase::Completed | Phase::Failed => {
                Decision::yes((), StateChange::none())
            }
        }
    }

    /// The phase behind a change that may have brought the last missing byte.
    pub(super) fn complete_if_whole(&self, now: UnixMs, change: &mut StateChange) -> Phase {
        let mut after = self.clone();
        after.apply(change.clone());
        let is_whole = after.missing_bytes().is_zero() && !after.plan().open_ended;
        if is_whole && after.progress.completes == Completion::WhenWhole && after.progress.phase == Phase::Open {
            after.progress = UploadState { phase: Phase::Completing, job_not_before: now, ..after.progress };
            change.progress = Some(after.progress.clone());
        }
        after.progress.phase
    }
}
