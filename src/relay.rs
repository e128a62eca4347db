//! A request's body into R2 parts: the bytes of a part go from the client's connection into a stream that R2 reads, and by
//! the way into the digests, each piece held until all have taken it. Memory in flight is one buffer, whatever the
//! chunk's size; no byte is copied into wasm, except where the file's SHA-256 was declared and must be carried along.

use futures_util::future::{join, try_join};
use upload_core::{
    integrity::{ChunkDigest, Crc64Nvme, RunningSha256},
    plan::PartSpan,
    session::Receipt,
    storage_fault::{StorageFault, classify},
};
use web_sys::ReadableStream;
use worker::{Error, MultipartUpload, Result};

use crate::streams::{Body, Digest, Sink, fixed_length};

/// The one buffer. Measured: below 256 KiB the promises show, above 1 MiB nothing is gained.
const BUFFER_BYTES: u32 = 1024 * 1024;

/// Why a part was not stored.
pub(crate) enum Broken {
    /// The body ended before the part was full: the client has gone, or was cut off.
    BodyEnded,
    /// R2 did not take it, for a reason that passes.
    Storage(Error),
    /// R2 says that the multipart upload is not there any more.
    StorageGone,
    /// Our fault.
    Fault(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// A chunk on its way into R2.
pub(crate) struct Relay {
    body: Body,
    upload: MultipartUpload,
    /// Of all bytes of the chunk, where its sender said what it must be.
    chunk_digest: Option<(Digest, Vec<u8>)>,
    /// Of all bytes of the file so far, where its digest was declared.
    file_sha256: Option<RunningSha256>,
}

impl Relay {
    /// Takes the body, which must not have been read.
    pub(crate) fn new(
        body: &ReadableStream,
        upload: MultipartUpload,
        declared: Option<&ChunkDigest>,
        file_sha256: Option<RunningSha256>,
    ) -> Result<Self> {
        let digest = |declared: &ChunkDigest| {
            Digest::new(declared.algorithm.platform_name()).map(|digest| (digest, declared.value.clone()))
        };
        let chunk_digest = declared.map(digest).transpose()?;
        Ok(Self { body: Body::new(body, BUFFER_BYTES)?, upload, chunk_digest, file_sha256 })
    }

    /// Moves the next part's bytes into R2 under this number.
    ///
    /// Dies here: R2 holds a part, or none, under a number that nobody will use again, and no session counts it.
    pub(crate) async fn part(&mut self, number: u16, span: PartSpan) -> Result<Receipt, Broken> {
        let (sink, readable) = fixed_length(span.bytes.get())?;
        let crc = Digest::new("crc64nvme")?;
        let Self { body, upload, chunk_digest, file_sha256 } = self;
        let chunk_digest = chunk_digest.as_ref().map(|(digest, _)| digest);
        let pump = async {
            let pumped = pump(body, span.bytes.get(), &sink, &crc, chunk_digest, file_sha256.as_mut()).await;
            if pumped.is_err() {
                sink.abort().await;
            }
            pumped
        };
        let (stored, pumped) = join(upload.upload_part(number, readable), pump).await;
        match (stored, pumped) {
            (Ok(part), Ok(())) => {
                let crc64nvme = Crc64Nvme::from_digest(&crc.finish().await?)
                    .ok_or_else(|| Error::from("a CRC-64 of another length than 8 bytes"))?;
                Ok(Receipt { number, bytes: span.bytes, etag: part.etag(), crc64nvme })
            }
            (stored, pumped) => {
                crc.abandon().await;
                Err(why(stored.err(), pumped.err()))
            }
        }
    }

    /// The state of the file's SHA-256 behind the last part.
    pub(crate) fn sha256_so_far(&self) -> Option<upload_core::integrity::Sha256State> {
        self.file_sha256.as_ref().map(RunningSha256::save)
    }

    /// All parts are stored: whether the chunk has the digest that came with it. True where none did.
    pub(crate) async fn chunk_is_as_declared(mut self) -> Result<bool> {
        match self.chunk_digest.take() {
            None => Ok(true),
            Some((digest, declared)) => Ok(digest.finish().await? == declared),
        }
    }

    /// The rest of the body is not wanted.
    pub(crate) async fn stop(mut self) {
        self.body.cancel();
        if let Some((digest, _)) = self.chunk_digest.take() {
            digest.abandon().await;
        }
    }
}

/// Where the flow stopped.
enum Stopped {
    /// The body gave no more.
    AtBody,
    /// A sink took no more.
    AtSink(Error),
}

async fn pump(
    body: &mut Body,
    bytes: u64,
    part: &Sink,
    crc: &Digest,
    chunk_digest: Option<&Digest>,
    mut file_sha256: Option<&mut RunningSha256>,
) -> Result<(), Stopped> {
    let mut left = bytes;
    while left > 0 {
        // An error here is the client's going: the platform rejects the read, and everything before it was delivered.
        let piece = body.read(left).await.map_err(|_| Stopped::AtBody)?;
        if piece.length() == 0 {
            return Err(Stopped::AtBody);
        }
        if let Some(sha256) = &mut file_sha256 {
            sha256.update(&piece.to_vec());
        }
        let to_chunk = async {
            match chunk_digest {
                Some(digest) => digest.write(&piece).await,
                None => Ok(()),
            }
        };
        let to_digests = try_join(crc.write(&piece), to_chunk);
        try_join(part.write(&piece), to_digests).await.map_err(Stopped::AtSink)?;
        left = left.saturating_sub(u64::from(piece.length()));
        body.give_back(&piece);
    }
    part.close().await.map_err(Stopped::AtSink)
}

/// Of two ends of a broken pipe, the one that broke it.
fn why(stored: Option<Error>, pumped: Option<Stopped>) -> Broken {
    match (stored, pumped) {
        (_, Some(Stopped::AtBody)) => Broken::BodyEnded,
        (Some(error), _) | (None, Some(Stopped::AtSink(error))) => match classify(&error.to_string()) {
            StorageFault::Gone => Broken::StorageGone,
            StorageFault::ClientLeft => Broken::BodyEnded,
            StorageFault::Retry | StorageFault::Damaged => Broken::Storage(error),
        },
        (None, None) => Broken::Fault(Error::from("nothing broke")),
    }
}
