//! The parts of an attempt on their way into R2, up to two at a time: the bytes of the next one flow while R2 answers for the one before, and
//! while that is counted. A body is read in order, so the relay goes from part to part: it is here, or with the part that was begun ahead.

use std::pin::{Pin, pin};

use durable_objects::platform::{
    error::Error,
    object_storage::{Multipart, ObjectStorage},
};
use futures_util::future::{Either, LocalBoxFuture, MaybeDone, maybe_done, select};
use upload_session::{attempt::PartAhead, session::Receipt};
use upload_types::{integrity::Sha256State, units::ByteCount};

use crate::transfer::{error::TransferError, given::Given, prefix::Tail, relay::Relay, renewal::StopSignal};

/// A part whose bytes are given to R2, and the relay when they are.
type Giving<'a> = LocalBoxFuture<'a, (Relay, Result<Given<'a>, TransferError>)>;

/// The same while it is under way, and when it is done.
type Ahead<'a> = Pin<Box<MaybeDone<Giving<'a>>>>;

/// The relay of a body, and the part that it is at ahead of its turn.
pub(crate) struct Pipeline<'a> {
    relay: Option<Relay>,
    ahead: Option<(PartAhead, Ahead<'a>)>,
    /// Given where the attempt shall end.
    pub(crate) stop: StopSignal,
}

impl<'a> Pipeline<'a> {
    /// Nothing is under way.
    pub(crate) fn new(relay: Relay) -> Self {
        let stop = relay.stop.clone();
        Self { relay: Some(relay), ahead: None, stop }
    }

    /// The body, where nothing is under way ahead ([`Pipeline::settle`]).
    pub(crate) fn relay(&mut self) -> Result<&mut Relay, TransferError> {
        self.relay.as_mut().ok_or_else(|| Error::from("the body is with a part that was begun ahead").into())
    }

    /// Stores a part, which may have been begun ahead, and begins the next one as soon as R2 has all bytes of this one. What R2 says of it,
    /// and the file's SHA-256 behind it.
    ///
    /// Crash here: R2 holds none, one or both of them, under numbers that nobody will use again, and no session counts what has not been
    /// committed.
    pub(crate) async fn part(
        &mut self,
        upload: &'a Multipart,
        (number, bytes): (u16, ByteCount),
        tail: &Tail<'_>,
        copy: Option<(&'a ObjectStorage, String)>,
        next: Option<PartAhead>,
    ) -> Result<(Receipt, Option<Sha256State>), TransferError> {
        let given = match self.ahead.take() {
            Some((begun, ahead)) if (begun.number, begun.bytes) == (number, bytes) => self.taken_back(ahead).await?,
            Some(other) => {
                self.ahead = Some(other);
                return Err(Error::from("another part was begun ahead").into());
            }
            None => self.relay()?.part(upload, number, bytes, Some(tail), copy).await?,
        };
        if let Some(next) = next
            && let Some(mut relay) = self.relay.take()
        {
            let giving: Giving<'a> = Box::pin(async move {
                let given = relay.part(upload, next.number, next.bytes, None, None).await;
                (relay, given)
            });
            self.ahead = Some((next, Box::pin(maybe_done(giving))));
        }
        let sha256_so_far = given.sha256_so_far.clone();
        let receipt = self.beside(given.answered()).await?;
        Ok((receipt, sha256_so_far))
    }

    /// Does something while the bytes of the part ahead flow.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let Some((_, ahead)) = &mut self.ahead else { return work.await };
        match select(pin!(work), ahead.as_mut()).await {
            Either::Left((done, _)) => done,
            Either::Right(((), work)) => work.await,
        }
    }

    /// Ends what was begun ahead. When this returns, its request to R2 is over, and the rest of the body is here.
    pub(crate) async fn settle(&mut self) {
        let Some((_, ahead)) = self.ahead.take() else { return };
        self.stop.give();
        if let Ok(given) = self.taken_back(ahead).await {
            // All its bytes had been given. R2 has a part that nobody counts, or has not.
            let _unwanted = given.answered().await;
        }
    }

    async fn taken_back(&mut self, mut ahead: Ahead<'a>) -> Result<Given<'a>, TransferError> {
        ahead.as_mut().await;
        let Some((relay, given)) = ahead.as_mut().take_output() else {
            return Err(Error::from("a part that was begun ahead is gone").into());
        };
        self.relay = Some(relay);
        given
    }
}
