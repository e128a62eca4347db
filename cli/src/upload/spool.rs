//! What has been read from a live input and does not count at the server yet, so that a connection that breaks loses nothing.
//!
//! It lies in a ring of segment files without names, in the state folder. A segment goes once all of it counts, so the disk holds what is not
//! confirmed and at most one segment more; the memory holds one block. Files without names need no tidying up: the system frees them whatever
//! ends this process. Punching holes into one file would free as much, but few file systems can, and none of it without unsafe code.
//!
//! Where nothing can be written (the disk is full, the folder is read-only), what comes is held in memory instead, and the input held back
//! sooner. A thread of its own reads the input; [`Spool::next`] and [`Spool::read`] are for whoever sends.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use upload_types::integrity::{Crc64Nvme, RunningSha256, Sha256Digest};
use upload_types::units::ByteCount;

use crate::upload::positioned::{read_exact_at, write_all_at};

const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// How much may wait while some of it lies in memory.
const MEMORY_BYTES: u64 = 16 * 1024 * 1024;
/// How much is read of the input at a time.
const READ_BYTES: usize = 64 * 1024;

/// All that was read, once the input has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    pub(crate) sha256: Option<Sha256Digest>,
    pub(crate) crc64nvme: Crc64Nvme,
}

/// What there is to do behind an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There are bytes to send.
    Bytes,
    /// The input is held back until more of it counts.
    HeldBack,
    /// Nothing follows.
    End,
}

/// What is here of the input.
pub(crate) struct Spool {
    folder: Option<PathBuf>,
    limit_bytes: u64,
    complain: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
    has_room: Condvar,
    has_news: Notify,
}

#[derive(Default)]
struct State {
    segments: VecDeque<Segment>,
    /// The server counts all before this.
    confirmed: u64,
    /// All before this was read.
    end: u64,
    /// Whoever reads the input waits for room.
    is_held_back: bool,
    /// How the input has ended, once it has.
    outcome: Option<Result<Whole, String>>,
    has_complained: bool,
}

#[derive(Clone)]
struct Segment {
    from: u64,
    bytes: u64,
    /// Nothing more fits, or can be written.
    is_closed: bool,
    store: Store,
}

#[derive(Clone)]
enum Store {
    File(Arc<File>),
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl Segment {
    fn end(&self) -> u64 {
        self.from + self.bytes
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let at = offset - self.from;
        match &self.store {
            Store::File(file) => read_exact_at(file, buffer, at),
            Store::Memory(bytes) => {
                let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                let from = usize::try_from(at).map_err(io::Error::other)?;
                let kept = bytes.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer.copy_from_slice(kept);
                Ok(())
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.store {
            Store::File(file) => write_all_at(file, bytes, self.bytes),
            Store::Memory(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

impl State {
    /// How many bytes may be added now.
    fn room(&self, limit_bytes: u64) -> u64 {
        let is_in_memory = self.segments.iter().any(|segment| matches!(segment.store, Store::Memory(_)));
        let limit = if is_in_memory { limit_bytes.min(MEMORY_BYTES) } else { limit_bytes };
        limit.saturating_sub(self.end - self.confirmed)
    }

    fn open_segment(&mut self) -> Option<&mut Segment> {
        self.segments.back_mut().filter(|segment| !segment.is_closed)
    }
}

impl Spool {
    /// Holds at most so many bytes in this folder; where there is none, in memory. `complain` is told once where that has to be.
    pub(crate) fn new(
        folder: Option<PathBuf>,
        limit_bytes: u64,
        complain: impl Fn(&str) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            folder,
            limit_bytes: limit_bytes.max(1),
            complain: Box::new(complain),
            state: Mutex::default(),
            has_room: Condvar::new(),
            has_news: Notify::new(),
        })
    }

    /// Reads the input to its end, in a thread of its own.
    pub(crate) fn fill(self: &Arc<Self>, input: impl Read + Send + 'static) -> io::Result<()> {
        let spool = Arc::clone(self);
        std::thread::Builder::new().name("input".to_owned()).spawn(move || spool.read_input(input)).map(drop)
    }

    fn read_input(&self, mut input: impl Read) {
        let mut sha256 = RunningSha256::resume(None);
        let mut crc64nvme = Crc64Nvme::default();
        let mut buffer = vec![0; READ_BYTES];
        let outcome = loop {
            let block = match input.read(&mut buffer) {
                Ok(0) => break Ok(Whole { sha256: sha256.and_then(|sha256| sha256.save().digest()), crc64nvme }),
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(format!("The input cannot be read: {error}.")),
            };
            if let Some(sha256) = &mut sha256 {
                sha256.update(block);
            }
            let length = ByteCount::new(block.len() as u64).unwrap_or(ByteCount::MAX);
            crc64nvme = crc64nvme.followed_by(Crc64Nvme::of(block), length);
            self.push(block);
        };
        self.lock().outcome = Some(outcome);
        self.has_news.notify_waiters();
    }

    /// Adds it, once there is room.
    fn push(&self, mut block: &[u8]) {
        while !block.is_empty() {
            let (segment, room) = self.open_segment();
            let length = block.len().min(usize::try_from(room).unwrap_or(block.len()));
            match segment.write(&block[..length]) {
                Ok(()) => {
                    let mut state = self.lock();
                    let is_full = segment.bytes + length as u64 == SEGMENT_BYTES;
                    if let Some(open) = state.open_segment() {
                        open.bytes += length as u64;
                        open.is_closed = is_full;
                    }
                    state.end += length as u64;
                    block = &block[length..];
                }
                Err(error) => {
                    let mut state = self.lock();
                    if let Some(open) = state.open_segment() {
                        open.is_closed = true;
                    }
                    self.add_in_memory(&mut state, &error);
                }
            }
            self.has_news.notify_waiters();
        }
    }

    /// The segment that is written to, and how many bytes it may get now.
    fn open_segment(&self) -> (Segment, u64) {
        let mut state = self.lock();
        loop {
            let room = state.room(self.limit_bytes);
            if room == 0 {
                state.is_held_back = true;
                self.has_news.notify_waiters();
                state = self.has_room.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if let Some(open) = state.open_segment() {
                let room = room.min(SEGMENT_BYTES - open.bytes);
                return (open.clone(), room);
            }
            self.add_segment(&mut state);
        }
    }

    fn add_segment(&self, state: &mut State) {
        let folder = self.folder.as_ref().ok_or_else(|| io::Error::other("there is no folder for it"));
        match folder.and_then(tempfile::tempfile_in) {
            Ok(file) => state.add(Store::File(Arc::new(file))),
            Err(error) => self.add_in_memory(state, &error),
        }
    }

    fn add_in_memory(&self, state: &mut State, error: &io::Error) {
        state.add(Store::Memory(Arc::default()));
        if !state.has_complained {
            state.has_complained = true;
            (self.complain)(&format!(
                "What is not confirmed yet cannot be kept on disk ({error}), and is held in memory: the input may have to wait sooner."
            ));
        }
    }

    /// How far the input was read.
    pub(crate) fn end_bytes(&self) -> u64 {
        self.lock().end
    }

    /// How the input has ended, once it has.
    pub(crate) fn outcome(&self) -> Option<Result<Whole, String>> {
        self.lock().outcome.clone()
    }

    /// The server counts all before this: it need not be kept any more.
    pub(crate) fn confirm(&self, offset: u64) {
        let mut state = self.lock();
        state.confirmed = state.confirmed.max(offset);
        let confirmed = state.confirmed;
        while state.segments.front().is_some_and(|segment| segment.is_closed && segment.end() <= confirmed) {
            state.segments.pop_front();
        }
        // Set again where there is no room after all.
        state.is_held_back = false;
        self.has_room.notify_all();
    }

    /// Waits until there is something to do behind this.
    pub(crate) async fn next(&self, offset: u64) -> Next {
        loop {
            let news = self.has_news.notified();
            {
                let state = self.lock();
                if state.end > offset {
                    return Next::Bytes;
                }
                if state.outcome.is_some() {
                    return Next::End;
                }
                if state.is_held_back {
                    return Next::HeldBack;
                }
            }
            news.await;
        }
    }

    /// What lies there, up to `most_bytes` of it.
    pub(crate) async fn read(&self, offset: u64, most_bytes: u64) -> io::Result<Bytes> {
        let segment = {
            let state = self.lock();
            let holds = |segment: &&Segment| (segment.from..segment.end()).contains(&offset);
            state.segments.iter().find(holds).cloned().ok_or(io::ErrorKind::UnexpectedEof)?
        };
        let length = most_bytes.min(segment.end() - offset);
        let read = tokio::task::spawn_blocking(move || {
            let mut block = vec![0; usize::try_from(length).unwrap_or(0)];
            segment.read(offset, &mut block).map(|()| Bytes::from(block))
        });
        read.await.map_err(io::Error::other)?
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, store: Store) {
        let from = self.end;
        self.segments.push_back(Segment { from, bytes: 0, is_closed: false, store });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1] ^ at.to_le_bytes()[2]).collect()
    }

    async fn all(spool: &Spool) -> Vec<u8> {
        let mut read = Vec::new();
        loop {
            let at = read.len() as u64;
            match spool.next(at).await {
                Next::Bytes => read.extend_from_slice(&spool.read(at, 300_000).await.unwrap()),
                Next::HeldBack => spool.confirm(at),
                Next::End => return read,
            }
        }
    }

    #[tokio::test]
    async fn what_was_read_comes_out_again_and_is_not_held_longer_than_it_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let input = bytes(20 * 1024 * 1024 + 7);
        let spool = Spool::new(Some(folder.path().to_owned()), 9 * 1024 * 1024, |complaint| panic!("{complaint}"));
        spool.fill(io::Cursor::new(input.clone())).unwrap();
        let read = all(&spool).await;
        assert_eq!(read.len(), input.len());
        assert!(read == input);
        let whole = spool.outcome().unwrap().unwrap();
        assert_eq!((whole.crc64nvme, whole.sha256), (Crc64Nvme::of(&input), Some(Sha256Digest::of(&input))));
        spool.confirm(input.len() as u64);
        assert!(spool.lock().segments.len() <= 1, "what counts is not kept");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files have no names");
    }

    #[tokio::test]
    async fn where_nothing_can_be_written_it_is_held_in_memory_and_told_once() {
        static COMPLAINTS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let input = bytes(40 * 1024 * 1024);
        let spool = Spool::new(Some("/nowhere/at/all".into()), 1 << 30, |_| {
            COMPLAINTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        spool.fill(io::Cursor::new(input.clone())).unwrap();
        assert!(all(&spool).await == input);
        assert_eq!(COMPLAINTS.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_input_that_breaks_says_so() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let spool = Spool::new(None, 1, |_| {});
        spool.fill(Broken).unwrap();
        assert_eq!(spool.next(0).await, Next::End);
        assert!(spool.outcome().unwrap().unwrap_err().contains("unplugged"));
    }
}
