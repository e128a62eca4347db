//! What is made of the corpus: one of its inputs, changed in up to a few places, with pieces of the others and with what
//! parsers stumble over.

use proptest::{collection::vec, prelude::*, sample::Index};

/// What parsers stumble over.
const SHARP: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n",
    b"\"",
    b"\\",
    b"'",
    b"%00",
    b"%2f",
    b"%2F",
    b"..",
    b"/",
    b"//",
    b":",
    b"::",
    b";",
    b",",
    b",,",
    b"=",
    b"==",
    b"?0",
    b"?1",
    b"?",
    b"*",
    b"-",
    b"--",
    b"+",
    b"-0",
    b"-1",
    b"0",
    b"00",
    b"1e9",
    b"1.5",
    b"NaN",
    b"9007199254740991",
    b"9007199254740992",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"\xff\xfe",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x8f\x96",
    b" ",
    b"\t",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"[",
    b"{",
    b"]",
    b"}",
    b"\"\":",
    b"none",
    b"HS256",
    b"bytes=",
    b"sha-256=",
    b"filename*=UTF-8''",
    b"\x7f",
    b".",
    b"https://",
    b"*.",
];

/// One change.
#[derive(Clone, Debug)]
pub(crate) enum StateChange {
    Set(Index, u8),
    Cut(Index, usize),
    Insert(Index, Index),
    Repeat(Index, usize, u16),
    Splice(Index, Index, Index),
    End(Index),
}

fn change() -> impl Strategy<Value = StateChange> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| StateChange::Set(at, byte)),
        3 => (any::<Index>(), 1..16_usize).prop_map(|(at, length)| StateChange::Cut(at, length)),
        6 => (any::<Index>(), any::<Index>()).prop_map(|(at, what)| StateChange::Insert(at, what)),
        2 => (any::<Index>(), 1..8_usize, 1..400_u16).prop_map(|(at, length, times)| StateChange::Repeat(at, length, times)),
        3 => (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(at, other, from)| StateChange::Splice(at, other, from)),
        1 => any::<Index>().prop_map(StateChange::End),
    ]
}

/// Inputs made of these.
pub(crate) fn of(corpus: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<'_> {
    (any::<Index>(), vec(change(), 0..6)).prop_map(|(begin, changes)| {
        let mut bytes = begin.get(corpus).clone();
        for change in changes {
            apply(&mut bytes, &change, corpus);
        }
        bytes
    })
}

fn apply(bytes: &mut Vec<u8>, change: &StateChange, corpus: &[Vec<u8>]) {
    let place = |index: &Index, length: usize| index.index(length + 1);
    match change {
        StateChange::Set(at, byte) => {
            let at = place(at, bytes.len());
            match bytes.get_mut(at) {
                Some(old) => *old = *byte,
                None => bytes.push(*byte),
            }
        }
        StateChange::Cut(at, length) => {
            let at = place(at, bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        StateChange::Insert(at, what) => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, what.get(SHARP).iter().copied());
        }
        StateChange::Repeat(at, length, times) => {
            let at = place(at, bytes.len());
            let piece = bytes[at..(at + length).min(bytes.len())].repeat((*times).into());
            bytes.splice(at..at, piece);
        }
        StateChange::Splice(at, other, from) => {
            let at = place(at, bytes.len());
            let other = other.get(corpus);
            let from = place(from, other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        StateChange::End(at) => bytes.truncate(place(at, bytes.len())),
    }
}
