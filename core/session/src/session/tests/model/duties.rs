//! The object's duties, carried out step by step in its alarm, with everything else going on between the steps. Which call comes next, and
//! what is stored then, says the real [`Ring`]. A crash may fall between any two of them: then the ring is forgotten, and the duty
//! found again from the rows.

use std::sync::Arc;

use crate::{
    alarm::{Deletion, Effect, Input, Message, Ring},
    session::Job,
    storage_fault::StorageFault,
};
use upload_types::{
    units::UnixMs,
    upload::{DeliveryState, Phase},
};

use crate::session::tests::model::{
    bytes::bytes,
    mutations::{self, Mutation},
    object::Object,
    repairing::key_of,
    storage::{Answer, Sent},
    telling::kind_bit,
    worker::Worker,
    world::{Uploads, World},
};

/// What is known of an upload that has been forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Legacy {
    /// It has left an object that is to stay.
    pub(crate) object: bool,
    /// It was complete, and was deleted.
    pub(crate) deleted: bool,
    /// The origin has acknowledged its events. If not, the last was given up, and no operator asked for it again.
    pub(crate) told: bool,
    /// When it was forgotten.
    pub(crate) forgotten_at: UnixMs,
}

/// A duty that has been begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Duty {
    /// Which.
    pub(crate) job: Job,
    /// Whether nothing of the upload was to remain when it was begun.
    pub(crate) unwanted: bool,
    /// What the object waits for.
    pub(crate) waits: Waits,
    /// What it makes of that.
    ring: Ring,
}

/// What a duty waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waits {
    /// For R2 to put the object together.
    ForR2,
    /// To have this deleted.
    ToDelete(Deletion),
    /// For nothing: this has come of it, and it is about to hear.
    ToHear(Input),
}

impl World {
    /// The alarm rings, and the next duty is begun. `false` where none is due.
    pub(crate) fn begin_duty(&mut self, uploads: &Uploads) -> bool {
        let object = Arc::clone(&self.object);
        let Some(session) = object.session.as_ref().filter(|_| self.duty.is_none()) else { return false };
        let mut ring = Ring::default();
        let Effect::Charge(job) = ring.next(self.now, Some(session), Input::Rings) else { return false };
        // No upload of the model has a declared SHA-256 or is put together from others; the stories of these are in
        // `core/session/src/session/tests/verifying.rs` and `concatenation.rs`.
        if matches!(job, Job::Verify | Job::CopyNext | Job::StoreLastPart) {
            return false;
        }
        let duty = Duty { job, unwanted: session.is_unwanted(), waits: Waits::ForR2, ring };
        self.goes_on(uploads, duty, Input::Done);
        true
    }

    /// The duty hears what came of its call, and goes on as far as nothing can come in between.
    fn goes_on(&mut self, uploads: &Uploads, mut duty: Duty, input: Input) {
        self.duty = None;
        let mut next = Some(input);
        while let Some(input) = next {
            let object = Arc::clone(&self.object);
            let effect = duty.ring.next(self.now, object.session.as_ref(), input);
            next = self.does(uploads, &duty, effect);
        }
    }

    /// What came of it, where that is known at once.
    fn does(&mut self, uploads: &Uploads, duty: &Duty, effect: Effect) -> Option<Input> {
        let now = self.now;
        match effect {
            // Another duty: the next ring finds it, too.
            Effect::Charge(_) | Effect::Rest => None,
            Effect::Store { change, log } => {
                let (is_done, job) = (log.is_none(), duty.job);
                self.store(uploads, |session| {
                    if is_done {
                        mutations::done(uploads, session, now, job, *change)
                    } else {
                        mutations::postponed(uploads, session, now, *change)
                    }
                });
                Some(Input::Done)
            }
            Effect::ReadParts => Some(Input::Parts(mutations::listed(uploads, &self.object, &self.r2))),
            Effect::Complete { key, multipart_id, parts } => {
                let listed = parts.into_iter().map(|part| (part.number, part.etag)).collect();
                let (multipart, key) = (multipart_id.parse().ok(), key_of(&key));
                self.r2.send(Sent::Complete { multipart, key, listed });
                self.waits(duty, Waits::ForR2)
            }
            Effect::Look { key } => Some(match self.r2.object(key_of(&key)) {
                Some(object) => there(object.units()),
                None => Input::NoObject,
            }),
            Effect::Delete(deletion) => self.waits(duty, Waits::ToDelete(deletion)),
            Effect::Enqueue(Message::Tell(event)) => {
                self.telling.send(event);
                self.waits(duty, Waits::ToHear(Input::Done))
            }
            // Somebody may copy whenever somebody has been asked to.
            Effect::Enqueue(Message::Copy | Message::CopyNext | Message::StoreLastPart | Message::Verify) => {
                Some(Input::Done)
            }
            Effect::CloseInLedger => {
                self.ledger.open = false;
                self.ledger.object =
                    self.object.session.as_ref().is_some_and(|session| session.stored_object().is_some());
                self.ledger.listed = self.ledger.object;
                self.waits(duty, Waits::ToHear(Input::Done))
            }
            Effect::Unlist => {
                self.ledger.listed = false;
                self.waits(duty, Waits::ToHear(Input::Done))
            }
            Effect::Purge => {
                self.purge();
                Some(Input::Done)
            }
            // Nothing is looked into here, and no file is empty.
            Effect::ReadFirstBytes { .. } | Effect::PutEmpty { .. } => Some(failed(StorageFault::Retry)),
        }
    }

    fn waits(&mut self, duty: &Duty, waits: Waits) -> Option<Input> {
        self.duty = Some(Duty { waits, ..duty.clone() });
        None
    }

    fn purge(&mut self) {
        let object = Arc::clone(&self.object);
        self.legacy = object.session.as_ref().map(|session| Legacy {
            object: session.stored_object().is_some(),
            deleted: session.progress.phase == Phase::Deleted,
            told: session.outbox.state() == Some(DeliveryState::Delivered),
            forgotten_at: self.now,
        });
        self.object = Arc::new(Object::default());
        // No request lives as long as the memory of an upload.
        self.r2.sent.clear();
    }

    /// The duty takes its next step: something is deleted, or what was done is stored. `false` where it waits for R2.
    pub(crate) fn perform(&mut self, uploads: &Uploads) -> bool {
        let Some(duty) = self.duty.clone() else { return false };
        match &duty.waits {
            Waits::ForR2 => return false,
            Waits::ToHear(input) => self.goes_on(uploads, duty.clone(), input.clone()),
            Waits::ToDelete(deletion) => {
                self.delete(uploads, deletion);
                let then = duty.ring.clone().next(self.now, self.object.session.as_ref(), Input::Done);
                if matches!(then, Effect::Delete(_)) {
                    self.goes_on(uploads, duty, Input::Done);
                } else {
                    self.waits(&duty, Waits::ToHear(Input::Done));
                }
            }
        }
        true
    }

    fn delete(&mut self, uploads: &Uploads, deletion: &Deletion) {
        // The last group of an id has twelve digits.
        let attempt_of =
            |key: &String| key.rsplit('-').next().filter(|end| end.len() < 12).and_then(|end| end.parse().ok());
        match deletion {
            Deletion::Below { .. } => self.r2.segments.clear(),
            Deletion::Puts { except: counted, .. } => {
                for attempt in mutations::strays(uploads, attempt_of(counted), &self.r2) {
                    self.r2.delete_put(attempt);
                }
            }
            Deletion::Multipart { multipart_id, .. } => self.r2.abort(multipart_id.parse().ok()),
            Deletion::Objects(keys) => {
                for key in keys {
                    // A put has the key of its attempt.
                    match attempt_of(key) {
                        Some(attempt) => self.r2.delete_put(mutations::put_key(uploads, attempt)),
                        None => self.r2.delete_object(key_of(key)),
                    }
                }
            }
        }
    }

    /// A call fails, before or after it was carried out.
    pub(crate) fn fail_duty(&mut self, uploads: &Uploads) -> bool {
        let Some(duty) = self.duty.clone() else { return false };
        match (duty.job, &duty.waits) {
            (Job::Assemble, Waits::ForR2) => {
                let heard = lost(uploads);
                self.waits(&duty, Waits::ToHear(heard));
            }
            (Job::Cleanup | Job::Discard | Job::NotifyLedger | Job::EnqueueEvent | Job::Purge, _) => {
                self.ledger.has_failed |= matches!(duty.job, Job::NotifyLedger | Job::Purge);
                self.goes_on(uploads, duty, failed(StorageFault::Retry));
            }
            _ => return false,
        }
        true
    }

    /// The object dies. What it believed beyond what it had stored is gone, and so is the duty it was at.
    pub(crate) fn crash(&mut self) -> bool {
        let lost_duty = self.duty.take().is_some();
        let lost_belief = self.stored.take().map(|stored| self.object = stored).is_some();
        // Whoever waits for an opening is told that it failed. If R2 has opened something, it drops that by itself.
        let waiting = self.workers.iter_mut().filter(|worker| matches!(worker, Worker::Waiting(_)));
        let lost_openings = waiting.map(|worker| *worker = Worker::Idle).count() > 0;
        lost_duty || lost_belief || lost_openings
    }

    /// R2 puts an object together, or not. `to_duty` where the object waits for the answer; otherwise the call was made
    /// before a crash, or its answer is lost.
    pub(crate) fn complete_in_storage(
        &mut self,
        multipart: Option<u8>,
        key: u32,
        listed: &[(u16, String)],
        to_duty: bool,
    ) -> bool {
        if to_duty && !self.waits_for_r2() {
            return false;
        }
        let answer = self.r2.complete(multipart, key, listed);
        if let Some(duty) = self.duty.clone().filter(|_| to_duty) {
            let heard = match answer {
                Answer::Done(units) => there(units),
                Answer::Gone => failed(StorageFault::Gone),
                Answer::Damaged => failed(StorageFault::Damaged),
            };
            self.waits(&duty, Waits::ToHear(heard));
        }
        true
    }

    /// Whether the object waits for R2 to put the object together.
    pub(crate) fn waits_for_r2(&self) -> bool {
        self.duty.as_ref().is_some_and(|duty| duty.waits == Waits::ForR2)
    }

    /// Whether the origin has heard of everything that this upload's outbox says.
    pub(crate) fn origin_knows(&self) -> bool {
        let session = self.object.session.as_ref();
        session.is_some_and(|session| {
            !session.outbox.is_empty()
                && session.outbox.iter().all(|delivery| self.telling.heard & kind_bit(delivery.kind) != 0)
        })
    }
}

/// An object is there, so long.
fn there(units: u8) -> Input {
    Input::Object { etag: String::new(), bytes: bytes(units).get() }
}

fn failed(fault: StorageFault) -> Input {
    Input::Failed { fault, error: "R2".to_owned() }
}

/// Nobody knows how it went: the call failed, before or after it worked.
fn lost(uploads: &Uploads) -> Input {
    if uploads.breaks(Mutation::CompletedUnconfirmed) {
        there(uploads.bounds.file)
    } else {
        failed(StorageFault::Retry)
    }
}
