//! What every operation is carried out with, beside what it says.

use futures_channel::oneshot;
use worker::{Context, Env, Error, Result};

use crate::{config::Config, timings::Timings};

/// One request's surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The deployment's settings.
    pub(crate) config: &'a Config,
    /// The bindings.
    pub(crate) env: &'a Env,
    /// What keeps work alive when the client goes away.
    pub(crate) context: &'a Context,
    /// Scheme and host under which this was asked.
    pub(crate) host: &'a str,
    /// Where its time goes.
    pub(crate) timings: &'a Timings,
}

impl Call<'_> {
    /// Runs the work in a task of its own, and waits for it. In production a handler ends with its client, and only such a
    /// task survives, for at most 30 seconds.
    pub(crate) async fn outliving_its_client<T: 'static>(self, work: impl Future<Output = T> + 'static) -> Result<T> {
        let (done, answer) = oneshot::channel();
        self.context.wait_until(async move {
            // Nobody waits any more where the handler has ended.
            let _ = done.send(work.await);
        });
        answer.await.map_err(|_| Error::from("the work ended without an answer"))
    }
}
