//! R2 as a set of facts, and of writes that are on their way.
//!
//! A write that was sent may arrive at any later time, or never; whoever sent it may long be dead. What is written by
//! somebody who no longer waits for it arrives as garbage, so that it shows wherever it is used. A request to store a part ends when
//! whoever made it has been silent for longer than it may be: that is what its sender sees to.

use crate::session::WRITER_SILENCE_MS;
use upload_types::units::UnixMs;

use crate::session::tests::model::bytes::Bytes;

/// A write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Sent {
    /// `uploadPart` of this multipart upload, by this attempt, which was last heard of then.
    Part { multipart: u8, number: u16, attempt: u64, heard_at: UnixMs, content: Bytes },
    /// `put` of the whole file, under the key of this attempt.
    Put { attempt: u64, content: Bytes },
    /// `put` of a segment, by this attempt.
    Segment { attempt: u64, content: Bytes },
    /// `complete` of this multipart upload, whose object is of this repair, with these parts: the number, and what R2 called it.
    Complete { multipart: Option<u8>, key: u32, listed: Vec<(u16, String)> },
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
}

/// What R2 has of one upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Storage {
    /// The multipart uploads that are there: neither completed nor aborted. One that nobody has ever known, since its opening was
    /// the last that was heard of it, R2 drops by itself; it is not among them.
    pub(crate) multiparts: Vec<u8>,
    /// Their parts, in the order of their numbers, each with its multipart upload.
    pub(crate) parts: Vec<(u16, (Bytes, u8))>,
    /// The objects that were put together, in the order of the repairs that they are of.
    pub(crate) objects: Vec<(u32, Bytes)>,
    /// The objects that attempts have put, in the order of the attempts they are named after.
    pub(crate) puts: Vec<(u64, Bytes)>,
    /// The segments, in the order of the attempts they are named after.
    pub(crate) segments: Vec<(u64, Bytes)>,
    /// What is on its way, sorted.
    pub(crate) sent: Vec<Sent>,
}

impl Storage {
    /// A multipart upload without parts, or nothing at all.
    pub(crate) fn new(multipart: bool) -> Self {
        let (parts, puts, segments) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            multiparts: if multipart { vec![0] } else { Vec::new() },
            parts,
            objects: Vec::new(),
            puts,
            segments,
            sent: Vec::new(),
        }
    }

    /// Whether there is nothing left.
    pub(crate) fn is_empty(&self) -> bool {
        self.multiparts.is_empty() && self.objects.is_empty() && self.puts.is_empty() && self.segments.is_empty()
    }

    /// Sends a write.
    pub(crate) fn send(&mut self, write: Sent) {
        let at = self.sent.partition_point(|sent| *sent <= write);
        self.sent.insert(at, write);
    }

    /// Opens a multipart upload, under another id than those that are there, and that of the session.
    pub(crate) fn open(&mut self, known: Option<u8>) -> u8 {
        let id = (0..u8::MAX).find(|id| !self.has(Some(*id)) && Some(*id) != known).unwrap_or(u8::MAX);
        self.multiparts.push(id);
        self.multiparts.sort_unstable();
        id
    }

    /// Whether this multipart upload is there.
    pub(crate) fn has(&self, id: Option<u8>) -> bool {
        id.is_some_and(|id| self.multiparts.contains(&id))
    }

    /// A part arrives. A part of that number that was there before is gone.
    pub(crate) fn store_part(&mut self, multipart: u8, number: u16, content: Bytes) {
        if self.has(Some(multipart)) {
            put(&mut self.parts, number, (content, multipart));
        }
    }

    /// An object arrives. One that was there before, under the same key, is gone.
    pub(crate) fn store_put(&mut self, attempt: u64, content: Bytes) {
        put(&mut self.puts, attempt, content);
    }

    /// The object under the key of this attempt.
    pub(crate) fn put(&self, attempt: u64) -> Option<Bytes> {
        self.puts.iter().find(|put| put.0 == attempt).map(|put| put.1)
    }

    /// That object is deleted.
    pub(crate) fn delete_put(&mut self, attempt: u64) {
        self.puts.retain(|put| put.0 != attempt);
    }

    /// Whether somebody else's write to a part of this number is on its way.
    pub(crate) fn is_written(&self, number: u16, besides: u64) -> bool {
        self.sent
            .iter()
            .any(|sent| matches!(sent, Sent::Part { number: n, attempt, .. } if *n == number && *attempt != besides))
    }

    /// The request of an attempt that is to store a part is over: what has not arrived never does.
    pub(crate) fn end_part_of(&mut self, ended: u64) {
        self.sent.retain(|sent| !matches!(sent, Sent::Part { attempt, .. } if *attempt == ended));
    }

    /// An attempt has been heard of.
    pub(crate) fn heard(&mut self, heard: u64, now: UnixMs) {
        for sent in &mut self.sent {
            if let Sent::Part { attempt, heard_at, .. } = sent
                && *attempt == heard
            {
                *heard_at = now;
            }
        }
        self.sent.sort_unstable();
    }

    /// Whoever has been silent for longer than it may be has ended its request.
    pub(crate) fn end_silent(&mut self, now: UnixMs) {
        let is_silent = |heard_at: &UnixMs| now.ms_since(*heard_at) >= WRITER_SILENCE_MS;
        self.sent.retain(|sent| !matches!(sent, Sent::Part { heard_at, .. } if is_silent(heard_at)));
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
        self.parts.iter().find(|part| part.0 == number).map(|part| part.1.0)
    }

    /// The segment of this attempt.
    pub(crate) fn segment(&self, attempt: u64) -> Option<Bytes> {
        self.segments.iter().find(|segment| segment.0 == attempt).map(|segment| segment.1)
    }

    /// The object of this repair.
    pub(crate) fn object(&self, key: u32) -> Option<Bytes> {
        self.objects.iter().find(|object| object.0 == key).map(|object| object.1)
    }

    /// Lets go of the object of this repair.
    pub(crate) fn delete_object(&mut self, key: u32) {
        self.objects.retain(|object| object.0 != key);
    }

    /// Puts the object together: all of it, or nothing happens. R2 takes only parts of one size, but for the last.
    pub(crate) fn complete(&mut self, id: Option<u8>, key: u32, listed: &[(u16, String)]) -> Answer {
        let Some(id) = id.filter(|id| self.multiparts.contains(id)) else { return Answer::Gone };
        let is_its = |number| self.parts.iter().any(|part| part.0 == number && part.1.1 == id);
        let part = |number, etag: &String| self.part(number).filter(|part| part.etag() == *etag && is_its(number));
        let found: Option<Vec<Bytes>> = listed.iter().map(|(number, etag)| part(*number, etag)).collect();
        let in_order = listed.is_sorted_by(|one, next| one.0 < next.0);
        let Some(parts) = found.filter(|parts| in_order && equal_but_last(parts)) else { return Answer::Damaged };
        let object = parts.into_iter().fold(Bytes::default(), Bytes::then);
        put(&mut self.objects, key, object);
        self.end_multipart(id);
        Answer::Done(object.units())
    }

    /// Lets go of the parts, those on their way too.
    pub(crate) fn abort(&mut self, id: Option<u8>) {
        if let Some(id) = id {
            self.end_multipart(id);
        }
    }

    /// R2 refuses whatever comes for a multipart upload that is not there, so it need not come.
    fn end_multipart(&mut self, id: u8) {
        self.multiparts.retain(|multipart| *multipart != id);
        self.parts.retain(|part| part.1.1 != id);
        self.sent.retain(|sent| !matches!(sent, Sent::Part { multipart, .. } if *multipart == id));
    }
}

fn equal_but_last(parts: &[Bytes]) -> bool {
    let Some((last, others)) = parts.split_last() else { return false };
    others.iter().all(|part| part.units() == others[0].units())
        && others.iter().all(|part| part.units() >= last.units())
}

fn put<K: Ord + Copy, V>(all: &mut Vec<(K, V)>, key: K, content: V) {
    match all.binary_search_by_key(&key, |entry| entry.0) {
        Ok(at) => all[at].1 = content,
        Err(at) => all.insert(at, (key, content)),
    }
}
