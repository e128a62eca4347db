//! Work that goes on when its request has been answered, or its client has gone. One function for all of it, since every type of work
//! would have a task, a promise and what wakes it of its own.

use std::pin::Pin;

use worker::{Context, State};

/// Work of any kind.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Keeps an invocation alive for it: in production at most 30 seconds longer than its answer.
pub fn run_behind(context: &Context, work: Work) {
    context.wait_until(work);
}

/// The same, of an object.
pub(crate) fn run_behind_object(state: &State, work: Work) {
    state.wait_until(work);
}
