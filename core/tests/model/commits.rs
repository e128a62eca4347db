//! Between Worker and object: grants, and commits, which may be late, be lost, or arrive twice.

use upload_core::{
    api_error::ApiError,
    integrity::Crc64Nvme,
    session::{BeginAppend, Commit, Committed, Receipt, ReleaseReason, Remainder, SegmentPlace, Session, WriteLease},
};

use crate::{
    bytes::{Bytes, bytes, units},
    mutations,
    worker::{Doing, PresignResponse, Stored, Worker},
    world::{Law, Uploads, World},
};

/// A commit on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    /// From which attempt.
    pub(crate) attempt: u64,
    /// What that was granted. Only broken rules look at it.
    pub(crate) granted: PresignResponse,
    /// The parts.
    pub(crate) stored: Vec<Stored>,
    /// The bytes behind the last of them, and whether they come along, to be kept in a row.
    pub(crate) rest: Option<(Bytes, bool)>,
    /// Whether it is a copy of one that has been answered, so that nobody waits for its answer.
    pub(crate) is_copy: bool,
}

impl Message {
    /// As the object reads it.
    fn commit(&self) -> Commit {
        let receipts = self.stored.iter().map(|stored| Receipt {
            number: stored.number,
            bytes: bytes(stored.length),
            etag: stored.content.etag(),
            crc64nvme: Crc64Nvme(0),
        });
        let rest = self.rest.map(|(content, in_row)| Remainder {
            bytes: bytes(content.units()),
            place: if in_row { SegmentPlace::Row } else { SegmentPlace::Object },
        });
        let receipts = receipts.collect();
        Commit { attempt: self.attempt, receipts, rest, sha256_so_far: None, digest: None }
    }
}

impl World {
    /// The object grants a chunk, and a bystander watches the numbers.
    pub(crate) fn grant(
        &mut self,
        uploads: &Uploads,
        begin: BeginAppend,
        opened: Option<u8>,
    ) -> Result<WriteLease, ApiError> {
        let rule = |session: &Session, now| mutations::begin(uploads, session, now, begin, opened);
        let mut grant = self.decide(uploads, None, rule)?;
        if grant.reserved > 0 {
            grant.tail = self.object.tail();
        }
        self.granted_to(uploads, &grant, units(begin.offset));
        Ok(grant)
    }

    /// A bystander sees to whom the numbers of a place go.
    pub(crate) fn granted_to(&mut self, uploads: &Uploads, grant: &WriteLease, from: u8) {
        self.places[uploads.place_of(from)].newest = grant.attempt;
        if grant.multipart_id.is_some() {
            (0..grant.reserved).for_each(|n| self.hand_out(grant.first_number + n, grant.attempt));
        }
    }

    /// A number is handed out. Nobody else may be writing under it.
    fn hand_out(&mut self, number: u16, attempt: u64) {
        if self.r2.is_written(number, attempt) {
            self.broken |= Law::NumberInUse.bit();
        }
    }

    /// A commit arrives. Its answer arrives or is lost, and it may arrive once more: where the answer was lost, because
    /// the Worker sends it again and waits for that one.
    pub(crate) fn deliver(&mut self, uploads: &Uploads, index: usize, answered: bool, again: bool) {
        let mut message = self.net.remove(index);
        let content = message.rest.filter(|(_, in_row)| *in_row).map(|(content, _)| content);
        let before = (self.object.counted(), self.object.segments.len());
        let commit = message.commit();
        let answer =
            self.decide(uploads, content, |session, now| mutations::commit(uploads, session, now, &message, &commit));
        let place = &mut self.places[uploads.place_of(message.granted.from)];
        if before != (self.object.counted(), self.object.segments.len()) && place.newest != message.attempt {
            self.broken |= Law::OldAttempt.bit();
        }
        if let Ok(Committed { next_number: Some(number), .. }) = answer {
            self.hand_out(number, message.attempt);
        }
        if answered
            && !message.is_copy
            && let Some(worker) = self.busy(|attempt| attempt.id == message.attempt)
        {
            self.answered(uploads, worker, &answer, &message);
        }
        if again {
            message.is_copy |= answered;
            self.send(message);
        }
    }

    /// The Worker hears what became of its commit.
    fn answered(&mut self, uploads: &Uploads, worker: usize, answer: &Result<Committed, ApiError>, message: &Message) {
        let Worker::Busy(attempt) = &mut self.workers[worker] else { return };
        let Doing::Committing { broken } = attempt.doing else { return };
        match answer {
            Err(refusal) => {
                if message.rest.is_some_and(|(_, in_row)| !in_row) && mutations::deletes_rest(uploads, refusal) {
                    self.r2.delete_segment(attempt.id);
                }
                let has_put = attempt.multipart.is_none() && !message.stored.is_empty();
                if has_put && mutations::deletes_put(&self.object, attempt.id) {
                    self.r2.delete_put(attempt.id);
                }
                self.workers[worker] = Worker::Idle;
            }
            Ok(_) if broken => self.give_up(uploads, worker, ReleaseReason::GaveUp),
            Ok(committed) if committed.next_number.is_none() && attempt.next_part(uploads) > 0 => {
                // The next number is not free: the rest has to come again.
                attempt.doing = Doing::Ready;
                self.give_up(uploads, worker, ReleaseReason::GaveUp);
            }
            Ok(committed) => {
                attempt.number = committed.next_number.unwrap_or(attempt.number);
                attempt.doing = Doing::Ready;
                self.advance(uploads, worker, false);
            }
        }
    }

    /// Sends a commit.
    pub(crate) fn send(&mut self, message: Message) {
        let at = self.net.partition_point(|other| *other <= message);
        self.net.insert(at, message);
    }
}
