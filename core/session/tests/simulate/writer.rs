//! A Worker with a chunk: drives the real [`Attempt`], over a network that loses and repeats, with R2 failing before and after, and may be
//! heard of no more at any moment.

use upload_session::{
    attempt::{Attempt, Effect, Failure, Finish, Input, PartAhead},
    session::{
        Commit, RENEW_EVERY_MS, Receipt, RemainderSource, Renew, SegmentPlace, Session, WRITER_SILENCE_MS,
        WRITER_STOPS_AFTER_MS, WriteLease,
    },
    storage_fault::StorageFault,
};
use upload_types::{api_error::ApiError, integrity::Crc64Nvme, units::ByteCount};

use crate::{
    content::{Content, count},
    sights::Sight,
    world::{Event, World},
};

/// A Worker.
pub(crate) struct Writer {
    /// Whose body it has.
    client: usize,
    lease: WriteLease,
    attempt: Attempt,
    /// Where the body has got to.
    body: u64,
    alive: bool,
    /// Its requests to R2 are counted, so that one that has ended is told from the next; and this is the one that it waits for.
    requests: u64,
    request: u64,
    /// Which part is on its way under this number; none where no request is.
    writing: Option<u16>,
    /// The part that it has begun before it was asked to.
    ahead: Option<Ahead>,
    heard_at: u64,
    /// The remainder that is sent along.
    row: Option<Content>,
}

/// A part that was begun while the one before is being answered for and counted.
struct Ahead {
    request: u64,
    number: u16,
    content: Content,
    /// What came of it, once that is known.
    outcome: Option<Input>,
}

/// A write on its way to R2.
pub(crate) struct Write {
    writer: usize,
    request: u64,
    key: WriteKey,
    content: Content,
    /// R2 takes it, and says that it did not.
    claims_failure: bool,
}

/// Where it goes.
enum WriteKey {
    Part(u16),
    Put(u16),
    Remainder,
}

impl World {
    /// A Worker sets out with a lease.
    pub(crate) fn start(&mut self, client: usize, lease: WriteLease, to: u64, digest: bool) {
        let digest = digest.then(|| upload_types::integrity::ChunkDigest {
            algorithm: upload_types::integrity::Algorithm::Crc32,
            value: vec![0; 4],
        });
        let attempt = Attempt::new(&lease, count(to), digest).going_ahead();
        let (body, heard_at) = (lease.offset.get(), self.now);
        let (alive, requests, request, writing, ahead, row) = (true, 0, 0, None, None, None);
        let writer = Writer { client, lease, attempt, body, alive, requests, request, writing, ahead, heard_at, row };
        self.writers.push(writer);
        let writer = self.writers.len() - 1;
        self.look_at_numbers(writer);
        self.hears(writer, Input::Begin);
    }

    /// Nobody else may be writing under the numbers that were given.
    fn look_at_numbers(&mut self, writer: usize) {
        let lease = &self.writers[writer].lease;
        let given = lease.first_number..lease.first_number + lease.reserved_parts;
        self.nobody_writes(writer, |number| given.contains(&number));
    }

    fn nobody_writes(&mut self, besides: usize, is_given: impl Fn(u16) -> bool) {
        let multipart = &self.writers[besides].lease.multipart_id;
        let is_at_it = |writer: &Writer| {
            let may_be_heard = writer.alive || self.now < writer.heard_at + WRITER_SILENCE_MS;
            let begun = writer.ahead.iter().filter(|ahead| ahead.outcome.is_none()).map(|ahead| ahead.number);
            may_be_heard
                && writer.lease.multipart_id == *multipart
                && writer.writing.into_iter().chain(begun).any(&is_given)
        };
        let mut others = self.writers.iter().enumerate().filter(|(index, _)| *index != besides);
        if multipart.is_some() && others.any(|(_, writer)| is_at_it(writer)) {
            self.wrong("a part number was handed out while somebody else may be writing under it");
        }
    }

    /// It hears what came of what it did.
    pub(crate) fn hears(&mut self, writer: usize, input: Input) {
        if !self.writers[writer].alive {
            return;
        }
        if let Input::Committed(Ok(committed)) = &input {
            let given = [committed.next_number, committed.ahead_number];
            self.nobody_writes(writer, |other| given.contains(&Some(other)));
        }
        let effect = self.writers[writer].attempt.next(input);
        self.note(|| format!("writer {writer}: {effect:?}"));
        if self.chance.one_in(80) && !matches!(effect, Effect::Finish(_)) {
            self.dies(writer, effect);
        } else {
            self.carry_out(writer, effect);
        }
    }

    /// It is heard of no more. What it was about to send may have been sent.
    fn dies(&mut self, writer: usize, effect: Effect) {
        self.note(|| format!("writer {writer} dies"));
        if let (Effect::StorePart { .. } | Effect::PutObject { .. } | Effect::StoreRemainder { .. }, true) =
            (&effect, self.chance.one_in(2))
        {
            self.carry_out(writer, effect);
        }
        self.writers[writer].alive = false;
        let client = self.writers[writer].client;
        let later = self.chance.between(1_000, 120_000);
        self.at(later, Event::Client(client));
    }

    fn soon(&mut self, writer: usize, input: Input) {
        let later = self.chance.between(1, 300);
        self.at(later, Event::Hears { writer, input });
    }

    fn carry_out(&mut self, writer: usize, effect: Effect) {
        if !matches!(effect, Effect::StorePart { .. } | Effect::Commit(_)) {
            self.settle(writer);
        }
        match effect {
            Effect::StorePart { number, bytes, tail, ahead } => {
                match self.writers[writer].ahead.take() {
                    Some(begun) => self.goes_on_with(writer, begun),
                    None => self.write(writer, WriteKey::Part(number), bytes.get(), &tail),
                }
                if let Some(ahead) = ahead.filter(|_| self.writers[writer].writing.is_some() && !self.chance.one_in(4))
                {
                    self.begins_ahead(writer, ahead);
                }
            }
            Effect::PutObject { number, bytes, tail } => {
                self.sights.insert(Sight::Put);
                self.write(writer, WriteKey::Put(number), bytes.get(), &tail);
            }
            Effect::StoreRemainder { bytes } => {
                self.sights.insert(Sight::LongRemainder);
                self.write(writer, WriteKey::Remainder, bytes.get(), &[]);
            }
            Effect::ReadRemainder { bytes } => {
                let breaks = self.chance.one_in(8);
                let came = if breaks { self.chance.between(0, bytes.get()) } else { bytes.get() };
                let from = self.writers[writer].body;
                self.writers[writer].body += came;
                self.writers[writer].row = Some(Content::of_file(from, from + came));
                let broken = breaks.then_some(Failure::BodyEnded);
                self.soon(writer, Input::RemainderRead { bytes: count(came), sha256_so_far: None, broken });
            }
            Effect::CheckDigest if self.chance.one_in(25) => self.soon(writer, Input::DigestIsWrong),
            Effect::CheckDigest => self.soon(writer, Input::DigestIsRight),
            Effect::Commit(commit) => self.commits(writer, commit),
            Effect::AskStatus if self.chance.one_in(30) => self.soon(writer, Input::Failed(Failure::Fault)),
            Effect::AskStatus => {
                let shown = self.decide(None, |session, _| session.status());
                let snapshot = self.object.session.as_ref().map(Session::snapshot).ok_or(ApiError::UploadNotFound);
                self.soon(writer, Input::Status(shown.and(snapshot).map(Box::new)));
            }
            Effect::DeletePut => {
                self.sights.insert(Sight::DeletedPut);
                self.deletes(writer, self.writers[writer].lease.key.clone());
            }
            Effect::DeleteRemainder => {
                self.sights.insert(Sight::DeletedRemainder);
                self.deletes(writer, self.writers[writer].lease.remainder_key.clone());
            }
            Effect::Release(_) if self.chance.one_in(20) => self.soon(writer, Input::Released(None)),
            Effect::Release(release) => {
                let counted = self.decide(None, |session, now| session.release(now, release));
                self.soon(writer, Input::Released(counted.ok()));
            }
            Effect::DiscardBody => self.soon(writer, Input::BodyDiscarded),
            Effect::Finish(finish) => self.finished(writer, &finish),
        }
    }

    fn deletes(&mut self, writer: usize, key: String) {
        let fails = self.chance.one_in(15);
        if !fails || self.chance.one_in(2) {
            self.r2.delete(&upload_session::alarm::Deletion::Objects(vec![key]));
        }
        self.soon(writer, if fails { Input::Failed(Failure::Fault) } else { Input::Deleted });
    }

    /// Its client is told, or not.
    fn finished(&mut self, writer: usize, finish: &Finish) {
        let told = match finish {
            Finish::Appended(committed) => Some(committed.uploaded_bytes),
            Finish::Refused(refusal) => refusal.uploaded_bytes(),
            Finish::Fault => None,
        };
        self.tell(told.map_or(0, ByteCount::get));
        self.writers[writer].alive = false;
        let (client, later) = (self.writers[writer].client, self.chance.between(10, 20_000));
        self.at(later, Event::Client(client));
    }

    fn write(&mut self, writer: usize, key: WriteKey, bytes: u64, tail: &[RemainderSource]) {
        let mut content = Content::default();
        for source in tail {
            let found = match source {
                RemainderSource::Rows { start, end } => {
                    let read = self.object.read_rows(*start, *end);
                    Some(read).filter(|read| read.bytes() == end.saturating_sub(*start).get())
                }
                RemainderSource::Object { key, .. } => self.r2.object(key).cloned(),
            };
            let Some(found) = found else { return self.soon(writer, Input::Failed(Failure::SegmentLost)) };
            content = content.then(&found);
        }
        let (from, brings) = (self.writers[writer].body, bytes - content.bytes());
        content = content.then(&Content::of_file(from, from + brings));
        let one = &mut self.writers[writer];
        one.body += brings;
        one.requests += 1;
        one.request = one.requests;
        one.heard_at = self.now;
        one.writing = if let WriteKey::Part(number) = key { Some(number) } else { None };
        let request = one.request;
        self.sends(writer, request, key, content);
    }

    /// The next part is on its way, too. It may arrive before the one that is asked for.
    fn begins_ahead(&mut self, writer: usize, ahead: PartAhead) {
        let one = &mut self.writers[writer];
        let (number, from) = (ahead.number, one.body);
        one.body += ahead.bytes.get();
        one.requests += 1;
        let (request, content) = (one.requests, Content::of_file(from, one.body));
        one.ahead = Some(Ahead { request, number, content: content.clone(), outcome: None });
        self.sights.insert(Sight::Ahead);
        self.sends(writer, request, WriteKey::Part(number), content);
    }

    /// It is asked for what it has begun ahead.
    fn goes_on_with(&mut self, writer: usize, begun: Ahead) {
        let one = &mut self.writers[writer];
        one.request = begun.request;
        one.writing = Some(begun.number);
        if let Some(outcome) = begun.outcome {
            self.soon(writer, outcome);
        }
    }

    /// What it has begun ahead ends before it does anything else: R2 has it or not, and no more comes.
    fn settle(&mut self, writer: usize) {
        let Some(Ahead { number, content, outcome: None, .. }) = self.writers[writer].ahead.take() else { return };
        if self.chance.one_in(2) {
            let id = self.writers[writer].lease.multipart_id.clone().unwrap_or_default();
            let _gone = self.r2.store_part(&id, number, content);
        }
    }

    fn sends(&mut self, writer: usize, request: u64, key: WriteKey, content: Content) {
        let takes =
            if self.chance.one_in(12) { self.chance.between(20_000, 600_000) } else { self.chance.between(50, 9_000) };
        self.at(RENEW_EVERY_MS, Event::Renews { writer, request });
        match self.chance.between(0, 60) {
            0..2 => self.at(takes, Event::Fails { writer, request, failure: Failure::BodyEnded }),
            2..4 => self.at(takes, Event::Fails { writer, request, failure: Failure::Storage }),
            fate => {
                let claims_failure = fate < 6;
                self.at(takes, Event::Written(Write { writer, request, key, content, claims_failure }));
            }
        }
    }

    /// Its request to R2 has failed.
    pub(crate) fn fails(&mut self, writer: usize, request: u64, failure: Failure) {
        self.comes_of(writer, request, Input::Failed(failure));
    }

    /// Something has come of a request: of the one that is waited for, or of the one ahead, which is asked for later.
    fn comes_of(&mut self, writer: usize, request: u64, input: Input) {
        let one = &mut self.writers[writer];
        if one.request == request {
            one.writing = None;
            self.hears(writer, input);
        } else if let Some(ahead) = one.ahead.as_mut().filter(|ahead| ahead.request == request) {
            ahead.outcome = Some(input);
        }
    }

    /// A write arrives. What nobody waits for any more arrives as garbage.
    pub(crate) fn written(&mut self, write: Write) {
        let Write { writer, request, key, content, claims_failure } = write;
        let one = &self.writers[writer];
        let is_known = one.request == request || one.ahead.as_ref().is_some_and(|ahead| ahead.request == request);
        let is_over = !is_known || (!one.alive && self.now >= one.heard_at + WRITER_SILENCE_MS);
        if is_over {
            return;
        }
        let is_late = !one.alive;
        let content = if is_late { content.garbage() } else { content };
        self.sights.extend(is_late.then_some(Sight::LateWrite));
        let one = &self.writers[writer];
        let (bytes, lease) = (content.bytes(), one.lease.clone());
        let stored = match key {
            WriteKey::Part(number) => {
                let id = lease.multipart_id.unwrap_or_default();
                let copied = self.copy(lease.copies_prefix.as_ref(), number, &content);
                let stored = self.r2.store_part(&id, number, content);
                copied.and(stored).map(|etag| (number, etag))
            }
            WriteKey::Put(number) => self.r2.put(self.now, &lease.key, content).map(|etag| (number, etag)),
            WriteKey::Remainder => self.r2.put(self.now, &lease.remainder_key, content).map(|etag| (0, etag)),
        };
        let input = match stored {
            _ if claims_failure => Input::Failed(Failure::Storage),
            Err(StorageFault::Gone) => Input::Failed(Failure::MultipartGone),
            Err(_) => Input::Failed(Failure::Storage),
            Ok(_) if matches!(key, WriteKey::Remainder) => Input::RemainderStored { sha256_so_far: None },
            Ok((number, etag)) => {
                let receipt = Receipt { number, bytes: count(bytes), etag, crc64nvme: Crc64Nvme(0) };
                Input::Stored { receipt, sha256_so_far: None }
            }
        };
        self.comes_of(writer, request, input);
    }

    /// Of a live upload every part is put as an object, too; it counts if both are there.
    fn copy(&mut self, prefix: Option<&String>, number: u16, content: &Content) -> Result<(), StorageFault> {
        let Some(prefix) = prefix else { return Ok(()) };
        let (fails_before, fails_after) = (self.chance.one_in(30), self.chance.one_in(30));
        if !fails_before {
            self.r2.put(self.now, &format!("{prefix}{number}"), content.clone())?;
        }
        if fails_before || fails_after { Err(StorageFault::Retry) } else { Ok(()) }
    }

    /// It says that it is there, while it waits for R2.
    pub(crate) fn renews(&mut self, writer: usize, request: u64) {
        let one = &self.writers[writer];
        if one.alive && one.ahead.as_ref().is_some_and(|ahead| ahead.request == request) {
            // Said with the one that is waited for.
            return self.at(RENEW_EVERY_MS, Event::Renews { writer, request });
        }
        if !one.alive || one.request != request || one.writing.is_none() {
            return;
        }
        let (attempt, heard_at) = (one.lease.attempt, one.heard_at);
        let is_lost = self.chance.one_in(10);
        let stops = if is_lost {
            self.now - heard_at >= WRITER_STOPS_AFTER_MS
        } else {
            self.decide(None, |session, now| session.renew(now, Renew { attempt })).is_err()
        };
        if stops {
            // Its request to R2 has ended before it says so.
            self.sights.insert(Sight::Superseded);
            let one = &mut self.writers[writer];
            one.requests += 1;
            (one.request, one.writing) = (one.requests, None);
            return self.hears(writer, Input::Failed(Failure::Superseded));
        }
        if !is_lost {
            self.writers[writer].heard_at = self.now;
        }
        self.at(RENEW_EVERY_MS, Event::Renews { writer, request });
    }

    /// A commit on a network that loses and repeats.
    fn commits(&mut self, writer: usize, commit: Commit) {
        let arrives = self.chance.between(1, 400);
        let fate = self.chance.between(0, 40);
        let is_answered = fate != 1;
        if fate > 0 {
            self.at(arrives, Event::Commits { writer, commit: Box::new(commit.clone()), is_answered });
        }
        if (2..6).contains(&fate) {
            // It comes once more, since an answer was late.
            let later = arrives + self.chance.between(1, 90_000);
            self.at(later, Event::Commits { writer, commit: Box::new(commit), is_answered: false });
        }
        if fate < 2 {
            // Nobody answers, however often it is asked.
            self.at(arrives + 7_000, Event::Hears { writer, input: Input::Failed(Failure::Fault) });
        }
    }

    /// A commit arrives.
    pub(crate) fn commits_arrive(&mut self, writer: usize, commit: &Commit, is_answered: bool) {
        let is_row = commit.remainder.is_some_and(|remainder| remainder.place == SegmentPlace::Row);
        let row = self.writers[writer].row.clone().filter(|_| is_row);
        let answer = self.decide(row, |session, now| session.commit(now, commit));
        self.note(|| format!("commit of writer {writer}: {answer:?}"));
        match &answer {
            Ok(_) => self.look_at_parts(writer, commit),
            Err(_) => drop(self.sights.insert(Sight::RefusedCommit)),
        }
        self.sights.extend((!is_answered && answer.is_ok()).then_some(Sight::RepeatedCommit));
        if is_answered {
            self.hears(writer, Input::Committed(answer));
        }
    }

    /// What counts is in R2, and is the file's.
    fn look_at_parts(&mut self, writer: usize, commit: &Commit) {
        let lease = &self.writers[writer].lease;
        let Some(id) = lease.multipart_id.clone().filter(|_| !self.has_lost) else { return };
        let is_open = self.object.session.as_ref().is_some_and(|session| session.phase().name() == "open");
        let mut bad = None;
        for receipt in commit.receipts.iter().filter(|_| is_open) {
            let stored = self.r2.part(&id, receipt.number);
            if stored.is_none_or(|stored| stored.etag() != receipt.etag || *stored == stored.garbage()) {
                bad = Some(receipt.number);
            }
        }
        if let Some(number) = bad {
            self.wrong(&format!("part {number} counts, and R2 has another"));
        }
    }
}
