//! Finds a text in bytes without looking at most of them (R. N. Horspool, "Practical fast searching in strings", 1980): the byte under the text's
//! end says how far the text can be moved at least. In most files some fortieth of the bytes is looked at for a boundary of 40 characters; in no file more than each byte once or twice.

/// A text that is looked for, of 1 to 255 bytes.
pub(super) struct Needle {
    bytes: Vec<u8>,
    /// By the byte that stands under the last of the text: how far to move on where that is no match.
    moves: Box<[u8; 256]>,
}

impl Needle {
    /// Of no more than 255 bytes: a longer one would be moved on by 255 at a time.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let distance = |bytes: usize| u8::try_from(bytes).unwrap_or(u8::MAX);
        let mut moves = Box::new([distance(bytes.len()); 256]);
        for (at, byte) in bytes.iter().enumerate().take(bytes.len().saturating_sub(1)) {
            moves[usize::from(*byte)] = distance(bytes.len() - 1 - at);
        }
        Self { bytes, moves }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it is first, whole.
    pub(super) fn find_in(&self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(window) = piece.get(at..).and_then(|rest| rest.get(..self.bytes.len())) {
            let last = *window.last()?;
            if self.bytes.last() == Some(&last) && window == self.bytes {
                return Some(at);
            }
            at += usize::from(self.moves[usize::from(last)]);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few letters, so that much looks like it.
        #[test]
        fn it_is_found_where_it_is_first(needle in "[ab\r-]{1,9}", piece in "[ab\r-]{0,60}") {
            let found = Needle::new(needle.clone().into_bytes()).find_in(piece.as_bytes());
            prop_assert_eq!(found, piece.find(&needle));
        }
    }

    #[test]
    fn every_byte_has_its_place() {
        let needle: Vec<u8> = (0..=254).collect();
        let mut piece = vec![255; 1000];
        piece.extend(&needle);
        assert_eq!(Needle::new(needle).find_in(&piece), Some(1000));
    }
}
