//! Reading an object back, a slice at a time: its bytes go through a SHA-256, a CRC-64, or both, whose state the upload's object keeps. In the time
//! of a queue message, not of a request, so that nobody waits for it.

use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::{
    platform::{
        error::Result,
        object_storage::{self, ObjectStorage},
    },
    rpc::{
        ObjectClient, call, unless_refused,
        upload::{NextSlice, SliceHashed},
    },
};
use upload_session::session::{Hashed, Slice, Verified};
use upload_types::{
    caller::Caller,
    integrity::{Algorithm, Crc64Nvme, RunningSha256},
    units::UploadId,
};
use worker::{Env, Range};

use crate::{
    log::{self, Stopwatch},
    transfer::body::{Body, Digest, Wanted},
};

/// The buffer, and so what is copied into wasm at once.
const BUFFER_BYTES: u32 = 1024 * 1024;

/// A read waits for so many bytes, or the end.
const LEAST_READ_BYTES: u32 = 256 * 1024;

/// Reads the next slice of this upload's object, if there is one to read.
pub(crate) async fn run(upload: UploadId, env: &Env) -> Result<()> {
    let objects = ObjectClient::to_uploads(env, Caller::System)?;
    // A copy of a message that came late finds nothing to do.
    let slice = unless_refused(call(&objects, upload, &NextSlice).await)?.flatten();
    let Some(slice) = slice else { return Ok(()) };
    let watch = Stopwatch::start();
    let hashed = hash(&slice, env).await?;
    // Crash here: the slice is read again, from the same state.
    if unless_refused(call(&objects, upload, &SliceHashed(hashed)).await)? != Some(true) {
        return Ok(());
    }
    let bytes = Some(slice.to.saturating_sub(slice.from));
    log::chunk(&LogLine { bytes, duration_ms: Some(watch.elapsed_ms()), ..LogLine::of("slice_hashed", upload) });
    Ok(())
}

async fn hash(slice: &Slice, env: &Env) -> Result<Hashed> {
    let (from, left) = (slice.from, slice.to.saturating_sub(slice.from).get());
    let range = Range::OffsetWithLength { offset: from.get(), length: left };
    let got = ObjectStorage::open(env)?.get(&slice.key, Some(range)).await?;
    let Some(object) = got.filter(|object| object.etag() == slice.etag) else {
        return Ok(Hashed::ObjectGone { key: slice.key.clone() });
    };
    let stream = object_storage::stream(&object)?.ok_or("R2 gave an object without a body")?;
    let mut sha256 = match (slice.with_sha256, RunningSha256::resume(slice.sha256_so_far.as_ref())) {
        (true, None) => return Err("the saved state of a SHA-256 cannot be read back".into()),
        (wanted, running) => running.filter(|_| wanted),
    };
    let mut body = Body::new(&stream)?;
    let crc64nvme = slice.crc64nvme_so_far.map(|_| Digest::new(Algorithm::Crc64nvme.platform_name())).transpose()?;
    if let Err(error) = read(&mut body, left, sha256.as_mut(), crc64nvme.as_ref()).await {
        if let Some(digest) = crc64nvme {
            // Its unresolved promise would be reported as an unhandled rejection.
            let _ = digest.finish().await;
        }
        return Err(error);
    }
    let crc64nvme_so_far = match slice.crc64nvme_so_far.zip(crc64nvme) {
        Some((so_far, digest)) => {
            let of_slice = Crc64Nvme::from_digest(&digest.finish().await?).ok_or("a CRC-64 of another length")?;
            Some(so_far.followed_by(of_slice, slice.to.saturating_sub(from)))
        }
        None => None,
    };
    let sha256_so_far = sha256.as_ref().map(RunningSha256::save);
    let verified = Verified { to: slice.to, sha256_so_far, crc64nvme_so_far };
    Ok(Hashed::Slice { key: slice.key.clone(), from, verified })
}

/// The bytes go through the platform's digest and, only where a SHA-256 is wanted, into wasm.
async fn read(
    body: &mut Body,
    mut left: u64,
    mut sha256: Option<&mut RunningSha256>,
    crc64nvme: Option<&Digest>,
) -> Result<()> {
    while left > 0 {
        let wanted = Wanted { least_bytes: LEAST_READ_BYTES, room_bytes: BUFFER_BYTES, most_bytes: left };
        let piece = body.read(wanted).await?;
        if piece.length() == 0 {
            return Err("R2 gave fewer bytes than it has".into());
        }
        if let Some(sha256) = sha256.as_deref_mut() {
            sha256.update(&piece.to_vec());
        }
        if let Some(digest) = crc64nvme {
            digest.write(&piece).await?;
        }
        left = left.saturating_sub(u64::from(piece.length()));
        body.give_back(&piece);
    }
    Ok(())
}
