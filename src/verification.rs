//! Reading an object back, a slice at a time: its bytes go through a SHA-256 whose state the upload's object keeps. In the time
//! of a queue message, not of a request, so that nobody waits for it.

use durable_objects::{
    faults::around,
    rpc::{
        Door, ask,
        upload::{NextSlice, SliceHashed},
    },
};
use upload_core::{
    caller::Caller,
    integrity::RunningSha256,
    log_line::LogLine,
    session::{Hashed, Slice, Verified},
    units::UploadId,
};
use worker::{Env, Error, Range, Result};

use crate::{
    log::{self, Stopwatch},
    streams::Body,
    uploads::BUCKET_BINDING,
};

/// The buffer, and so what is copied into wasm at once.
const BUFFER_BYTES: u32 = 1024 * 1024;

/// A read waits for so many bytes, or the end.
const LEAST_READ_BYTES: u32 = 256 * 1024;

/// Reads the next slice of this upload's object, if there is one to read.
pub(crate) async fn run(upload: UploadId, env: &Env) -> Result<()> {
    let objects = Door::to_uploads(env, Caller::System)?;
    // A copy of a message that came late finds nothing to do.
    let Ok(Some(slice)) = ask(&objects, upload, &NextSlice).await? else { return Ok(()) };
    let watch = Stopwatch::start();
    let hashed = hash(&slice, env).await?;
    // Dies here: the slice is read again, from the same state.
    if ask(&objects, upload, &SliceHashed(hashed)).await? != Ok(true) {
        return Ok(());
    }
    let bytes = Some(slice.to.saturating_sub(slice.from));
    log::info(&LogLine { bytes, duration_ms: Some(watch.elapsed_ms()), ..LogLine::of("slice_hashed", upload) });
    Ok(())
}

async fn hash(slice: &Slice, env: &Env) -> Result<Hashed> {
    let (from, mut left) = (slice.from, slice.to.saturating_sub(slice.from).get());
    let range = Range::OffsetWithLength { offset: from.get(), length: left };
    let bucket = env.bucket(BUCKET_BINDING)?;
    let get = bucket.get(&slice.key).range(range);
    let Some(object) = around("r2.get", get.execute()).await?.filter(|object| object.etag() == slice.etag) else {
        return Ok(Hashed::ObjectGone);
    };
    let stream = object.body().ok_or_else(|| Error::from("R2 gave an object without a body"))?.response_body()?;
    let worker::ResponseBody::Stream(stream) = stream else {
        return Err("R2 gave a body that is no stream".into());
    };
    let mut sha256 = RunningSha256::resume(slice.sha256_so_far.as_ref())
        .ok_or_else(|| Error::from("the saved state of a SHA-256 cannot be read back"))?;
    let mut body = Body::new(&stream, BUFFER_BYTES)?;
    while left > 0 {
        let piece = body.read(LEAST_READ_BYTES, left).await?;
        if piece.length() == 0 {
            return Err("R2 gave fewer bytes than it has".into());
        }
        sha256.update(&piece.to_vec());
        left = left.saturating_sub(u64::from(piece.length()));
        body.give_back(&piece);
    }
    Ok(Hashed::Slice { from, verified: Verified { to: slice.to, sha256_so_far: sha256.save() } })
}
