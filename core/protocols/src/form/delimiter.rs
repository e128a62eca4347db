//! Finds the lines between the parts of a form, in pieces as they come: `CRLF -- boundary`, and behind it the end of the line, or `--` after
//! the last part (RFC 2046, section 5.1.1).
//!
//! Nothing of a part waits here but what may be the beginning of such a line, and of that only how long it is, since its text is known. A
//! boundary contains no CR, so a line that turns out to be another begins nowhere else: no byte is looked at twice.

use std::ops::Range;

use super::{Boundary, find::Needle};

/// What is behind such a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Another part.
    Part,
    /// Nothing: it was the last.
    Nothing,
}

/// What was found in a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What was held back of the pieces before, where it is content after all.
    pub(super) kept: Vec<u8>,
    /// The content in this piece, which comes next.
    pub(super) content: Range<usize>,
    /// How much of the piece has been looked at.
    pub(super) used_bytes: usize,
    /// Whether the content ends there, and what is behind.
    pub(super) end: Option<Behind>,
}

/// The search, as far as it is.
pub(super) struct Delimiter {
    text: Needle,
    /// How much of the line has come: of its text, and of the two characters behind that.
    matched_bytes: usize,
    /// Which of two it was that came first behind the text: CR or `-`.
    first_behind: u8,
    /// How much of what has come is no content, whatever follows: the end of the line before.
    before_bytes: usize,
}

/// CR and LF.
const LINE_END_BYTES: usize = 2;

impl Delimiter {
    /// At the beginning of a line: of the first one of the body.
    pub(super) fn new(boundary: &Boundary) -> Self {
        let text = Needle::new(format!("\r\n--{}", boundary.as_str()).into_bytes());
        Self { text, matched_bytes: LINE_END_BYTES, first_behind: 0, before_bytes: LINE_END_BYTES }
    }

    /// The next piece of a part, or what comes before the first.
    pub(super) fn search(&mut self, piece: &[u8]) -> Found {
        let (mut at, mut kept) = (0, Vec::new());
        match self.go_on(piece, &mut at) {
            Step::Found(behind) => return Found { kept, content: 0..0, used_bytes: at, end: Some(behind) },
            Step::OutOfBytes => return Found { kept, content: 0..0, used_bytes: at, end: None },
            Step::Other => kept = self.take_kept(),
            Step::Nothing => {}
        }
        let begins_at = at;
        while let Some(distance) = self.text.find_in(&piece[at..]) {
            let ends_at = at + distance;
            self.matched_bytes = self.text().len();
            at = ends_at + self.matched_bytes;
            let end = match self.go_on(piece, &mut at) {
                Step::Found(behind) => Some(behind),
                Step::OutOfBytes | Step::Nothing => None,
                Step::Other => {
                    self.reset();
                    continue;
                }
            };
            return Found { kept, content: begins_at..ends_at, used_bytes: at, end };
        }
        let ends_at = self.hold_back_end(piece, at);
        Found { kept, content: begins_at..ends_at, used_bytes: piece.len(), end: None }
    }

    fn text(&self) -> &[u8] {
        self.text.bytes()
    }

    fn reset(&mut self) {
        (self.matched_bytes, self.before_bytes) = (0, 0);
    }

    /// Goes on with a line that has begun.
    fn go_on(&mut self, piece: &[u8], at: &mut usize) -> Step {
        while self.matched_bytes > 0 {
            let Some(byte) = piece.get(*at).copied() else { return Step::OutOfBytes };
            let behind = self.matched_bytes.checked_sub(self.text().len());
            match (behind, self.first_behind, byte) {
                (None, _, _) if self.text()[self.matched_bytes] == byte => {}
                (Some(0), _, b'\r' | b'-') => self.first_behind = byte,
                (Some(1), b'\r', b'\n') | (Some(1), b'-', b'-') => {
                    *at += 1;
                    // Where there are no headers and no bytes, the end of this line is that before the next.
                    (self.matched_bytes, self.before_bytes) = (LINE_END_BYTES, LINE_END_BYTES);
                    return Step::Found(if byte == b'\n' { Behind::Part } else { Behind::Nothing });
                }
                _ => return Step::Other,
            }
            *at += 1;
            self.matched_bytes += 1;
        }
        Step::Nothing
    }

    /// It was another line: what was held back of it.
    fn take_kept(&mut self) -> Vec<u8> {
        let (text, matched) = (self.text(), self.matched_bytes);
        let mut kept = text[..matched.min(text.len())].to_vec();
        if matched > text.len() {
            kept.push(self.first_behind);
        }
        kept.drain(..self.before_bytes);
        self.reset();
        kept
    }

    /// Holds back the end of a piece where the line may begin in it; says where that is.
    fn hold_back_end(&mut self, piece: &[u8], from: usize) -> usize {
        self.reset();
        let from = from.max(piece.len().saturating_sub(self.text().len() - 1));
        let begins_at = piece[from..].iter().rposition(|byte| *byte == b'\r').map(|distance| from + distance);
        match begins_at.filter(|at| self.text().starts_with(&piece[*at..])) {
            Some(at) => {
                self.matched_bytes = piece.len() - at;
                at
            }
            None => piece.len(),
        }
    }
}

enum Step {
    /// No line has begun.
    Nothing,
    /// It is one.
    Found(Behind),
    /// It may be one.
    OutOfBytes,
    /// It is another.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::tests::boundary;

    /// What lies before a line, and what is behind that.
    type Content<'a> = (&'a str, Option<Behind>);

    /// What is found of a body that comes in pieces of this size: contents, and what is behind each.
    fn found(body: &[u8], piece_bytes: usize) -> Vec<(String, Option<Behind>)> {
        let mut delimiter = Delimiter::new(&boundary("b"));
        let (mut all, mut content) = (Vec::new(), Vec::new());
        for mut piece in body.chunks(piece_bytes) {
            while !piece.is_empty() {
                let found = delimiter.search(piece);
                content.extend(found.kept);
                content.extend_from_slice(&piece[found.content]);
                if let Some(end) = found.end {
                    all.push((String::from_utf8(std::mem::take(&mut content)).unwrap(), Some(end)));
                }
                piece = &piece[found.used_bytes..];
            }
        }
        all.push((String::from_utf8(content).unwrap(), None));
        all
    }

    #[test]
    fn lines_are_found_however_the_body_is_cut() {
        use Behind::{Nothing, Part};
        let cases: &[(&str, &[Content<'_>])] = &[
            ("--b\r\nx\r\n--b--", &[("", Some(Part)), ("x", Some(Nothing)), ("", None)]),
            (
                "pre\r\n--b\r\n\r\n--b\r\n--b--\r\n",
                &[("pre", Some(Part)), ("", Some(Part)), ("", Some(Nothing)), ("", None)],
            ),
            // What only looks like one.
            (
                "--b\r\n\r\n--\r\n--bb\r\n--b-\r\n--b\rx\r\n-b\r\r\n--b--",
                &[("", Some(Part)), ("\r\n--\r\n--bb\r\n--b-\r\n--b\rx\r\n-b\r", Some(Nothing)), ("", None)],
            ),
            ("--b\r\n--b --b-- x--b--\r\n--b--", &[("", Some(Part)), ("--b --b-- x--b--", Some(Nothing)), ("", None)]),
            (
                "--b\r\n\r\r\n\n--b\r\n--c\r\n--b\r\n",
                &[("", Some(Part)), ("\r\r\n\n--b\r\n--c", Some(Part)), ("", None)],
            ),
            ("--b\r\nend\r\n", &[("", Some(Part)), ("end", None)]),
            ("none", &[("none", None)]),
        ];
        for (body, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(text, end)| ((*text).to_owned(), *end)).collect();
            for piece_bytes in 1..=body.len() {
                assert_eq!(found(body.as_bytes(), piece_bytes), expected, "{body:?} in pieces of {piece_bytes}");
            }
        }
    }
}
