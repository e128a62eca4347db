//! Parts that the client stores itself. A signature is an attempt: it hands out a number that nobody else ever gets, and only
//! the newest one of a chunk can be recorded. A record is a commit.
//!
//! What nobody can take back is a URL: until it expires, and for as long as a request takes that began before, it can replace
//! the part under its number, or lose it, also after the part was recorded. So completion lists ETags, and R2 puts together
//! what was recorded or nothing. Where it finds a part changed, the upload is *reopened*: nothing counts any more, whatever
//! R2 still has can be recorded again at once, and what it lost is signed anew, under numbers that no old URL has.

use serde::{Deserialize, Serialize};

use super::{Change, Commit, Committed, Content, Decision, Lane, Lanes, Phase, Progress, Receipt, Session, StoredPart};
use crate::{
    direct::Chosen,
    event::EventKind,
    integrity::Crc64Nvme,
    plan::{Mode, lane_of},
    refusal::Refusal,
    units::{ByteCount, UnixMs},
};

/// So often an upload is reopened. A client that goes on changing what it has recorded is broken, or worse.
const MAX_REOPENINGS: u32 = 8;

/// The right to store one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The object's key.
    pub key: String,
    /// R2's id of the multipart upload.
    pub multipart_id: String,
    /// The chunk.
    pub chunk: u32,
    /// The part's number.
    pub number: u16,
    /// Where the chunk begins and how long it is; none where the sizes were not declared.
    pub span: Option<(ByteCount, ByteCount)>,
    /// When the upload ends unless it is complete by then.
    pub expires_at: UnixMs,
}

/// A part that R2 has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its number.
    pub number: u16,
    /// Its ETag.
    pub etag: String,
    /// Its length; none where R2 cannot be asked, so that completion is the proof.
    pub bytes: Option<ByteCount>,
}

/// Under which numbers the chunks were last signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The object's key.
    pub key: String,
    /// R2's id of the multipart upload.
    pub multipart_id: String,
    /// The chunk and its newest number, in order.
    pub numbers: Vec<(u32, u16)>,
    /// How many bytes count.
    pub uploaded_bytes: ByteCount,
}

impl Session {
    /// Whether the client stores the parts itself.
    pub fn is_direct(&self) -> bool {
        self.plan().mode == Mode::Direct
    }

    /// Whether its sizes are known only once R2 has put the object together.
    pub(super) fn is_unsized(&self) -> bool {
        self.is_direct() && self.plan().open_ended
    }

    /// Gives the right to store a chunk, under a fresh number.
    pub fn sign(&self, now: UnixMs, chunk: u32) -> Decision<Slot> {
        let (lanes, multipart_id) = match self.direct_and_open() {
            Ok(found) => found,
            Err(refusal) => return Decision::no(refusal),
        };
        if u64::from(chunk) >= lanes.count() {
            let detail = format!("there are {} chunks, counted from 0", lanes.count());
            return Decision::no(Refusal::bad_request("chunks", detail));
        }
        let lane = lanes.lane(chunk);
        if lane.stored.is_some() {
            return Decision::no(Refusal::ChunkAlreadyStored { uploaded_bytes: self.uploaded_bytes() });
        }
        let Some(number) = lanes.number(chunk, lane.tries) else { return self.exhausted(now) };
        let slot = Slot {
            key: self.birth.key.clone(),
            multipart_id,
            chunk,
            number,
            span: (!self.is_unsized()).then(|| (lanes.start_of(chunk), lanes.bytes_of(chunk))),
            expires_at: self.expires_at_if_seen(now),
        };
        let lane = Some((chunk, Lane { tries: lane.tries + 1, ..lane }));
        Decision::yes(slot, Change { lane, ..Change::none() })
    }

    /// Counts parts that R2 has, all of them or none. Saying it twice changes nothing the second time.
    pub fn record(&self, now: UnixMs, found: &[Found]) -> Decision<Committed> {
        if self.is_unsized() {
            let detail =
                "of an upload without declared sizes are not recorded one by one, but listed at its completion";
            return Decision::no(Refusal::bad_request("parts", detail));
        }
        if !matches!(self.progress.phase, Phase::Open | Phase::Completing | Phase::Verifying | Phase::Completed) {
            return Decision::no(self.gone());
        }
        let Content::Lanes(lanes) = &self.content else { return Decision::no(Refusal::NotDirect) };
        if !self.is_direct() {
            return Decision::no(Refusal::NotDirect);
        }
        let mut after = self.clone();
        let mut change = Change::none();
        let mut answer = Committed::so_far(self.uploaded_bytes(), None, self.progress.phase);
        for part in found {
            let expected_bytes = lanes.bytes_of_number(part.number);
            let bytes = part.bytes.unwrap_or(expected_bytes);
            if bytes != expected_bytes {
                return Decision::no(Refusal::PartSizeMismatch {
                    part_number: part.number,
                    part_bytes: bytes,
                    expected_bytes,
                    uploaded_bytes: self.uploaded_bytes(),
                });
            }
            // Nobody here has seen the bytes: their CRC is known once the object has been read back.
            let crc64nvme = Crc64Nvme::default();
            let receipt = Receipt { number: part.number, bytes, etag: part.etag.clone(), crc64nvme };
            let commit =
                Commit { attempt: part.number.into(), receipts: vec![receipt], rest: None, sha256_so_far: None };
            let decision = after.commit(now, &commit);
            match decision.answer {
                Ok(committed) => answer = committed,
                Err(refusal) => return Decision::no(refusal),
            }
            change.parts.extend(decision.change.parts.clone());
            change.progress = decision.change.progress.clone().or(change.progress);
            after.apply(decision.change);
        }
        if !change.parts.is_empty() {
            change.progress = Some(self.charged(change.progress, change.parts.len()));
        }
        Decision::yes(answer, change)
    }

    /// How far the upload is, with so many parts that its client had R2 store at the upload's cost.
    fn charged(&self, progress: Option<Progress>, parts: usize) -> Progress {
        let mut progress = progress.unwrap_or_else(|| self.progress.clone());
        progress.cost.r2_class_a += parts as u64;
        progress
    }

    /// The newest numbers of all chunks that were signed.
    pub fn signed(&self) -> Decision<Signed> {
        let (lanes, multipart_id) = match self.direct_and_open() {
            Ok(found) => found,
            Err(refusal) => return Decision::no(refusal),
        };
        let numbers = lanes.newest().collect();
        let uploaded_bytes = self.uploaded_bytes();
        Decision::yes(Signed { key: self.birth.key.clone(), multipart_id, numbers, uploaded_bytes }, Change::none())
    }

    /// The file is these chunks. Only R2 knows whether it has them so, and how long they are: it is asked by having the object
    /// put together.
    pub fn assemble_of(&self, now: UnixMs, chosen: &[Chosen]) -> Decision<()> {
        if !self.is_direct() {
            return Decision::no(Refusal::NotDirect);
        }
        match self.progress.phase {
            Phase::Completing | Phase::Verifying | Phase::Completed => return Decision::yes((), Change::none()),
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => return Decision::no(self.gone()),
            Phase::Open => {}
        }
        let Content::Lanes(lanes) = &self.content else { return Decision::no(Refusal::NotDirect) };
        if !self.is_unsized() {
            return self.complete();
        }
        let no_gap = chosen.iter().zip(0..).all(|(part, expected)| part.chunk == expected);
        if chosen.is_empty() || !no_gap {
            return Decision::no(Refusal::bad_request("parts", "are not all parts from the first on, in order"));
        }
        let mut parts = Vec::with_capacity(chosen.len());
        for Chosen { chunk, etag } in chosen {
            let Some(number) = lanes.newest_of(*chunk) else {
                let detail = format!("part {} was never signed", chunk + 1);
                return Decision::no(Refusal::bad_request("parts", detail));
            };
            // Where it ends is known once the object is there.
            let (end, crc64nvme) = (ByteCount::ZERO, Crc64Nvme::default());
            parts.push(StoredPart { number, end, stored_at: now, etag: etag.clone(), crc64nvme, sha256_so_far: None });
        }
        let progress = Progress { phase: Phase::Completing, job_not_before: now, ..self.progress.clone() };
        let progress = Some(self.charged(Some(progress), parts.len()));
        Decision::yes((), Change { progress, parts, ..Change::none() })
    }

    /// R2 has the whole object, so many bytes long. Nobody here has seen one of them: it is read back before it is complete.
    pub fn assembled_directly(&self, now: UnixMs, etag: String, bytes: ByteCount) -> Change {
        let plan = self.plan();
        if bytes > plan.file_bytes || (!plan.open_ended && bytes < plan.file_bytes) {
            let reason = format!("Storage has {bytes} bytes of {}.", plan.file_bytes);
            return self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
        }
        if bytes.is_zero() {
            let crc64nvme = Crc64Nvme::default();
            return match self.crc64nvme_mismatch(crc64nvme) {
                None => self.assembled(now, etag, crc64nvme),
                Some(reason) => self.unassembled(now, reason),
            };
        }
        let declared = plan.open_ended.then(|| {
            let parts = self.content.counted_parts().max(1);
            plan.declare(bytes).with_parts_of(bytes.get().div_ceil(parts))
        });
        Progress {
            phase: Phase::Verifying,
            reason: None,
            refused_since: None,
            job_failures: 0,
            job_not_before: now,
            etag: Some(etag),
            plan: declared.or(self.progress.plan),
            ..self.progress.clone()
        }
        .into()
    }

    /// R2 does not have the parts as they were recorded: a URL was used again, or a record was false. Nothing counts any more,
    /// and what R2 still has can be recorded again.
    pub fn reopened(&self, now: UnixMs, error: &str) -> Change {
        let reason = format!("Storage does not have the parts as they were recorded: {error}");
        if self.progress.reopenings >= MAX_REOPENINGS {
            return self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
        }
        let mut progress = Progress {
            phase: Phase::Open,
            reason: Some(reason),
            reopenings: self.progress.reopenings + 1,
            job_failures: 0,
            refused_since: None,
            ..self.seen(now)
        };
        // Those that R2 still has will be recorded, and charged for, once more.
        progress.cost.r2_class_a = progress.cost.r2_class_a.saturating_sub(self.content.counted_parts());
        Change { progress: Some(progress), uncount: true, ..Change::none() }
    }

    fn direct_and_open(&self) -> Result<(&Lanes, String), Refusal> {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => return Err(self.gone()),
            Phase::Completing | Phase::Verifying | Phase::Completed if self.is_direct() => {
                return Err(Refusal::ChunkAlreadyStored { uploaded_bytes: self.uploaded_bytes() });
            }
            _ => {}
        }
        match (&self.content, &self.birth.multipart_id) {
            (Content::Lanes(lanes), Some(id)) if self.is_direct() => Ok((lanes, id.clone())),
            _ => Err(Refusal::NotDirect),
        }
    }
}

impl Content {
    /// How many parts count, where there is one for each chunk.
    fn counted_parts(&self) -> u64 {
        match self {
            Self::Sequence(_) => 0,
            Self::Lanes(lanes) => lanes.counted(),
        }
    }
}

impl Lanes {
    /// The newest number of every chunk that was tried, in order.
    fn newest(&self) -> impl Iterator<Item = (u32, u16)> {
        self.tried_chunks().filter_map(|chunk| Some((chunk, self.newest_of(chunk)?)))
    }

    fn newest_of(&self, chunk: u32) -> Option<u16> {
        self.number(chunk, self.lane(chunk).tries.checked_sub(1)?)
    }

    /// How long the part of this number must be.
    fn bytes_of_number(&self, number: u16) -> ByteCount {
        u32::try_from(lane_of(number, self.count())).map_or(ByteCount::ZERO, |chunk| self.bytes_of(chunk))
    }
}
