//! What every operation is carried out with, beside what it says.

use std::{cell::Cell, rc::Rc, time::Duration};

use durable_objects::platform::{
    background::run_behind,
    error::{Error, Result},
    object_storage::ObjectStorage,
};
use durable_objects::rpc::ObjectClient;
use futures_channel::oneshot;
use upload_types::operation::Outcome;
use worker::{Context, Env};

use crate::{access::Access, config::Config, http::server_timing::Timings};

/// What an operation comes to.
pub(crate) type HandlerResult = Result<Outcome>;

/// What storing bytes takes. Owned, since storing outlives its request.
pub(crate) struct TransferContext {
    /// The way to the upload's object.
    pub(crate) objects: ObjectClient,
    /// Where the bytes go.
    pub(crate) bucket: ObjectStorage,
    /// How long a body may bring too little.
    pub(crate) stalled_after: Duration,
    /// Where the time goes.
    pub(crate) timings: Timings,
}

/// One request's surroundings.
#[derive(Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    /// The deployment's settings.
    pub(crate) config: &'a Config,
    /// The bindings.
    pub(crate) env: &'a Env,
    /// What keeps work alive when the client goes away.
    pub(crate) execution: &'a Context,
    /// Where its time goes.
    pub(crate) timings: &'a Timings,
    /// Where it came from, as an IP address.
    pub(crate) address: Option<&'a str>,
    /// Who asks, and what may be created.
    pub(crate) access: &'a Access,
}

impl RequestContext<'_> {
    /// The way to uploads, for whoever asks.
    pub(crate) fn uploads(self) -> Result<ObjectClient> {
        ObjectClient::to_uploads(self.env, self.access.caller.clone())
    }

    /// What storing bytes takes, for whoever asks.
    pub(crate) fn storing(self) -> Result<TransferContext> {
        let (objects, bucket) = (self.uploads()?, ObjectStorage::open(self.env)?);
        Ok(TransferContext { objects, bucket, stalled_after: self.config.stalled_after, timings: self.timings.clone() })
    }

    /// Runs the work in a task of its own, and waits for it. In production a handler ends with its client, and only such a
    /// task survives, for at most 30 seconds.
    pub(crate) async fn run_with_wait_until<T: 'static>(self, work: impl Future<Output = T> + 'static) -> Result<T> {
        let (done, ended) = oneshot::channel();
        let answer = Rc::new(Cell::new(None));
        let given = Rc::clone(&answer);
        let work = async move {
            given.set(Some(work.await));
            // Nobody waits any more where the handler has ended.
            let _ = done.send(());
        };
        run_behind(self.execution, Box::pin(work));
        // Whether it was dropped or not, the answer is there or never comes.
        let _ = ended.await;
        answer.take().ok_or_else(|| Error::from("the work ended without an answer"))
    }
}
