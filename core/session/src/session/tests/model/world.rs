//! One state of everything: the object, R2, the Workers, what is on its way between them, and who has been told what.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::{
    event::{Delivery, DeliveryId, EventKind},
    session::{
        Content, Decision, Lease, LeaseState, ParallelChunk, ParallelChunks, Session, StateChange, WRITER_SILENCE_MS,
    },
};
use upload_types::{
    api_error::ApiError,
    plan::{MAX_NUMBERS_PER_CHUNK, MAX_PART_NUMBER, Mode},
    units::{ByteCount, UnixMs},
    upload::Phase,
};

use crate::session::tests::model::{
    bounds::{Bounds, Budget},
    bytes::Bytes,
    commits::Message,
    duties::{Duty, Legacy},
    mutations::{self, Mutation},
    object::Object,
    settle::Outlooks,
    storage::Storage,
    telling::{Telling, Word},
    worker::Worker,
};

/// What the checker explores: a size, and perhaps a rule that is broken on purpose.
#[derive(Debug)]
pub(crate) struct Uploads {
    /// How much.
    pub(crate) bounds: Bounds,
    /// What is broken.
    pub(crate) mutation: Option<Mutation>,
    /// What is to be seen.
    pub(crate) sights: &'static [&'static str],
    /// How states end, where nothing else happens.
    pub(crate) outlooks: Outlooks,
}

impl Uploads {
    /// Everything within these bounds, with nothing broken.
    pub(crate) fn new(bounds: Bounds, sights: &'static [&'static str]) -> Self {
        Self { bounds, mutation: None, sights, outlooks: Outlooks::default() }
    }

    /// The same, with a rule broken.
    pub(crate) fn with(bounds: Bounds, mutation: Mutation) -> Self {
        Self { mutation: Some(mutation), ..Self::new(bounds, &[]) }
    }

    /// Which [`Place`] the chunk that begins there belongs to.
    pub(crate) fn place_of(&self, from: u8) -> usize {
        match self.bounds.mode {
            Mode::Sequential => 0,
            Mode::Parallel | Mode::Direct => usize::from(from / self.bounds.part),
        }
    }

    /// Whether this rule is broken.
    pub(crate) fn breaks(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}

/// Rules that are broken by a step, where the state after it would not show it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    /// A part number was handed out under which somebody else may still be writing.
    NumberInUse,
    /// An attempt counted something that was not the newest, or had lost its right.
    OldAttempt,
    /// The event of an upload became another, or went without its deletion.
    EventChanged,
    /// A completion was told with a link that leads nowhere.
    DeadLink,
    /// A restarted object would believe something else.
    ReadBack,
    /// What another receiver does has changed what the origin is told, or when.
    OriginDelayed,
}

impl Law {
    /// Its bit in [`World::broken`].
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a bystander remembers of a place: the whole of a sequential upload, or a chunk of a parallel one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The attempt that may commit; 0 where none may.
    pub(crate) newest: u64,
}

/// What the owner's ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "four facts, each of which may be any")]
pub(crate) struct Ledger {
    /// The upload counts as open.
    pub(crate) open: bool,
    /// The upload's object can be had.
    pub(crate) object: bool,
    /// The upload is among the finished ones.
    pub(crate) listed: bool,
    /// A message to it was lost, or its answer.
    pub(crate) has_failed: bool,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct World {
    /// The time.
    pub(crate) now: UnixMs,
    /// The object, as it answers.
    pub(crate) object: Arc<Object>,
    /// What it has stored, where that is older than what it answers. Never, unless that rule is broken.
    pub(crate) stored: Option<Arc<Object>>,
    /// The duty that it is carrying out. Gone with a crash.
    pub(crate) duty: Option<Duty>,
    /// R2.
    pub(crate) r2: Storage,
    /// Two Workers, in any order, since it does not matter which is which.
    pub(crate) workers: Vec<Worker>,
    /// Commits on their way, in any order.
    pub(crate) net: Vec<Message>,
    /// Queue, consumer and origin.
    pub(crate) telling: Telling,
    /// The owner's ledger.
    pub(crate) ledger: Ledger,
    /// What is left of the upload once it is forgotten.
    pub(crate) legacy: Option<Legacy>,
    /// What is to become of what is held, by the first word that counted.
    pub(crate) word: Option<Word>,
    /// What may still happen.
    pub(crate) left: Budget,
    /// One bit per unit that anybody was told to be counted. Progress can be asked for at any time, so that is every
    /// one that ever was.
    pub(crate) told: u32,
    /// What a bystander remembers.
    pub(crate) places: Vec<Place>,
    /// One bit per broken [`Law`].
    pub(crate) broken: u8,
    /// Whether a request has ended because nobody had heard of its sender for too long.
    pub(crate) silent: bool,
}

impl World {
    /// A new upload, created and nothing more.
    pub(crate) fn new(bounds: &Bounds) -> Result<Self, ApiError> {
        let mut session = Session::create(bounds.spec(), (!bounds.put).then(|| "0".to_owned()))?;
        if let Some(spare) = bounds.spare {
            leave_few_numbers(&mut session, spare);
        }
        let places = usize::from(bounds.file.div_ceil(bounds.part));
        Ok(Self {
            now: UnixMs(0),
            object: Arc::new(Object::new(session)),
            stored: None,
            duty: None,
            r2: Storage::new(!bounds.put),
            workers: vec![Worker::Idle, Worker::Idle],
            net: Vec::new(),
            telling: Telling::default(),
            ledger: Ledger { open: true, object: false, listed: false, has_failed: false },
            legacy: None,
            word: None,
            left: bounds.budget,
            told: 0,
            places: vec![Place::default(); places],
            broken: 0,
            silent: false,
        })
    }

    /// Whether a law is broken.
    pub(crate) fn has_broken(&self, law: Law) -> bool {
        self.broken & law.bit() != 0
    }

    /// The object in R2 that is the upload's: that of the counted put, where the file is put.
    pub(crate) fn whole_object(&self, uploads: &Uploads) -> Option<Bytes> {
        match (&self.object.session, self.object.parts.last()) {
            (Some(session), Some(_)) if session.multipart_id().is_none() => {
                self.r2.put(mutations::put_key(uploads, session.counted_attempt().unwrap_or(0)))
            }
            _ => self.r2.object(self.key()),
        }
    }

    /// Whether bytes are missing.
    pub(crate) fn is_open(&self) -> bool {
        self.object.phase() == Some(Phase::Open)
    }

    /// The object takes a decision, as it does: first it looks whether the upload's time is over.
    pub(crate) fn decide<T>(
        &mut self,
        uploads: &Uploads,
        content: Option<Bytes>,
        rule: impl FnOnce(&Session, UnixMs) -> Decision<T>,
    ) -> Result<T, ApiError> {
        let now = self.now;
        self.store(uploads, |session| expire(uploads, session, now));
        let Some(session) = &self.object.session else { return Err(ApiError::UploadNotFound) };
        let Decision { answer, change } = rule(session, now);
        self.store_with(uploads, content, |_| change);
        answer
    }

    /// Stores what a rule changes.
    pub(crate) fn store(&mut self, uploads: &Uploads, rule: impl FnOnce(&Session) -> StateChange) {
        self.store_with(uploads, None, rule);
    }

    fn store_with(&mut self, uploads: &Uploads, content: Option<Bytes>, rule: impl FnOnce(&Session) -> StateChange) {
        let Some(session) = &self.object.session else { return };
        let change = rule(session);
        if change.is_none() {
            return;
        }
        let told: Vec<DeliveryId> = session.outbox.iter().map(Delivery::id).collect();
        if uploads.breaks(Mutation::AnswerBeforeStore) && self.stored.is_none() {
            self.stored = Some(Arc::clone(&self.object));
        }
        Arc::make_mut(&mut self.object).store(change, content, uploads.mutation);
        if !self.object.reads_back() {
            self.broken |= Law::ReadBack.bit();
        }
        let after = self.object.session.as_ref();
        let is_kept = |id: &DeliveryId| {
            let outbox = after.map(|session| &session.outbox);
            let is_there = |id: DeliveryId| outbox.is_some_and(|outbox| outbox.find(id).is_some());
            let deletion = DeliveryId { kind: EventKind::Deleted, ..*id };
            // Whoever has not heard that it was held hears what came of it instead.
            let becomes = [EventKind::Completed, EventKind::Rejected, EventKind::Deleted];
            let is_replaced = becomes.into_iter().any(|kind| is_there(DeliveryId { kind, ..*id }));
            is_there(*id)
                || (id.kind == EventKind::Completed && is_there(deletion))
                || (id.kind == EventKind::Held && is_replaced)
        };
        if !told.iter().all(is_kept) {
            self.broken |= Law::EventChanged.bit();
        }
    }

    /// After every step: what anybody can be told by now, and the order that does not matter.
    pub(crate) fn settle_down(&mut self) {
        self.told |= self.object.counted();
        in_any_order(&mut self.workers);
        self.telling.consumers.sort_unstable();
    }
}

/// Where the order does not matter: always the same one.
pub(crate) fn in_any_order<T: Hash>(all: &mut [T]) {
    if all.len() > 1 {
        all.sort_by_cached_key(|one| {
            let mut hasher = DefaultHasher::new();
            one.hash(&mut hasher);
            hasher.finish()
        });
    }
}

/// As if attempts long ago had used up all numbers, but for as many as there are parts and these.
fn leave_few_numbers(session: &mut Session, spare: u16) {
    let parts = u16::try_from(session.plan().part_count()).unwrap_or(0);
    match &mut session.content {
        Content::Sequence(_) => {
            session.progress.lease = Some(Lease {
                attempt: 1,
                first_number: 1,
                last_number: MAX_PART_NUMBER,
                numbers_before: MAX_PART_NUMBER - parts - spare,
                reserved_parts: 0,
                from: ByteCount::ZERO,
                to: ByteCount::ZERO,
                all_or_nothing: false,
                begun_at: UnixMs(0),
                takeovers: 0,
                state: LeaseState::Released,
                has_more: false,
                ended: true,
                heard_at: UnixMs(0),
            });
        }
        Content::Parallel(parallel_chunks) => {
            let all = (0..parts).map(|chunk| (u32::from(chunk), crowded(chunk, spare)));
            *parallel_chunks = ParallelChunks::restore(session.spec.plan, all, std::iter::empty());
        }
    }
}

/// A chunk whose numbers have all been used, on all but so many of which somebody may be writing who was just heard of.
fn crowded(chunk: u16, free: u16) -> ParallelChunk {
    let first = chunk * MAX_NUMBERS_PER_CHUNK + 1;
    let (number, busy, last) = (first, first + free, first + MAX_NUMBERS_PER_CHUNK - 1);
    let writers = serde_json::json!([{ "attempt": 0, "first": busy, "last": last, "until": WRITER_SILENCE_MS }]);
    let writers = serde_json::from_value(writers).unwrap_or_default();
    ParallelChunk { attempts: 1, number, used: MAX_NUMBERS_PER_CHUNK, writers, ..ParallelChunk::default() }
}

/// Ends the upload if its time is over.
pub(crate) fn expire(uploads: &Uploads, session: &Session, now: UnixMs) -> StateChange {
    if uploads.breaks(Mutation::ExpireWhileCompleting) && session.progress.phase == Phase::Completing {
        let mut open = session.clone();
        open.progress.phase = Phase::Open;
        return open.expire_if_due(now).unwrap_or_default();
    }
    session.expire_if_due(now).unwrap_or_default()
}
