//! A live upload, served while it grows: as much of it as counts, or a range of that; and with `?follow` what is still to come, too, until
//! the recording ends. The upload's object says where the bytes are; they go from there to whoever reads, past it.
//!
//! Whoever reads slowly holds up nobody: the upload goes on without them. An answer that breaks off was not whole: there is no last byte
//! that would say so, so it is broken off as a connection is, and a `Range` goes on where it ended.

use std::time::Duration;

use durable_objects::{
    platform::{
        background::run_behind,
        error::{Error, Result},
        object_storage::{self, ObjectStorage},
        telemetry::log_line::LogLine,
    },
    rpc::{
        ObjectClient, call, unless_refused,
        upload::{ReadGrowing, read_tail},
    },
};
use futures_util::future::{Either, select};
use upload_session::session::{Growing, RemainderSource};
use upload_types::{
    api_error::ApiError,
    byte_range::{self, Wanted},
    link::Presentation,
    preconditions::Conditions,
    units::{ByteCount, UploadId},
    upload::Snapshot,
};
use web_sys::ReadableStream;
use worker::{Delay, Headers, Range, ResponseBody, ResponseBuilder};

use crate::{
    context::{RequestContext, TransferContext},
    handlers::content_headers::{HandedOut, NOT_KEPT, describe},
    log,
    transfer::body::{self, Body, Sink, endless, fixed_length},
};

/// So long a question waits in the upload's object for more bytes.
const LONGEST_WAIT_MS: u64 = 25_000;

/// Where a question brought less than [`LITTLE_BYTES`], the next one comes so much later: a recording in small pieces costs two questions a
/// second, and no more.
const PAUSE: Duration = Duration::from_millis(500);
const LITTLE_BYTES: u64 = 256 * 1024;

/// So many bytes are under way at once.
const PIECE_BYTES: u32 = 128 * 1024;

/// An answer ends after so many questions and reads: an invocation has 10,000 of them
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>), and each may be tried again.
const MOST_CALLS: u32 = 8_000;

/// What counted a moment ago has been put elsewhere since: it is asked for so often.
const MOST_LOST: u32 = 5;

/// How it stands, where it can be read before it is whole; else why there is no object.
pub(super) async fn look(id: UploadId, unfinished: ApiError, context: RequestContext<'_>) -> Result<Snapshot> {
    let question = ReadGrowing { from: ByteCount::MAX, to: None, longest_ms: 0 };
    match unless_refused(call(&context.uploads()?, id, &question).await)? {
        Some(growing) => Ok(growing.now),
        None => Err(unfinished.into()),
    }
}

/// Answers with what is there of it.
pub(super) fn serve(
    now: Snapshot,
    head_only: bool,
    conditions: &Conditions,
    presentation: &Presentation,
    context: RequestContext<'_>,
) -> HandedOut {
    let there = now.uploaded_bytes;
    // Its last bytes are not known yet: whoever follows begins somewhere, and has no end unless they name one.
    let end = if conditions.follow { ByteCount::MAX } else { there };
    let from_the_end = conditions.range.as_deref().is_some_and(|range| range.contains("=-"));
    // Nothing that a client may have of it has an ETag: a range that is to be of the same is of another (RFC 9110, section 13.1.5).
    let is_ignored = conditions.if_range.is_some() || (conditions.follow && from_the_end);
    let range = conditions.range.as_deref().filter(|_| !is_ignored);
    let wanted = byte_range::wanted(range, end)?;
    let headers = Headers::new();
    headers.set("cache-control", NOT_KEPT)?;
    let (first, end, status, range) = match wanted {
        Wanted::Whole => (0, end.get(), 200, None),
        // RFC 8673: of what has no end yet, a last byte that is far away; RFC 9110, section 14.4: a length that is not known.
        Wanted::Range { first, last } => (first, last + 1, 206, Some(format!("bytes {first}-{last}/*"))),
    };
    let length = (!conditions.follow).then(|| end.saturating_sub(first));
    describe(&headers, &now, presentation, length, range.as_deref())?;
    let builder = ResponseBuilder::new().with_headers(headers).with_status(status);
    if head_only || length == Some(0) {
        return Ok((builder.empty(), now));
    }
    let readable = open(now.id, (first, end), conditions.follow, context)?;
    Ok((builder.body(ResponseBody::Stream(readable)), now))
}

/// A stream of these bytes, from the first to behind the last: of those that are there, or of all that come.
fn open(
    upload: UploadId,
    (first, end): (u64, u64),
    follow: bool,
    context: RequestContext<'_>,
) -> Result<ReadableStream> {
    let (sink, readable) = if follow { endless()? } else { fixed_length(end.saturating_sub(first))? };
    let (objects, bucket) = (context.uploads()?, ObjectStorage::open(context.env)?);
    // Whoever names a last byte that does not come is told so; without one the last is as far away as a number can be.
    let is_named = follow && end != ByteCount::MAX.get();
    let reader = Reader { upload, objects, bucket, sink, at: first, end, is_named, follow, calls: 0 };
    run_behind(context.execution, Box::pin(reader.run()));
    Ok(readable)
}

/// These bytes of what is there, from the first to behind the last; none where they cannot be had. Whoever drops it reads no further.
pub(super) async fn read(upload: UploadId, (first, end): (u64, u64), storing: &TransferContext) -> Option<Vec<u8>> {
    let (sink, readable) = fixed_length(end.saturating_sub(first)).ok()?;
    let (objects, bucket) = (storing.objects.clone(), storing.bucket.clone());
    let mut reader = Reader { upload, objects, bucket, sink, at: first, end, is_named: false, follow: false, calls: 0 };
    let (mut body, bytes) = (Body::new(&readable).ok()?, u32::try_from(end.saturating_sub(first)).ok()?);
    let reading = Box::pin(body.read(body::Wanted { least_bytes: bytes, room_bytes: bytes, most_bytes: bytes.into() }));
    let read = match select(reading, Box::pin(reader.bring())).await {
        Either::Left((read, bringing)) => {
            // It has more, and says that it is not wanted.
            let _ = bringing.await;
            read
        }
        Either::Right((Ok(()), reading)) => reading.await,
        Either::Right((Err(_), _)) => return None,
    };
    read.ok().filter(|piece| piece.length() == bytes).map(|piece| piece.to_vec())
}

/// Somebody who reads.
struct Reader {
    upload: UploadId,
    objects: ObjectClient,
    bucket: ObjectStorage,
    sink: Sink,
    /// The next byte.
    at: u64,
    /// Behind the last.
    end: u64,
    /// Whether that was asked for, though nobody knows whether it comes.
    is_named: bool,
    follow: bool,
    /// How many calls it took so far.
    calls: u32,
}

/// Why nothing more is brought.
enum Ended {
    /// Whoever reads has gone.
    ReaderLeft,
    /// The bytes cannot be had.
    Broken(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Reader {
    async fn run(mut self) {
        match self.bring().await {
            Ok(()) => drop(self.sink.close().await),
            Err(ended) => {
                if let Ended::Broken(error) = ended {
                    log::info(&LogLine {
                        detail: Some(error.to_string()),
                        ..LogLine::of("live_read_broken", self.upload)
                    });
                }
                // The platform logs it as an exception that nobody catches: there is no other way to break off an answer.
                self.sink.abort_saying("a live upload is read no further").await;
            }
        }
    }

    /// Brings all that is wanted.
    async fn bring(&mut self) -> Result<(), Ended> {
        let mut lost = 0;
        while self.at < self.end {
            let before = self.at;
            let question = ReadGrowing {
                from: count(before),
                to: (!self.follow).then(|| count(self.end)),
                longest_ms: if self.follow { LONGEST_WAIT_MS } else { 0 },
            };
            self.called()?;
            let Growing { now, from, sources } = call(&self.objects, self.upload, &question).await?;
            if let Some(bytes) = now.plan.declared_bytes().map(ByteCount::get).filter(|bytes| *bytes < self.end) {
                if self.is_named || bytes < self.at {
                    return Err(Error::from("it has ended before that").into());
                }
                self.end = bytes;
            }
            let mut start = from.get();
            for source in &sources {
                start = self.bring_source(source, start).await?;
            }
            if let Some(object) = now.object {
                self.bring_object(&object.key).await?;
            }
            let brought = self.at - before;
            if brought == 0 && (!self.follow || now.uploaded_bytes.get() > before) {
                lost += 1;
                if lost > MOST_LOST {
                    return Err(Error::from("its bytes cannot be read").into());
                }
            } else {
                lost = 0;
            }
            if brought < LITTLE_BYTES && self.at < self.end {
                Delay::from(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Brings what a source has behind what has been brought; it begins at `start`. Where it ends. One that is not there any more brings
    /// nothing, and what comes behind it must wait.
    async fn bring_source(&mut self, source: &RemainderSource, start: u64) -> Result<u64, Ended> {
        let end = start + source.bytes().get();
        if !(start..end).contains(&self.at) || self.at >= self.end {
            return Ok(end);
        }
        self.called()?;
        let passed_over = self.at - start;
        match source {
            RemainderSource::Rows { start, end } => {
                let stream = read_tail(&self.objects, self.upload, *start, *end).await?;
                self.pump(&stream, passed_over).await?;
            }
            RemainderSource::Object { key, bytes } => {
                let length = (bytes.get() - passed_over).min(self.end - self.at);
                self.bring_range(key, Range::OffsetWithLength { offset: passed_over, length }).await?;
            }
        }
        Ok(end)
    }

    /// The object is there: all that is left is in it.
    async fn bring_object(&mut self, key: &str) -> Result<(), Ended> {
        if self.at >= self.end {
            return Ok(());
        }
        self.called()?;
        self.bring_range(key, Range::OffsetWithLength { offset: self.at, length: self.end - self.at }).await
    }

    async fn bring_range(&mut self, key: &str, range: Range) -> Result<(), Ended> {
        let found = self.bucket.get(key, Some(range)).await.map_err(Error::from)?;
        // Let go of since the question: the next one says where the bytes are now.
        let Some(found) = found else { return Ok(()) };
        let stream = object_storage::stream(&found)?.ok_or_else(|| Error::from("R2 gave an object without a body"))?;
        self.pump(&stream, 0).await
    }

    /// Brings a stream, but for so many of its first bytes, and no more than is wanted.
    async fn pump(&mut self, stream: &ReadableStream, mut passed_over: u64) -> Result<(), Ended> {
        let mut from = Body::new(stream)?;
        while self.at < self.end {
            let most_bytes = if passed_over > 0 { passed_over } else { self.end - self.at };
            let wanted = body::Wanted { least_bytes: PIECE_BYTES, room_bytes: PIECE_BYTES, most_bytes };
            // What breaks off brings no more: the next question says where the rest is.
            let Some(piece) = from.read(wanted).await.ok().filter(|piece| piece.length() > 0) else { break };
            let bytes = u64::from(piece.length());
            if passed_over > 0 {
                passed_over -= bytes;
            } else {
                self.sink.write(&piece).await.map_err(|_| Ended::ReaderLeft)?;
                self.at += bytes;
            }
            from.give_back(&piece);
        }
        if self.at >= self.end {
            // Rows are named to the end of their run.
            from.cancel().await;
        }
        Ok(())
    }

    fn called(&mut self) -> Result<(), Ended> {
        self.calls += 1;
        if self.calls > MOST_CALLS {
            return Err(Error::from("a reader has to come back").into());
        }
        Ok(())
    }
}

fn count(bytes: u64) -> ByteCount {
    ByteCount::new(bytes).unwrap_or(ByteCount::MAX)
}
