//! The origin as a process, seen from outside: real signed webhooks go in, a fake object server counts what it is asked
//! for.
//!
//! Tests wait for conditions; [`support::GIVE_UP`] only ends a test that would never end.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that panics fails its test")]

mod content;
mod deletions;
mod deliveries;
mod growing;
mod process;
mod refusals;
mod support;
