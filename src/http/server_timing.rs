//! Where a request's time went, for the header `Server-Timing` (<https://www.w3.org/TR/server-timing/>): `begin`, until the
//! upload's object had granted; `store`, in which the body arrived and went into R2; `commit`, until the object had counted
//! it; and `total`. The platform's clock stands still between I/O, so what is pure computation shows as nothing.

use std::{cell::Cell, rc::Rc};

use crate::log::Stopwatch;

/// The time of one request, step by step. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Timings(Rc<[Cell<u64>; 3]>);

/// A step of storing a chunk.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// The object decides.
    Begin,
    /// Bytes move.
    Store,
    /// The object counts.
    Commit,
}

impl Step {
    const ALL: [(Self, &str); 3] = [(Self::Begin, "begin"), (Self::Store, "store"), (Self::Commit, "commit")];
}

impl Timings {
    /// Does the work and adds its time to a step's.
    pub(crate) async fn measure<T>(&self, step: Step, work: impl Future<Output = T>) -> T {
        let watch = Stopwatch::start();
        let done = work.await;
        let spent = &self.0[step as usize];
        spent.set(spent.get() + watch.elapsed_ms());
        done
    }

    /// The header's value. A step that did not happen is left out.
    pub(crate) fn header(&self, total: &Stopwatch) -> String {
        let steps = Step::ALL.into_iter().map(|(step, name)| (name, self.0[step as usize].get()));
        let took = steps.filter(|(_, spent)| *spent > 0).chain([("total", total.elapsed_ms())]);
        took.map(|(name, spent)| format!("{name};dur={spent}")).collect::<Vec<_>>().join(", ")
    }
}
