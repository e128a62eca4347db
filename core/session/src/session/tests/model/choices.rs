//! Which steps can be taken from a state: what the checker tries next.

use std::sync::Arc;

use crate::event::DeliveryId;
use stateright::{Model, Property};
use upload_types::plan::Mode;

use crate::session::tests::model::{
    bounds::Topic,
    bytes::units,
    mutations::Mutation,
    properties, sights,
    step::Action,
    storage::Sent,
    telling::{Reply, Word},
    worker::{Doing, Worker},
    world::{Uploads, World},
};

impl World {
    /// Where chunks may begin and end now.
    fn chunks(&self, uploads: &Uploads) -> Vec<(u8, u8)> {
        let bounds = &uploads.bounds;
        match bounds.mode {
            Mode::Sequential => {
                let session = self.object.session.as_ref();
                let from = session.map_or(bounds.file, |session| units(session.uploaded_bytes()));
                let mut ends: Vec<u8> = bounds.lengths.iter().map(|length| (from + length).min(bounds.file)).collect();
                ends.dedup();
                ends.into_iter().filter(|to| *to > from).map(|to| (from, to)).collect()
            }
            Mode::Parallel | Mode::Direct => {
                let counted = self.object.counted();
                let starts = (0..bounds.file).step_by(usize::from(bounds.part));
                let missing = starts.filter(|start| counted & (1 << start) == 0);
                missing.map(|start| (start, (start + bounds.part).min(bounds.file))).collect()
            }
        }
    }

    fn worker_actions(&self, uploads: &Uploads, actions: &mut Vec<Action>) {
        let chunks = if self.is_open() && self.left.attempts > 0 { self.chunks(uploads) } else { Vec::new() };
        for (worker, state) in self.workers.iter().enumerate() {
            if worker > 0 && *state == self.workers[worker - 1] {
                continue;
            }
            for &(from, to) in &chunks {
                for &all_or_nothing in uploads.bounds.all_or_nothing {
                    actions.push(Action::Begin { worker: Some(worker), from, to, all_or_nothing });
                }
            }
            if let Worker::Waiting(_) = state {
                actions.push(Action::Opened { worker });
            }
            let Worker::Busy(busy) = state else { continue };
            if busy.has_choice() {
                actions.push(Action::Advance { worker });
            }
            if let Doing::Reading(_) = busy.doing {
                actions.push(Action::CutShort { worker });
            }
            actions.push(Action::GiveUp { worker });
        }
        if let (Some(&(from, to)), Some(&all_or_nothing)) = (chunks.last(), uploads.bounds.all_or_nothing.first()) {
            actions.push(Action::Begin { worker: None, from, to, all_or_nothing });
        }
        for (write, sent) in self.r2.sent.iter().enumerate() {
            if write > 0 && *sent == self.r2.sent[write - 1] {
                continue;
            }
            actions.push(Action::Arrive { write, answered: true });
            if matches!(sent, Sent::Complete { .. }) {
                actions.push(Action::Arrive { write, answered: false });
            }
        }
        if self.left.wrong > 0 {
            actions.extend((0..self.r2.sent.len()).map(|write| Action::Corrupt { write }));
        }
        if self.left.copies > 0 {
            let idle = self.workers.iter().position(|worker| *worker == Worker::Idle);
            actions.extend(idle.map(|worker| Action::Copy { worker }));
        }
        if self.left.repairs > 0 {
            actions.push(Action::Repair);
        }
        for message in 0..self.net.len() {
            for (answered, again) in [(true, false), (false, false), (true, true), (false, true)] {
                if (again && self.left.duplicates == 0) || (self.net[message].is_copy && answered) {
                    continue;
                }
                actions.push(Action::Deliver { message, answered, again });
            }
        }
    }
}

/// Where each message is found first, in a queue that is sorted: copies are all the same.
fn distinct(queue: &[DeliveryId]) -> Vec<usize> {
    (0..queue.len()).filter(|&at| at == 0 || queue[at] != queue[at - 1]).collect()
}

/// What may be said of what is held.
const WORDS: [Word; 2] = [Word::Released, Word::Rejected];

impl Model for Uploads {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut worlds: Vec<World> = World::new(&self.bounds).into_iter().collect();
        if self.breaks(Mutation::HoldForgotten) {
            for world in &mut worlds {
                Arc::make_mut(&mut world.object).session.iter_mut().for_each(|session| session.spec.hold = false);
            }
        }
        if self.bounds.tries(Topic::Uploaded) {
            let begin = Action::Begin { worker: Some(0), from: 0, to: self.bounds.file, all_or_nothing: true };
            let arrive = Action::Arrive { write: 0, answered: true };
            let deliver = Action::Deliver { message: 0, answered: true, again: false };
            for world in &mut worlds {
                world.left.attempts += 1;
                for action in [begin, arrive, deliver] {
                    self.act(world, action);
                }
            }
        }
        worlds
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.object.session.is_none() {
            return;
        }
        world.worker_actions(self, actions);
        if self.bounds.tries(Topic::Probes) {
            actions.push(Action::Probe);
        }
        if world.left.cancels > 0 {
            actions.push(Action::Cancel);
        }
        if world.left.jumps > 0 {
            actions.extend([Action::UntilDuty, Action::UntilFree, Action::UntilExpiry]);
        }
        if world.stored.is_some() {
            actions.push(Action::Flush);
        }
        if world.left.faults > 0 {
            actions.push(Action::Crash);
        }
        if self.bounds.tries(Topic::Duties) {
            actions.extend([Action::BeginDuty, Action::Perform]);
            if world.left.faults > 0 {
                actions.push(Action::FailDuty);
            }
        }
        if self.bounds.tries(Topic::Telling) {
            let messages = distinct(&world.telling.queue);
            actions.extend(messages.iter().map(|&message| Action::Consume { message }));
            for consumer in 0..world.telling.consumers.len() {
                let replies = [Reply::Yes, Reply::YesDiscard, Reply::YesLost, Reply::No];
                actions.extend(replies.map(|reply| Action::Call { consumer, reply }));
                if self.bounds.held {
                    actions.extend(WORDS.map(|word| Action::Call { consumer, reply: Reply::Judges(word) }));
                }
                actions.push(Action::EndDelivery { consumer });
                if world.left.faults > 0 {
                    actions.push(Action::ConsumerDies { consumer });
                }
            }
            if world.left.losses > 0 {
                actions.extend(messages.iter().map(|&message| Action::Lose { message }));
            }
            if world.left.words > 0 {
                actions.extend(WORDS.map(Action::Judge));
            }
            if world.left.redeliveries > 0 {
                actions.push(Action::Redeliver);
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.act(&mut next, action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::all();
        properties.extend(sights::all().into_iter().filter(|sight| self.sights.contains(&sight.name)));
        properties
    }
}
