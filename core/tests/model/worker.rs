//! A Worker, and what it knows of the chunk that it carries out.

use upload_core::{
    chunk::{Completion, Named},
    session::{BeginAppend, Continuation, MAX_ROW_SEGMENT_BYTES, RemainderPiece, WriteLease},
};

use crate::{
    bounds::Topic,
    bytes::{Bytes, bytes, units},
    commits::Message,
    object::PartialUpload,
    world::Uploads,
};

/// A Worker, or the place where one may start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Worker {
    /// It has no chunk.
    Idle,
    /// It has a chunk, and the object is having a multipart upload opened for it before it answers.
    Waiting(Chunk),
    /// It believes to hold a grant.
    Busy(Attempt),
}

/// A chunk that has not been granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Chunk {
    /// Where it begins.
    pub(crate) from: u8,
    /// And ends.
    pub(crate) to: u8,
    /// Whether it counts as a whole.
    pub(crate) whole: bool,
}

impl Chunk {
    /// As the object reads it.
    pub(crate) fn begin(self) -> BeginAppend {
        let Self { from, to, whole } = self;
        let (offset, length, link) = (bytes(from), bytes(to - from), Continuation::default());
        let (named, completes) = (Named::ByOffset, Completion::WhenWhole);
        BeginAppend { offset, length, file_bytes: None, whole, named, completes, link }
    }
}

/// What a Worker knows of its chunk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Attempt {
    /// The attempt.
    pub(crate) id: u64,
    /// What it was granted.
    pub(crate) granted: PresignResponse,
    /// Under which multipart upload; under none where it puts the whole.
    pub(crate) multipart: Option<u8>,
    /// What it waits for.
    pub(crate) doing: Doing,
    /// The number of the next part.
    pub(crate) number: u16,
    /// Where the next part begins.
    pub(crate) at: u8,
    /// Where the body has got to.
    pub(crate) body: u8,
    /// What to put in front of the next part.
    pub(crate) tail: Vec<PartialUpload>,
    /// Whether it copies from a damaged object.
    pub(crate) copies: bool,
    /// Receipts that are held back until the checksum is known to be right.
    pub(crate) held: Vec<Stored>,
}

/// The lease, as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PresignResponse {
    /// The first number.
    pub(crate) first: u16,
    /// How many.
    pub(crate) reserved: u16,
    /// Where the chunk begins.
    pub(crate) from: u8,
    /// And ends.
    pub(crate) to: u8,
    /// Whether it counts as a whole.
    pub(crate) whole: bool,
    /// How long parts are.
    pub(crate) part: u8,
}

/// What a Worker waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// For nothing: it is about to take its next step.
    Ready,
    /// For R2.
    Storing,
    /// For the object.
    Committing {
        /// Whether the body has broken.
        broken: bool,
    },
}

/// A part that R2 has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Stored {
    /// Its number.
    pub(crate) number: u16,
    /// How long it was to be.
    pub(crate) length: u8,
    /// What R2 took.
    pub(crate) content: Bytes,
}

impl Attempt {
    /// What a Worker makes of a grant.
    pub(crate) fn new(grant: &WriteLease, begin: &BeginAppend) -> Self {
        let piece = |piece: &RemainderPiece| match piece {
            RemainderPiece::Rows { start, end } => PartialUpload::Rows(units(*start), units(*end)),
            RemainderPiece::Object { key, .. } => PartialUpload::InStorage(key.parse().unwrap_or(0)),
        };
        let from = units(begin.offset);
        Self {
            id: grant.attempt,
            granted: PresignResponse {
                first: grant.first_number,
                reserved: grant.reserved,
                from,
                to: from + units(begin.length),
                whole: begin.whole,
                part: units(grant.plan.part_bytes),
            },
            multipart: grant.multipart_id.as_ref().and_then(|id| id.parse().ok()),
            doing: Doing::Ready,
            number: grant.first_number,
            at: units(grant.plan.part_start(grant.offset)),
            body: from,
            tail: grant.tail.iter().map(piece).collect(),
            copies: false,
            held: Vec::new(),
        }
    }

    /// How long its next part is; 0 where there is none.
    pub(crate) fn next_part(&self, uploads: &Uploads) -> u8 {
        let PresignResponse { to, part, .. } = self.granted;
        let parts_end = if to == uploads.bounds.file { to } else { to / part * part };
        parts_end.saturating_sub(self.at).min(part)
    }

    /// How much is left of the body behind the last whole part, where that is what comes next.
    pub(crate) fn rest(&self, uploads: &Uploads) -> u8 {
        if self.next_part(uploads) > 0 { 0 } else { self.granted.to - self.body }
    }

    /// Whether its next step may go one way or another, or depends on when it is taken.
    pub(crate) fn has_choice(&self, uploads: &Uploads) -> bool {
        let reads = self.next_part(uploads) > 0 && !self.tail.is_empty();
        self.doing == Doing::Ready && (reads || self.may_break(uploads))
    }

    /// Whether its body may break now so that a part of the rest counts.
    pub(crate) fn may_break(&self, uploads: &Uploads) -> bool {
        let rest = self.rest(uploads);
        self.doing == Doing::Ready
            && uploads.bounds.tries(Topic::CutShort)
            && !self.granted.whole
            && rest > 1
            && fits_row(rest)
    }

    /// What it commits now.
    pub(crate) fn message(&mut self, rest: Option<(Bytes, bool)>, broken: bool) -> Message {
        self.doing = Doing::Committing { broken };
        let stored = std::mem::take(&mut self.held);
        Message { attempt: self.id, granted: self.granted, stored, rest, is_copy: false }
    }
}

/// Whether a rest of this length is kept in a row.
pub(crate) fn fits_row(units: u8) -> bool {
    bytes(units).get() <= MAX_ROW_SEGMENT_BYTES
}
