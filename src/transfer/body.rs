//! Streams as the platform has them: bindings that the `worker` crate lacks, in the shapes the relay needs.
//!
//! Bytes stay JavaScript buffers throughout. A body is read with a BYOB reader, because the default reader of a native
//! stream hands out 4 KiB at a time; see <https://developers.cloudflare.com/workers/runtime-apis/streams/>.

use std::cell::Cell;

use durable_objects::platform::error::{Error, Result};
use js_sys::{Array, ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use upload_types::integrity::{Crc64Nvme, RunningCrc64};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, WritableStream, WritableStreamDefaultWriter};

#[wasm_bindgen]
extern "C" {
    type ByobStream;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn get_reader(this: &ByobStream, options: &JsValue) -> Result<ByobReader, JsValue>;

    type ByobReader;
    /// The platform's own: resolves with at least so many bytes, or with fewer only where the stream ends.
    #[wasm_bindgen(method, catch, js_name = readAtLeast)]
    fn read_at_least(this: &ByobReader, min_bytes: u32, view: Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method)]
    fn cancel(this: &ByobReader) -> Promise;

    type FixedLengthStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(length_bytes: f64) -> Result<FixedLengthStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &FixedLengthStream) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &FixedLengthStream) -> WritableStream;

    type IdentityTransformStream;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<IdentityTransformStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableStream;
}

/// A native stream, a request's body above all, read in pieces of one buffer, which is as large as each read wants it.
pub(crate) struct Body {
    reader: ByobReader,
    /// Lent to each read, and taken back from what it returns.
    buffer: Option<ArrayBuffer>,
    /// How long it is, lent or not.
    buffer_bytes: u32,
    /// What has been asked for and has not come yet, though somebody did not want to wait any longer.
    pending: Option<JsFuture>,
}

thread_local! {
    /// Of all [`Body`] of this isolate.
    static BUFFER_BYTES: Cell<u64> = const { Cell::new(0) };
}

/// What a read is to bring.
#[derive(Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "units are in names")]
pub(crate) struct Wanted {
    /// At least so many bytes, unless the stream ends.
    pub(crate) least_bytes: u32,
    /// No more than so many at once: the buffer.
    pub(crate) room_bytes: u32,
    /// No more than so many at all.
    pub(crate) most_bytes: u64,
}

impl Body {
    /// Takes the stream, which must not have been read.
    pub(crate) fn new(stream: &ReadableStream) -> Result<Self> {
        let options = Object::new();
        Reflect::set(&options, &"mode".into(), &"byob".into())?;
        let reader = stream.unchecked_ref::<ByobStream>().get_reader(&options)?;
        Ok(Self { reader, buffer: None, buffer_bytes: 0, pending: None })
    }

    /// The next bytes, as they are wanted; fewer only where the stream ends,
    /// and none where it has ended. An error where whoever sends it has gone: bytes of this piece are lost then, those of
    /// earlier ones are not. Give the piece back with [`Body::give_back`] when its bytes have been used.
    ///
    /// May be dropped while it waits: the next read goes on with what this one has asked for.
    pub(crate) async fn read(&mut self, wanted: Wanted) -> Result<Uint8Array> {
        let asked = match self.pending.take() {
            Some(pending) => pending,
            None => JsFuture::from(self.ask(wanted)?),
        };
        let read = self.pending.insert(asked).await;
        self.pending = None;
        let value = Reflect::get(&read?, &"value".into())?;
        value.dyn_into::<Uint8Array>().map_err(|_| Error::from("the body ended without a last buffer"))
    }

    fn ask(&mut self, wanted: Wanted) -> Result<Promise> {
        let room = u32::try_from(wanted.most_bytes).unwrap_or(u32::MAX).min(wanted.room_bytes);
        let fits = |buffer: &ArrayBuffer| buffer.byte_length() >= room && buffer.byte_length() <= wanted.room_bytes;
        let buffer = self.buffer.take().filter(fits).unwrap_or_else(|| ArrayBuffer::new(room));
        self.has_buffer_of(buffer.byte_length());
        let view = Uint8Array::new_with_byte_offset_and_length(&buffer, 0, room);
        Ok(self.reader.read_at_least(wanted.least_bytes.min(room), view)?)
    }

    /// The read moved the buffer into the piece: take it back for the next.
    pub(crate) fn give_back(&mut self, piece: &Uint8Array) {
        self.buffer = Some(piece.buffer());
    }

    /// What is still to come is not wanted: whoever sends it is told.
    pub(crate) async fn cancel(self) {
        let _ = JsFuture::from(self.reader.cancel()).await;
    }

    /// How much all others of this isolate are read into.
    pub(crate) fn others_bytes(&self) -> u64 {
        BUFFER_BYTES.get().saturating_sub(self.buffer_bytes.into())
    }

    fn has_buffer_of(&mut self, bytes: u32) {
        BUFFER_BYTES.set(self.others_bytes() + u64::from(bytes));
        self.buffer_bytes = bytes;
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.has_buffer_of(0);
    }
}

/// Somewhere that takes pieces of bytes in order, as fast as it can; or two of that, which take the same, as fast as the slower one can.
#[derive(Clone)]
pub(crate) struct Sink {
    writer: WritableStreamDefaultWriter,
    second: Option<WritableStreamDefaultWriter>,
}

impl Sink {
    fn new(stream: &WritableStream) -> Result<Self> {
        Ok(Self { writer: stream.get_writer()?, second: None })
    }

    /// The other one takes everything, too.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { writer: self.writer, second: Some(other.writer) }
    }

    /// Resolves when the piece has been taken.
    pub(crate) async fn write(&self, piece: &Uint8Array) -> Result<()> {
        let second = self.second.as_ref().map(|second| second.write_with_chunk(piece));
        all(self.writer.write_with_chunk(piece), second).await
    }

    /// There is no more.
    pub(crate) async fn close(&self) -> Result<()> {
        all(self.writer.close(), self.second.as_ref().map(WritableStreamDefaultWriter::close)).await
    }

    /// There will be no more although there should be: whoever reads the other end is told.
    pub(crate) async fn abort(&self) {
        self.abort_saying("the body ended early").await;
    }

    /// The same for this reason.
    pub(crate) async fn abort_saying(&self, reason: &str) {
        let reason = JsValue::from_str(reason);
        let second = self.second.as_ref().map(|second| second.abort_with_reason(&reason));
        // It may have failed already, for the same reason.
        let _ = all(self.writer.abort_with_reason(&reason), second).await;
    }
}

/// Resolves when both have, where there are two.
async fn all(first: Promise, second: Option<Promise>) -> Result<()> {
    let both = match second {
        Some(second) => Promise::all(&Array::of2(&first, &second)),
        None => first,
    };
    JsFuture::from(both).await?;
    Ok(())
}

/// A pipe for exactly so many bytes: R2 takes only streams of known length.
pub(crate) fn fixed_length(bytes: u64) -> Result<(Sink, ReadableStream)> {
    #[allow(clippy::cast_precision_loss)] // below 2^53, as every byte count
    let pipe = FixedLengthStream::new(bytes as f64)?;
    Ok((Sink::new(&pipe.writable())?, pipe.readable()))
}

/// A pipe for bytes of which nobody knows yet how many come.
pub(crate) fn endless() -> Result<(Sink, ReadableStream)> {
    let pipe = IdentityTransformStream::new()?;
    Ok((Sink::new(&pipe.writable())?, pipe.readable()))
}

/// A digest that the platform computes of what is written to it.
pub(crate) struct Digest {
    stream: worker::worker_sys::DigestStream,
    sink: Sink,
}

impl Digest {
    /// By the platform's name of the algorithm.
    pub(crate) fn new(algorithm: &str) -> Result<Self> {
        let stream = worker::worker_sys::DigestStream::new(algorithm);
        let sink = Sink::new(&stream)?;
        Ok(Self { stream, sink })
    }

    /// More bytes.
    pub(crate) async fn write(&self, piece: &Uint8Array) -> Result<()> {
        self.sink.write(piece).await
    }

    /// The digest of all of them.
    pub(crate) async fn finish(self) -> Result<Vec<u8>> {
        self.sink.close().await?;
        let digest = JsFuture::from(self.stream.digest()).await?;
        Ok(Uint8Array::new(&digest).to_vec())
    }
}

/// The CRC-64/NVME of a part, computed in wasm of a copy of each piece.
#[derive(Default)]
pub(crate) struct PartCrc(RunningCrc64);

/// So much of a piece is copied at a time: the copy lies in the fastest cache while it is worked on, and no part needs more
/// room in wasm, whose memory never shrinks.
const CRC_SLICE_BYTES: u32 = 32 * 1024;

impl PartCrc {
    /// More bytes.
    pub(crate) fn update(&mut self, piece: &Uint8Array) {
        let length = piece.length();
        for start in (0..length).step_by(CRC_SLICE_BYTES as usize) {
            let slice = piece.subarray(start, length.min(start.saturating_add(CRC_SLICE_BYTES)));
            self.0.update_with(slice.length() as usize, |room| slice.copy_to(room));
        }
    }

    /// The CRC of all of them.
    pub(crate) fn finish(self) -> Crc64Nvme {
        self.0.finish()
    }
}
