//! A Worker, and how far it is with the chunk that it carries out. What it does next says the real [`Attempt`].

use std::hash::{Hash, Hasher};

use crate::{
    attempt::{Attempt, PartAhead},
    session::{BeginAppend, Continuation, RemainderSource, WriteLease},
};
use upload_types::{
    chunk::{Completion, Named},
    integrity::{Algorithm, ChunkDigest},
};

use crate::session::tests::model::{
    bounds::Topic,
    bytes::{Bytes, bytes, units},
    world::Uploads,
};

/// A Worker, or the place where one may start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Worker {
    /// It has no chunk.
    Idle,
    /// It has a chunk, and the object is having a multipart upload opened for it before it answers.
    Waiting(Chunk),
    /// It believes to hold a lease.
    Busy(Box<Busy>),
}

/// A chunk that has not been granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Chunk {
    /// Where it begins.
    pub(crate) from: u8,
    /// And ends.
    pub(crate) to: u8,
    /// Whether it counts as a whole.
    pub(crate) all_or_nothing: bool,
}

impl Chunk {
    /// As the object reads it.
    pub(crate) fn begin(self) -> BeginAppend {
        let Self { from, to, all_or_nothing } = self;
        let (offset, length, continuation) = (bytes(from), bytes(to - from), Continuation::default());
        let (named, completes) = (Named::ByOffset, Completion::WhenWhole);
        BeginAppend { offset, length, file_bytes: None, all_or_nothing, named, completes, continuation }
    }
}

/// A Worker with a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    /// The attempt's id.
    pub(crate) id: u64,
    /// What it was granted.
    pub(crate) leased: Granted,
    /// Under which multipart upload; under none where it puts the whole.
    pub(crate) multipart: Option<u8>,
    /// Where the body has got to.
    pub(crate) body: u8,
    /// Whether it copies from a damaged object.
    pub(crate) copies: bool,
    /// What it waits for.
    pub(crate) doing: Doing,
    /// The part that it has begun before it was asked to.
    pub(crate) ahead: Option<Ahead>,
    /// What it makes of that.
    pub(crate) attempt: Attempt,
}

/// A part that was begun while the one before is being answered for and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ahead {
    /// Its number.
    pub(crate) number: u16,
    /// What R2 has stored of it, once it has.
    pub(crate) stored: Option<Bytes>,
}

/// The lease, as its holder knows it. Only broken rules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Granted {
    /// The first number.
    pub(crate) first: u16,
    /// How many.
    pub(crate) reserved_parts: u16,
    /// Where the chunk begins.
    pub(crate) from: u8,
    /// And ends.
    pub(crate) to: u8,
    /// Whether it counts as a whole.
    pub(crate) all_or_nothing: bool,
}

/// What a Worker waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// For nothing: it is about to read the tail, and store this part with it in front. When it does, matters.
    Opening {
        /// Its number.
        number: u16,
        /// Its length.
        length: u8,
        /// The tail.
        tail: Vec<RemainderSource>,
        /// The part behind it.
        ahead: Option<PartAhead>,
    },
    /// For the remainder's bytes, so many, which may break off.
    Reading(u8),
    /// For R2, to store a part, or to put the whole.
    Storing {
        /// Under this number.
        number: u16,
        /// So long.
        length: u8,
    },
    /// For R2, to put the remainder.
    StoringRemainder,
    /// For the object.
    Committing,
}

impl Busy {
    /// What a Worker makes of a lease for this chunk.
    pub(crate) fn new(uploads: &Uploads, lease: &WriteLease, begin: &BeginAppend) -> Self {
        let (from, all_or_nothing) = (units(begin.offset), begin.all_or_nothing);
        let to = from + units(begin.length);
        let digest = all_or_nothing.then(|| ChunkDigest { algorithm: Algorithm::Crc32, value: Vec::new() });
        let attempt = Attempt::new(lease, bytes(to), digest);
        let attempt = if uploads.bounds.tries(Topic::Ahead) { attempt.going_ahead() } else { attempt };
        Self {
            id: lease.attempt,
            leased: Granted {
                first: lease.first_number,
                reserved_parts: lease.reserved_parts,
                from,
                to,
                all_or_nothing,
            },
            multipart: lease.multipart_id.as_ref().and_then(|id| id.parse().ok()),
            body: from,
            copies: false,
            doing: Doing::Committing,
            ahead: None,
            attempt,
        }
    }

    /// Whether it waits for R2 to store a part under this number, asked for or ahead.
    pub(crate) fn is_storing_part(&self, number: u16) -> bool {
        matches!(self.doing, Doing::Storing { number: asked, .. } if asked == number)
            || self.ahead.is_some_and(|ahead| ahead.number == number)
    }

    /// Whether it waits for R2.
    pub(crate) fn is_storing(&self) -> bool {
        matches!(self.doing, Doing::Storing { .. } | Doing::StoringRemainder)
    }

    /// Whether its next step may go one way or another, or depends on when it is taken.
    pub(crate) fn has_choice(&self) -> bool {
        matches!(self.doing, Doing::Opening { .. } | Doing::Reading(_))
    }

    /// Whether a body may break so that a part of so long a remainder counts.
    pub(crate) fn may_break(&self, uploads: &Uploads, remainder: u8) -> bool {
        uploads.bounds.tries(Topic::CutShort) && !self.leased.all_or_nothing && remainder > 1
    }
}

/// What its attempt has been told of the upload decides nothing, and is left out.
impl Hash for Busy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id, self.leased, self.multipart, self.body, self.copies).hash(state);
        (&self.doing, self.ahead, &self.attempt).hash(state);
    }
}
