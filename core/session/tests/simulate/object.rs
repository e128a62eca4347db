//! The upload's object: its rows, its decisions, and its alarm, which may be lost. Everything that decides is the session.

use std::collections::BTreeMap;

use upload_session::{
    alarm::CountedPart,
    outbox::Outbox,
    session::{
        CountedRows, ParallelChunk, RemainderSource, Segment, SegmentPlace, Session, StateChange, StoredPart, Uncount,
    },
};
use upload_types::{
    plan::Mode,
    units::{ByteCount, UnixMs},
};

use crate::{content::Content, storage::Storage};

/// What the object has stored, and what it is at.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// None once it is forgotten.
    pub(crate) session: Option<Session>,
    /// The counted parts, in the order of their numbers.
    parts: Vec<StoredPart>,
    /// The tail, in order; with its bytes, unless they are in R2.
    segments: Vec<(Segment, Option<Content>)>,
    /// The chunks of a parallel upload that were begun.
    parallel_chunks: BTreeMap<u32, ParallelChunk>,
    /// What its receivers are told.
    outbox: Outbox,
    /// Which setting of the alarm is the last: all others do not ring.
    pub(crate) alarm: u64,
    /// Which ring is under way.
    pub(crate) ringing: Option<u64>,
}

impl Object {
    /// One that has just been created.
    pub(crate) fn new(session: Session) -> Self {
        Self {
            outbox: session.outbox().clone(),
            session: Some(session),
            parts: Vec::new(),
            segments: Vec::new(),
            parallel_chunks: BTreeMap::new(),
            alarm: 0,
            ringing: None,
        }
    }

    /// When the next duty is due.
    pub(crate) fn due(&self) -> Option<u64> {
        self.session.as_ref().and_then(Session::next_job).map(|(due, _)| due.0)
    }

    /// Stores a change, and only then believes it.
    pub(crate) fn store(&mut self, change: StateChange, row: Option<Content>) {
        let Some(session) = &mut self.session else { return };
        self.parts.extend(change.parts.iter().cloned());
        self.parts.sort_by_key(|part| part.number);
        if let Some(last) = change.parts.last() {
            self.segments.retain(|(segment, _)| segment.start >= last.end);
        }
        if let Some(segment) = &change.segment {
            let row = row.filter(|_| segment.place == SegmentPlace::Row);
            self.segments.push((segment.clone(), row));
        }
        self.parallel_chunks.extend(change.parallel_chunks.iter().cloned());
        self.outbox = change.outbox.clone().unwrap_or_else(|| self.outbox.clone());
        match &change.uncount {
            Uncount::Nothing => {}
            Uncount::All | Uncount::Anew => self.parts.clear(),
            Uncount::Chunks(chunks) => {
                let numbers: Vec<_> = chunks.iter().filter_map(|chunk| session.numbers_of_chunk(*chunk)).collect();
                self.parts.retain(|part| !numbers.iter().any(|numbers| numbers.contains(&part.number)));
            }
        }
        session.apply(change);
    }

    /// It dies, and is read back.
    pub(crate) fn die(&mut self, now: u64) {
        self.ringing = None;
        let Some(session) = self.session.take() else { return };
        let (spec, state) = (session.spec().clone(), session.state().clone());
        let counted = match state.mode(&spec) {
            Mode::Sequential => CountedRows::Sequence {
                last_part: self.parts.last().cloned(),
                last_segment: self.segments.last().map(|(segment, _)| segment.clone()),
            },
            Mode::Parallel | Mode::Direct => CountedRows::Parallel {
                begun: self.parallel_chunks.clone().into_iter().collect(),
                counted: self.parts.iter().map(|part| (part.number, part.stored_at)).collect(),
            },
        };
        self.session = Some(Session::restore(UnixMs(now), spec, state, self.outbox.clone(), counted));
    }

    /// What completion needs.
    pub(crate) fn counted_parts(&self) -> Vec<CountedPart> {
        let mut from = ByteCount::ZERO;
        let part = |part: &StoredPart| {
            let bytes = part.end.saturating_sub(from);
            from = part.end;
            CountedPart { number: part.number, etag: part.etag.clone(), crc64nvme: part.crc64nvme, bytes }
        };
        self.parts.iter().map(part).collect()
    }

    /// Where the bytes of the tail are. Neighbours in rows are one source.
    pub(crate) fn tail(&self) -> Vec<RemainderSource> {
        let Some(session) = &self.session else { return Vec::new() };
        let mut sources: Vec<RemainderSource> = Vec::new();
        for (segment, _) in &self.segments {
            let (start, end) = (segment.start, segment.end);
            match (segment.place, sources.last_mut()) {
                (SegmentPlace::Row, Some(RemainderSource::Rows { end: last, .. })) if *last == start => *last = end,
                (SegmentPlace::Row, _) => sources.push(RemainderSource::Rows { start, end }),
                (SegmentPlace::Object, _) => sources.push(RemainderSource::Object {
                    key: session.spec().segment_key(segment.attempt),
                    bytes: end.saturating_sub(start),
                }),
            }
        }
        sources
    }

    /// All that counts of a live upload, as somebody reads it who asks where it is.
    pub(crate) fn readable(&self, copies_prefix: &str, r2: &Storage) -> Option<Content> {
        let mut all = Content::default();
        for part in &self.parts {
            all = all.then(r2.object(&format!("{copies_prefix}{}", part.number))?);
        }
        for source in self.tail() {
            all = match source {
                RemainderSource::Rows { start, end } => all.then(&self.read_rows(start, end)),
                RemainderSource::Object { key, .. } => all.then(r2.object(&key)?),
            };
        }
        Some(all)
    }

    /// The bytes of rows that lie there now.
    pub(crate) fn read_rows(&self, start: ByteCount, end: ByteCount) -> Content {
        let within = |segment: &Segment| segment.start >= start && segment.end <= end;
        let rows = self.segments.iter().filter(|(segment, _)| within(segment)).filter_map(|(_, row)| row.as_ref());
        rows.fold(Content::default(), Content::then)
    }
}
