//! A playlist of an upload's bytes, whole or still growing: what is kept in the upload's object of where they can be cut, and first what nobody
//! has looked at yet. That is looked at here, by one of those who ask, for a while; the next one who asks goes on. The file is only read.
//!
//! An answer has what is kept, and nothing that is not: so no playlist is shorter than one before, in whichever order answers come.

use std::time::Duration;

use durable_objects::{
    platform::error::Result,
    rpc::{
        call,
        upload::{MAY_I_LOOK, NOTHING_NEW, ReadGrowing, keep_cuts},
    },
};
use futures_util::future::{Either, select};
use upload_protocols::hls::{cutter::Cutter, playlist};
use upload_session::session::Growing;
use upload_types::{
    units::{ByteCount, UploadId},
    upload::Snapshot,
};
use worker::{Delay, Headers, ResponseBuilder};

use crate::{
    context::{RequestContext, TransferContext},
    handlers::{content_headers::HandedOut, growing},
    log::now_ms,
};

/// So long it is looked at most: players wait 10 seconds and more.
const LONGEST_LOOK_MS: u64 = 4_000;

/// As long as nothing is known, and somebody else looks, it is asked again for so long, with such pauses.
const LONGEST_WAIT_MS: u64 = 4_000;
const PAUSE: Duration = Duration::from_secs(1);

/// So often it is read at most, one after the other: each read may take the upload's object and R2, and an invocation has 10,000 of such calls
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>). MPEG-TS is read as a whole: 125 MiB of it, if they come that fast.
const MOST_READS: u32 = 500;

/// So much is read at first, and where the next byte that is wanted is far away: the head of a fragment.
const LEAST_READ_BYTES: u64 = 64 * 1024;

/// And where it is not, twice as much as before, up to this: it is in memory twice, as a buffer of the platform's and where it is looked at.
const MOST_READ_BYTES: u64 = 256 * 1024;

/// What is brought where nothing was found and not all was seen: no find, and not nothing either, which would say that all was.
const NOT_SEEN: &str = "-";

/// Answers with a playlist, in which `query` stands behind the addresses. Whoever asks for its head has nothing looked at.
pub(super) async fn serve(id: UploadId, head_only: bool, query: &str, context: RequestContext<'_>) -> HandedOut {
    let storing = context.storing()?;
    // Refused as the bytes are.
    let question = ReadGrowing { from: ByteCount::MAX, to: None, longest_ms: 0 };
    let Growing { now, .. } = call(&storing.objects, id, &question).await?;
    let (kept, now) = if head_only {
        (ask(&storing, id, String::new()).await.map(|(_, kept)| kept), now)
    } else {
        // Whoever leaves takes nothing along: others wait for what is found.
        context.run_with_wait_until(async move { (look(&storing, &now).await, now) }).await?
    };
    let text = playlist::written(&kept?, query)?;
    let headers = Headers::new();
    headers.set("content-type", playlist::CONTENT_TYPE)?;
    // What it has may be gone tomorrow, and until its end it is another one each time.
    headers.set("cache-control", "private, no-store")?;
    headers.set("x-content-type-options", "nosniff")?;
    let builder = ResponseBuilder::new().with_headers(headers);
    let answer = if head_only { builder.empty() } else { builder.fixed(text.into_bytes()) };
    Ok((answer, now))
}

/// The right to look, and what is kept.
async fn ask(storing: &TransferContext, id: UploadId, said: String) -> Result<(String, String)> {
    let answer = keep_cuts(&storing.objects, id, said).await?;
    let (right, kept) = answer.split_once('\n').unwrap_or_default();
    Ok((right.to_owned(), kept.to_owned()))
}

/// What is kept, after what nobody has looked at has been looked at. Where somebody else is looking, what is kept so far, if anything.
async fn look(storing: &TransferContext, now: &Snapshot) -> Result<String> {
    let waits_until = now_ms() + LONGEST_WAIT_MS;
    let there = now.uploaded_bytes.to_string();
    let whole = if is_whole(now) { "." } else { "" };
    loop {
        let (right, kept) = ask(storing, now.id, [MAY_I_LOOK, &there, whole].concat()).await?;
        if !right.is_empty() && right != NOTHING_NEW {
            let mut cutter = Cutter::knowing(&kept);
            let is_seen = look_until(now_ms() + LONGEST_LOOK_MS, &mut cutter, now, storing).await.is_some();
            let found = cutter.found(if is_seen { 0 } else { u64::MAX });
            let found = found.unwrap_or_else(|| if is_seen { String::new() } else { NOT_SEEN.to_owned() });
            // Crash here: whoever asks next, when the right has run out, finds it again.
            return Ok(ask(storing, now.id, [&right, "\n", &found].concat()).await?.1);
        }
        if !right.is_empty() || !kept.is_empty() || now_ms() >= waits_until {
            return Ok(kept);
        }
        Delay::from(PAUSE).await;
    }
}

fn is_whole(now: &Snapshot) -> bool {
    now.plan.declared_bytes() == Some(now.uploaded_bytes)
}

/// Looks at what is there and nobody has looked at, for a while. None where not all of that could be read.
async fn look_until(ends_at: u64, cutter: &mut Cutter, now: &Snapshot, storing: &TransferContext) -> Option<()> {
    let there = now.uploaded_bytes.get();
    let mut read_bytes = LEAST_READ_BYTES;
    let mut reads = 0;
    while cutter.wants() < there && !cutter.is_done() {
        let first = cutter.wants();
        let end = there.min(first + read_bytes);
        let left = Duration::from_millis(ends_at.saturating_sub(now_ms()));
        // It may have been put elsewhere meanwhile, or takes too long: the next one who asks goes on.
        let read = match select(Box::pin(growing::read(now.id, (first, end), storing)), Delay::from(left)).await {
            Either::Left((read, _)) if reads < MOST_READS => read?,
            _ => return None,
        };
        reads += 1;
        cutter.feed(&read);
        let is_near = cutter.wants().saturating_sub(first) <= 5 * (end - first);
        read_bytes = if is_near { (read_bytes * 2).min(MOST_READ_BYTES) } else { LEAST_READ_BYTES };
    }
    cutter.reached(there);
    if is_whole(now) && !cutter.is_done() {
        cutter.end(there);
    }
    Some(())
}
