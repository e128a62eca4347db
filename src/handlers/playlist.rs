//! A playlist of an upload's bytes, whole or still growing: what is kept in the upload's object of where they can be cut, and first what nobody
//! has looked at yet. It is looked at here, by whoever asks, for a while; the next question goes on. The file is only read.
//!
//! An answer has what is kept, and nothing that is not: two that ask at once find the same, one of them has it kept, and no playlist is
//! shorter than one before.

use durable_objects::rpc::{
    call,
    upload::{ReadGrowing, keep_cuts},
};
use upload_protocols::hls::{cutter::Cutter, playlist};
use upload_session::session::Growing;
use upload_types::{
    units::{ByteCount, UploadId},
    upload::Snapshot,
};
use worker::{Headers, ResponseBuilder};

use crate::{
    context::RequestContext,
    handlers::{content_headers::HandedOut, growing},
    http::document,
    log::now_ms,
};

/// So long it is looked at most: players wait 10 seconds and more.
const LONGEST_LOOK_MS: u64 = 4_000;

/// So often it is read at most, one after the other: each read may take the upload's object and R2, and an invocation has 10,000 of such calls
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>). MPEG-TS is read as a whole: 500 MiB of it, if they come that fast.
const MOST_READS: u32 = 500;

/// So much is read at first, and where the next byte that is wanted is far away: the head of a fragment.
const LEAST_READ_BYTES: u64 = 64 * 1024;

/// And where it is not, twice as much as before, up to this: it is in memory, as any document.
const MOST_READ_BYTES: u64 = 1024 * 1024;

/// Answers with a playlist, in which `query` stands behind the addresses.
pub(super) async fn serve(id: UploadId, head_only: bool, query: &str, context: RequestContext<'_>) -> HandedOut {
    let objects = context.uploads()?;
    // Refused as the bytes are.
    let Growing { now, .. } = call(&objects, id, &ReadGrowing { from: ByteCount::MAX, longest_ms: 0 }).await?;
    let mut kept = keep_cuts(&objects, id, String::new()).await?;
    let mut cutter = Cutter::knowing(&kept);
    look(&mut cutter, &now, context).await;
    if let Some(found) = cutter.found() {
        // Crash here: whoever asks next finds it again.
        kept = keep_cuts(&objects, id, found).await?;
    }
    let text = playlist::written(&kept, query)?;
    let headers = Headers::new();
    headers.set("content-type", playlist::CONTENT_TYPE)?;
    // What it has may be gone tomorrow, and until its end it is another one each time.
    headers.set("cache-control", "private, no-store")?;
    headers.set("x-content-type-options", "nosniff")?;
    let builder = ResponseBuilder::new().with_headers(headers);
    let answer = if head_only { builder.empty() } else { builder.fixed(text.into_bytes()) };
    Ok((answer, now))
}

/// Looks at what is there and nobody has looked at, for a while.
async fn look(cutter: &mut Cutter, now: &Snapshot, context: RequestContext<'_>) {
    let there = now.uploaded_bytes.get();
    let (ends_at, mut read_bytes) = (now_ms() + LONGEST_LOOK_MS, LEAST_READ_BYTES);
    for _ in 0..MOST_READS {
        let first = cutter.wants();
        let bytes = read_bytes.min(there.saturating_sub(first));
        if bytes == 0 || cutter.is_done() || now_ms() >= ends_at {
            break;
        }
        // It may have been put elsewhere meanwhile, or there is no memory for it: the next question goes on.
        let Ok(stream) = growing::open(now.id, (first, first + bytes), false, context) else { break };
        let Ok(read) = document::read(Some(stream), bytes, context.config.stalled_after).await else { break };
        cutter.feed(&read);
        let is_near = cutter.wants().saturating_sub(first) <= 5 * bytes;
        read_bytes = if is_near { (read_bytes * 2).min(MOST_READ_BYTES) } else { LEAST_READ_BYTES };
    }
    cutter.reached(there);
    if now.plan.declared_bytes() == Some(now.uploaded_bytes) && cutter.wants() >= there && !cutter.is_done() {
        cutter.end(there);
    }
}
