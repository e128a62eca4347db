//! Bytes from the front: one attempt at a time, and the newest wins.
//!
//! A new attempt begins at the accepted offset, at once, without asking whoever held the lease before; the older one's next
//! commit is refused. Every attempt writes under part numbers on which nobody else may still be writing, so it does not matter
//! how late an old writer's bytes arrive in R2: nobody lists them. The numbers are fresh while there are spare ones, some 2,000 of
//! them. After that, numbers that do not count are used again, once their writers have ended; until then the next attempt has to
//! wait. No number of interruptions ends an upload.
//!
//! Two live clients could in this way take the lease from each other for ever, each losing its part just before it is
//! whole. So a lease that was itself taken over repeatedly, with nothing counted in between, is protected for a while
//! that grows with every such takeover: somebody gets a part through.
//!
//! Chunks may have any length. Whole parts go to R2; what is left behind the last whole part is a *segment*, and the
//! segments behind the last part together are the *tail*. The attempt that fills the next part puts the tail in front of
//! it. So a byte is stored at most twice (once in a segment, once in a part), however small the chunks.

use serde::{Deserialize, Serialize};

use super::{
    BeginAppend, Commit, Committed, Content, Decision, Heard, MAX_ROW_SEGMENT_BYTES, Phase, Segment, SegmentPlace,
    Session, StateChange, StoredPart, UploadState, WriteLease, part_numbers::numbers,
};
use upload_types::{
    api_error::ApiError,
    integrity::Sha256State,
    plan::{MAX_PART_NUMBER, Plan},
    units::{ByteCount, UnixMs},
};

/// So many takeovers in a row without progress are nobody's concern: a client that reconnects quickly makes them.
const FREE_TAKEOVERS: u32 = 2;

/// What every further one adds to the time in which the lease cannot be taken.
const PROTECTION_STEP_MS: u64 = 5_000;

/// The longest such time: 60 s, in which even 1 Mbit/s brings most of a part.
const LONGEST_PROTECTION_MS: u64 = 60_000;

/// Where the counted bytes of a sequential upload end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// The last part.
    pub last_part: Option<StoredPart>,
    /// The last segment behind it.
    pub last_segment: Option<Segment>,
}

/// The right to commit: who writes which bytes under which part numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// The attempt that holds it. Only the newest attempt can.
    pub attempt: u64,
    /// The number of its first part. Its further parts have the next ones.
    pub first_number: u16,
    /// Nobody else may be writing under the numbers up to this one.
    pub last_number: u16,
    /// No part number above this had been handed out before.
    pub numbers_before: u16,
    /// How many numbers from there on it was given at once. One where it commits part by part and is given the next number
    /// with each commit; all it needs where it commits everything at the end; none where it fills no part.
    pub reserved_parts: u16,
    /// Its bytes begin here.
    pub from: ByteCount,
    /// And end here.
    pub to: ByteCount,
    /// Whether they count as a whole or not at all.
    pub all_or_nothing: bool,
    /// When it began.
    pub begun_at: UnixMs,
    /// How many leases in a row, up to this one, were taken from their holders before anything was counted.
    pub takeovers: u32,
    /// Whether its holder may still commit.
    pub state: LeaseState,
    /// Whether its holder may bring another section behind `to`, as a new attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_more: bool,
    /// Whether its holder has said that its requests to R2 are over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// When its holder was last heard of, where that is later than its beginning. Kept in memory only.
    #[serde(skip)]
    pub heard_at: UnixMs,
}

/// Whether the holder of a lease may still commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeaseState {
    /// It may.
    Held,
    /// Somebody asked where to go on: it may not.
    Fenced,
    /// It gave up by itself.
    Released,
}

impl Sequence {
    /// How many bytes count, from the front.
    pub(crate) fn offset(&self) -> ByteCount {
        self.last_segment.as_ref().map_or_else(|| self.parts_end(), |segment| segment.end)
    }

    /// Where the parts end and the tail begins.
    pub(crate) fn parts_end(&self) -> ByteCount {
        self.last_part.as_ref().map_or(ByteCount::ZERO, |part| part.end)
    }

    /// The highest number of a counted part.
    pub(super) fn last_number(&self) -> u16 {
        self.last_part.as_ref().map_or(0, |part| part.number)
    }

    /// Takes stored parts and a stored segment into memory.
    pub(super) fn apply(&mut self, parts: Vec<StoredPart>, segment: Option<Segment>) {
        if let Some(part) = parts.into_iter().next_back() {
            // The first part of an attempt begins with the whole tail.
            self.last_segment = None;
            self.last_part = Some(part);
        }
        if let Some(segment) = segment {
            self.last_segment = Some(segment);
        }
    }
}

impl Session {
    pub(super) fn begin_in_sequence(
        &self,
        sequence: &Sequence,
        now: UnixMs,
        begin: BeginAppend,
        plan: Plan,
        lease_for: impl FnOnce(u64, u16, u16) -> WriteLease,
    ) -> Decision<WriteLease> {
        let uploaded_bytes = sequence.offset();
        if begin.offset != uploaded_bytes {
            return Decision::no(self.offset_mismatch());
        }
        if begin.continuation.after.is_some_and(|attempt| !self.holds_lease(attempt)) {
            return Decision::no(self.superseded());
        }
        let running = self.running_lease(sequence).filter(|lease| begin.continuation.after != Some(lease.attempt));
        if let Some(retry_after_ms) = running.and_then(|lease| protected_for_ms(lease, now)) {
            let retry_after_seconds = u32::try_from(retry_after_ms.div_ceil(1000)).unwrap_or(u32::MAX);
            return Decision::no(ApiError::Busy { uploaded_bytes, retry_after_seconds });
        }
        let end = begin.offset.checked_add(begin.length).unwrap_or(plan.file_bytes);
        let parts_end = plan.whole_parts_end(end);
        let parts = plan.parts_between(sequence.parts_end(), parts_end);
        let counts = if begin.all_or_nothing { [parts; 2] } else { [parts.min(self.parts_in_flight()), parts.min(1)] };
        let remaining = plan.parts_between(sequence.parts_end(), plan.file_bytes);
        let writers = self.writers_besides(sequence, now);
        let puts = self.progress.storage.takes_whole_objects();
        let numbers_before = if puts { self.puts_begun() } else { self.highest_number(sequence) };
        let numbers = if puts {
            // Each puts under a key of its own.
            Some((counts[0], 1, MAX_PART_NUMBER))
        } else {
            counts.into_iter().find_map(|count| numbers(sequence, &writers, now, numbers_before, count, remaining))
        };
        let Some((count, first_number, last_number)) = numbers else {
            return Decision::no(ApiError::writers_pending(uploaded_bytes, writers.next_ends_in_ms(now).unwrap_or(0)));
        };
        let before = self.progress.lease;
        let lease = Lease {
            attempt: before.map_or(0, |lease| lease.attempt) + 1,
            first_number,
            last_number,
            numbers_before,
            reserved_parts: u16::try_from(count).unwrap_or(0),
            from: begin.offset,
            to: end,
            all_or_nothing: begin.all_or_nothing,
            begun_at: now,
            takeovers: before.map_or(0, |lease| takeovers(lease, uploaded_bytes)),
            state: LeaseState::Held,
            has_more: begin.continuation.has_more,
            ended: false,
            heard_at: UnixMs::default(),
        };
        let rest_bytes = end.saturating_sub(parts_end.max(begin.offset)).get();
        let progress = UploadState {
            lease: Some(lease),
            // Said before the segment is written, so that a crash right after leaves nothing that nobody looks for.
            leftovers: self
                .progress
                .leftovers
                .or_unswept_if(rest_bytes > MAX_ROW_SEGMENT_BYTES || self.spec.live.is_some()),
            plan: (plan != self.spec.plan).then_some(plan),
            completes: begin.completes,
            writers,
            ..self.progress.clone()
        };
        let lease = WriteLease {
            carry_sha256: self.spec.file.sha256.is_some(),
            sha256_so_far: sha256_so_far(sequence).cloned(),
            ..lease_for(lease.attempt, lease.first_number, lease.reserved_parts)
        };
        Decision::yes(lease, progress)
    }

    pub(super) fn commit_in_sequence(&self, sequence: &Sequence, now: UnixMs, commit: &Commit) -> Decision<Committed> {
        let lease =
            self.progress.lease.filter(|lease| lease.attempt == commit.attempt && lease.state == LeaseState::Held);
        let Some(lease) = lease else {
            let ended = (!commit.is_writing_on).then(|| self.ended_in_sequence(commit.attempt));
            return Decision { answer: Err(self.superseded()), change: ended.unwrap_or_else(StateChange::none) };
        };
        if is_repeated(sequence, lease, commit) {
            if let Some(actual) = self.progress.damage.found.clone() {
                return Decision::no(ApiError::FileDigestMismatch { actual, kept: true });
            }
            return Decision::yes(self.committed(sequence, lease, self.progress.phase), StateChange::none());
        }
        // Bytes that are not the ones granted: no client can cause this, and nothing of it may count.
        let counted =
            (self.progress.phase == Phase::Open).then(|| self.counted(sequence, now, lease, commit)).flatten();
        let Some(mut change) = counted else { return Decision::no(self.superseded()) };
        self.copied(now, &mut change);
        self.count_single_object(lease.attempt, &mut change);
        change.heard = Some(Heard { attempt: lease.attempt, at: now });
        let mut phase = self.complete_if_whole(now, &mut change);
        if phase == Phase::Completing {
            let wrong = self.sha256_mismatch(commit.sha256_so_far.as_ref());
            if let Some(actual) = wrong.or_else(|| self.put_crc64nvme_mismatch(&change)) {
                let (refusal, mut change) = self.found_damaged(now, actual, change);
                self.count_single_object(lease.attempt, &mut change);
                return Decision { answer: Err(refusal), change };
            }
            phase = self.complete_if_put(now, &mut change);
        }
        let mut after = sequence.clone();
        after.apply(change.parts.clone(), change.segment.clone());
        Decision::yes(self.committed(&after, lease, phase), change)
    }

    /// Its holder gives the lease up, or somebody who has lost it says that its requests to R2 are over.
    pub(super) fn release_in_sequence(&self, attempt: u64) -> StateChange {
        match self.progress.lease.filter(|_| self.holds_lease(attempt)) {
            Some(lease) => self.with_lease(Lease { state: LeaseState::Released, ended: true, ..lease }),
            None => self.ended_in_sequence(attempt),
        }
    }

    /// Somebody who has lost the lease has said that its requests to R2 are over.
    fn ended_in_sequence(&self, attempt: u64) -> StateChange {
        match self.progress.lease.filter(|lease| lease.attempt == attempt) {
            Some(lease) if lease.ended => return StateChange::none(),
            Some(lease) => return self.with_lease(Lease { ended: true, ..lease }),
            None => {}
        }
        let mut writers = self.progress.writers.clone();
        if !writers.ended(attempt) {
            return StateChange::none();
        }
        UploadState { writers, ..self.progress.clone() }.into()
    }

    /// Whether this attempt may still commit.
    pub(super) fn holds_lease(&self, attempt: u64) -> bool {
        self.progress.lease.is_some_and(|lease| lease.attempt == attempt && lease.state == LeaseState::Held)
    }

    /// Whether somebody may still commit: a client that was cut off a moment ago, whose last part is on its way, too.
    pub fn is_appending(&self) -> bool {
        match &self.content {
            Content::Sequence(sequence) => {
                self.progress.phase == Phase::Open && !self.is_concatenation() && self.running_lease(sequence).is_some()
            }
            Content::Parallel(_) => false,
        }
    }

    /// Whether there are counted bytes behind the last part.
    pub fn has_tail(&self) -> bool {
        matches!(&self.content, Content::Sequence(sequence) if sequence.last_segment.is_some())
    }

    /// The state of the file's SHA-256 behind the last counted byte, where it is carried along.
    pub(super) fn sha256_so_far(&self) -> Option<&Sha256State> {
        match &self.content {
            Content::Sequence(sequence) => sha256_so_far(sequence),
            Content::Parallel(_) => None,
        }
    }

    /// Ends a running append, unless it is protected: then whoever asked is told to wait when it appends.
    pub(super) fn fence(&self, sequence: &Sequence, now: UnixMs) -> StateChange {
        match self.running_lease(sequence) {
            Some(lease) if protected_for_ms(lease, now).is_none() => {
                self.with_lease(Lease { state: LeaseState::Fenced, ..lease })
            }
            _ => StateChange::none(),
        }
    }

    /// The lease, if its holder may still commit and has bytes left to bring, or may have.
    pub(super) fn running_lease(&self, sequence: &Sequence) -> Option<Lease> {
        let has_more = |lease: &Lease| lease.has_more || sequence.offset() < lease.to;
        self.progress.lease.filter(|lease| lease.state == LeaseState::Held && has_more(lease))
    }

    fn with_lease(&self, lease: Lease) -> StateChange {
        UploadState { lease: Some(lease), ..self.progress.clone() }.into()
    }

    /// What to store for this commit; `None` unless it names exactly the next parts under the right numbers, and then at
    /// most the bytes behind the last of them.
    fn counted(&self, sequence: &Sequence, now: UnixMs, lease: Lease, commit: &Commit) -> Option<StateChange> {
        let plan = self.plan();
        let numbers =
            lease.first_number.max(sequence.last_number() + 1)..=self.last_handed_out(sequence, lease).unwrap_or(0);
        let mut spans = plan.spans(sequence.parts_end(), plan.whole_parts_end(lease.to));
        let mut parts = Vec::with_capacity(commit.receipts.len());
        let mut leased = numbers.into_iter();
        for receipt in &commit.receipts {
            let (number, span) = (leased.next()?, spans.next()?);
            if receipt.number != number || receipt.bytes != span.bytes {
                return None;
            }
            let end = span.offset.checked_add(span.bytes)?;
            let (etag, crc64nvme) = (receipt.etag.clone(), receipt.crc64nvme);
            parts.push(StoredPart { number, end, stored_at: now, etag, crc64nvme, sha256_so_far: None, digest: None });
        }
        let start = parts.last().map_or_else(|| sequence.offset(), |part: &StoredPart| part.end);
        let mut segment = None;
        if let Some(remainder) = commit.remainder {
            let end = start.checked_add(remainder.bytes)?;
            let all_parts_stored = spans.next().is_none();
            // A connection that breaks behind the last whole part leaves what fits a row, unless all or nothing counts.
            let right_length =
                end == lease.to || (end < lease.to && !lease.all_or_nothing && remainder.place == SegmentPlace::Row);
            let fits = remainder.place == SegmentPlace::Object || remainder.bytes.get() <= MAX_ROW_SEGMENT_BYTES;
            if remainder.bytes.is_zero() || !all_parts_stored || !right_length || !fits {
                return None;
            }
            let (attempt, place) = (lease.attempt, remainder.place);
            segment = Some(Segment { start, end, stored_at: now, attempt, place, sha256_so_far: None });
        }
        let reached = segment.as_ref().map_or(start, |segment| segment.end);
        // A file whose SHA-256 was declared cannot be verified, ever, if one section comes without the state.
        let has_state = self.spec.file.sha256.is_some() == commit.sha256_so_far.is_some();
        if !has_state
            || (parts.is_empty() && reached == sequence.offset())
            || (lease.all_or_nothing && reached != lease.to)
        {
            return None;
        }
        // The chunk is exactly this part.
        if let ([part], None) = (&mut parts[..], &segment)
            && lease.from == plan.part_start(lease.from)
        {
            part.digest.clone_from(&commit.digest);
        }
        match (&mut segment, parts.last_mut()) {
            (Some(segment), _) => segment.sha256_so_far.clone_from(&commit.sha256_so_far),
            (None, Some(part)) => part.sha256_so_far.clone_from(&commit.sha256_so_far),
            (None, None) => return None,
        }
        Some(StateChange { parts, segment, ..StateChange::none() })
    }

    fn committed(&self, sequence: &Sequence, lease: Lease, phase: Phase) -> Committed {
        let (next_number, ahead_number) = self.next_numbers(sequence, lease);
        Committed { next_number, ahead_number, ..Committed::so_far(sequence.offset(), phase) }
    }
}

/// How many leases in a row were taken from their holders, if this one is followed by another now. Only counted bytes end
/// the row: somebody who interrupts and then gives up has interrupted all the same.
fn takeovers(lease: Lease, offset: ByteCount) -> u32 {
    let is_fruitless = lease.from == offset && lease.to > offset;
    let is_taken = lease.state != LeaseState::Released;
    if is_fruitless { lease.takeovers.saturating_add(is_taken.into()) } else { 0 }
}

/// For how long from `now` on the lease cannot be taken.
fn protected_for_ms(lease: Lease, now: UnixMs) -> Option<u64> {
    let steps = u64::from(lease.takeovers.saturating_sub(FREE_TAKEOVERS));
    let until = lease.begun_at.plus_ms((steps * PROTECTION_STEP_MS).min(LONGEST_PROTECTION_MS));
    (until > now).then(|| until.ms_since(now))
}

/// Whether exactly this has been counted already. An attempt's part numbers are its own, and it leaves at most one segment.
fn is_repeated(sequence: &Sequence, lease: Lease, commit: &Commit) -> bool {
    let last_segment = sequence.last_segment.as_ref().filter(|segment| segment.attempt == lease.attempt);
    match (commit.remainder, commit.receipts.last()) {
        (Some(_), _) => last_segment.is_some(),
        (None, Some(receipt)) => receipt.number >= lease.first_number && receipt.number == sequence.last_number(),
        (None, None) => false,
    }
}

fn sha256_so_far(sequence: &Sequence) -> Option<&Sha256State> {
    match (&sequence.last_segment, &sequence.last_part) {
        (Some(segment), _) => segment.sha256_so_far.as_ref(),
        (None, Some(part)) => part.sha256_so_far.as_ref(),
        (None, None) => None,
    }
}
