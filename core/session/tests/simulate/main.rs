//! Whole lives of uploads, simulated: one seed is one world of clients, a network that loses, repeats and delays, R2 with its rules and
//! its failures, an object that dies and loses its alarm, a queue that reorders and repeats, and an origin that lies. Driven is the
//! product's own code: [`Session`](upload_session::session::Session), [`Attempt`](upload_session::attempt::Attempt) and
//! [`Ring`](upload_session::alarm::Ring). A seed that fails says so, and is the same world again.
//!
//! | file | holds |
//! |---|---|
//! | `world` | the clock, the clients, and what must be true |
//! | `upload` | what is uploaded |
//! | `writer` | the Workers, and their way to R2 and the object |
//! | `object` | what the object has stored |
//! | `duties` | its alarm, the queue and the origin |
//! | `on_the_way` | what is told before the end |
//! | `sights` | what some worlds must see |
//! | `storage`, `content` | R2, and bytes that say where they belong |
//! | `chance` | chance, from a seed |
//!
//! `core/session/src/session/tests/model` is exhaustive within small bounds; here nothing is exhaustive, and sizes, times and failures are as they may come.

#![cfg(test)]

mod chance;
mod content;
mod duties;
mod object;
mod on_the_way;
mod sights;
mod storage;
mod upload;
mod world;
mod writer;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use sights::Sight;
use world::World;

/// How many worlds; set by `cargo xtask simulate --seeds`.
const SEEDS: &str = "QUAYSIDE_SIMULATE_SEEDS";

/// The one world to be told; set by `cargo xtask simulate --seed`.
const SEED: &str = "QUAYSIDE_SIMULATE_SEED";

/// So many worlds where nobody says how many.
const FEW: u64 = 3_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Lives the world of this seed, and tells what was wrong with it; or what it has seen.
fn live(seed: u64) -> BTreeSet<Sight> {
    World::new(seed, false).run().unwrap_or_else(|_| {
        let (wrong, story) = World::new(seed, true).run().expect_err("the same world");
        let last = story.len().saturating_sub(60);
        panic!("seed {seed}: {wrong}\n{}", story[last..].join("\n"));
    })
}

#[test]
fn whatever_happens_every_upload_ends_as_it_must() {
    if let Some(seed) = setting(SEED) {
        drop(live(seed));
        return;
    }
    let (seeds, next, started) = (setting(SEEDS).unwrap_or(FEW), AtomicU64::new(0), Instant::now());
    let seen = Mutex::new(BTreeSet::new());
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let which = next.fetch_add(1, Ordering::Relaxed);
                    if which >= seeds {
                        break;
                    }
                    let sights = live(which);
                    seen.lock().expect("no other has failed").extend(sights);
                }
            });
        }
    });
    let seen = seen.into_inner().expect("none has failed");
    let unseen: Vec<_> = Sight::ALL.into_iter().filter(|sight| !seen.contains(sight)).collect();
    assert!(seeds < FEW || unseen.is_empty(), "no world has seen {unseen:?}");
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let a_minute = seeds as f64 * 60.0 / started.elapsed().as_secs_f64();
    println!("{seeds} uploads, each in a world of its own; {a_minute:.0} a minute");
}

#[test]
fn a_seed_is_the_same_world_again() {
    let told = |seed| World::new(seed, true).story();
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}
