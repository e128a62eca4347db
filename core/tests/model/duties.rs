//! The object's duties, carried out step by step in its alarm, with everything else going on between the steps. A crash
//! may fall between any two of them: then the duty is forgotten, and found again from the rows.

use std::sync::Arc;

use upload_core::{
    event::EventKind,
    session::{Job, Session, StateChange},
    storage_fault::StorageFault,
    units::UnixMs,
    upload::{DeliveryState, Phase},
};

use crate::{
    bounds::RIGHT,
    bytes::{Bytes, bytes},
    mutations::{self, Mutation},
    object::Object,
    repairing::key_of,
    storage::{Answer, Sent},
    telling::kind_bit,
    worker::Worker,
    world::{Uploads, World, expire},
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

/// A duty that has been begun. Holds what the object saw when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Duty {
    /// R2 has been asked to put the object together; then, what it said.
    Assemble(Option<Answer>),
    /// R2 is being asked to let go, call by call.
    Cleanup {
        /// Whether of the parts and the object too.
        unwanted: bool,
        /// Whether there were segments.
        segments: bool,
        /// How many calls have been made.
        calls: u8,
    },
    /// The event has been handed to the queue, or could not be.
    EnqueueEvent(EventKind),
    /// R2 is to let go of the damaged objects of these repairs, one bit each; then, it has.
    Discard {
        /// Which.
        keys: u8,
        /// Whether it has.
        done: bool,
    },
    /// The ledger has heard: of an object, or of none.
    NotifyLedger {
        /// Of an object.
        object: bool,
    },
}

impl World {
    /// The alarm rings, and the next duty is begun. `false` where none is due.
    pub(crate) fn begin_duty(&mut self, uploads: &Uploads) -> bool {
        let now = self.now;
        let object = Arc::clone(&self.object);
        let Some(session) = object.session.as_ref().filter(|_| self.duty.is_none()) else { return false };
        let Some((_, job)) = session.next_job().filter(|(due, _)| *due <= now) else { return false };
        match job {
            Job::Expire => self.store(uploads, |session| expire(uploads, session, now)),
            Job::Assemble => {
                let listed = mutations::listed(uploads, &self.object, &self.r2);
                self.r2.send(Sent::Complete { multipart: self.object.multipart(), key: self.key(), listed });
                self.duty = Some(Duty::Assemble(None));
            }
            // No upload of the model has a declared SHA-256 or is put together from others; the stories of these are in
            // `core/src/session/tests/verifying.rs` and `composing.rs`.
            Job::Verify | Job::CopyNext => return false,
            Job::Copy => self.store(uploads, |session| session.copy_asked_for(now)),
            Job::Discard => {
                let keys = session.progress.damage.discarded.iter().fold(0, |keys, key| keys | bit_of(key));
                self.duty = Some(Duty::Discard { keys, done: false });
            }
            Job::Cleanup => {
                let (unwanted, segments) = (session.is_unwanted(), session.progress.holds_segments);
                self.duty = Some(Duty::Cleanup { unwanted, segments, calls: 0 });
            }
            Job::EnqueueEvent => {
                let Some(event) = session.outbox.next().map(|delivery| delivery.kind) else { return false };
                self.telling.send(event);
                self.duty = Some(Duty::EnqueueEvent(event));
            }
            Job::NotifyLedger => {
                let object = session.stored_object().is_some();
                self.ledger.open = false;
                self.ledger.object = object;
                self.duty = Some(Duty::NotifyLedger { object });
            }
            Job::Purge => {
                self.legacy = Some(Legacy {
                    object: session.stored_object().is_some(),
                    deleted: session.progress.phase == Phase::Deleted,
                    told: session.outbox.state() == Some(DeliveryState::Delivered),
                    forgotten_at: now,
                });
                self.object = Arc::new(Object::default());
                // No request lives as long as the memory of an upload.
                self.r2.sent.clear();
            }
        }
        true
    }

    /// The duty takes its next step: a call is answered, or what was done is stored. `false` where it waits for R2.
    pub(crate) fn perform(&mut self, uploads: &Uploads) -> bool {
        let now = self.now;
        match self.duty {
            None | Some(Duty::Assemble(None)) => return false,
            Some(Duty::Assemble(Some(answer))) => {
                let change = self.assembled(uploads, answer);
                self.end_duty(uploads, change);
            }
            Some(Duty::Cleanup { unwanted, segments, calls }) => {
                match calls {
                    0 if segments => self.r2.segments.clear(),
                    1 if segments => {
                        for attempt in mutations::strays(uploads, &self.object, &self.r2) {
                            self.r2.delete_put(attempt);
                        }
                    }
                    2 if unwanted => self.r2.abort(self.object.multipart()),
                    3 if unwanted => {
                        let counted = self.object.session.as_ref().and_then(|session| session.progress.put);
                        self.r2.puts = others(&self.r2.puts, counted);
                        self.r2.delete_objects(1 << self.key());
                    }
                    0..=3 => {}
                    _ => {
                        self.end_duty(uploads, |session| mutations::freed(uploads, session));
                        return true;
                    }
                }
                self.duty = Some(Duty::Cleanup { unwanted, segments, calls: calls + 1 });
            }
            Some(Duty::EnqueueEvent(event)) => {
                self.end_duty(uploads, |session| mutations::event_sent(uploads, session, now, event));
            }
            Some(Duty::Discard { keys, done: false }) => {
                self.r2.delete_objects(keys);
                self.duty = Some(Duty::Discard { keys, done: true });
            }
            Some(Duty::Discard { keys, done: true }) => self.end_duty(uploads, |session| {
                let all = session.progress.damage.discarded.iter();
                session.discarded(&all.filter(|key| keys & bit_of(key) != 0).cloned().collect::<Vec<_>>())
            }),
            Some(Duty::NotifyLedger { object }) => {
                self.end_duty(uploads, |session| mutations::settled(uploads, session, object));
            }
        }
        true
    }

    /// A call fails, before or after it was carried out.
    pub(crate) fn fail_duty(&mut self, uploads: &Uploads) -> bool {
        match self.duty {
            Some(Duty::Assemble(None)) => self.duty = Some(Duty::Assemble(Some(Answer::Lost))),
            Some(Duty::Cleanup { .. }) => self.postpone(uploads, Job::Cleanup),
            Some(Duty::Discard { .. }) => self.postpone(uploads, Job::Discard),
            Some(Duty::NotifyLedger { .. }) => {
                self.ledger.has_failed = true;
                self.postpone(uploads, Job::NotifyLedger);
            }
            Some(Duty::EnqueueEvent(_)) => self.postpone(uploads, Job::EnqueueEvent),
            Some(Duty::Assemble(Some(_))) | None => return false,
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
        if to_duty && self.duty != Some(Duty::Assemble(None)) {
            return false;
        }
        let answer = self.r2.complete(multipart, key, listed);
        if to_duty {
            self.duty = Some(Duty::Assemble(Some(answer)));
        }
        true
    }

    fn postpone(&mut self, uploads: &Uploads, job: Job) {
        let now = self.now;
        self.end_duty(uploads, |session| mutations::postponed(uploads, session, now, job));
    }

    fn end_duty(&mut self, uploads: &Uploads, rule: impl FnOnce(&Session) -> StateChange) {
        self.duty = None;
        self.store(uploads, rule);
    }

    /// What follows from R2's answer. Where it is an error, the object is looked for before anything is said.
    fn assembled(&self, uploads: &Uploads, answer: Answer) -> impl FnOnce(&Session) -> StateChange + use<> {
        let now = self.now;
        let found = match answer {
            Answer::Done(length) => Some(length),
            _ => self.r2.object(self.key()).map(Bytes::units),
        };
        let is_right = self.r2.object(self.key()) == Some(Bytes::of_file(0, uploads.bounds.file));
        let crc64nvme = mutations::crc_of(uploads, is_right);
        let mutation = uploads.mutation;
        let believed = uploads.breaks(Mutation::CompletedUnconfirmed) && answer == Answer::Lost;
        move |session| match found {
            _ if believed => session.assembled(now, String::new(), RIGHT),
            Some(length) if bytes(length) == session.plan().file_bytes => {
                mutations::assembled(mutation, session.assembled(now, String::new(), crc64nvme))
            }
            None => session.assembly_refused(now, fault_of(answer), "R2"),
            Some(_) => session.unassembled(now, String::new()),
        }
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

/// The bit of the object under this key.
fn bit_of(key: &str) -> u8 {
    1_u8.checked_shl(key_of(key)).unwrap_or(0)
}

/// What the answer means.
fn fault_of(answer: Answer) -> StorageFault {
    match answer {
        Answer::Done(_) | Answer::Lost => StorageFault::Retry,
        Answer::Gone => StorageFault::Gone,
        Answer::Damaged => StorageFault::Damaged,
    }
}

/// All puts but that of this attempt.
fn others(puts: &[(u64, Bytes)], counted: Option<u64>) -> Vec<(u64, Bytes)> {
    puts.iter().copied().filter(|put| Some(put.0) != counted).collect()
}
