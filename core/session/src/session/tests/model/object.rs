//! What the upload's object stores. The tables, and what a change does to them, are those of the SQL; everything that
//! decides is the session under test.

use std::hash::{Hash, Hasher};

use crate::session::{
    Content, ParallelChunk, ParallelChunks, RemainderSource, Segment, SegmentPlace, Sequence, Session, StateChange,
    StoredPart, Uncount,
};
use upload_types::{
    plan::ChunkNumbers,
    units::ByteCount,
    upload::{DeliveryState, Phase},
};

use crate::session::tests::model::{
    bytes::{Bytes, units},
    mutations::Mutation,
};

/// A row of the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    /// What it says.
    pub(crate) segment: Segment,
    /// Its bytes, unless they are in R2.
    pub(crate) content: Option<Bytes>,
}

/// What the object has stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    /// The session; none once it is forgotten.
    pub(crate) session: Option<Session>,
    /// The counted parts, in the order of their numbers.
    pub(crate) parts: Vec<StoredPart>,
    /// The tail, in order.
    pub(crate) segments: Vec<SegmentRow>,
    /// The begun chunks of a parallel upload.
    pub(crate) parallel_chunks: Vec<(u32, ParallelChunk)>,
}

impl Object {
    /// One that has just been created.
    pub(crate) fn new(session: Session) -> Self {
        let chunks = u32::try_from(session.plan().part_count()).unwrap_or(0);
        let parallel_chunks = match &session.content {
            Content::Sequence(_) => Vec::new(),
            Content::Parallel(parallel_chunks) => {
                (0..chunks).map(|chunk| (chunk, parallel_chunks.state_of(chunk))).collect()
            }
        };
        let parallel_chunks =
            parallel_chunks.into_iter().filter(|(_, state)| *state != ParallelChunk::default()).collect();
        Self { session: Some(session), parallel_chunks, ..Self::default() }
    }

    /// Where the upload is in its life; none once it is forgotten.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.session.as_ref().map(|session| session.progress.phase)
    }

    /// The multipart upload that it knows of.
    pub(crate) fn multipart(&self) -> Option<u8> {
        self.session.as_ref()?.multipart_id()?.parse().ok()
    }

    /// One bit per unit of the file that counts.
    pub(crate) fn counted(&self) -> u32 {
        let Some(session) = &self.session else { return 0 };
        let (part, file) = (units(session.plan().part_bytes), units(session.plan().file_bytes));
        let up_to = |end: u8| (1_u32 << end.min(file)) - 1;
        match &session.content {
            Content::Sequence(sequence) => up_to(units(sequence.offset())),
            Content::Parallel(_) => self.parts.iter().fold(0, |mask, stored| {
                let numbers = ChunkNumbers::new(session.plan().mode, session.plan().part_count());
                let chunk = numbers.chunk_of(stored.number).and_then(|chunk| u8::try_from(chunk).ok()).unwrap_or(0);
                mask | (up_to((chunk + 1) * part) & !up_to(chunk * part))
            }),
        }
    }

    /// Stores a change and takes it in: all of it at once, as in a transaction.
    pub(crate) fn store(&mut self, change: StateChange, content: Option<Bytes>, mutation: Option<Mutation>) {
        let Some(session) = &mut self.session else { return };
        if !change.parts.is_empty() {
            self.parts.extend(change.parts.iter().cloned());
            self.parts.sort_by_key(|part| part.number);
        }
        if let Some(last) = change.parts.last()
            && mutation != Some(Mutation::TailKept)
        {
            self.segments.retain(|row| row.segment.start >= last.end);
        }
        if let Some(segment) = &change.segment {
            let content = content.filter(|_| segment.place == SegmentPlace::Row);
            self.segments.push(SegmentRow { segment: segment.clone(), content });
        }
        for (chunk, state) in &change.parallel_chunks {
            self.parallel_chunks.retain(|row| row.0 != *chunk);
            self.parallel_chunks.push((*chunk, state.clone()));
            self.parallel_chunks.sort_by_key(|row| row.0);
        }
        match &change.uncount {
            Uncount::Nothing => {}
            Uncount::All => self.parts.clear(),
            Uncount::Anew => {
                self.parts.clear();
                self.segments.clear();
                self.parallel_chunks.clear();
            }
            Uncount::Chunks(chunks) => {
                let numbers: Vec<_> = chunks.iter().filter_map(|chunk| session.numbers_of_chunk(*chunk)).collect();
                self.parts.retain(|part| !numbers.iter().any(|numbers| numbers.contains(&part.number)));
            }
        }
        session.apply(change);
    }

    /// Whether what a restarted object would read back is what this one believes.
    pub(crate) fn reads_back(&self) -> bool {
        let Some(session) = &self.session else { return true };
        match &session.content {
            Content::Sequence(sequence) => {
                let last_segment = self.segments.last().map(|row| row.segment.clone());
                *sequence == Sequence { last_part: self.parts.last().cloned(), last_segment }
            }
            Content::Parallel(parallel_chunks) => {
                let stored = self.parts.iter().map(|part| (part.number, part.stored_at));
                let begun = self.parallel_chunks.iter().cloned();
                let restored = ParallelChunks::of_upload(&session.spec, &session.progress, begun, stored);
                // When its writers were last heard of is in memory only.
                (restored.missing(), restored.cost()) == (parallel_chunks.missing(), parallel_chunks.cost())
            }
        }
    }

    /// Where the bytes of the tail are. Neighbours in rows are one source.
    pub(crate) fn tail(&self) -> Vec<RemainderSource> {
        let mut sources: Vec<RemainderSource> = Vec::new();
        for SegmentRow { segment, .. } in &self.segments {
            match (segment.place, sources.last_mut()) {
                (SegmentPlace::Row, Some(RemainderSource::Rows { end, .. })) if *end == segment.start => {
                    *end = segment.end;
                }
                (SegmentPlace::Row, _) => {
                    sources.push(RemainderSource::Rows { start: segment.start, end: segment.end });
                }
                (SegmentPlace::Object, _) => sources.push(RemainderSource::Object {
                    key: segment.attempt.to_string(),
                    bytes: segment.end.saturating_sub(segment.start),
                }),
            }
        }
        sources
    }

    /// The bytes of rows that lie there now, or none where they are not all there.
    pub(crate) fn read_rows(&self, start: u8, end: u8) -> Option<Bytes> {
        let within = |at: ByteCount| (start..end).contains(&units(at));
        let rows = self.segments.iter().filter(|row| within(row.segment.start));
        let found = rows.filter_map(|row| row.content).fold(Bytes::default(), Bytes::then);
        (found.units() >= end - start).then_some(found)
    }
}

/// Everything that can be another in two states of one run. What is fixed at the creation is not among it.
impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(session) = &self.session {
            let progress = &session.progress;
            (progress.phase, progress.ended_at, progress.lease, progress.holds_storage).hash(state);
            (progress.leftovers, progress.owes_ledger, progress.deleted_at).hash(state);
            (progress.job_failures, progress.job_not_before, progress.ledger_backoff).hash(state);
            (&progress.reason, &progress.etag).hash(state);
            (&progress.storage, progress.plan.map(|plan| plan.part_bytes.get())).hash(state);
            progress.writers.hash(state);
            (progress.seen_at, progress.tried_at, progress.refused_since, &progress.damage).hash(state);
            for delivery in session.outbox.iter() {
                (delivery.receiver, delivery.kind, delivery.occurred_at, delivery.attempts, delivery.next_send_at)
                    .hash(state);
                (delivery.state == DeliveryState::Queued, delivery.state == DeliveryState::Failed).hash(state);
                (delivery.attempt_until, delivery.link_until, delivery.redelivered_at, delivery.discard).hash(state);
            }
        } else {
            state.write_u8(u8::MAX);
        }
        self.parallel_chunks.hash(state);
        self.parts.len().hash(state);
        for part in &self.parts {
            (part.number, part.end.get(), &part.etag, part.stored_at).hash(state);
        }
        for SegmentRow { segment, content } in &self.segments {
            let in_row = segment.place == SegmentPlace::Row;
            (segment.start.get(), segment.end.get(), segment.attempt, in_row, content, segment.stored_at).hash(state);
        }
    }
}
