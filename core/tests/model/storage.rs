//! R2 as a set of facts, and of writes that are on their way.
//!
//! A write that was sent may arrive at any later time, or never; whoever sent it may long be dead. What is written by
//! somebody who no longer waits for it arrives as garbage, so that it shows wherever it is used.

use crate::bytes::Bytes;

/// A write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Sent {
    /// `uploadPart`, by this attempt.
    Part { number: u16, attempt: u64, content: Bytes },
    /// `put` of the whole file, under the key that goes with this number, by this attempt.
    Put { number: u16, attempt: u64, content: Bytes },
    /// `put` of a segment, by this attempt.
    Segment { attempt: u64, content: Bytes },
    /// `complete` with these parts: the number, and what R2 called it.
    Complete(Vec<(u16, String)>),
}

/// How `complete` went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// The object is there, so long.
    Done(u8),
    /// There is no such multipart upload.
    Gone,
    /// A part is missing, is another, or has the wrong size.
    Damaged,
    /// Nobody knows: the call failed, before or after it worked.
    Lost,
}

/// What R2 has of one upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Storage {
    /// Whether the multipart upload is there: neither completed nor aborted.
    pub(crate) multipart: bool,
    /// Its parts, in the order of their numbers.
    pub(crate) parts: Vec<(u16, Bytes)>,
    /// The object.
    pub(crate) object: Option<Bytes>,
    /// The objects that attempts have put, in the order of the numbers they are named after.
    pub(crate) puts: Vec<(u16, Bytes)>,
    /// The segments, in the order of the attempts they are named after.
    pub(crate) segments: Vec<(u64, Bytes)>,
    /// What is on its way, sorted.
    pub(crate) sent: Vec<Sent>,
}

impl Storage {
    /// A multipart upload without parts, or nothing at all.
    pub(crate) fn new(multipart: bool) -> Self {
        let (parts, puts, segments) = (Vec::new(), Vec::new(), Vec::new());
        Self { multipart, parts, object: None, puts, segments, sent: Vec::new() }
    }

    /// Whether there is nothing left.
    pub(crate) fn is_empty(&self) -> bool {
        !self.multipart && self.object.is_none() && self.puts.is_empty() && self.segments.is_empty()
    }

    /// Sends a write.
    pub(crate) fn send(&mut self, write: Sent) {
        let at = self.sent.partition_point(|sent| *sent <= write);
        self.sent.insert(at, write);
    }

    /// A part arrives. A part of that number that was there before is gone.
    pub(crate) fn store_part(&mut self, number: u16, content: Bytes) {
        if self.multipart {
            put(&mut self.parts, number, content);
        }
    }

    /// An object arrives. One that was there before, under the same key, is gone.
    pub(crate) fn store_put(&mut self, number: u16, content: Bytes) {
        put(&mut self.puts, number, content);
    }

    /// The object under the key that goes with this number.
    pub(crate) fn put(&self, number: u16) -> Option<Bytes> {
        self.puts.iter().find(|put| put.0 == number).map(|put| put.1)
    }

    /// That object is deleted.
    pub(crate) fn delete_put(&mut self, number: u16) {
        self.puts.retain(|put| put.0 != number);
    }

    /// A segment arrives.
    pub(crate) fn store_segment(&mut self, attempt: u64, content: Bytes) {
        put(&mut self.segments, attempt, content);
    }

    /// A segment is deleted.
    pub(crate) fn delete_segment(&mut self, attempt: u64) {
        self.segments.retain(|segment| segment.0 != attempt);
    }

    /// The part of this number.
    pub(crate) fn part(&self, number: u16) -> Option<Bytes> {
        self.parts.iter().find(|part| part.0 == number).map(|part| part.1)
    }

    /// The segment of this attempt.
    pub(crate) fn segment(&self, attempt: u64) -> Option<Bytes> {
        self.segments.iter().find(|segment| segment.0 == attempt).map(|segment| segment.1)
    }

    /// Puts the object together: all of it, or nothing happens. R2 takes only parts of one size, but for the last.
    pub(crate) fn complete(&mut self, listed: &[(u16, String)]) -> Answer {
        if !self.multipart {
            return Answer::Gone;
        }
        let found: Option<Vec<Bytes>> =
            listed.iter().map(|(number, etag)| self.part(*number).filter(|part| part.etag() == *etag)).collect();
        let in_order = listed.is_sorted_by(|one, next| one.0 < next.0);
        let Some(parts) = found.filter(|parts| in_order && equal_but_last(parts)) else { return Answer::Damaged };
        let object = parts.into_iter().fold(Bytes::default(), Bytes::then);
        self.object = Some(object);
        self.end_multipart();
        Answer::Done(object.units())
    }

    /// Lets go of the parts, those on their way too.
    pub(crate) fn abort(&mut self) {
        self.end_multipart();
    }

    /// R2 refuses whatever comes for a multipart upload that is not there, so it need not come.
    fn end_multipart(&mut self) {
        self.multipart = false;
        self.parts.clear();
        self.sent.retain(|sent| !matches!(sent, Sent::Part { .. }));
    }
}

fn equal_but_last(parts: &[Bytes]) -> bool {
    let Some((last, others)) = parts.split_last() else { return false };
    others.iter().all(|part| part.units() == others[0].units())
        && others.iter().all(|part| part.units() >= last.units())
}

fn put<K: Ord + Copy>(all: &mut Vec<(K, Bytes)>, key: K, content: Bytes) {
    match all.binary_search_by_key(&key, |entry| entry.0) {
        Ok(at) => all[at].1 = content,
        Err(at) => all.insert(at, (key, content)),
    }
}
