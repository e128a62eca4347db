//! A Worker carries out what its [`Attempt`](crate::attempt::Attempt) asks for: writes go on their way to R2, commits to the
//! object; what can be had at once is answered at once.
//!
//! It may be heard of no more at any moment: then what it sent is still on its way, and arrives or not.

use std::sync::Arc;

use crate::{
    attempt::{Effect, Failure, Input, PartAhead},
    session::{BeginAppend, Receipt, Release, RemainderSource, Renew, Session},
};
use upload_types::{
    api_error::ApiError,
    plan::Mode,
    units::{ByteCount, UnixMs},
    upload::Phase,
};

use crate::session::tests::model::{
    bytes::{Bytes, bytes, units},
    mutations::{self, Mutation},
    storage::Sent,
    worker::{Ahead, Busy, Chunk, Doing, Worker},
    world::{Uploads, World},
};

impl World {
    /// Somebody has a chunk. Whatever this Worker did before, it is heard of no more. `false` where it is refused.
    pub(crate) fn begin(&mut self, uploads: &Uploads, worker: Option<usize>, begin: BeginAppend) -> bool {
        let Some(left) = self.left.attempts.checked_sub(1) else { return false };
        self.left.attempts = left;
        let chunk = Chunk {
            from: units(begin.offset),
            to: units(begin.offset) + units(begin.length),
            all_or_nothing: begin.all_or_nothing,
        };
        let lacks = self.object.session.as_ref().is_some_and(|session| session.lacks_multipart(self.now, begin));
        match (lacks, worker) {
            (true, Some(worker)) => {
                self.workers[worker] = Worker::Waiting(chunk);
                true
            }
            (true, None) => self.opened(uploads, None, chunk),
            (false, worker) => self.leased(uploads, worker, begin, None),
        }
    }

    /// R2 has opened a multipart upload for a chunk, and only now the object decides. One that the upload does not use is let go of.
    pub(crate) fn opened(&mut self, uploads: &Uploads, worker: Option<usize>, chunk: Chunk) -> bool {
        let id = self.r2.open(self.object.multipart());
        let leased = self.leased(uploads, worker, chunk.begin(), Some(id));
        if self.object.multipart() != Some(id) && !uploads.breaks(Mutation::UnusedOpeningLeft) {
            self.r2.abort(Some(id));
        }
        leased
    }

    fn leased(&mut self, uploads: &Uploads, worker: Option<usize>, begin: BeginAppend, opened: Option<u8>) -> bool {
        let lease = self.lease(uploads, begin, opened);
        if let Some(worker) = worker {
            match &lease {
                Ok(lease) => self.start(uploads, worker, Busy::new(uploads, lease, &begin)),
                Err(_) if opened.is_some() => self.workers[worker] = Worker::Idle,
                Err(_) => return false,
            }
        }
        lease.is_ok() || opened.is_some()
    }

    /// A Worker sets out.
    pub(crate) fn start(&mut self, uploads: &Uploads, worker: usize, busy: Busy) {
        self.workers[worker] = Worker::Busy(Box::new(busy));
        self.hears(uploads, worker, Input::Begin);
    }

    /// A Worker hears what came of what it did, and goes on as far as nothing can come in between.
    pub(crate) fn hears(&mut self, uploads: &Uploads, worker: usize, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            let Worker::Busy(busy) = &mut self.workers[worker] else { return };
            let effect = busy.attempt.next(input);
            next = self.carry_out(uploads, worker, effect);
        }
    }

    /// What came of it, where that is known at once.
    fn carry_out(&mut self, uploads: &Uploads, worker: usize, effect: Effect) -> Option<Input> {
        let Worker::Busy(busy) = &mut self.workers[worker] else { return None };
        let id = busy.id;
        if !matches!(effect, Effect::StorePart { .. } | Effect::Commit(_)) && busy.ahead.take().is_some() {
            // What was begun ahead is ended before anything else is done.
            if !uploads.breaks(Mutation::EndedTooEarly) {
                self.r2.end_part_of(id);
            }
        }
        let Worker::Busy(busy) = &mut self.workers[worker] else { return None };
        match effect {
            Effect::StorePart { number, bytes, ahead, .. } if busy.ahead.is_some() => {
                let begun = busy.ahead.take()?;
                busy.doing = Doing::Storing { number, length: units(bytes) };
                self.go_ahead(worker, ahead);
                begun.stored.map(|content| part_stored(number, units(bytes), content))
            }
            Effect::StorePart { number, bytes, tail, ahead } => {
                let length = units(bytes);
                if !tail.is_empty() {
                    busy.doing = Doing::Opening { number, length, tail, ahead };
                    return None;
                }
                let input = self.send_part(uploads, worker, number, length, &[]);
                if input.is_none() {
                    self.go_ahead(worker, ahead);
                }
                input
            }
            Effect::PutObject { number, bytes, tail } => {
                let length = units(bytes);
                if !tail.is_empty() {
                    busy.doing = Doing::Opening { number, length, tail, ahead: None };
                    return None;
                }
                self.send_part(uploads, worker, number, length, &[])
            }
            Effect::StoreRemainder { .. } => {
                let content = Bytes::of_file(busy.body, busy.leased.to);
                (busy.body, busy.doing) = (busy.leased.to, Doing::StoringRemainder);
                self.r2.send(Sent::Segment { attempt: id, content });
                None
            }
            Effect::ReadRemainder { bytes } if busy.may_break(uploads, units(bytes)) => {
                busy.doing = Doing::Reading(units(bytes));
                None
            }
            Effect::ReadRemainder { bytes } => Some(read(busy, units(bytes), None)),
            Effect::CheckDigest => Some(Input::DigestIsRight),
            Effect::Commit(commit) => {
                self.send_commit(worker, commit);
                None
            }
            Effect::AskStatus => Some(self.asked(uploads)),
            Effect::DeletePut => {
                self.r2.delete_put(id);
                Some(Input::Deleted)
            }
            Effect::DeleteRemainder => {
                self.r2.delete_segment(id);
                Some(Input::Deleted)
            }
            Effect::Release(release) => Some(self.released(uploads, worker, release)),
            Effect::DiscardBody => Some(Input::BodyDiscarded),
            Effect::Finish(_) => {
                self.workers[worker] = Worker::Idle;
                None
            }
        }
    }

    /// The Worker takes its next step, where the moment matters.
    pub(crate) fn advance(&mut self, uploads: &Uploads, worker: usize) {
        let Worker::Busy(busy) = &mut self.workers[worker] else { return };
        let input = match busy.doing.clone() {
            Doing::Opening { number, length, tail, ahead } => {
                let input = self.send_part(uploads, worker, number, length, &tail);
                if input.is_none() {
                    self.go_ahead(worker, ahead);
                }
                input
            }
            Doing::Reading(remainder) => Some(read(busy, remainder, None)),
            Doing::Storing { .. } | Doing::StoringRemainder | Doing::Committing => None,
        };
        if let Some(input) = input {
            self.hears(uploads, worker, input);
        }
    }

    /// The body breaks behind the last whole part, and only its first unit has come.
    pub(crate) fn cut_short(&mut self, uploads: &Uploads, worker: usize) {
        let Worker::Busy(busy) = &mut self.workers[worker] else { return };
        let input = read(busy, 1, Some(Failure::BodyEnded));
        self.hears(uploads, worker, input);
    }

    /// Sends a part to R2, with the tail in front; or says why there is none.
    fn send_part(
        &mut self,
        uploads: &Uploads,
        worker: usize,
        number: u16,
        length: u8,
        tail: &[RemainderSource],
    ) -> Option<Input> {
        let Worker::Busy(busy) = &self.workers[worker] else { return None };
        let (from, copies) = (busy.body, busy.copies);
        let mut content = Bytes::default();
        for source in tail {
            let read = match source {
                RemainderSource::Rows { start, end } => self.object.read_rows(units(*start), units(*end)),
                RemainderSource::Object { key, .. } => key.parse().ok().and_then(|attempt| self.r2.segment(attempt)),
            };
            match read {
                Some(read) => content = content.then(read),
                None => return Some(Input::Failed(Failure::SegmentLost)),
            }
        }
        let brought = length.saturating_sub(content.units());
        if uploads.breaks(Mutation::TailLeftOut) {
            content = Bytes::default();
        }
        let brings = if copies { self.copied(from, length) } else { Some(Bytes::of_file(from, from + brought)) };
        let Some(brings) = brings else { return Some(Input::Failed(Failure::SegmentLost)) };
        content = content.then(brings);
        let Worker::Busy(busy) = &mut self.workers[worker] else { return None };
        (busy.body, busy.doing) = (from + brought, Doing::Storing { number, length });
        let (attempt, heard_at) = (busy.id, self.now);
        self.r2.send(match busy.multipart {
            None => Sent::Put { attempt, content },
            Some(multipart) => Sent::Part { multipart, number, attempt, heard_at, content },
        });
        None
    }

    /// The next part is on its way while the one before still is. It may arrive before that one does.
    fn go_ahead(&mut self, worker: usize, ahead: Option<PartAhead>) {
        let Some(PartAhead { number, bytes }) = ahead else { return };
        let Worker::Busy(busy) = &mut self.workers[worker] else { return };
        let Some(multipart) = busy.multipart.filter(|_| !busy.copies) else { return };
        let (from, to) = (busy.body, busy.body + units(bytes));
        (busy.body, busy.ahead) = (to, Some(Ahead { number, stored: None }));
        let (attempt, heard_at, content) = (busy.id, self.now, Bytes::of_file(from, to));
        self.r2.send(Sent::Part { multipart, number, attempt, heard_at, content });
    }

    /// How the upload stands, as its object says.
    fn asked(&mut self, uploads: &Uploads) -> Input {
        if uploads.breaks(Mutation::RefusedRestDeleted) {
            return Input::Status(Err(ApiError::UploadGone { phase: Phase::Aborted, reason: String::new() }));
        }
        let shown = self.decide(uploads, None, |session, _| session.status());
        let snapshot = self.object.session.as_ref().map(Session::snapshot).ok_or(ApiError::UploadNotFound);
        Input::Status(shown.and(snapshot).map(Box::new))
    }

    /// Time passes. Whoever is at a chunk says so, and stops where it has lost its right; whoever is silent for too long has ended.
    pub(crate) fn let_pass(&mut self, uploads: &Uploads, until: UnixMs) {
        self.now = until;
        for worker in 0..self.workers.len() {
            let Worker::Busy(busy) = &self.workers[worker] else { continue };
            let id = busy.id;
            let renew = |session: &Session, now| session.renew(now, Renew { attempt: id });
            if self.decide(uploads, None, renew).is_ok() {
                self.r2.heard(id, until);
            } else {
                self.fails(uploads, worker, Failure::Superseded);
            }
        }
        let before = self.r2.sent.len();
        self.r2.end_silent(until);
        self.silent |= self.r2.sent.len() < before;
    }

    /// The body ended, R2 did not take it, or an answer did not come: its request to R2 is over.
    pub(crate) fn fails(&mut self, uploads: &Uploads, worker: usize, failure: Failure) {
        let Worker::Busy(busy) = &mut self.workers[worker] else { return };
        if !uploads.breaks(Mutation::EndedTooEarly) {
            self.r2.end_part_of(busy.id);
        }
        let input = match busy.doing {
            Doing::Reading(_) => read(busy, 0, Some(failure)),
            _ => Input::Failed(failure),
        };
        self.hears(uploads, worker, input);
    }

    fn released(&mut self, uploads: &Uploads, worker: usize, release: Release) -> Input {
        let Worker::Busy(busy) = &self.workers[worker] else { return Input::Released(None) };
        let (id, from) = (busy.id, busy.leased.from);
        let before = Arc::clone(&self.object);
        let counted = self.decide(uploads, None, |session, now| mutations::release(uploads, session, now, release));
        let place = &mut self.places[uploads.place_of(from)];
        // In parallel mode only another attempt takes the right to commit: what R2 has stored by now may still count.
        if place.newest == id && before != self.object && uploads.bounds.mode == Mode::Sequential {
            place.newest = 0;
        }
        Input::Released(counted.ok())
    }

    /// A part of an attempt has arrived: whether somebody waits for it, and then what follows.
    pub(crate) fn part_arrived(&mut self, uploads: &Uploads, attempt: u64, number: u16, content: Bytes) -> bool {
        let Some(worker) = self.busy(|busy| busy.id == attempt && busy.is_storing_part(number)) else { return false };
        let Worker::Busy(busy) = &mut self.workers[worker] else { return false };
        match &mut busy.ahead {
            Some(ahead) if ahead.number == number => ahead.stored = Some(content),
            _ => {
                let Doing::Storing { length, .. } = busy.doing else { return false };
                self.hears(uploads, worker, part_stored(number, length, content));
            }
        }
        true
    }

    /// Another write of an attempt has arrived: whether somebody waits for it, and then what follows.
    pub(crate) fn stored(&mut self, uploads: &Uploads, attempt: u64, content: Bytes) -> bool {
        let Some(worker) = self.busy(|busy| busy.id == attempt && busy.is_storing()) else { return false };
        let Worker::Busy(busy) = &self.workers[worker] else { return false };
        let input = match busy.doing {
            Doing::Storing { number, length } => part_stored(number, length, content),
            _ => Input::RemainderStored { sha256_so_far: None },
        };
        self.hears(uploads, worker, input);
        true
    }

    /// The Worker that has such an attempt.
    pub(crate) fn busy(&self, is_meant: impl Fn(&Busy) -> bool) -> Option<usize> {
        self.workers.iter().position(|worker| matches!(worker, Worker::Busy(busy) if is_meant(busy)))
    }
}

/// What R2 says of a part.
fn part_stored(number: u16, length: u8, content: Bytes) -> Input {
    let (bytes, etag, crc64nvme) = (bytes(length), content.etag(), content.crc64nvme());
    Input::Stored { receipt: Receipt { number, bytes, etag, crc64nvme }, sha256_so_far: None }
}

/// The remainder, or as much of it as comes.
fn read(busy: &mut Busy, length: u8, broken: Option<Failure>) -> Input {
    busy.body += length;
    let bytes = if length == 0 { ByteCount::ZERO } else { bytes(length) };
    Input::RemainderRead { bytes, sha256_so_far: None, broken }
}
