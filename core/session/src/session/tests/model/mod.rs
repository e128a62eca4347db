//! The rules of a session, explored by a model checker: every state that two Workers, late writes, crashes, lost and
//! doubled messages, takeovers, endings, R2, queue and origin can lead to, within bounds.
//!
//! | file | holds |
//! |---|---|
//! | `bounds` | how much is explored, and of what upload |
//! | `bytes` | bytes that say where they belong |
//! | `world` | a state; how the object takes a decision |
//! | `object` | what the object has stored |
//! | `storage` | R2, and writes on their way to it |
//! | `worker`, `relay`, `commits` | a Worker, what it does with a chunk, and its talk with the object |
//! | `repairing` | a file that is sent wrong, kept, and put together anew |
//! | `duties`, `telling` | what the object does by itself; queue and origin |
//! | `step`, `choices` | what can happen, and when |
//! | `properties`, `settle` | what must always hold; what must come of every state |
//! | `sights` | what a run must have seen |
//! | `mutations`, `mutants` | rules broken on purpose, and what notices them |
//!
//! The rules are the real ones: every decision is taken by `Session`, and its change is stored in tables like the real
//! ones. So is what surrounds them: what a Worker does with a chunk says `Attempt`, and in which order the object calls R2, queue and
//! ledger says `Ring`. Here these are only driven, as the Worker and the object drive them.
//!
//! Not in here: R2 losing what it has stored, digests but for whether they are right, the streaming of bytes, and what the owner's ledger does by
//! itself; messages to the ledger arrive at once or not at all, and no request outlives the memory of an ended upload.

mod bounds;
mod bytes;
mod choices;
mod commits;
mod duties;
mod mutants;
mod mutations;
mod object;
mod properties;
mod relay;
mod repairing;
mod settle;
mod sights;
mod step;
mod storage;
mod telling;
mod worker;
mod world;

use stateright::{Checker, HasDiscoveries, Model};
use upload_types::plan::Mode;

use crate::session::tests::model::{
    bounds::{
        Bounds, Budget,
        Topic::{Ahead, CutShort, Duties, Probes, Telling, Uploaded},
    },
    sights::{
        ABORTED, AHEAD, ALL_PARALLEL, COMPLETED, DAMAGED, DISCARDED_IN_DUTY, EXPIRED, FENCED, FORGOTTEN, GIVEN_UP,
        HELD_FOR_ANOTHER, LATE_COMMIT, LATE_OPENING, LATE_PUT, LATE_SEGMENT, LATE_WRITE, NUMBER_AGAIN, OLD_WRITE,
        PENDING, PROTECTED, PUT_BEFORE_OPENING, PUT_WITH_TAIL, REJECTED, RELEASED, REPAIRED, SILENT, STALE_COMPLETE,
        STRAY_PART, TAIL_IN_ROWS, TAIL_IN_STORAGE, TWO_EVENTS, TWO_MESSAGES, TWO_OPENINGS, UNKNOWN_OBJECT,
        UNKNOWN_TOLD, UNREPAIRED, WITHDRAWN,
    },
    world::Uploads,
};

/// Explores everything within these bounds, and says how much that was.
fn explore(name: &str, bounds: Bounds, sights: &'static [&'static str]) {
    let checker = Uploads::new(bounds, sights).checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them unique, {} steps deep",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
    );
    for property in properties::all() {
        if let Some(path) = checker.discovery(property.name) {
            panic!("not always: {}\n{}", property.name, mutants::story(checker.model(), property.name, path));
        }
    }
    for sight in sights {
        assert!(checker.discovery(sight).is_some(), "{name} never sees {sight}");
    }
}

/// A sequential upload of two parts, in chunks that leave rests, and two Workers in each other's way.
const SEQUENCE: Bounds = Bounds {
    mode: Mode::Sequential,
    file: 7,
    part: 4,
    put: false,
    kept: false,
    held: false,
    second: false,
    spare: None,
    lengths: &[2, 7],
    all_or_nothing: &[false],
    topics: &[CutShort, Probes],
    budget: Budget { attempts: 3, duplicates: 1, ..Budget::NONE },
};

/// A parallel upload of two chunks, which its client sends wrong once, and repairs.
const REPAIRED_LANES: Bounds = Bounds {
    file: 3,
    topics: &[Duties],
    kept: true,
    budget: Budget { attempts: 3, duplicates: 1, wrong: 1, repairs: 1, copies: 1, ..Budget::NONE },
    ..PARALLEL
};

/// An upload that is held, of which its origin and persons say what is to become of it.
const HELD: Bounds = Bounds {
    file: 1,
    held: true,
    topics: &[Uploaded, Duties, Telling],
    budget: Budget { words: 1, refusals: 1, redeliveries: 1, ..Budget::NONE },
    ..SEQUENCE
};

/// A parallel upload of three chunks.
const PARALLEL: Bounds = Bounds { mode: Mode::Parallel, file: 5, part: 2, topics: &[Probes], ..SEQUENCE };

#[test]
fn takeovers() {
    let sights = &[LATE_WRITE, LATE_COMMIT, TAIL_IN_ROWS, FENCED];
    explore("takeovers, with checksums and without", Bounds { all_or_nothing: &[false, true], ..SEQUENCE }, sights);
    let bounds = Bounds { file: 9, lengths: &[2, 9], ..SEQUENCE };
    explore("takeovers, three parts", bounds, sights);
    let bounds = Bounds { budget: Budget { attempts: 4, ..Budget::NONE }, ..SEQUENCE };
    explore("takeovers, four attempts", bounds, &[STRAY_PART]);
}

#[test]
fn numbers_that_are_used_again() {
    let budget = Budget { attempts: 4, jumps: 1, ..Budget::NONE };
    let few = Bounds { spare: Some(0), lengths: &[7], topics: &[Probes], budget, ..SEQUENCE };
    explore("few numbers, in a sequence", few.clone(), &[NUMBER_AGAIN, SILENT]);
    let all_or_nothing = &[true, false];
    explore(
        "few numbers, several at once",
        Bounds { all_or_nothing, lengths: &[7], spare: Some(1), topics: &[], ..few.clone() },
        &[NUMBER_AGAIN],
    );
    let budget = Budget { attempts: 3, jumps: 1, ..Budget::NONE };
    let few = Bounds { file: 3, spare: Some(1), budget, ..PARALLEL };
    explore("few numbers, in parallel", few, &[NUMBER_AGAIN, SILENT, PENDING]);
}

#[test]
fn parts_that_are_begun_ahead() {
    let budget = Budget { attempts: 3, ..Budget::NONE };
    let ahead = Bounds { lengths: &[7], all_or_nothing: &[false, true], topics: &[Ahead, Probes], budget, ..SEQUENCE };
    explore("parts ahead, taken over", ahead.clone(), &[LATE_WRITE, LATE_COMMIT, FENCED]);
    let budget = Budget { jumps: 1, ..budget };
    let few = Bounds { spare: Some(0), all_or_nothing: &[false], topics: &[Ahead], budget, ..ahead.clone() };
    explore("parts ahead, few numbers", few, &[NUMBER_AGAIN, SILENT]);
    let budget = Budget { attempts: 2, duplicates: 1, ..Budget::NONE };
    let three = Bounds { file: 9, lengths: &[9], all_or_nothing: &[false], budget, ..ahead };
    explore("parts ahead, three of them", three, &[LATE_WRITE, LATE_COMMIT]);
}

#[test]
fn protected_leases() {
    let budget = Budget { attempts: 5, jumps: 1, ..Budget::NONE };
    let bounds = Bounds { file: 2, part: 2, lengths: &[2], topics: &[Probes], budget, ..SEQUENCE };
    explore("protected leases", bounds, &[PROTECTED]);
}

#[test]
fn segments_in_storage() {
    let budget = Budget { attempts: 2, duplicates: 1, cancels: 2, jumps: 2, ..Budget::NONE };
    let all_or_nothing = &[false, true];
    let bounds = Bounds { file: 5, lengths: &[3, 5], all_or_nothing, topics: &[Duties], budget, ..SEQUENCE };
    explore("segments in storage", bounds, &[TAIL_IN_STORAGE, LATE_SEGMENT, DISCARDED_IN_DUTY]);
}

#[test]
fn files_of_one_part() {
    let part = Bounds { file: 4, lengths: &[2, 4], put: true, ..SEQUENCE };
    let budget = Budget { attempts: 3, duplicates: 1, ..Budget::NONE };
    explore(
        "puts, taken over",
        Bounds { all_or_nothing: &[false, true], budget, ..part.clone() },
        &[LATE_WRITE, FENCED],
    );
    let sights = &[LATE_PUT, PUT_WITH_TAIL, COMPLETED, EXPIRED, ABORTED, DISCARDED_IN_DUTY];
    let budget = Budget { attempts: 2, duplicates: 1, faults: 1, jumps: 1, cancels: 2, ..Budget::NONE };
    explore("puts to their end", Bounds { lengths: &[3, 4], topics: &[Duties], budget, ..part }, sights);
}

#[test]
fn files_that_fit_a_request() {
    let late = Bounds { file: 5, part: 3, lengths: &[2, 5], all_or_nothing: &[false, true], put: true, ..SEQUENCE };
    let budget = Budget { attempts: 3, duplicates: 1, faults: 1, ..Budget::NONE };
    let sights = &[TWO_OPENINGS, LATE_OPENING, PUT_BEFORE_OPENING, LATE_WRITE];
    explore("multipart uploads opened late, taken over", Bounds { budget, topics: &[], ..late.clone() }, sights);
    let sights = &[LATE_OPENING, PUT_BEFORE_OPENING, COMPLETED, EXPIRED, ABORTED];
    let budget = Budget { attempts: 2, faults: 1, jumps: 1, cancels: 2, ..Budget::NONE };
    explore("multipart uploads opened late, to their end", Bounds { topics: &[Duties], budget, ..late }, sights);
}

#[test]
fn endings() {
    let sights = &[STALE_COMPLETE, UNKNOWN_OBJECT, COMPLETED, EXPIRED, ABORTED];
    let budget = Budget { attempts: 2, duplicates: 1, faults: 1, jumps: 1, cancels: 1, ..Budget::NONE };
    let bounds = Bounds { file: 5, part: 3, lengths: &[2, 5], topics: &[CutShort, Duties], budget, ..SEQUENCE };
    explore("a sequence to its end", bounds, sights);
    let budget = Budget { attempts: 3, duplicates: 0, ..budget };
    explore("parallel chunks to their end", Bounds { file: 3, topics: &[Duties], budget, ..PARALLEL }, sights);
}

#[test]
fn parallel_chunks() {
    let budget = Budget { attempts: 4, ..PARALLEL.budget };
    explore(
        "lanes",
        Bounds { all_or_nothing: &[false, true], budget, ..PARALLEL },
        &[ALL_PARALLEL, LATE_WRITE, LATE_COMMIT],
    );
}

#[test]
fn repairs() {
    explore("a repair, with late messages", REPAIRED_LANES, &[DAMAGED, REPAIRED, OLD_WRITE]);
    let once = Budget { attempts: 3, wrong: 1, repairs: 1, copies: 1, ..Budget::NONE };
    let budget = Budget { faults: 1, jumps: 1, ..once };
    let sights = &[DAMAGED, REPAIRED, UNREPAIRED, EXPIRED];
    explore("a repair, with crashes and time", Bounds { budget, ..REPAIRED_LANES }, sights);
    let budget = Budget { faults: 1, cancels: 1, ..once };
    explore("a repair, cancelled", Bounds { budget, ..REPAIRED_LANES }, &[DAMAGED, REPAIRED, ABORTED]);
}

#[test]
fn telling_the_origin() {
    let budget = Budget { faults: 1, jumps: 1, losses: 1, refusals: 2, redeliveries: 1, ..Budget::NONE };
    let bounds = Bounds { file: 1, topics: &[Uploaded, Duties, Telling], budget, ..SEQUENCE };
    explore("telling the origin", bounds.clone(), &[GIVEN_UP, TWO_MESSAGES, UNKNOWN_TOLD, FORGOTTEN]);
    let budget = Budget { faults: 1, jumps: 1, refusals: 1, cancels: 1, ..Budget::NONE };
    let bounds = Bounds { budget, ..bounds };
    explore("telling of an end and of a deletion", bounds, &[UNKNOWN_TOLD, FORGOTTEN, WITHDRAWN, TWO_EVENTS]);
}

#[test]
fn telling_of_what_is_held() {
    explore("what is held, said twice and late", HELD, &[RELEASED, REJECTED, TWO_EVENTS]);
    let budget = Budget { faults: 1, losses: 1, jumps: 1, cancels: 1, ..Budget::NONE };
    explore("what is held, with crashes, losses and a deletion", Bounds { budget, ..HELD }, &[RELEASED, REJECTED]);
    let budget = Budget { words: 1, jumps: 1, ..Budget::NONE };
    explore("what is held, with somebody who is down", Bounds { budget, second: true, ..HELD }, &[RELEASED, REJECTED]);
}

#[test]
fn telling_two_of_which_one_is_down() {
    let budget = Budget { jumps: 1, cancels: 1, ..Budget::NONE };
    let bounds = Bounds { file: 1, second: true, topics: &[Uploaded, Duties, Telling], budget, ..SEQUENCE };
    explore("telling two, of which one is down", bounds.clone(), &[TWO_EVENTS, AHEAD, HELD_FOR_ANOTHER]);
    let budget = Budget { faults: 1, losses: 1, ..Budget::NONE };
    explore("the same, with crashes and losses", Bounds { budget, ..bounds }, &[HELD_FOR_ANOTHER]);
}
