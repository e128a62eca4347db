//! Every rule that is broken on purpose is noticed, and by the property that it is about.

use stateright::{Checker, HasDiscoveries, Model, Path};
use upload_core::plan::Mode;

use crate::{
    SEQUENCE,
    bounds::{Bounds, Budget, Topic},
    mutations::Mutation,
    properties::{
        ACCEPTED, EQUAL_PARTS, FREED, FRESH_NUMBERS, LEFT_ALONE, NEVER_TAKEN_BACK, NEWEST_COMMITS, NOTHING_LOST,
        ONE_EVENT, READ_BACK, STORED_ONCE, TAKEN_UP, WHOLE,
    },
    step::Action,
    world::{Uploads, World},
};

/// The steps that lead to the first state on a path that does not have a property, one a line.
pub(crate) fn story(uploads: &Uploads, property: &'static str, path: Path<World, Action>) -> String {
    let condition = uploads.property(property).condition;
    let steps = path.into_vec();
    let bad = steps.iter().position(|(world, _)| !condition(uploads, world)).unwrap_or(steps.len());
    let actions = steps.into_iter().take(bad).filter_map(|(_, action)| action);
    actions.map(|action| format!("  {action:?}")).collect::<Vec<_>>().join("\n")
}

fn is_noticed(mutation: Mutation, bounds: Bounds, by: &'static str) {
    let finish = HasDiscoveries::AnyOf([by].into());
    let checker = Uploads::new(bounds, Some(mutation)).checker().finish_when(finish).spawn_bfs().join();
    let Some(path) = checker.discovery(by) else {
        panic!("nobody notices {mutation:?} in {} states", checker.unique_state_count());
    };
    println!("{mutation:?} breaks \"{by}\":\n{}", story(checker.model(), by, path));
}

const ENDING: Bounds = Bounds {
    file: 4,
    part: 4,
    lengths: &[3, 4],
    topics: &[Topic::Duties],
    budget: Budget { attempts: 2, cancels: 1, faults: 1, jumps: 1, ..Budget::NONE },
    ..SEQUENCE
};

#[test]
fn in_a_sequence() {
    for (mutation, by) in [
        (Mutation::NumbersReused, FRESH_NUMBERS),
        (Mutation::NumbersReused, STORED_ONCE),
        (Mutation::OldLeaseCommits, NEWEST_COMMITS),
        (Mutation::FencedLeaseCommits, NEWEST_COMMITS),
        (Mutation::RestCountedTwice, STORED_ONCE),
        (Mutation::UncommittedReported, NEVER_TAKEN_BACK),
        (Mutation::TailKept, STORED_ONCE),
        (Mutation::TailKept, READ_BACK),
        (Mutation::TailLeftOut, STORED_ONCE),
        (Mutation::RestAsPart, EQUAL_PARTS),
        (Mutation::NoTakeover, ACCEPTED),
        (Mutation::NoTakeover, TAKEN_UP),
        (Mutation::AnyReaderFails, NOTHING_LOST),
    ] {
        is_noticed(mutation, SEQUENCE, by);
    }
}

#[test]
fn in_lanes() {
    let bounds = Bounds { mode: Mode::Parallel, ..SEQUENCE };
    is_noticed(Mutation::OldTryCommits, bounds, NEWEST_COMMITS);
}

#[test]
fn at_the_end() {
    for (mutation, by) in [
        (Mutation::AnswerBeforeStore, NEVER_TAKEN_BACK),
        (Mutation::WhateverIsThere, NOTHING_LOST),
        (Mutation::CompletedUnconfirmed, WHOLE),
        (Mutation::ExpireWhileCompleting, NOTHING_LOST),
        (Mutation::ExpireWhileCompleting, ONE_EVENT),
        (Mutation::FreedUnseen, FREED),
        (Mutation::SettledUnseen, LEFT_ALONE),
        (Mutation::SegmentsSweptOnce, LEFT_ALONE),
        (Mutation::ForgottenOnceQueued, ONE_EVENT),
        (Mutation::SecondEvent, ONE_EVENT),
    ] {
        is_noticed(mutation, ENDING, by);
    }
}
