//! Between Worker and object: leases, and commits, which may be late, be lost, or arrive twice.

use crate::{
    attempt::Input,
    session::{BeginAppend, Commit, Committed, SegmentPlace, Session, WriteLease},
};
use upload_types::api_error::ApiError;

use crate::session::tests::model::{
    bytes::{Bytes, units},
    mutations,
    worker::{Doing, Granted, Worker},
    world::{Law, Uploads, World, in_any_order},
};

/// A commit on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    /// From which attempt.
    pub(crate) attempt: u64,
    /// What that was granted. Only broken rules look at it.
    pub(crate) leased: Granted,
    /// What it says.
    pub(crate) commit: Commit,
    /// The bytes that come along, to be kept in a row.
    pub(crate) row: Option<Bytes>,
    /// Whether it is a copy of one that has been answered, so that nobody waits for its answer.
    pub(crate) is_copy: bool,
}

impl World {
    /// The object grants a chunk, and a bystander watches the numbers.
    pub(crate) fn lease(
        &mut self,
        uploads: &Uploads,
        begin: BeginAppend,
        opened: Option<u8>,
    ) -> Result<WriteLease, ApiError> {
        let rule = |session: &Session, now| mutations::begin(uploads, session, now, begin, opened);
        let mut lease = self.decide(uploads, None, rule)?;
        if lease.reserved_parts > 0 {
            lease.tail = self.object.tail();
        }
        self.granted_to(uploads, &lease, units(begin.offset));
        Ok(lease)
    }

    /// A bystander sees to whom the numbers of a place go.
    pub(crate) fn granted_to(&mut self, uploads: &Uploads, lease: &WriteLease, from: u8) {
        self.places[uploads.place_of(from)].newest = lease.attempt;
        if lease.multipart_id.is_some() {
            (0..lease.reserved_parts).for_each(|n| self.hand_out(lease.first_number + n, lease.attempt));
        }
    }

    /// A number is handed out. Nobody else may be writing under it.
    fn hand_out(&mut self, number: u16, attempt: u64) {
        if self.r2.is_written(number, attempt) {
            self.broken |= Law::NumberInUse.bit();
        }
    }

    /// A Worker commits, and waits for the answer.
    pub(crate) fn send_commit(&mut self, worker: usize, commit: Commit) {
        let Worker::Busy(busy) = &mut self.workers[worker] else { return };
        busy.doing = Doing::Committing;
        let in_row = commit.remainder.filter(|remainder| remainder.place == SegmentPlace::Row);
        let row = in_row.map(|remainder| Bytes::of_file(busy.body - units(remainder.bytes), busy.body));
        let (attempt, leased) = (busy.id, busy.leased);
        self.send(Message { attempt, leased, commit, row, is_copy: false });
    }

    /// A commit arrives. Its answer arrives or is lost, and it may arrive once more: where the answer was lost, because
    /// the Worker sends it again and waits for that one.
    pub(crate) fn deliver(&mut self, uploads: &Uploads, index: usize, answered: bool, again: bool) {
        let mut message = self.net.remove(index);
        let before = (self.object.counted(), self.object.segments.len());
        let answer =
            self.decide(uploads, message.row, |session, now| mutations::commit(uploads, session, now, &message));
        let place = &mut self.places[uploads.place_of(message.leased.from)];
        if before != (self.object.counted(), self.object.segments.len()) && place.newest != message.attempt {
            self.broken |= Law::OldAttempt.bit();
        }
        if let Ok(Committed { next_number, ahead_number, .. }) = &answer {
            next_number.iter().chain(ahead_number).for_each(|number| self.hand_out(*number, message.attempt));
        }
        if answered
            && !message.is_copy
            && let Some(worker) = self.busy(|busy| busy.id == message.attempt && busy.doing == Doing::Committing)
        {
            self.hears(uploads, worker, Input::Committed(answer));
        }
        if again {
            message.is_copy |= answered;
            self.send(message);
        }
    }

    /// Sends a commit.
    fn send(&mut self, message: Message) {
        self.net.push(message);
        in_any_order(&mut self.net);
    }
}
