//! Parts that the client stores itself, under URLs that are signed for it. A chunk has one part number, and signing it again signs
//! the same one: a URL can be used any number of times, so what counts is what R2 has under the number when it is recorded. A
//! record is a commit.
//!
//! What nobody can take back is a URL: until it expires, and for as long as a request takes that began before, it can replace
//! the part under its number, or lose it, also after the part was recorded. So completion lists ETags, and R2 puts together
//! what was recorded or nothing. Where it finds a part changed, the upload is *reopened*, any number of times: nothing counts any
//! more, whatever R2 still has can be recorded again at once, and what it lost is signed and sent again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Committed, Content, Decision, ParallelChunk, ParallelChunks, Phase, Session, StateChange, StoredPart, Uncount,
    UploadState,
};
use crate::{chunk_set::ChunkSet, event::EventKind};
use upload_types::{
    api_error::ApiError,
    integrity::Crc64Nvme,
    plan::Mode,
    presigned::CompletedPart,
    units::{ByteCount, UnixMs},
};

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

/// Under which numbers chunks were signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The object's key.
    pub key: String,
    /// R2's id of the multipart upload.
    pub multipart_id: String,
    /// The chunk and its number, in order.
    pub numbers: Vec<(u32, u16)>,
    /// How many bytes count.
    pub uploaded_bytes: ByteCount,
}

impl Session {
    /// Whether the client stores the parts itself.
    pub(crate) fn is_direct(&self) -> bool {
        self.plan().mode == Mode::Direct
    }

    /// Whether its sizes are known only once R2 has put the object together.
    pub(super) fn is_unsized(&self) -> bool {
        self.is_direct() && self.plan().open_ended
    }

    /// Gives the right to store these chunks: all of them, or none.
    pub fn sign(&self, now: UnixMs, chunks: &[u32]) -> Decision<Vec<Slot>> {
        let (parallel_chunks, multipart_id) = match self.direct_and_open() {
            Ok(found) => found,
            Err(refusal) => return Decision::no(refusal),
        };
        let mut slots = Vec::with_capacity(chunks.len());
        let mut signed: BTreeMap<u32, ParallelChunk> = BTreeMap::new();
        for &chunk in chunks {
            let Some(number) = parallel_chunks.number(chunk) else {
                let detail = format!(
                    "{chunk} is none of the {} chunks, which are counted from 0",
                    parallel_chunks.numbers().chunks()
                );
                return Decision::no(ApiError::bad_request("chunks", detail));
            };
            if parallel_chunks.is_stored(chunk) {
                return Decision::no(ApiError::ChunkAlreadyStored {
                    chunk: Some(chunk),
                    uploaded_bytes: self.uploaded_bytes(),
                });
            }
            slots.push(Slot {
                key: self.spec.key.clone(),
                multipart_id: multipart_id.clone(),
                chunk,
                number,
                span: (!self.is_unsized()).then(|| (parallel_chunks.start_of(chunk), parallel_chunks.bytes_of(chunk))),
                expires_at: self.expires_at_if_seen(now),
            });
            let before = signed.get(&chunk).cloned().unwrap_or_else(|| parallel_chunks.state_of(chunk));
            signed.insert(chunk, ParallelChunk { attempts: before.attempts + 1, number, used: 1, ..before });
        }
        // Said again with every request, for its cost: such an object sleeps between them.
        let progress = (!slots.is_empty()).then(|| self.seen(now));
        Decision::yes(
            slots,
            StateChange { parallel_chunks: signed.into_iter().collect(), progress, ..StateChange::none() },
        )
    }

    /// Counts parts that R2 has, all of them or none. Saying it twice changes nothing the second time.
    pub fn record(&self, now: UnixMs, found: &[Found]) -> Decision<Committed> {
        if self.is_unsized() {
            let detail =
                "of an upload without declared sizes are not recorded one by one, but listed at its completion";
            return Decision::no(ApiError::bad_request("parts", detail));
        }
        if !matches!(self.progress.phase, Phase::Open | Phase::Completing | Phase::Verifying | Phase::Completed) {
            return Decision::no(self.gone());
        }
        let Content::Parallel(parallel_chunks) = &self.content else { return Decision::no(ApiError::NotDirect) };
        if !self.is_direct() {
            return Decision::no(ApiError::NotDirect);
        }
        let is_open = self.progress.phase == Phase::Open;
        let (mut parts, mut seen) = (Vec::new(), ChunkSet::none_of(self.plan().part_count()));
        for part in found {
            let (number, uploaded_bytes) = (part.number, self.uploaded_bytes());
            let chunk = parallel_chunks
                .numbers()
                .chunk_of(number)
                .filter(|chunk| parallel_chunks.state_of(*chunk).attempts > 0);
            let Some(chunk) = chunk else {
                return Decision::no(ApiError::PartNotStored { part_number: number, uploaded_bytes });
            };
            let expected_bytes = parallel_chunks.bytes_of(chunk);
            let part_bytes = part.bytes.unwrap_or(expected_bytes);
            if part_bytes != expected_bytes {
                let refusal =
                    ApiError::PartSizeMismatch { part_number: number, part_bytes, expected_bytes, uploaded_bytes };
                return Decision::no(refusal);
            }
            if is_open && !parallel_chunks.is_stored(chunk) && !seen.contains(chunk) {
                seen.insert(chunk);
                let end = parallel_chunks.start_of(chunk).checked_add(part_bytes).unwrap_or(self.plan().file_bytes);
                parts.push(recorded(number, end, now, part.etag.clone()));
            }
        }
        let mut change = StateChange { parts, ..StateChange::none() };
        let phase = self.complete_if_whole(now, &mut change);
        let mut after = self.clone();
        after.apply(change.clone());
        let uploaded_bytes = after.uploaded_bytes();
        if !change.parts.is_empty() {
            change.progress = Some(self.charged(change.progress, change.parts.len()));
        }
        Decision::yes(Committed::so_far(uploaded_bytes, phase), change)
    }

    /// How far the upload is, with so many parts that its client had R2 store at the upload's cost.
    fn charged(&self, progress: Option<UploadState>, parts: usize) -> UploadState {
        let mut progress = progress.unwrap_or_else(|| self.progress.clone());
        progress.cost.r2_class_a += parts as u64;
        progress
    }

    /// The numbers of all chunks that were signed.
    pub fn signed(&self) -> Decision<Signed> {
        let (parallel_chunks, multipart_id) = match self.direct_and_open() {
            Ok(found) => found,
            Err(refusal) => return Decision::no(refusal),
        };
        let numbers = parallel_chunks.signed().collect();
        let uploaded_bytes = self.uploaded_bytes();
        Decision::yes(Signed { key: self.spec.key.clone(), multipart_id, numbers, uploaded_bytes }, StateChange::none())
    }

    /// The file is these chunks. Only R2 knows whether it has them so, and how long they are: it is asked by having the object
    /// put together.
    pub fn assemble_of(&self, now: UnixMs, chosen: &[CompletedPart]) -> Decision<()> {
        if !self.is_direct() {
            return Decision::no(ApiError::NotDirect);
        }
        match self.progress.phase {
            Phase::Completing | Phase::Verifying | Phase::Completed => return Decision::yes((), StateChange::none()),
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => return Decision::no(self.gone()),
            Phase::Damaged => return Decision::no(self.damaged_refusal()),
            Phase::Open => {}
        }
        let Content::Parallel(parallel_chunks) = &self.content else { return Decision::no(ApiError::NotDirect) };
        if !self.is_unsized() {
            return self.complete(now);
        }
        let no_gap = chosen.iter().zip(0..).all(|(part, expected)| part.chunk == expected);
        if chosen.is_empty() || !no_gap {
            return Decision::no(ApiError::bad_request("parts", "are not all parts from the first on, in order"));
        }
        let mut parts = Vec::with_capacity(chosen.len());
        for CompletedPart { chunk, etag } in chosen {
            let Some((_, number)) = parallel_chunks.signed().find(|(signed, _)| signed == chunk) else {
                let detail = format!("part {} was never signed", chunk + 1);
                return Decision::no(ApiError::bad_request("parts", detail));
            };
            // Where it ends is known once the object is there.
            parts.push(recorded(number, ByteCount::ZERO, now, etag.clone()));
        }
        let progress = UploadState { phase: Phase::Completing, job_not_before: now, ..self.progress.clone() };
        let progress = Some(self.charged(Some(progress), parts.len()));
        Decision::yes((), StateChange { progress, parts, ..StateChange::none() })
    }

    /// R2 has the whole object, so many bytes long. Nobody here has seen one of them: it is read back before it is complete.
    pub(crate) fn assembled_directly(&self, now: UnixMs, etag: String, bytes: ByteCount) -> StateChange {
        let plan = self.plan();
        if bytes > plan.file_bytes || (!plan.open_ended && bytes < plan.file_bytes) {
            let reason = format!("Storage has {bytes} bytes of {}.", plan.file_bytes);
            return self.end(now, Phase::Failed, EventKind::Failed, Some(reason));
        }
        if bytes.is_zero() {
            let crc64nvme = Crc64Nvme::default();
            return self.assembled(now, etag, crc64nvme);
        }
        let declared = plan.open_ended.then(|| {
            let parts = self.content.counted_parts().max(1);
            plan.declare(bytes).with_parts_of(bytes.get().div_ceil(parts))
        });
        UploadState {
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
    pub(crate) fn reopened_directly(&self, now: UnixMs, error: &str) -> StateChange {
        let mut change = self.reopened(now, error, Uncount::All);
        if let Some(progress) = &mut change.progress {
            // Those that R2 still has will be recorded, and charged for, once more.
            progress.cost.r2_class_a = progress.cost.r2_class_a.saturating_sub(self.content.counted_parts());
        }
        change
    }

    /// R2 does not have these parts as they were counted: the upload is open again, and they are missing.
    pub(super) fn reopened(&self, now: UnixMs, error: &str, uncount: Uncount) -> StateChange {
        let reason = format!("Storage does not have the parts as they were counted: {error}");
        let (reason, refused_since) = (Some(reason), None);
        let progress = UploadState { phase: Phase::Open, reason, job_failures: 0, refused_since, ..self.seen(now) };
        StateChange { progress: Some(progress), uncount, ..StateChange::none() }
    }

    fn direct_and_open(&self) -> Result<(&ParallelChunks, String), ApiError> {
        match self.progress.phase {
            Phase::Failed | Phase::Aborted | Phase::Expired | Phase::Deleted => return Err(self.gone()),
            Phase::Completing | Phase::Verifying | Phase::Completed if self.is_direct() => {
                return Err(ApiError::ChunkAlreadyStored { chunk: None, uploaded_bytes: self.uploaded_bytes() });
            }
            _ => {}
        }
        match (&self.content, self.multipart_id()) {
            (Content::Parallel(parallel_chunks), Some(id)) if self.is_direct() => Ok((parallel_chunks, id.to_owned())),
            _ => Err(ApiError::NotDirect),
        }
    }
}

impl Content {
    /// How many parts count, where there is one for each chunk.
    fn counted_parts(&self) -> u64 {
        match self {
            Self::Sequence(_) => 0,
            Self::Parallel(parallel_chunks) => parallel_chunks.counted(),
        }
    }
}

impl ParallelChunks {
    /// The number of every chunk that was signed, in order.
    fn signed(&self) -> impl Iterator<Item = (u32, u16)> {
        self.begun().filter(|(_, state)| state.attempts > 0).map(|(chunk, state)| (chunk, state.number))
    }

    /// The one number of a chunk.
    fn number(&self, chunk: u32) -> Option<u16> {
        self.numbers().of_chunk(chunk).map(|numbers| *numbers.start())
    }
}

/// A part that R2 has. Nobody here has seen its bytes: their CRC is known once the object has been read back.
fn recorded(number: u16, end: ByteCount, stored_at: UnixMs, etag: String) -> StoredPart {
    let crc64nvme = Crc64Nvme::default();
    StoredPart { number, end, stored_at, etag, crc64nvme, sha256_so_far: None, digest: None }
}
