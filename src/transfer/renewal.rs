//! A part that is long under way: the upload's object hears now and then that its writer is there, since a part number whose writer
//! is silent may be given to somebody else. A writer that has lost its right, or cannot say that it is there, ends its request to R2.

use std::{
    cell::{Cell, RefCell},
    future::{pending, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use durable_objects::{
    platform::error::Error,
    rpc::{ObjectClient, call},
};
use futures_util::future::{Either, LocalBoxFuture, select};
use upload_session::session::{RENEW_EVERY_MS, Renew, WRITER_STOPS_AFTER_MS};
use upload_types::units::UploadId;
use worker::Delay;

use crate::log::Stopwatch;

/// Whoever could not say it tries again no sooner than this.
const SOONEST_MS: u64 = 5_000;

/// Says to whoever moves bytes that it shall end; and knows when the attempt was last heard of, from one part to the next.
#[derive(Clone, Default)]
pub(crate) struct StopSignal(Rc<Signal>);

#[derive(Default)]
struct Signal {
    is_given: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    heard: RefCell<Stopwatch>,
}

impl StopSignal {
    /// The upload's object has heard of the attempt, since it was asked something then: it may have heard it at once, and answered late.
    pub(crate) fn heard(&self, asked_at: Stopwatch) {
        self.0.heard.replace(asked_at);
    }

    fn silent_ms(&self) -> u64 {
        self.0.heard.borrow().elapsed_ms()
    }

    /// Whoever moves bytes ends.
    pub(crate) fn give(&self) {
        self.0.is_given.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    /// Until it is given.
    pub(crate) async fn given(&self) {
        poll_fn(|context| {
            if self.0.is_given.get() {
                return Poll::Ready(());
            }
            self.0.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Does the work of an attempt, and says meanwhile that it is there.
pub(crate) async fn while_renewing<T>(
    objects: &ObjectClient,
    upload: UploadId,
    attempt: u64,
    stop: &StopSignal,
    work: LocalBoxFuture<'_, T>,
) -> T {
    let renewing = Box::pin(async {
        renew_until_lost(objects, upload, attempt, stop).await;
        stop.give();
        pending::<()>().await;
    });
    match select(work, renewing).await {
        Either::Left((done, _)) => done,
        // It is pending for ever; the work has been told to end, and does.
        Either::Right(((), work)) => work.await,
    }
}

/// Returns when the attempt has lost its right, or nobody has heard of it for too long.
async fn renew_until_lost(objects: &ObjectClient, upload: UploadId, attempt: u64, stop: &StopSignal) {
    let mut pause_ms = RENEW_EVERY_MS.saturating_sub(stop.silent_ms());
    loop {
        Delay::from(Duration::from_millis(pause_ms)).await;
        let (renew, asked_at) = (Renew { attempt }, Stopwatch::start());
        let asked = Box::pin(call(objects, upload, &renew));
        let left_ms = WRITER_STOPS_AFTER_MS.saturating_sub(stop.silent_ms()).clamp(SOONEST_MS, RENEW_EVERY_MS);
        match select(asked, Delay::from(Duration::from_millis(left_ms))).await {
            Either::Left((Ok(()), _)) => {
                stop.heard(asked_at);
                pause_ms = RENEW_EVERY_MS;
            }
            // It has lost its right.
            Either::Left((Err(Error::Refused(_)), _)) => return,
            Either::Left((Err(Error::Fault(_)), _)) | Either::Right(_) => {
                if stop.silent_ms() >= WRITER_STOPS_AFTER_MS {
                    return;
                }
                pause_ms = SOONEST_MS;
            }
        }
    }
}
