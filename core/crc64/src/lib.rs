//! CRC-64/NVME of bytes that come in pieces, for wasm: no carry-less multiplication there, and a table lookup per byte is slow.
//!
//! A CRC is the remainder of the message, as a polynomial over GF(2), divided by another one, P. It stays the same when a multiple
//! of P is added to the message. So with a multiple that has few terms, all of them whole bytes apart, a byte can be taken
//! out of the front of the message by adding it to a few bytes further back: nothing but XOR, and 16 bytes or more at a time.
//! When all but the last [`HISTORY`] bytes are gone, the remainder of those is that of the message. The idea is "Chorba" (Russell,
//! <https://arxiv.org/abs/2412.16398>).
//!
//! It is a package of its own so that it can be compiled for speed.

#![forbid(unsafe_code)]

/// How far behind a byte those lie that it is added to: with x⁸ = y, P divides 1 + Σ y^tap, read backwards. Found by search (seven
/// of 4,000 distances suffice for one to be expected, since 4000⁷ / 7! > 2⁶⁴), and checked by a test.
const TAPS: [usize; 7] = [568, 706, 843, 1339, 1405, 2444, 2567];

/// So many bytes at the end are not taken out.
const HISTORY: usize = TAPS[6];

/// So many bytes are worked on at a time: fewer than the nearest tap, so none of them depends on another.
const BLOCK: usize = 512;

/// A CRC-64/NVME begins with all bits set, which is the same as the first eight bytes inverted.
const INVERTED: u64 = 8;

/// Only what is left of a part passes it, some 2.5 KB: no table is worth its room.
const CRC: crc::Crc<u64, crc::NoTable> = crc::Crc::<u64, crc::NoTable>::new(&crc::CRC_64_NVME);

/// A CRC of bytes that come in pieces.
#[derive(Clone)]
pub struct Running {
    /// The last [`HISTORY`] bytes, each with those added to it that lie a tap before it; zeros before the first. Behind them is room
    /// for the next piece.
    window: Vec<u8>,
    seen_bytes: u64,
}

impl Default for Running {
    fn default() -> Self {
        Self { window: vec![0; HISTORY], seen_bytes: 0 }
    }
}

impl Running {
    /// More bytes: so many, which `fill` writes where it is told.
    pub fn update_with(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        self.window.resize(HISTORY + length, 0);
        let piece = &mut self.window[HISTORY..];
        fill(piece);
        for byte in piece.iter_mut().take(usize::try_from(INVERTED.saturating_sub(self.seen_bytes)).unwrap_or(0)) {
            *byte = !*byte;
        }
        self.seen_bytes += length as u64;
        fold(&mut self.window);
        self.window.copy_within(length.., 0);
    }

    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.update_with(bytes.len(), |room| room.copy_from_slice(bytes));
    }

    /// The CRC of all of them.
    pub fn finish(mut self) -> u64 {
        self.window.truncate(HISTORY);
        if self.seen_bytes < INVERTED {
            // Too few to have held all that is inverted; nothing was added to them, since only zeros lie before.
            let first = HISTORY - usize::try_from(self.seen_bytes).unwrap_or(0);
            let bytes: Vec<u8> = self.window[first..].iter().map(|byte| !byte).collect();
            return CRC.checksum(&bytes);
        }
        // What was added within the last bytes is taken back: those it came from are still there.
        for at in (0..HISTORY).rev() {
            for tap in TAPS {
                if let Some(from) = at.checked_sub(tap) {
                    self.window[at] ^= self.window[from];
                }
            }
        }
        let mut rest = CRC.digest_with_initial(0);
        rest.update(&self.window);
        rest.finalize()
    }
}

/// Adds to every byte behind the history those that lie a tap before it.
fn fold(window: &mut [u8]) {
    let mut start = HISTORY;
    while start < window.len() {
        let (past, rest) = window.split_at_mut(start);
        let length = rest.len().min(BLOCK);
        let block = &mut rest[..length];
        add(block, TAPS.map(|tap| &past[start - tap..][..length]));
        start += length;
    }
}

/// Adds to a block what has the same length. By words, and not left to the optimiser, which makes bytes of it where the whole
/// program is optimised for size.
fn add(block: &mut [u8], all: [&[u8]; TAPS.len()]) {
    let (words, ends) = block.as_chunks_mut::<16>();
    let all = all.map(|one| {
        let (others, ends) = one.as_chunks::<16>();
        (&others[..words.len()], ends)
    });
    for (i, word) in words.iter_mut().enumerate() {
        let mut sum = u128::from_ne_bytes(*word);
        for (others, _) in all {
            sum ^= u128::from_ne_bytes(others[i]);
        }
        *word = sum.to_ne_bytes();
    }
    for (_, others) in all {
        for (byte, other) in ends.iter_mut().zip(others) {
            *byte ^= other;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected(bytes: &[u8]) -> u64 {
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes)
    }

    #[test]
    fn the_check_value_of_the_algorithm() {
        let mut running = Running::default();
        running.update(b"123456789");
        assert_eq!(running.finish(), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn a_block_depends_on_none_of_its_own_bytes() {
        assert!(TAPS.is_sorted() && BLOCK <= TAPS[0]);
    }

    #[test]
    fn few_bytes() {
        let bytes: Vec<u8> = (1..=40).collect();
        for length in 0..=bytes.len() {
            let mut running = Running::default();
            running.update(&bytes[..length]);
            assert_eq!(running.finish(), expected(&bytes[..length]), "of {length} bytes");
        }
    }

    proptest! {
        #[test]
        fn is_that_of_the_bytes_however_they_are_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..40_000),
            cuts in prop::collection::vec(0_usize..6000, 0..20),
        ) {
            let mut running = Running::default();
            let mut rest = bytes.as_slice();
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                running.update(piece);
                rest = behind;
            }
            running.update(rest);
            prop_assert_eq!(running.finish(), expected(&bytes));
        }
    }
}
