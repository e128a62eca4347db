//! What follows by itself: the object's alarm drives the real [`Ring`], the queue repeats, reorders, delays and loses, and the origin lies.

use upload_session::{
    alarm::{Effect, Input, Message, Ring},
    event::{DeliveryId, DeliveryOutcome, EventKind, Verdict},
    session::Decision,
    storage_fault::StorageFault,
};
use upload_types::{
    ledger::Listing,
    upload::{DeliveryState, LiveState, Phase},
};

use crate::{
    sights::Sight,
    upload::RETRY,
    world::{Event, InLedger, World},
};

/// The handler sets the alarm to no earlier than this from now.
const SOONEST_MS: u64 = 1_000;

/// How long an attempt at telling lasts at most, and a link is good.
const ATTEMPT_MS: u64 = 10_000;
const LINK_MS: u64 = 3_600_000;

/// What is known of the upload once it is forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legacy {
    /// It has left an object that is to stay.
    pub(crate) has_object: bool,
    /// It was live, and nobody has said that this is all.
    pub(crate) truncated: bool,
    /// Where it ended.
    pub(crate) phase: Phase,
    /// The origin has acknowledged its events.
    pub(crate) told: bool,
}

impl World {
    /// The alarm is set, or set and lost.
    pub(crate) fn set_alarm(&mut self, at: u64) {
        self.object.alarm += 1;
        if !self.chance.one_in(25) {
            let (in_ms, alarm) = (at.saturating_sub(self.now), self.object.alarm);
            self.at(in_ms, Event::Rings(alarm));
        }
    }

    /// The alarm rings, unless it was set anew.
    pub(crate) fn rings(&mut self, alarm: u64) {
        if self.object.alarm == alarm && self.object.ringing.is_none() && self.object.session.is_some() {
            if self.chance.one_in(2) {
                // It has slept since: nothing that was kept in memory is known any more.
                self.object.die(self.now);
            }
            self.lives += 1;
            (self.object.ringing, self.ring) = (Some(self.lives), Ring::default());
            self.goes_on(Input::Rings);
        }
    }

    /// The ring hears what came of its call.
    fn goes_on(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            let effect = self.ring.next(self.time(), self.object.session.as_ref(), input);
            self.note(|| format!("ring: {effect:?}"));
            next = self.does_at_once(effect);
        }
    }

    /// What can be had at once; or a call that takes its time, or never comes back.
    fn does_at_once(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Charge(_) => Some(Input::Done),
            Effect::Store { change, .. } => {
                self.store(*change, None);
                Some(Input::Done)
            }
            Effect::ReadParts => Some(Input::Parts(self.object.counted_parts())),
            Effect::Rest => {
                self.object.ringing = None;
                if let Some(due) = self.object.due() {
                    self.set_alarm(due.max(self.now + SOONEST_MS));
                }
                None
            }
            call => {
                let life = self.lives;
                let takes = self.chance.between(5, 4_000);
                self.at(takes, Event::Calls { life, call: Box::new(call) });
                if self.chance.one_in(40) {
                    let dies = self.chance.between(1, takes);
                    self.at(dies, Event::ObjectDies(life));
                }
                None
            }
        }
    }

    /// The object dies in a ring. The platform rings again, or has lost the alarm.
    pub(crate) fn object_dies(&mut self, life: u64) {
        if self.object.ringing == Some(life) {
            self.note(|| "the object dies".to_owned());
            self.sights.insert(Sight::DeadObject);
            self.object.die(self.now);
            self.set_alarm(self.now + 2_000);
        }
    }

    /// A call of the ring arrives. Of one that has died meanwhile, it had been sent, or not.
    pub(crate) fn calls(&mut self, life: u64, call: Effect) {
        let is_awaited = self.object.ringing == Some(life);
        if !is_awaited && self.chance.one_in(2) {
            return;
        }
        let fails_before = self.chance.one_in(20);
        let answer = if fails_before { failed(StorageFault::Retry) } else { self.carry_out_call(call, is_awaited) };
        let fails_after = !fails_before && self.object.session.is_some() && self.chance.one_in(20);
        if is_awaited {
            self.goes_on(if fails_after { failed(StorageFault::Retry) } else { answer });
        }
    }

    fn carry_out_call(&mut self, call: Effect, is_awaited: bool) -> Input {
        match call {
            Effect::Complete { key, multipart_id, parts } => {
                match self.r2.complete(self.now, &multipart_id, &key, &parts) {
                    Ok((etag, bytes)) => Input::Object { etag, bytes },
                    Err(fault) => failed(fault),
                }
            }
            Effect::Look { key } => match self.r2.object(&key) {
                Some(object) => Input::Object { etag: object.etag(), bytes: object.bytes() },
                None => Input::NoObject,
            },
            Effect::Delete(deletion) => {
                self.r2.delete(&deletion);
                Input::Done
            }
            Effect::Enqueue(Message::Tell(id)) => {
                self.enqueue(id);
                Input::Done
            }
            Effect::Enqueue(Message::StoreLastPart) => {
                for _ in 0..self.chance.between(0, 3) {
                    let later = self.chance.between(10, 30_000);
                    self.at(later, Event::LastPart);
                }
                Input::Done
            }
            Effect::CloseInLedger => {
                let session = self.object.session.as_ref();
                let is_there = session.is_some_and(|session| session.listing() != Listing::Gone);
                self.in_ledger = if is_there { InLedger::Finished } else { InLedger::Gone };
                Input::Done
            }
            Effect::Unlist => {
                self.in_ledger = InLedger::Gone;
                Input::Done
            }
            // Only a ring that is alive forgets: whoever forgets, does so in the object.
            Effect::Purge if is_awaited => {
                self.purge();
                Input::Done
            }
            // No upload here is empty, looked into, put together from others, repaired, or read back.
            other => {
                if is_awaited {
                    self.wrong(&format!("nobody can {other:?} here"));
                }
                failed(StorageFault::Retry)
            }
        }
    }

    fn purge(&mut self) {
        self.legacy = self.object.session.take().map(|session| Legacy {
            has_object: session.stored_object().is_some(),
            truncated: session.snapshot().live == Some(LiveState::Truncated),
            phase: session.phase(),
            told: session.snapshot().delivery == Some(DeliveryState::Delivered),
        });
    }

    /// A message to tell of an event: late, twice, or lost.
    fn enqueue(&mut self, id: DeliveryId) {
        let times = match self.chance.between(0, 30) {
            0 => 0,
            1..4 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let later = self.chance.between(10, 30_000);
            self.at(later, Event::Message(id));
        }
    }

    /// A consumer takes a message: what lies in the tail of a live upload goes into its last part, if it still does.
    pub(crate) fn last_part(&mut self) {
        let Some(session) = self.object.session.as_ref() else { return };
        let lacks = session.phase() == Phase::Open && !session.plan().open_ended && session.has_tail();
        let bytes = session.uploaded_bytes().get();
        if lacks && let Ok(lease) = self.begin(bytes, bytes, false) {
            self.sights.insert(Sight::LastPart);
            self.start(0, lease, bytes, false);
        }
    }

    /// A consumer takes a message, and asks the object what there is to tell.
    pub(crate) fn message(&mut self, id: DeliveryId) {
        let begun = self.decide(None, |session, now| {
            let (name, event_id) = (session.spec().receivers.name_of(id.receiver), id.event_id(session.spec().id));
            let Decision { answer, change } = session.begin_delivery(now, name, &event_id, ATTEMPT_MS, LINK_MS);
            Decision { answer, change }
        });
        let Ok(Some(delivery)) = begun else { return };
        self.told_on_the_way(&delivery);
        let takes = self.chance.between(10, 9_000);
        if self.chance.one_in(40) {
            // It dies, and its message comes back.
            self.at(30_000, Event::Message(id));
        }
        match self.chance.between(0, 20) {
            // The receiver has it, and says something else, or nothing.
            0..3 => {
                self.origin_hears(id);
                self.at(takes, Event::Told { id, outcome: refused() });
            }
            3..6 => self.at(takes, Event::Told { id, outcome: refused() }),
            fate => {
                self.origin_hears(id);
                let outcome = DeliveryOutcome::Acknowledged { discard: fate == 6, result: None, verdict: None };
                self.at(takes, Event::Told { id, outcome });
            }
        }
    }

    fn origin_hears(&mut self, id: DeliveryId) {
        if id.receiver.is_origin() && id.kind != EventKind::Progressed {
            self.heard.insert(id.kind);
        }
    }

    /// The object hears how it went.
    pub(crate) fn told(&mut self, id: DeliveryId, outcome: &DeliveryOutcome) {
        let verdict = self.decide(None, |session, now| {
            let name = session.spec().receivers.name_of(id.receiver);
            session.delivery_ended(now, name, &id.event_id(session.spec().id), outcome)
        });
        if let Ok(Verdict::RetryAfter { delay_seconds }) = verdict {
            self.at(u64::from(delay_seconds) * 1_000, Event::Message(id));
        }
    }
}

fn failed(fault: StorageFault) -> Input {
    Input::Failed { fault, error: "R2 has failed".to_owned() }
}

fn refused() -> DeliveryOutcome {
    DeliveryOutcome::Refused { policy: RETRY, asked_seconds: None, error: None }
}
