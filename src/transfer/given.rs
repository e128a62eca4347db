//! A part, or an object, on its way into R2, in two steps: R2 is given all bytes; and then it answers. What comes next may be given to it
//! in between.

use std::pin::pin;

use durable_objects::platform::{
    error::{Error, Result},
    object_storage::StorageError,
};
use futures_util::future::{Either, LocalBoxFuture, select};
use upload_session::{session::Receipt, storage_fault::StorageFault};
use upload_types::{
    integrity::{Crc64Nvme, Sha256State},
    units::ByteCount,
};

use crate::transfer::{
    body::{PartCrc, Sink},
    error::TransferError,
    renewal::StopSignal,
};

/// Where the flow stopped.
pub(super) enum PumpError {
    /// The body gave no more.
    AtBody(TransferError),
    /// A sink took no more.
    AtSink(Error),
}

/// What R2 says of what it was given: the ETag.
pub(super) type Answer<'a> = LocalBoxFuture<'a, Result<String, StorageError>>;

/// R2 has been given all bytes of a part, and has not answered yet, or not been heard.
pub(crate) struct Given<'a> {
    number: u16,
    bytes: ByteCount,
    /// The file's SHA-256 behind the last of them, where it is carried along.
    pub(super) sha256_so_far: Option<Sha256State>,
    crc64nvme: Crc64Nvme,
    answer: Answer<'a>,
}

impl<'a> Given<'a> {
    /// Has R2 take so many bytes out of a pipe, while somebody brings them, and says what their CRC is. Where either end breaks the
    /// request to R2 is over when this returns.
    pub(super) async fn give(
        sink: &Sink,
        number: u16,
        bytes: ByteCount,
        taking: Answer<'a>,
        stop: &StopSignal,
        filling: LocalBoxFuture<'_, Result<PartCrc, PumpError>>,
    ) -> Result<Self, TransferError> {
        let filling = pin!(async {
            let filled = match select(filling, pin!(stop.given())).await {
                Either::Left((filled, _)) => filled,
                Either::Right(((), _)) => Err(PumpError::AtBody(TransferError::Superseded)),
            };
            if filled.is_err() {
                sink.abort().await;
            }
            filled
        });
        let (filled, answer): (_, Answer<'a>) = match select(filling, taking).await {
            Either::Left((filled, taking)) => (filled, taking),
            Either::Right((answer, filling)) => {
                if answer.is_err() {
                    // R2 may not have read the bytes, and whoever still writes them would wait for ever.
                    sink.abort().await;
                }
                (filling.await, Box::pin(async { answer }))
            }
        };
        match filled {
            Ok(crc) => Ok(Self { number, bytes, sha256_so_far: None, crc64nvme: crc.finish(), answer }),
            Err(broken) => Err(why(answer.await.err(), Some(broken))),
        }
    }

    /// What R2 says.
    pub(super) async fn answered(self) -> Result<Receipt, TransferError> {
        let Self { number, bytes, crc64nvme, answer, .. } = self;
        let etag = answer.await.map_err(broken_by)?;
        Ok(Receipt { number, bytes, etag, crc64nvme })
    }
}

/// R2's answer. Where it is a refusal, R2 may not have read the bytes, and whoever still writes them would wait for ever.
pub(super) async fn unless_stopped<T>(
    sink: &Sink,
    stored: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let stored = stored.await;
    if stored.is_err() {
        sink.abort().await;
    }
    stored
}

/// Of two ends of a broken pipe, the one that broke it.
pub(super) fn why(stored: Option<StorageError>, pumped: Option<PumpError>) -> TransferError {
    match (stored, pumped) {
        (_, Some(PumpError::AtBody(broken))) => broken,
        (Some(error), _) => broken_by(error),
        // Whoever read the other end has said why.
        (None, Some(PumpError::AtSink(error))) => broken_by(error.into()),
        (None, None) => TransferError::Fault(Error::from("nothing broke")),
    }
}

fn broken_by(error: StorageError) -> TransferError {
    match error.fault {
        StorageFault::Gone => TransferError::MultipartGone,
        StorageFault::ClientLeft => TransferError::BodyEnded,
        StorageFault::Retry | StorageFault::Damaged | StorageFault::Misfit | StorageFault::Refused => {
            TransferError::Storage(error.cause)
        }
    }
}
