//! Takes a form apart (RFC 7578), in pieces as they come. What it keeps is bounded, however long the form is: fields, the head of the part
//! that has begun, and the length of what may be the line behind it. Files go by.
//!
//! Whoever reads the form pushes each piece and is told what is in it, in order: [`Event`].

use std::{mem, ops::Range};

use super::{
    Boundary,
    delimiter::{Behind, Delimiter, Found},
    part_head::{self, FileHead, MAX_HEAD_BYTES, PartHead},
};
use upload_types::api_error::ApiError;

/// So many parts has a form at most. A file costs some six requests to objects and storage, and of 10,000 that the platform allows for
/// one request 1,000 files need 6,000.
pub const MAX_PARTS: u32 = 1000;

/// Names and values of all fields together: as much as the headers of a request may have. What is larger belongs into a file.
pub const MAX_FIELD_BYTES: usize = 32 * 1024;

/// What may stand in front of the first part. Browsers send nothing, mail libraries a sentence.
const MAX_PREAMBLE_BYTES: usize = 1024;

/// What a piece has in it.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A field: name and value. What is no UTF-8 of it is replaced.
    Field(String, String),
    /// A file begins: in front of this byte of the form.
    File(FileHead, u64),
    /// Bytes of the file, which lie here in the piece.
    Content(Range<usize>),
    /// Bytes of the file that were held back of the pieces before: no more than a boundary has, and three.
    Kept(Vec<u8>),
    /// The file has ended.
    FileEnds,
    /// The form has ended. What follows means nothing.
    FormEnds,
}

/// A form, as far as it has come.
pub struct Parser {
    delimiter: Delimiter,
    state: State,
    /// How much of the form has been pushed before the piece that is looked at.
    before_bytes: u64,
    parts: u32,
    field_bytes: usize,
}

enum State {
    /// Nothing has begun; so many bytes have come that mean nothing.
    Preamble(usize),
    /// These bytes of what stands above a part.
    Head(Vec<u8>),
    /// In a field, with these bytes of it.
    Field(String, Vec<u8>),
    /// In a file.
    File,
    /// Behind the last part.
    Ended,
}

impl Parser {
    /// Before the first byte.
    pub fn new(boundary: &Boundary) -> Self {
        Self {
            delimiter: Delimiter::new(boundary),
            state: State::Preamble(0),
            before_bytes: 0,
            parts: 0,
            field_bytes: 0,
        }
    }

    /// Takes a piece of any length, and says what is in it by `tell`, in order. Once it has refused one there is nothing more to be had.
    pub fn push(&mut self, piece: &[u8], mut tell: impl FnMut(Event)) -> Result<(), ApiError> {
        let mut at = 0;
        while at < piece.len() {
            at += match &mut self.state {
                State::Head(head) => {
                    let used_bytes = fill_head(head, &piece[at..])?;
                    if is_whole_head(head) {
                        let head = mem::take(head);
                        let begins_at = self.before_bytes + (at + used_bytes) as u64;
                        self.begin_part(&head, begins_at, &mut tell)?;
                    }
                    used_bytes
                }
                State::Ended => return Ok(()),
                _ => self.go_on(piece, at, &mut tell)?,
            };
        }
        self.before_bytes += piece.len() as u64;
        Ok(())
    }

    /// The body has ended: whether the form has.
    pub fn finish(&self) -> Result<(), ApiError> {
        let detail = match self.state {
            State::Ended => return Ok(()),
            State::Preamble(_) => NO_BOUNDARY,
            State::Head(_) => "ends inside the headers of a part",
            State::Field(..) | State::File => {
                "ends inside a part: the boundary behind it, with `--` at its end, is missing"
            }
        };
        Err(bad(detail))
    }

    /// Content of whatever has begun. Says how many bytes that was.
    fn go_on(&mut self, piece: &[u8], at: usize, tell: &mut impl FnMut(Event)) -> Result<usize, ApiError> {
        let Found { kept, content, used_bytes, end } = self.delimiter.search(&piece[at..]);
        let content = at + content.start..at + content.end;
        match &mut self.state {
            State::Preamble(bytes) => {
                *bytes += kept.len() + content.len();
                if *bytes > MAX_PREAMBLE_BYTES {
                    return Err(bad(NO_BOUNDARY));
                }
            }
            State::Field(name, value) => {
                self.field_bytes += kept.len() + content.len();
                if self.field_bytes > MAX_FIELD_BYTES {
                    let detail = format!(
                        "makes all fields of the form longer than {MAX_FIELD_BYTES} bytes; what is so long belongs into a file"
                    );
                    return Err(ApiError::bad_request(name, detail));
                }
                value.extend_from_slice(&kept);
                value.extend_from_slice(&piece[content]);
            }
            State::File => {
                if !kept.is_empty() {
                    tell(Event::Kept(kept));
                }
                if !content.is_empty() {
                    tell(Event::Content(content));
                }
            }
            State::Head(_) | State::Ended => {}
        }
        if let Some(behind) = end {
            self.end_part(behind, tell);
        }
        Ok(used_bytes)
    }

    fn begin_part(&mut self, head: &[u8], begins_at: u64, tell: &mut impl FnMut(Event)) -> Result<(), ApiError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(bad(format!("has more than {MAX_PARTS} fields and files")));
        }
        self.state = match part_head::parse(head)? {
            PartHead::Field(name) => {
                self.field_bytes += name.len();
                State::Field(name, Vec::new())
            }
            PartHead::File(file) => {
                tell(Event::File(file, begins_at));
                State::File
            }
        };
        Ok(())
    }

    fn end_part(&mut self, behind: Behind, tell: &mut impl FnMut(Event)) {
        let next = match behind {
            Behind::Part => State::Head(Vec::new()),
            Behind::Nothing => State::Ended,
        };
        match mem::replace(&mut self.state, next) {
            State::Field(name, value) => tell(Event::Field(name, String::from_utf8_lossy(&value).into_owned())),
            State::File => tell(Event::FileEnds),
            State::Preamble(_) | State::Head(_) | State::Ended => {}
        }
        if behind == Behind::Nothing {
            tell(Event::FormEnds);
        }
    }
}

const NO_BOUNDARY: &str =
    "does not begin with the boundary that Content-Type names: `--`, the boundary, and the end of the line";

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::bad_request("form", detail)
}

/// The next bytes up to an empty line. Says how many they were.
fn fill_head(head: &mut Vec<u8>, piece: &[u8]) -> Result<usize, ApiError> {
    for (index, byte) in piece.iter().enumerate() {
        if head.len() == MAX_HEAD_BYTES {
            return Err(bad(format!("has a part with more than {MAX_HEAD_BYTES} bytes of headers")));
        }
        head.push(*byte);
        if is_whole_head(head) {
            return Ok(index + 1);
        }
    }
    Ok(piece.len())
}

fn is_whole_head(head: &[u8]) -> bool {
    head == b"\r\n" || head.ends_with(b"\r\n\r\n")
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
