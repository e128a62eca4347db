//! What a Worker does with a chunk: it puts the tail in front of the first part, stores part by part, commits each (or
//! all at the end, where a checksum must be right first), and then stores what is left behind the last of them.
//!
//! It may be heard of no more at any moment: then what it sent is still on its way, and arrives or not.

use std::sync::Arc;

use upload_core::{
    plan::Mode,
    session::{BeginAppend, Release, ReleaseReason, Renew, Session},
    units::UnixMs,
};

use crate::{
    bytes::{Bytes, units},
    mutations::{self, Mutation},
    object::PartialUpload,
    storage::Sent,
    worker::{Attempt, Chunk, Doing, Stored, Worker, fits_row},
    world::{Uploads, World},
};

impl World {
    /// Somebody has a chunk. Whatever this Worker did before, it is heard of no more. `false` where it is refused.
    pub(crate) fn begin(&mut self, uploads: &Uploads, worker: Option<usize>, begin: BeginAppend) -> bool {
        let Some(left) = self.left.attempts.checked_sub(1) else { return false };
        self.left.attempts = left;
        let chunk =
            Chunk { from: units(begin.offset), to: units(begin.offset) + units(begin.length), whole: begin.whole };
        let lacks = self.object.session.as_ref().is_some_and(|session| session.lacks_multipart(self.now, begin));
        match (lacks, worker) {
            (true, Some(worker)) => {
                self.workers[worker] = Worker::Waiting(chunk);
                true
            }
            (true, None) => self.opened(uploads, None, chunk),
            (false, worker) => self.granted(uploads, worker, begin, None),
        }
    }

    /// R2 has opened a multipart upload for a chunk, and only now the object decides. One that the upload does not use is let go of.
    pub(crate) fn opened(&mut self, uploads: &Uploads, worker: Option<usize>, chunk: Chunk) -> bool {
        let id = self.r2.open(self.object.multipart());
        let granted = self.granted(uploads, worker, chunk.begin(), Some(id));
        if self.object.multipart() != Some(id) && !uploads.breaks(Mutation::UnusedOpeningLeft) {
            self.r2.abort(Some(id));
        }
        granted
    }

    fn granted(&mut self, uploads: &Uploads, worker: Option<usize>, begin: BeginAppend, opened: Option<u8>) -> bool {
        let grant = self.grant(uploads, begin, opened);
        if let Some(worker) = worker {
            self.workers[worker] = match &grant {
                Ok(grant) => Worker::Busy(Attempt::new(grant, &begin)),
                Err(_) if opened.is_some() => Worker::Idle,
                Err(_) => return false,
            };
            self.advance(uploads, worker, false);
        }
        grant.is_ok() || opened.is_some()
    }

    /// The Worker goes on, as far as nothing can come in between; `chosen` where something could, and this is when.
    pub(crate) fn advance(&mut self, uploads: &Uploads, worker: usize, chosen: bool) {
        let Worker::Busy(attempt) = &mut self.workers[worker] else { return };
        if attempt.doing != Doing::Ready || (attempt.has_choice(uploads) && !chosen) {
            return;
        }
        let (part, rest) = (attempt.next_part(uploads), attempt.rest(uploads));
        if part > 0 {
            return self.store_part(uploads, worker, part);
        }
        let content = Bytes::of_file(attempt.body, attempt.granted.to);
        attempt.body = attempt.granted.to;
        if !fits_row(rest) {
            attempt.doing = Doing::Storing;
            return self.r2.send(Sent::Segment { attempt: attempt.id, content });
        }
        let row = (rest > 0).then_some((content, true));
        if row.is_none() && attempt.held.is_empty() {
            self.workers[worker] = Worker::Idle;
            return;
        }
        let message = attempt.message(row, false);
        self.send(message);
    }

    /// Sends the next part to R2, with the tail in front if it is the first.
    fn store_part(&mut self, uploads: &Uploads, worker: usize, length: u8) {
        let Worker::Busy(attempt) = &mut self.workers[worker] else { return };
        let mut content = Bytes::default();
        for piece in std::mem::take(&mut attempt.tail) {
            let read = match piece {
                PartialUpload::Rows(start, end) => self.object.read_rows(start, end),
                PartialUpload::InStorage(attempt) => self.r2.segment(attempt),
            };
            let Some(read) = read else { return self.give_up(uploads, worker, ReleaseReason::SegmentLost) };
            content = content.then(read);
        }
        if attempt.copies {
            let from = attempt.body;
            let Some(copied) = self.copied(from, length) else {
                return self.give_up(uploads, worker, ReleaseReason::SegmentLost);
            };
            return self.send_part(worker, copied);
        }
        let body = length.saturating_sub(content.units());
        if uploads.breaks(Mutation::TailLeftOut) {
            content = Bytes::default();
        }
        content = content.then(Bytes::of_file(attempt.body, attempt.body + body));
        attempt.body += body;
        self.send_part(worker, content);
    }

    fn send_part(&mut self, worker: usize, content: Bytes) {
        let Worker::Busy(attempt) = &mut self.workers[worker] else { return };
        attempt.doing = Doing::Storing;
        let (number, multipart, attempt) = (attempt.number, attempt.multipart, attempt.id);
        self.r2.send(match multipart {
            None => Sent::Put { attempt, content },
            Some(multipart) => Sent::Part { multipart, number, attempt, heard_at: self.now, content },
        });
    }

    /// The body breaks behind the last whole part, and only its first unit has come.
    pub(crate) fn cut_short(&mut self, worker: usize) {
        let Worker::Busy(attempt) = &mut self.workers[worker] else { return };
        let content = Bytes::of_file(attempt.body, attempt.body + 1);
        let message = attempt.message(Some((content, true)), true);
        self.send(message);
    }

    /// Time passes. Whoever is at a chunk says so, and stops where it has lost its right; whoever is silent for too long has ended.
    pub(crate) fn let_pass(&mut self, uploads: &Uploads, until: UnixMs) {
        self.now = until;
        for worker in 0..self.workers.len() {
            let Worker::Busy(Attempt { id, .. }) = self.workers[worker] else { continue };
            let renew = |session: &Session, now| session.renew(now, Renew { attempt: id });
            if self.decide(uploads, None, renew).is_ok() {
                self.r2.heard(id, until);
            } else {
                self.give_up(uploads, worker, ReleaseReason::GaveUp);
            }
        }
        let before = self.r2.sent.len();
        self.r2.end_silent(until);
        self.silent |= self.r2.sent.len() < before;
    }

    /// The body ended, R2 did not take it, or an answer did not come: its request to R2 is over.
    pub(crate) fn give_up(&mut self, uploads: &Uploads, worker: usize, reason: ReleaseReason) {
        let Worker::Busy(Attempt { id, granted, .. }) = self.workers[worker].clone() else { return };
        self.workers[worker] = Worker::Idle;
        if !uploads.breaks(Mutation::EndedTooEarly) {
            self.r2.end_part_of(id);
        }
        let before = Arc::clone(&self.object);
        let release = Release { attempt: id, reason };
        let _gone = self.decide(uploads, None, |session, now| mutations::release(uploads, session, now, release));
        let place = &mut self.places[uploads.place_of(granted.from)];
        // In lanes only another attempt takes the right to commit: what R2 has stored by now may still count.
        if place.newest == id && before != self.object && uploads.bounds.mode == Mode::Sequential {
            place.newest = 0;
        }
    }

    /// A write of an attempt has arrived: whether somebody waits for it, and then what follows.
    pub(crate) fn stored(&mut self, uploads: &Uploads, attempt: u64, number: Option<u16>, content: Bytes) -> bool {
        let waits = |busy: &Attempt| busy.id == attempt && busy.doing == Doing::Storing;
        let Some(index) = self.busy(waits) else { return false };
        let Worker::Busy(busy) = &mut self.workers[index] else { return false };
        let Some(number) = number else {
            let message = busy.message(Some((content, false)), false);
            self.send(message);
            return true;
        };
        let length = busy.next_part(uploads);
        busy.held.push(Stored { number, length, content });
        busy.at += length;
        busy.number = number + 1;
        if busy.granted.whole {
            busy.doing = Doing::Ready;
            self.advance(uploads, index, false);
        } else {
            let message = busy.message(None, false);
            self.send(message);
        }
        true
    }

    /// The Worker that has such an attempt.
    pub(crate) fn busy(&self, is_meant: impl Fn(&Attempt) -> bool) -> Option<usize> {
        self.workers.iter().position(|worker| matches!(worker, Worker::Busy(attempt) if is_meant(attempt)))
    }
}
