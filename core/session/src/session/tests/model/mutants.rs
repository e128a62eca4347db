//! Every rule that is broken on purpose is noticed, and by the property that it is about.

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::session::tests::model::{
    HELD, PARALLEL, REPAIRED_LANES, SEQUENCE,
    bounds::{Bounds, Budget, Topic},
    mutations::Mutation,
    properties::{
        self, ACCEPTED, EQUAL_PARTS, FIRST_WORD, FREE_NUMBERS, FREED, INDEPENDENT, LEFT_ALONE, LIVE_LINKS,
        NEVER_TAKEN_BACK, NEWEST_COMMITS, NOTHING_LOST, ONE_EVENT, READ_BACK, STORED_ONCE, TAKEN_UP, TOLD_AT_ONCE,
        WHOLE,
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

/// Explores with each of these rules broken until the property that is about it does not hold any more.
fn are_noticed(mutations: &[(Mutation, &'static str)], bounds: &Bounds) {
    for &(mutation, by) in mutations {
        is_noticed(mutation, by, bounds.clone());
    }
}

fn is_noticed(mutation: Mutation, by: &'static str, bounds: Bounds) {
    let finish = HasDiscoveries::AnyOf([by].into());
    let checker = Uploads::with(bounds, mutation).checker().finish_when(finish).spawn_bfs().join();
    let Some(path) = checker.discovery(by) else {
        panic!("nobody notices {mutation:?} in {} states", checker.unique_state_count());
    };
    println!("{mutation:?} breaks \"{by}\":\n{}", story(checker.model(), by, path));
}

/// A small upload to its end, whose tail may be in R2.
const ENDING: Bounds = Bounds {
    file: 4,
    part: 4,
    lengths: &[3, 4],
    topics: &[Topic::Duties],
    budget: Budget { attempts: 2, duplicates: 1, cancels: 1, faults: 1, jumps: 1, ..Budget::NONE },
    ..SEQUENCE
};

const IN_A_SEQUENCE: [(Mutation, &str); 13] = [
    (Mutation::NumbersReused, FREE_NUMBERS),
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
];

const IN_LANES: [(Mutation, &str); 1] = [(Mutation::OldTryCommits, NEWEST_COMMITS)];

const AT_THE_END: [(Mutation, &str); 13] = [
    (Mutation::AnswerBeforeStore, NEVER_TAKEN_BACK),
    (Mutation::WhateverIsThere, NOTHING_LOST),
    (Mutation::CompletedUnconfirmed, WHOLE),
    (Mutation::ExpireWhileCompleting, NOTHING_LOST),
    (Mutation::ExpireWhileCompleting, ONE_EVENT),
    (Mutation::RefusedRestDeleted, STORED_ONCE),
    (Mutation::RefusedRestDeleted, NOTHING_LOST),
    (Mutation::FreedUnseen, FREED),
    (Mutation::SettledUnseen, LEFT_ALONE),
    (Mutation::OneBackoff, TOLD_AT_ONCE),
    (Mutation::SegmentsSweptOnce, LEFT_ALONE),
    (Mutation::ForgottenOnceQueued, ONE_EVENT),
    (Mutation::SecondEvent, ONE_EVENT),
];

/// A file of one part to its end: its attempts put it, each under a key of its own.
const PUT: Bounds = Bounds { put: true, ..ENDING };

const PUTS: [(Mutation, &str); 8] = [
    (Mutation::PutsShareAKey, WHOLE),
    (Mutation::CountedPutSwept, WHOLE),
    (Mutation::StrayPutsLeft, LEFT_ALONE),
    (Mutation::SegmentsSweptOnce, LEFT_ALONE),
    (Mutation::OldLeaseCommits, NEWEST_COMMITS),
    (Mutation::TailLeftOut, WHOLE),
    (Mutation::AnswerBeforeStore, NEVER_TAKEN_BACK),
    (Mutation::FreedUnseen, FREED),
];

/// A file of two parts that is put if it comes whole, to its end.
const EITHER: Bounds =
    Bounds { file: 5, part: 3, lengths: &[2, 5], all_or_nothing: &[false, true], put: true, ..ENDING };

const OPENINGS: [(Mutation, &str); 8] = [
    (Mutation::LaterOpeningReplaces, LEFT_ALONE),
    (Mutation::UnusedOpeningLeft, LEFT_ALONE),
    (Mutation::OpeningUnstored, TAKEN_UP),
    (Mutation::PutsForgotten, LEFT_ALONE),
    (Mutation::StrayPutsLeft, LEFT_ALONE),
    (Mutation::NumbersReused, FREE_NUMBERS),
    (Mutation::OldLeaseCommits, NEWEST_COMMITS),
    (Mutation::FreedUnseen, FREED),
];

/// Uploads that have few numbers left.
const FEW_NUMBERS: [(Mutation, &str); 2] =
    [(Mutation::WritersForgotten, FREE_NUMBERS), (Mutation::EndedTooEarly, FREE_NUMBERS)];

/// One that only a sequence can have.
const REFUSED_WHILE_WRITING: [(Mutation, &str); 1] = [(Mutation::RefusedWriterForgotten, FREE_NUMBERS)];

#[test]
fn where_numbers_are_used_again() {
    let budget = Budget { attempts: 3, ..Budget::NONE };
    are_noticed(&FEW_NUMBERS, &Bounds { spare: Some(0), lengths: &[7], budget, ..SEQUENCE });
    are_noticed(
        &REFUSED_WHILE_WRITING,
        &Bounds { spare: Some(0), lengths: &[7], topics: &[Topic::Ahead, Topic::Probes], budget, ..SEQUENCE },
    );
    are_noticed(&FEW_NUMBERS, &Bounds { file: 3, spare: Some(1), budget, ..PARALLEL });
}

/// A completed upload, of which the origin is told, and which is deleted.
const TOLD: Bounds = Bounds {
    file: 1,
    topics: &[Topic::Uploaded, Topic::Duties, Topic::Telling],
    budget: Budget { cancels: 1, jumps: 1, redeliveries: 1, ..Budget::NONE },
    ..SEQUENCE
};

const IN_TELLING: [(Mutation, &str); 3] = [
    (Mutation::DeletedStillTold, LIVE_LINKS),
    (Mutation::DeletionUntold, LEFT_ALONE),
    (Mutation::LinksForgotten, LEFT_ALONE),
];

#[test]
fn of_telling() {
    are_noticed(&IN_TELLING, &TOLD);
}

/// The same with a second receiver, which is down.
const TWO_TOLD: Bounds = Bounds { second: true, ..TOLD };

const IN_TELLING_TWO: [(Mutation, &str); 2] =
    [(Mutation::TakenAtOnce, LEFT_ALONE), (Mutation::OneQueueForAll, INDEPENDENT)];

#[test]
fn of_telling_two() {
    are_noticed(&IN_TELLING_TWO, &TWO_TOLD);
}

/// A parallel upload that is sent wrong, and repaired.
const REPAIRS: [(Mutation, &str); 3] =
    [(Mutation::DamageUnseen, WHOLE), (Mutation::DamagedLeft, LEFT_ALONE), (Mutation::AttemptsAnew, STORED_ONCE)];

/// What is held.
const IN_HOLDING: [(Mutation, &str); 3] =
    [(Mutation::HoldForgotten, FIRST_WORD), (Mutation::WordApart, FIRST_WORD), (Mutation::LateWordCounts, FIRST_WORD)];

#[test]
fn of_holding() {
    are_noticed(&IN_HOLDING, &HELD);
}

#[test]
fn of_repairs() {
    are_noticed(&REPAIRS, &REPAIRED_LANES);
}

#[test]
fn of_openings() {
    are_noticed(&OPENINGS, &EITHER);
}

#[test]
fn in_a_sequence() {
    are_noticed(&IN_A_SEQUENCE, &SEQUENCE);
}

#[test]
fn in_lanes() {
    are_noticed(&IN_LANES, &PARALLEL);
}

#[test]
fn at_the_end() {
    are_noticed(&AT_THE_END, &ENDING);
}

#[test]
fn of_puts() {
    are_noticed(&PUTS, &PUT);
}

#[test]
fn every_property_notices_something() {
    let noticing: Vec<_> =
        [&IN_A_SEQUENCE[..], &IN_LANES, &AT_THE_END, &IN_TELLING, &IN_TELLING_TWO, &IN_HOLDING].concat();
    for property in properties::all() {
        assert!(noticing.iter().any(|(_, by)| *by == property.name), "{}", property.name);
    }
}
