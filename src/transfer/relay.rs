//! A request's body into storage: the bytes go from the client's connection into a stream that R2 reads, and by the way into
//! the digests, each piece held until all have taken it. Memory in flight is one buffer, whatever the chunk's size, and a small one
//! where the body is slow; a slice of it at a time is copied into wasm, where the CRC of the part is computed, and all of it only
//! where the SHA-256 of the file was declared.

use std::time::Duration;

use durable_objects::platform::{
    error::Result,
    object_storage::{Multipart, ObjectStorage},
};
use futures_util::future::{LocalBoxFuture, join, select, try_join};
use js_sys::Uint8Array;
use upload_session::{
    read_size::{LONGEST_BYTES, ReadSize},
    session::Receipt,
};
use upload_types::{
    integrity::{ChunkDigest, Crc64Nvme, RunningSha256, Sha256State},
    units::ByteCount,
};
use web_sys::ReadableStream;
use worker::Delay;

use crate::{
    log::Stopwatch,
    transfer::{
        body::{Body, Digest, PartCrc, Sink, Wanted, fixed_length},
        error::TransferError,
        given::{Answer, Given, PumpError, unless_stopped, why},
        held::Held,
        idle_timeout::{IdleTimeout, Waited},
        prefix::{PrefixStream, Tail},
        renewal::StopSignal,
    },
};

/// How long what is left of a refused body is read away.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);

/// And how much of it at once.
const DRAIN_BYTES: u32 = 64 * 1024;

/// A chunk on its way into storage.
pub(crate) struct Relay {
    body: Body,
    patience: IdleTimeout,
    stride: ReadSize,
    /// Of all bytes of the chunk, where its sender said what it must be.
    chunk_digest: Option<(Digest, Vec<u8>)>,
    /// Of all bytes of the file so far, where its digest was declared.
    file_sha256: Option<RunningSha256>,
    /// So many bytes of the body come before the chunk, and count already: they are dropped when the chunk is read.
    pub(crate) passed_over: u64,
    /// Given where the attempt shall end.
    pub(crate) stop: StopSignal,
}

impl Relay {
    /// Takes the body, which must not have been read.
    pub(crate) fn new(
        body: &ReadableStream,
        stalled_after: Duration,
        declared: Option<&ChunkDigest>,
        file_sha256: Option<RunningSha256>,
    ) -> Result<Self> {
        let digest = |declared: &ChunkDigest| {
            Digest::new(declared.algorithm.platform_name()).map(|digest| (digest, declared.value.clone()))
        };
        let chunk_digest = declared.map(digest).transpose()?;
        let (body, patience) = (Body::new(body)?, IdleTimeout::new(stalled_after));
        let (stride, stop) = (ReadSize::default(), StopSignal::default());
        Ok(Self { body, patience, stride, chunk_digest, file_sha256, passed_over: 0, stop })
    }

    /// Moves a part into R2 under this number: first the tail, then so many bytes of the body that it is full. Of a live upload as an
    /// object, too, under the key of its copy.
    ///
    /// Crash here: R2 holds a part, or none, and a copy, or none, under a number that nobody will use again, and no session counts it.
    pub(crate) async fn part<'a>(
        &mut self,
        upload: &'a Multipart,
        number: u16,
        bytes: ByteCount,
        tail: Option<&Tail<'_>>,
        copy: Option<(&'a ObjectStorage, String)>,
    ) -> Result<Given<'a>, TransferError> {
        let (mut sink, readable) = fixed_length(bytes.get())?;
        let taking: Answer<'a> = match copy {
            None => Box::pin(upload.put_part(number, readable)),
            Some((bucket, key)) => {
                let (other, second) = fixed_length(bytes.get())?;
                sink = sink.and(other);
                let sink = sink.clone();
                Box::pin(async move {
                    // Both requests are over before this one is; and where one of them is refused, the other gets no more.
                    let part = unless_stopped(&sink, upload.put_part(number, readable));
                    let (part, copy) = join(part, unless_stopped(&sink, bucket.put(&key, second))).await;
                    part.and_then(|etag| copy.map(|_| etag))
                })
            }
        };
        self.give(sink, number, bytes, tail, taking).await
    }

    /// Moves the whole file into R2 as one object: first the tail, then so many bytes of the body that it is full.
    ///
    /// Crash here: R2 holds an object, or none, under a key that is nobody else's, and no session counts it. It is deleted when the
    /// upload ends.
    pub(crate) async fn put<'a>(
        &mut self,
        bucket: &'a ObjectStorage,
        key: &'a str,
        number: u16,
        bytes: ByteCount,
        tail: Option<&Tail<'_>>,
    ) -> Result<Given<'a>, TransferError> {
        let (sink, readable) = fixed_length(bytes.get())?;
        let taking = Box::pin(async move {
            let object = bucket.put(key, readable).await?;
            let is_whole = object.size() == bytes.get();
            if is_whole { Ok(object.etag()) } else { Err("R2 has not stored the whole object".into()) }
        });
        self.give(sink, number, bytes, tail, taking).await
    }

    /// Boxed: for a part and for a put there is one of it.
    fn give<'s, 'a: 's>(
        &'s mut self,
        sink: Sink,
        number: u16,
        bytes: ByteCount,
        tail: Option<&'s Tail<'_>>,
        taking: Answer<'a>,
    ) -> LocalBoxFuture<'s, Result<Given<'a>, TransferError>> {
        Box::pin(async move {
            let stop = self.stop.clone();
            let pumping = Box::pin(self.pump_part(bytes, tail, &sink));
            let mut given = Given::give(&sink, number, bytes, taking, &stop, pumping).await?;
            given.sha256_so_far = self.sha256_so_far();
            Ok(given)
        })
    }

    /// Moves the next bytes of the body into an R2 object of their own.
    ///
    /// Crash here: R2 holds an object that no session counts, under a key that is looked through when the upload ends.
    pub(crate) async fn object(
        &mut self,
        bucket: &ObjectStorage,
        key: &str,
        bytes: ByteCount,
    ) -> Result<(), TransferError> {
        let (sink, readable) = fixed_length(bytes.get())?;
        let pump = async {
            let pumped = match self.pump_body(bytes.get(), &sink, None).await {
                Ok(()) => sink.close().await.map_err(PumpError::AtSink),
                stopped => stopped,
            };
            if pumped.is_err() {
                sink.abort().await;
            }
            pumped
        };
        let stored = unless_stopped(&sink, bucket.put(key, readable));
        match join(stored, pump).await {
            (Ok(_), Ok(())) => Ok(()),
            (stored, pumped) => Err(why(stored.err(), pumped.err())),
        }
    }

    /// Reads the next bytes of the body, to be kept in a row. Where the body breaks, what arrived of them, and how it broke.
    pub(crate) async fn row(&mut self, bytes: ByteCount) -> Result<(Uint8Array, Option<TransferError>), TransferError> {
        let mut row = Held::default();
        while row.bytes() < bytes.get() {
            // Every byte that arrived counts, so none waits for others.
            let piece = match self.read(1, bytes.get() - row.bytes()).await {
                Ok(piece) => piece,
                Err(broken) => return Ok((row.into_one(), Some(broken))),
            };
            self.digest(&piece).await?;
            row.push(&piece);
            self.body.give_back(&piece);
        }
        Ok((row.into_one(), None))
    }

    /// Reads so many bytes and stores none, for a chunk whose bytes count already. Says which CRC they have, and whether they have the
    /// digest that came with them.
    pub(crate) async fn read_through(mut self, bytes: ByteCount) -> Result<(Crc64Nvme, bool), TransferError> {
        let mut crc = PartCrc::default();
        let mut left = bytes.get();
        while left > 0 {
            let piece = self.read(self.stride.least_bytes(), left).await?;
            crc.update(&piece);
            self.digest(&piece).await?;
            left = left.saturating_sub(u64::from(piece.length()));
            self.body.give_back(&piece);
        }
        Ok((crc.finish(), self.chunk_is_as_declared().await?))
    }

    /// The state of the file's SHA-256 behind the last byte read.
    pub(crate) fn sha256_so_far(&self) -> Option<Sha256State> {
        self.file_sha256.as_ref().map(RunningSha256::save)
    }

    /// All bytes are stored: whether the chunk has the digest that came with it. True where none did.
    pub(crate) async fn chunk_is_as_declared(&mut self) -> Result<bool> {
        match self.chunk_digest.take() {
            None => Ok(true),
            Some((digest, declared)) => Ok(digest.finish().await? == declared),
        }
    }

    /// The rest of the body is not wanted.
    pub(crate) async fn drain(&mut self) {
        read_away(&mut self.body).await;
    }

    async fn pump_part(
        &mut self,
        bytes: ByteCount,
        tail: Option<&Tail<'_>>,
        part: &Sink,
    ) -> Result<PartCrc, PumpError> {
        let (mut left, mut crc) = (bytes.get(), PartCrc::default());
        if let Some(tail) = tail {
            for source in tail.sources {
                let front = tail.open(source).await.map_err(PumpError::AtBody)?;
                pump_front(&front, part, &mut crc).await?;
                left = left.saturating_sub(front.bytes.get());
            }
        }
        self.pump_body(left, part, Some(&mut crc)).await?;
        part.close().await.map_err(PumpError::AtSink)?;
        Ok(crc)
    }

    async fn pump_body(&mut self, bytes: u64, sink: &Sink, mut crc: Option<&mut PartCrc>) -> Result<(), PumpError> {
        let mut left = bytes;
        while left > 0 {
            let piece = self.read(self.stride.least_bytes(), left).await.map_err(PumpError::AtBody)?;
            if let Some(crc) = crc.as_deref_mut() {
                crc.update(&piece);
            }
            try_join(sink.write(&piece), self.digest(&piece)).await.map_err(PumpError::AtSink)?;
            left = left.saturating_sub(u64::from(piece.length()));
            self.body.give_back(&piece);
        }
        Ok(())
    }

    /// The next bytes of the chunk, at least one.
    async fn read(&mut self, least_bytes: u32, most_bytes: u64) -> Result<Uint8Array, TransferError> {
        while self.passed_over > 0 {
            let piece = self.read_body(self.stride.least_bytes(), self.passed_over).await?;
            self.passed_over = self.passed_over.saturating_sub(u64::from(piece.length()));
            self.body.give_back(&piece);
        }
        self.read_body(least_bytes, most_bytes).await
    }

    /// The next bytes of the body, at least one.
    async fn read_body(&mut self, least_bytes: u32, most_bytes: u64) -> Result<Uint8Array, TransferError> {
        let room_bytes = self.stride.room_bytes(least_bytes, self.body.others_bytes());
        let wanted = Wanted { least_bytes, room_bytes, most_bytes };
        loop {
            let watch = Stopwatch::start();
            match self.patience.wait_for(self.body.read(wanted)).await {
                Waited::Came(Ok(piece)) if piece.length() > 0 => {
                    self.stride.brought(piece.length(), watch.elapsed_ms());
                    self.patience.brought(piece.length());
                    return Ok(piece);
                }
                // An error is the client's going: the platform rejects the read, and everything before it was delivered.
                Waited::Came(_) => return Err(TransferError::BodyEnded),
                Waited::Stalled => return Err(TransferError::BodyStalled),
                Waited::Paused => {}
            }
        }
    }

    /// Into the digests of the chunk and of the file.
    async fn digest(&mut self, piece: &Uint8Array) -> Result<()> {
        if let Some(sha256) = &mut self.file_sha256 {
            sha256.update(&piece.to_vec());
        }
        match &self.chunk_digest {
            Some((digest, _)) => digest.write(piece).await,
            None => Ok(()),
        }
    }
}

/// Moves a part into R2 that is made of bytes from elsewhere: runs, each opened when it is its turn.
pub(crate) async fn part_of<R>(
    upload: &Multipart,
    number: u16,
    bytes: ByteCount,
    runs: &[R],
    stop: &StopSignal,
    open: impl AsyncFn(&R) -> Result<PrefixStream, TransferError>,
) -> Result<Receipt, TransferError> {
    let (sink, readable) = fixed_length(bytes.get())?;
    let filling = Box::pin(async {
        let mut crc = PartCrc::default();
        for run in runs {
            pump_front(&open(run).await.map_err(PumpError::AtBody)?, &sink, &mut crc).await?;
        }
        sink.close().await.map_err(PumpError::AtSink)?;
        Ok(crc)
    });
    Given::give(&sink, number, bytes, Box::pin(upload.put_part(number, readable)), stop, filling)
        .await?
        .answered()
        .await
}

/// None of the body is wanted.
pub(crate) async fn drain(body: Option<ReadableStream>) -> Result<()> {
    if let Some(body) = body {
        read_away(&mut Body::new(&body)?).await;
    }
    Ok(())
}

/// The sender of a body that is not wanted does not know that: it is read away for a while, since a client that is cut off
/// while it sends never sees the answer.
pub(crate) async fn read_away(body: &mut Body) {
    let drain = Box::pin(async {
        let wanted = Wanted { least_bytes: DRAIN_BYTES, room_bytes: DRAIN_BYTES, most_bytes: u64::MAX };
        while let Ok(piece) = body.read(wanted).await {
            if piece.length() == 0 {
                break;
            }
            body.give_back(&piece);
        }
    });
    select(drain, Delay::from(LONGEST_DRAIN)).await;
}

/// Accepted bytes into a part. They are in its CRC; the digests of the chunk and of the file have seen them before, or must
/// not.
async fn pump_front(front: &PrefixStream, part: &Sink, crc: &mut PartCrc) -> Result<(), PumpError> {
    let mut left = front.bytes.get();
    let mut stream = Body::new(&front.stream).map_err(PumpError::AtSink)?;
    while left > 0 {
        let wanted = Wanted { least_bytes: LONGEST_BYTES, room_bytes: LONGEST_BYTES, most_bytes: left };
        let piece = stream.read(wanted).await.map_err(|error| PumpError::AtBody(TransferError::Storage(error)))?;
        if piece.length() == 0 {
            return Err(PumpError::AtBody(TransferError::SegmentLost));
        }
        crc.update(&piece);
        part.write(&piece).await.map_err(PumpError::AtSink)?;
        left = left.saturating_sub(u64::from(piece.length()));
        stream.give_back(&piece);
    }
    Ok(())
}
