//! One seed, one world: an upload, its clients, the network, R2, the object, the queue and the origin, and what happens to them, in the
//! order of a clock that only events move.

use std::collections::{BTreeMap, BTreeSet};

use upload_session::{
    alarm::{Effect, Ring},
    attempt::{Failure, Input},
    event::{DeliveryId, DeliveryOutcome, EventKind},
    session::{BeginAppend, Commit, Continuation, Decision, DeleteRight, Session, StateChange},
};
use upload_types::{
    api_error::ApiError,
    chunk::{Completion, Named},
    plan::Mode,
    units::UnixMs,
    upload::Phase,
};

use crate::{
    chance::Chance,
    content::{Content, count},
    duties::Legacy,
    object::Object,
    on_the_way::OnTheWay,
    sights::Sight,
    storage::Storage,
    upload,
    writer::{Write, Writer},
};

/// More events than any world has.
const MOST_EVENTS: u32 = 20_000;

/// How often somebody asks for an upload at which nothing happens any more.
const MOST_ASKED: u32 = 200;

/// A duty so late is overdue: whoever asks sets the alarm again.
const OVERDUE_MS: u64 = 5_000;

/// What happens.
pub(crate) enum Event {
    /// A client goes on.
    Client(usize),
    /// A Worker hears what came of what it did.
    Hears { writer: usize, input: Input },
    /// A Worker's request to R2 fails.
    Fails { writer: usize, request: u64, failure: Failure },
    /// A Worker says that it is there.
    Renews { writer: usize, request: u64 },
    /// A write arrives in R2.
    Written(Write),
    /// A commit arrives.
    Commits { writer: usize, commit: Box<Commit>, is_answered: bool },
    /// The alarm rings.
    Rings(u64),
    /// A call of the ring arrives.
    Calls { life: u64, call: Box<Effect> },
    /// The object dies in this ring.
    ObjectDies(u64),
    /// A message comes out of the queue.
    Message(DeliveryId),
    /// One that asks for the last part of a live upload.
    LastPart,
    /// A receiver has answered.
    Told { id: DeliveryId, outcome: DeliveryOutcome },
}

/// A client.
struct Client {
    /// How often it goes on before it gives up.
    patience: u32,
    /// Whether its chunks have checksums.
    digests: bool,
}

/// What the owner's ledger knows of the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InLedger {
    /// That it is open.
    Open,
    /// That its file is there.
    Finished,
    /// Nothing.
    Gone,
}

/// A world.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) chance: Chance,
    pub(crate) r2: Storage,
    pub(crate) object: Object,
    pub(crate) ring: Ring,
    /// How many rings there have been.
    pub(crate) lives: u64,
    pub(crate) writers: Vec<Writer>,
    /// What the origin has heard.
    pub(crate) heard: BTreeSet<EventKind>,
    /// What the receivers were told on the way.
    pub(crate) on_the_way: OnTheWay,
    pub(crate) in_ledger: InLedger,
    pub(crate) legacy: Option<Legacy>,
    /// R2 has lost a multipart upload.
    pub(crate) has_lost: bool,
    /// What it has seen.
    pub(crate) sights: BTreeSet<Sight>,
    clients: Vec<Client>,
    cancelled: bool,
    /// The highest offset that anybody was told.
    told: u64,
    file_bytes: u64,
    mode: Mode,
    events: BTreeMap<(u64, u64), Event>,
    serial: u64,
    wrong: Option<String>,
    story: Option<Vec<String>>,
}

impl World {
    /// That of this seed; with its story, if that is wanted.
    pub(crate) fn new(seed: u64, is_told: bool) -> Self {
        let (mut chance, mut r2) = (Chance::new(seed), Storage::default());
        let (session, file_bytes) = upload::create(&mut chance, &mut r2);
        let mode = session.plan().mode;
        let rivals = if chance.one_in(4) { 2 } else { 1 };
        let digests = chance.one_in(3);
        let client = |_| Client { patience: 40, digests };
        let mut world = Self {
            now: 0,
            clients: (0..rivals).map(client).collect(),
            chance,
            r2,
            object: Object::new(session),
            ring: Ring::default(),
            lives: 0,
            writers: Vec::new(),
            heard: BTreeSet::new(),
            on_the_way: OnTheWay::default(),
            in_ledger: InLedger::Open,
            legacy: None,
            has_lost: false,
            sights: BTreeSet::new(),
            cancelled: false,
            told: 0,
            file_bytes,
            mode,
            events: BTreeMap::new(),
            serial: 0,
            wrong: None,
            story: is_told.then(Vec::new),
        };
        for client in 0..rivals {
            world.at(1 + client as u64, Event::Client(client));
        }
        let due = world.object.due().unwrap_or(0);
        world.set_alarm(due);
        world
    }

    /// Lives it to its end. What was wrong with it, and its story.
    pub(crate) fn run(mut self) -> Result<BTreeSet<Sight>, (String, Vec<String>)> {
        self.live();
        match self.wrong {
            None => Ok(self.sights),
            Some(wrong) => Err((wrong, self.story.unwrap_or_default())),
        }
    }

    /// Its whole story.
    pub(crate) fn story(mut self) -> Vec<String> {
        self.live();
        self.story.unwrap_or_default()
    }

    fn live(&mut self) {
        let mut asked = 0;
        for _ in 0..MOST_EVENTS {
            if self.wrong.is_some() {
                break;
            }
            if let Some(((at, _), event)) = self.events.pop_first() {
                self.now = at;
                self.happens(event);
            } else if self.object.session.is_some() && asked < MOST_ASKED {
                // Nothing happens any more, though something is owed: an alarm was lost. In the end somebody asks.
                asked += 1;
                let due = self.object.due().unwrap_or(self.now);
                self.now = self.now.max(due + OVERDUE_MS);
                self.object.ringing = None;
                self.set_alarm(self.now);
            } else {
                break;
            }
        }
        if self.wrong.is_none() {
            self.look_at_the_end();
        }
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&mut self, what: &str) {
        self.wrong.get_or_insert_with(|| what.to_owned());
    }

    /// Something for the story.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>10} {}", self.now, what()));
        }
    }

    /// Something will happen.
    pub(crate) fn at(&mut self, in_ms: u64, event: Event) {
        self.serial += 1;
        self.events.insert((self.now + in_ms, self.serial), event);
    }

    pub(crate) fn time(&self) -> UnixMs {
        UnixMs(self.now)
    }

    /// Somebody was told that so much counts.
    pub(crate) fn tell(&mut self, uploaded: u64) {
        let counted = self.object.session.as_ref().map(|session| session.uploaded_bytes().get());
        if counted.is_some_and(|counted| uploaded > counted) {
            self.wrong("somebody was told that more counts than does");
        }
        self.told = self.told.max(uploaded);
    }

    /// The object takes a decision, as it does: first it looks whether the upload's time is over.
    pub(crate) fn decide<T>(
        &mut self,
        row: Option<Content>,
        rule: impl FnOnce(&Session, UnixMs) -> Decision<T>,
    ) -> Result<T, ApiError> {
        let now = self.time();
        let Some(session) = &self.object.session else { return Err(ApiError::UploadNotFound) };
        if let Some(change) = session.expire_if_due(now) {
            self.store(change, None);
        }
        let Some(session) = &self.object.session else { return Err(ApiError::UploadNotFound) };
        let Decision { answer, change } = rule(session, now);
        self.store(change, row);
        answer
    }

    /// Stores a change, and sets the alarm where it would ring too late.
    pub(crate) fn store(&mut self, change: StateChange, row: Option<Content>) {
        let before = self.object.due();
        self.object.store(change, row);
        let due = self.object.due();
        let rings_too_late =
            due.is_some_and(|due| before.is_none_or(|before| due < before || before + OVERDUE_MS < self.now));
        if rings_too_late && self.object.ringing.is_none() {
            self.set_alarm(due.unwrap_or(self.now));
        }
        let Some(session) = &self.object.session else { return };
        let counted = session.uploaded_bytes().get();
        if counted < self.told && !self.has_lost {
            self.wrong("an offset that was told was taken back");
        }
        self.look_at_the_object();
    }

    /// What is complete is whole.
    fn look_at_the_object(&mut self) {
        let Some(object) = self.object.session.as_ref().and_then(Session::stored_object) else { return };
        let bytes = self.object.session.as_ref().map_or(0, |session| session.plan().file_bytes.get());
        let file = Content::of_file(0, bytes);
        if self.r2.object(&object.key) != Some(&file) {
            self.wrong("the upload is complete, and R2 does not have the file");
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Client(client) => self.client(client),
            Event::Hears { writer, input } => self.hears(writer, input),
            Event::Fails { writer, request, failure } => self.fails(writer, request, failure),
            Event::Renews { writer, request } => self.renews(writer, request),
            Event::Written(write) => self.written(write),
            Event::Commits { writer, commit, is_answered } => self.commits_arrive(writer, &commit, is_answered),
            Event::Rings(alarm) => self.rings(alarm),
            Event::Calls { life, call } => self.calls(life, *call),
            Event::ObjectDies(life) => self.object_dies(life),
            Event::Message(id) => self.message(id),
            Event::LastPart => self.last_part(),
            Event::Told { id, outcome } => self.told(id, &outcome),
        }
    }

    /// A client asks where to go on, and sends a chunk; or loses patience.
    fn client(&mut self, client: usize) {
        let is_open = self.object.session.as_ref().is_some_and(|session| session.phase() == Phase::Open);
        let Some(patience) = self.clients[client].patience.checked_sub(1).filter(|_| is_open) else { return };
        // Some leave for good.
        self.clients[client].patience = if self.chance.one_in(150) { 0 } else { patience };
        if self.chance.one_in(400) {
            self.cancelled = true;
            let _gone = self.decide(None, |session, now| session.cancel(now, DeleteRight::Unfinished));
            return;
        }
        if self.chance.one_in(600) {
            self.loses_multipart();
        }
        if self.mode == Mode::Sequential && self.decide(None, Session::probe).is_ok() {
            let offset = self.object.session.as_ref().map_or(0, |session| session.uploaded_bytes().get());
            self.tell(offset);
        }
        if self.chance.one_in(12) && self.object.ringing.is_none() {
            // It falls asleep, and knows what is stored.
            self.object.die(self.now);
        }
        if self.is_live() {
            self.look_at_what_can_be_read();
        }
        let Some((from, to)) = self.next_chunk() else { return };
        if from == self.file_bytes && self.is_live() && !self.ends(client) {
            return;
        }
        let whole = self.clients[client].digests && from < to;
        match self.begin(from, to, whole) {
            Ok(lease) if !self.chance.one_in(20) => self.start(client, lease, to, whole),
            answer => {
                self.note(|| format!("client {client} is not granted: {:?}", answer.err()));
                let later = self.chance.between(1_000, 90_000);
                self.at(later, Event::Client(client));
            }
        }
    }

    fn is_live(&self) -> bool {
        self.object.session.as_ref().is_some_and(|session| session.spec().live.is_some())
    }

    /// A recorder says that this is all, or dies. Whether it has bytes left to put into the last part.
    fn ends(&mut self, client: usize) -> bool {
        if self.chance.one_in(5) {
            self.note(|| format!("recorder {client} dies"));
            return false;
        }
        let ended = self.decide(None, Session::complete);
        self.note(|| format!("recorder {client} ends: {ended:?}"));
        self.object.session.as_ref().is_some_and(|session| session.phase() == Phase::Open && session.has_tail())
    }

    /// Of a live upload everything that counts can be read.
    fn look_at_what_can_be_read(&mut self) {
        let Some(session) = &self.object.session else { return };
        let (uploaded, prefix) = (session.uploaded_bytes().get(), session.copies_prefix().unwrap_or_default());
        let is_growing = matches!(session.phase(), Phase::Open | Phase::Completing);
        if is_growing && self.object.readable(&prefix, &self.r2) != Some(Content::of_file(0, uploaded)) {
            self.wrong("what counts of a live upload cannot be read");
        }
        self.sights.extend((uploaded > 0).then_some(Sight::ReadLive));
    }

    fn loses_multipart(&mut self) {
        let id = self.object.session.as_ref().and_then(|session| session.multipart_id().map(str::to_owned));
        if let Some(id) = id {
            self.has_lost = true;
            self.r2.lose(&id);
        }
    }

    /// From where to where the next chunk goes.
    fn next_chunk(&mut self) -> Option<(u64, u64)> {
        let session = self.object.session.as_ref()?;
        let (plan, missing) = (session.plan(), session.snapshot().missing);
        if self.mode == Mode::Parallel {
            let which = self.chance.between(0, missing.len().checked_sub(1)? as u64);
            let (from, to) = *missing.get(usize::try_from(which).ok()?)?;
            return Some((from.get(), to.get().min(from.get() + plan.chunk_bytes.get())));
        }
        let from = session.uploaded_bytes().get();
        let length = match self.chance.between(0, 3) {
            0 => self.chance.between(1, 200_000),
            1 => self.chance.between(1, 3 * plan.part_bytes.get()),
            2 => plan.chunk_bytes.get(),
            _ => self.file_bytes,
        };
        Some((from, self.file_bytes.min(from + length)))
    }

    pub(crate) fn begin(
        &mut self,
        from: u64,
        to: u64,
        whole: bool,
    ) -> Result<upload_session::session::WriteLease, ApiError> {
        let (offset, length) = (count(from), count(to - from));
        let (named, completes, continuation) = (Named::ByOffset, Completion::WhenWhole, Continuation::default());
        // The last chunk may say how long a live upload is.
        let says = self.is_live() && from < to && to == self.file_bytes && self.chance.one_in(3);
        let file_bytes = says.then(|| count(to));
        let begin = BeginAppend { offset, length, file_bytes, all_or_nothing: whole, named, completes, continuation };
        let session = self.object.session.as_ref();
        let lacks = session.is_some_and(|session| session.lacks_multipart(UnixMs(self.now), begin));
        let opened = (lacks && !self.chance.one_in(20)).then(|| self.r2.open());
        let leased = self.decide(None, |session, now| session.begin_opened(now, begin, opened.as_deref()));
        let used = self.object.session.as_ref().and_then(|session| session.multipart_id().map(str::to_owned));
        if let Some(opened) = opened.filter(|opened| used.as_ref() != Some(opened)) {
            self.r2.lose(&opened);
        }
        let mut lease = leased?;
        if lease.reserved_parts > 0 {
            lease.tail = self.object.tail();
        }
        Ok(lease)
    }

    /// Every upload ends, and leaves nothing that is not wanted.
    fn look_at_the_end(&mut self) {
        let Some(legacy) = self.legacy else { return self.wrong("an upload without an end") };
        self.sights.extend(match legacy.phase {
            Phase::Completed if legacy.truncated => Some(Sight::Truncated),
            Phase::Completed if legacy.has_object => Some(Sight::Completed),
            Phase::Completed => Some(Sight::Taken),
            Phase::Failed => Some(Sight::Failed),
            Phase::Expired => Some(Sight::Expired),
            Phase::Aborted => Some(Sight::Aborted),
            _ => None,
        });
        let (objects, multiparts) = self.r2.left();
        let left = (objects.len(), multiparts);
        let expected = (usize::from(legacy.has_object), 0);
        let endings = self.heard.iter().filter(|event| **event != EventKind::Deleted).count();
        let is_patient = !self.cancelled && !self.has_lost && self.clients.iter().any(|client| client.patience > 0);
        let wrong = if left != expected {
            Some(format!("R2 keeps {objects:?} and {multiparts} multipart uploads of {legacy:?}"))
        } else if endings > 1 || (legacy.told && endings == 0) {
            Some(format!("the origin has heard {:?} of {legacy:?}", self.heard))
        } else if self.in_ledger == InLedger::Open {
            Some("the ledger has never heard of the end".to_owned())
        } else if self.in_ledger == InLedger::Finished {
            Some("the ledger lists what is forgotten".to_owned())
        } else if is_patient && legacy.phase != Phase::Completed {
            Some(format!("a patient client ends with {legacy:?}"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.wrong(&wrong);
        }
    }
}
