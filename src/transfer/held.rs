//! Bytes of bodies that wait in memory: those of a body whose length is not known, until they are stored; a row, until it is sent; a
//! document, until it has been read. The memory grows with them, and this file knows how much of it there is in the isolate, so that
//! whoever gathers can leave some to others (`upload_session::gathering` says how much).

use std::cell::Cell;

use durable_objects::platform::error::Result;
use js_sys::Uint8Array;
use upload_session::gathering::block_bytes;

use crate::transfer::body::Sink;

thread_local! {
    /// How many [`Held`] of this isolate have something, and how much that is.
    static ALL: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Bytes in memory, which grows with them.
#[derive(Default)]
pub(crate) struct Held {
    /// Full but for the last.
    blocks: Vec<Uint8Array>,
    /// How much of the last is filled.
    filled_of_last: u32,
    bytes: u64,
    room_bytes: u64,
}

impl Held {
    /// How many there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many others of this isolate hold something, and how much that is.
    pub(crate) fn others(&self) -> (u64, u64) {
        let (count, bytes) = ALL.get();
        (count.saturating_sub(self.counts()), bytes.saturating_sub(self.room_bytes))
    }

    fn counts(&self) -> u64 {
        u64::from(self.room_bytes > 0)
    }

    /// Holds so much from now on.
    fn hold(&mut self, room_bytes: u64) {
        let (count, bytes) = self.others();
        self.room_bytes = room_bytes;
        ALL.set((count + self.counts(), bytes + room_bytes));
    }

    /// Adds a copy of these.
    pub(crate) fn push(&mut self, piece: &Uint8Array) {
        let mut from = 0;
        while from < piece.length() {
            let block = self.block_with_room();
            let at = self.filled_of_last;
            let to = piece.length().min(from + (block.length() - at));
            block.set(&piece.subarray(from, to), at);
            self.filled_of_last = at + (to - from);
            self.bytes += u64::from(to - from);
            from = to;
        }
    }

    /// The last block, or a new one where that is full.
    fn block_with_room(&mut self) -> Uint8Array {
        if let Some(last) = self.blocks.last()
            && self.filled_of_last < last.length()
        {
            return last.clone();
        }
        let bytes = u32::try_from(block_bytes(self.room_bytes)).unwrap_or(u32::MAX);
        let block = Uint8Array::new_with_length(bytes);
        self.blocks.push(block.clone());
        self.filled_of_last = 0;
        self.hold(self.room_bytes + u64::from(bytes));
        block
    }

    fn pieces(&self) -> impl Iterator<Item = Uint8Array> {
        let last = self.blocks.len().saturating_sub(1);
        self.blocks.iter().enumerate().map(move |(index, block)| {
            block.subarray(0, if index == last { self.filled_of_last } else { block.length() })
        })
    }

    /// All in one piece.
    pub(crate) fn into_one(self) -> Uint8Array {
        if let [only] = &self.blocks[..] {
            return only.subarray(0, self.filled_of_last);
        }
        let one = Uint8Array::new_with_length(u32::try_from(self.bytes).unwrap_or(u32::MAX));
        let mut at = 0;
        for piece in self.pieces() {
            one.set(&piece, at);
            at += piece.length();
        }
        one
    }

    /// All of them, one piece after the other, into a sink that takes so many. What it has taken is let go of.
    pub(crate) async fn flow_into(mut self, sink: &Sink) -> Result<()> {
        let pieces: Vec<Uint8Array> = self.pieces().collect();
        for (block, piece) in std::mem::take(&mut self.blocks).into_iter().zip(pieces) {
            sink.write(&piece).await?;
            self.hold(self.room_bytes.saturating_sub(u64::from(block.length())));
        }
        sink.close().await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.hold(0);
    }
}
