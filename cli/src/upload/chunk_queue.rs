//! What is still to be sent. The server says what is missing; this cuts it at the multiples of the chunk size and hands out each chunk once.

use std::collections::VecDeque;

/// Bytes of the file, without the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRange {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl ChunkRange {
    pub(crate) fn bytes(self) -> u64 {
        self.to - self.from
    }
}

/// Chunks that wait, in the order of the file.
pub(crate) struct ChunkQueue {
    waiting: VecDeque<ChunkRange>,
    /// Begun, and neither stored nor given back.
    taken: Vec<ChunkRange>,
}

impl ChunkQueue {
    pub(crate) fn new(missing: &[(u64, u64)], chunk_bytes: u64) -> Self {
        let cut = missing.iter().flat_map(|(from, to)| {
            let (first, last) = (from / chunk_bytes, to.saturating_sub(1) / chunk_bytes);
            let (from, to) = (*from, *to);
            (first..=last)
                .filter(move |_| from < to)
                .map(move |at| ChunkRange { from: from.max(at * chunk_bytes), to: to.min((at + 1) * chunk_bytes) })
        });
        Self { waiting: cut.collect(), taken: Vec::new() }
    }

    /// The next chunk, which is then taken until it is stored or given back.
    pub(crate) fn take(&mut self) -> Option<ChunkRange> {
        let chunk = self.waiting.pop_front()?;
        self.taken.push(chunk);
        Some(chunk)
    }

    /// Whether there is another.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The server counts it.
    pub(crate) fn stored(&mut self, chunk: ChunkRange) {
        self.taken.retain(|taken| *taken != chunk);
    }

    /// It has to be sent again, before what comes later in the file.
    pub(crate) fn give_back(&mut self, chunk: ChunkRange) {
        self.stored(chunk);
        let at = self.waiting.partition_point(|waiting| waiting.from < chunk.from);
        self.waiting.insert(at, chunk);
    }

    /// How many bytes the server does not count yet, as far as is known here.
    pub(crate) fn remaining_bytes(&self) -> u64 {
        self.waiting.iter().chain(&self.taken).map(|chunk| chunk.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_cut_where_chunks_end() {
        let mut queue = ChunkQueue::new(&[(0, 25), (40, 50), (60, 60)], 10);
        let all: Vec<_> = std::iter::from_fn(|| queue.take()).map(|chunk| (chunk.from, chunk.to)).collect();
        assert_eq!(all, [(0, 10), (10, 20), (20, 25), (40, 50)]);
    }

    #[test]
    fn what_is_given_back_is_sent_before_what_comes_later() {
        let mut queue = ChunkQueue::new(&[(0, 30)], 10);
        let (first, second) = (queue.take().unwrap(), queue.take().unwrap());
        assert_eq!(queue.remaining_bytes(), 30);
        queue.stored(first);
        queue.give_back(second);
        assert_eq!(queue.remaining_bytes(), 20);
        assert_eq!(queue.take(), Some(second));
    }

    #[test]
    fn an_empty_file_has_no_pieces() {
        assert_eq!(ChunkQueue::new(&[], 10).take(), None);
        assert_eq!(ChunkQueue::new(&[(0, 0)], 10).take(), None);
    }
}
