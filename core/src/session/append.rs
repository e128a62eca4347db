//! How bytes come in: an attempt begins, commits part by part (or all at once, where a checksum must be right first), and is
//! released; and who may do so.
//!
//! The newest attempt always wins. It begins at the accepted offset, at once, without asking whoever held the lease
//! before; the older one's next commit is refused. Every attempt writes under part numbers that nobody else was or will
//! be given, so it does not matter how late an old writer's bytes arrive in R2: nobody lists them.

use serde::{Deserialize, Serialize};

use super::{Change, Decision, Lease, Phase, Progress, Session, StoredPart};
use crate::{
    event::EventKind,
    integrity::{Crc64Nvme, Sha256State},
    plan,
    refusal::Refusal,
    units::{ByteCount, UnixMs},
};

/// Somebody has a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Where it begins in the file.
    pub offset: ByteCount,
    /// How long it is.
    pub length: ByteCount,
    /// How long its sender believes the whole file to be, where it said so.
    pub file_bytes: Option<ByteCount>,
    /// Whether it counts as a whole or not at all, since its checksum is known only at its end.
    pub whole: bool,
}

/// The right to store a chunk, and all that is needed for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The attempt, to be named in every commit.
    pub attempt: u64,
    /// The object's key.
    pub key: String,
    /// R2's id of the multipart upload.
    pub multipart_id: String,
    /// The sizes.
    pub plan: plan::Plan,
    /// The number of the first part to store.
    pub first_number: u16,
    /// How many numbers from there on are this attempt's. With one, the next comes with each commit.
    pub reserved: u16,
    /// Whether the file's SHA-256 was declared, so that it must be carried along.
    pub carry_sha256: bool,
    /// Where to take it up; none before the first byte.
    pub sha256_so_far: Option<Sha256State>,
}

/// What R2 said about a part it stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its number.
    pub number: u16,
    /// Its length.
    pub bytes: ByteCount,
    /// Its ETag.
    pub etag: String,
    /// The CRC of its bytes.
    pub crc64nvme: Crc64Nvme,
}

/// Parts are stored; count them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// On whose behalf.
    pub attempt: u64,
    /// The parts, in order, directly behind what counts already.
    pub receipts: Vec<Receipt>,
    /// The file's SHA-256 up to the end of the last of them, where it is carried along.
    pub sha256_so_far: Option<Sha256State>,
}

/// What counts now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// How many bytes.
    pub uploaded_bytes: ByteCount,
    /// The number for the attempt's next part; none where it has stored all it began with.
    pub next_number: Option<u16>,
    /// Where the upload is in its life.
    pub phase: Phase,
}

/// An attempt ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which.
    pub attempt: u64,
    /// Whether R2 said that the multipart upload is not there any more: then nothing can ever be added.
    pub storage_gone: bool,
}

impl Session {
    /// Takes the lease for a chunk, from whoever had it.
    pub fn begin(&self, now: UnixMs, begin: Begin) -> Decision<Grant> {
        let uploaded_bytes = self.uploaded_bytes();
        let plan = self.birth.plan;
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired => return Decision::no(self.gone()),
            // The client has missed an answer: all its bytes are there already.
            Phase::Completing | Phase::Completed => return Decision::no(Refusal::OffsetMismatch { uploaded_bytes }),
            Phase::Open => {}
        }
        if begin.file_bytes.is_some_and(|file_bytes| file_bytes != plan.file_bytes) {
            return Decision::no(Refusal::InconsistentLength { file_bytes: plan.file_bytes, uploaded_bytes });
        }
        if begin.offset != uploaded_bytes {
            return Decision::no(Refusal::OffsetMismatch { uploaded_bytes });
        }
        let Some(end) = begin.offset.checked_add(begin.length).filter(|end| *end <= plan.file_bytes) else {
            return Decision::no(Refusal::BeyondDeclaredLength { file_bytes: plan.file_bytes, uploaded_bytes });
        };
        if begin.length.is_zero() {
            return Decision::no(Refusal::bad_request("Content-Length", "a chunk has at least one byte"));
        }
        if !plan.is_boundary(end) {
            return Decision::no(Refusal::UnalignedChunk { part_bytes: plan.part_bytes, uploaded_bytes });
        }
        let Some(multipart_id) = self.birth.multipart_id.clone() else {
            // Only an empty file has none, and it was never open.
            return Decision::no(self.gone());
        };
        let count = if begin.whole { plan.parts_between(begin.offset, end) } else { 1 };
        let remaining = plan.parts_between(begin.offset, plan.file_bytes);
        let Some(numbers) = plan::fresh_numbers(self.highest_number(), count, remaining) else {
            let reason = Refusal::AttemptsExhausted.to_string();
            let change = self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
            return Decision { answer: Err(Refusal::AttemptsExhausted), change };
        };
        let lease = Lease {
            attempt: self.progress.attempt + 1,
            first_number: *numbers.start(),
            reserved: numbers.end() - numbers.start() + 1,
            from: begin.offset,
            to: end,
        };
        let grant = Grant {
            attempt: lease.attempt,
            key: self.birth.key.clone(),
            multipart_id,
            plan,
            first_number: lease.first_number,
            reserved: lease.reserved,
            carry_sha256: self.birth.file.sha256.is_some(),
            sha256_so_far: self.last_part.as_ref().and_then(|part| part.sha256_so_far.clone()),
        };
        let progress = Progress {
            attempt: lease.attempt,
            lease: Some(lease),
            numbers_used: self.highest_number(),
            ..self.progress.clone()
        };
        Decision::yes(grant, progress)
    }

    /// Counts stored parts. Saying the same commit twice, since its answer was lost, gets the same answer.
    pub fn commit(&self, now: UnixMs, commit: &Commit) -> Decision<Committed> {
        let lease = match self.held(commit.attempt) {
            Ok(lease) => lease,
            Err(refusal) => return Decision::no(refusal),
        };
        if self.is_repeated(commit) {
            return Decision::yes(self.committed(lease), Change::none());
        }
        if self.progress.phase != Phase::Open {
            return Decision::no(self.not_open());
        }
        let Some(parts) = self.counted(lease, commit) else {
            // Parts that are not the ones granted: no client can cause this, and nothing of it may count.
            return Decision::no(Refusal::Superseded { uploaded_bytes: self.uploaded_bytes() });
        };
        let mut after = self.clone();
        let mut change = Change { parts, ..Change::none() };
        after.apply(change.clone());
        if after.missing_bytes().is_zero() {
            let mismatch = after.digest_mismatch(after.crc64nvme_so_far(), commit.sha256_so_far.as_ref());
            if let Some(actual) = mismatch {
                let refusal = Refusal::FileDigestMismatch { actual };
                let end = after.end(now, Phase::Failed, EventKind::Failed, Some(refusal.to_string()));
                change.progress = end.progress;
                change.delivery = end.delivery;
                return Decision { answer: Err(refusal), change };
            }
            let progress = Progress { phase: Phase::Completing, job_not_before: now, ..after.progress.clone() };
            change.progress = Some(progress.clone());
            after.progress = progress;
        }
        Decision::yes(after.committed(lease), change)
    }

    /// Gives the lease back. What has been committed stays.
    pub fn release(&self, now: UnixMs, release: Release) -> Decision<()> {
        if self.held(release.attempt).is_err() || self.progress.phase != Phase::Open {
            return Decision::yes((), Change::none());
        }
        if release.storage_gone {
            let reason = "Storage has dropped the unfinished upload.".to_owned();
            return Decision::yes((), self.end(now, Phase::Failed, EventKind::Failed, Some(reason)));
        }
        Decision::yes((), self.without_lease())
    }

    /// Where to go on: the offset that will be accepted. A running append loses its lease, so that this stays true until
    /// somebody appends.
    pub fn probe(&self) -> Decision<()> {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired => Decision::no(self.gone()),
            Phase::Open if self.lease_is_running() => Decision::yes((), self.without_lease()),
            Phase::Open | Phase::Completing | Phase::Completed => Decision::yes((), Change::none()),
        }
    }

    /// No part number above this has ever been handed out.
    pub(super) fn highest_number(&self) -> u16 {
        let last_stored = self.last_part.as_ref().map_or(0, |part| part.number);
        let below_lease = self.progress.numbers_used.max(last_stored);
        let Some(lease) = self.progress.lease else { return below_lease };
        let granted = below_lease.max(lease.first_number + (lease.reserved - 1));
        // The commit of a part that was not the attempt's last has handed out the next number with its answer.
        let has_next = last_stored >= lease.first_number && self.uploaded_bytes() < lease.to;
        if has_next { granted.max(last_stored + 1) } else { granted }
    }

    /// Whether the lease's holder has bytes left to bring.
    fn lease_is_running(&self) -> bool {
        self.progress.lease.is_some_and(|lease| self.uploaded_bytes() < lease.to)
    }

    fn without_lease(&self) -> Progress {
        Progress { lease: None, numbers_used: self.highest_number(), ..self.progress.clone() }
    }

    /// The lease, if it is this attempt's.
    fn held(&self, attempt: u64) -> Result<Lease, Refusal> {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired => Err(self.gone()),
            Phase::Open | Phase::Completing | Phase::Completed => self
                .progress
                .lease
                .filter(|lease| lease.attempt == attempt)
                .ok_or_else(|| self.not_open()),
        }
    }

    fn not_open(&self) -> Refusal {
        Refusal::Superseded { uploaded_bytes: self.uploaded_bytes() }
    }

    /// Whether the lease's holder has had exactly these parts counted already. Its numbers are its own, so the last one
    /// tells.
    fn is_repeated(&self, commit: &Commit) -> bool {
        let last_stored = self.last_part.as_ref().map(|part| part.number);
        last_stored.is_some() && commit.receipts.last().map(|receipt| receipt.number) == last_stored
    }

    /// What to store for these receipts; `None` unless they are exactly the next parts under the right numbers.
    fn counted(&self, lease: Lease, commit: &Commit) -> Option<Vec<StoredPart>> {
        let last_stored = self.last_part.as_ref().map_or(0, |part| part.number);
        let mut number = if last_stored >= lease.first_number { last_stored + 1 } else { lease.first_number };
        let mut end = self.uploaded_bytes();
        let mut crc64nvme_so_far = self.crc64nvme_so_far();
        let mut spans = self.birth.plan.spans(end, lease.to);
        let mut parts = Vec::with_capacity(commit.receipts.len());
        for receipt in &commit.receipts {
            let span = spans.next()?;
            if receipt.number != number || receipt.bytes != span.bytes || number > self.highest_number() {
                return None;
            }
            end = end.checked_add(span.bytes)?;
            crc64nvme_so_far = crc64nvme_so_far.followed_by(receipt.crc64nvme, span.bytes);
            parts.push(StoredPart {
                number,
                end,
                etag: receipt.etag.clone(),
                crc64nvme_so_far,
                sha256_so_far: None,
            });
            number += 1;
        }
        let last = parts.last_mut()?;
        last.sha256_so_far.clone_from(&commit.sha256_so_far);
        // A file whose SHA-256 was declared cannot be verified, ever, if one part comes without the state.
        (self.birth.file.sha256.is_some() == commit.sha256_so_far.is_some()).then_some(parts)
    }

    fn committed(&self, lease: Lease) -> Committed {
        let uploaded_bytes = self.uploaded_bytes();
        let last_stored = self.last_part.as_ref().map_or(0, |part| part.number);
        let next_number = (uploaded_bytes < lease.to).then_some(last_stored + 1);
        Committed { uploaded_bytes, next_number, phase: self.progress.phase }
    }
}
