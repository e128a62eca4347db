//! One attempt at storing a chunk, as a state machine without I/O: part by part into R2, each committed, or all at once where the
//! chunk's checksum must be right first; and then what is left behind the last whole part.
//!
//! Whoever has a [`WriteLease`] drives it: [`Attempt::next`] says what to do ([`Effect`]); the driver does it, and says what came of it
//! ([`Input`]), until [`Effect::Finish`]. The driver moves bytes and classifies errors; when something is stored, counted, held back,
//! given up or deleted is decided here alone.
//!
//! Promises, whatever the inputs:
//! * Part numbers are used in order, each once, and only such as the lease or a commit has given.
//! * With a checksum nothing is committed before all bytes are stored and the checksum is right; and then all of them at once.
//! * Nothing is deleted that may count: the upload's object is asked first, and only one that has ended without it leaves it
//!   uncounted for ever.
//! * An attempt that ends early gives its lease back, with one exception: one whose commit was refused has no lease any more. It says that
//!   its requests are over where the next part may have been under way.
//! * At most two parts are under way at a time: the next one may be begun as soon as R2 has been given all bytes of the one before. It is
//!   counted only behind that one.
//!
//! "Crash here" in a comment says what is true if the driver dies right there: everything in memory is gone, and what was sent may
//! or may not arrive.

mod awaited;
mod messages;
#[cfg(test)]
mod tests;

pub use messages::{Effect, Failure, Finish, Input, PartAhead};

use awaited::{Awaited, Discarded, GivenUp, Sent, Then};

use std::{
    hash::{Hash, Hasher},
    mem::discriminant,
};

use crate::session::{
    Commit, Committed, MAX_ROW_SEGMENT_BYTES, RENEW_EVERY_MS, Receipt, Release, ReleaseReason, Remainder,
    RemainderSource, SegmentPlace, WriteLease,
};
use upload_types::{
    api_error::ApiError,
    integrity::{ChunkDigest, Sha256State},
    plan::Plan,
    units::ByteCount,
    upload::{Phase, Snapshot},
};

/// One try at storing a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    id: u64,
    /// Where the file is put as one object: under this key.
    put_key: Option<String>,
    plan: Plan,
    /// Where the chunk begins, and ends.
    from: ByteCount,
    to: ByteCount,
    /// Where the next part begins, and its number.
    part_from: ByteCount,
    number: u16,
    /// No number above this has been handed out, and a part with one of them may be begun.
    last_number: u16,
    /// Whether parts are begun ahead.
    goes_ahead: bool,
    /// What the first part begins with.
    tail: Vec<RemainderSource>,
    /// What the chunk's digest must be. With one, nothing counts before everything does.
    digest: Option<ChunkDigest>,
    /// Whether that holds, with a digest or without.
    all_or_nothing: bool,
    /// Parts that are stored and not committed.
    held_back: Vec<Receipt>,
    /// The file's SHA-256 up to the last byte that is stored.
    sha256_so_far: Option<Sha256State>,
    /// What counts, as far as is known here.
    counted: Committed,
    awaits: Awaited,
}

impl Attempt {
    /// With the right to store the bytes from the lease's offset up to `to`; `digest` is what their digest must be, where that was
    /// said.
    pub fn new(lease: &WriteLease, to: ByteCount, digest: Option<ChunkDigest>) -> Self {
        let (uploaded_bytes, expires_at) = (lease.offset, lease.expires_at);
        Self {
            id: lease.attempt,
            put_key: lease.multipart_id.is_none().then(|| lease.key.clone()),
            plan: lease.plan,
            from: lease.offset,
            to,
            part_from: lease.plan.part_start(lease.offset),
            number: lease.first_number,
            last_number: lease.first_number.saturating_add(lease.reserved_parts).saturating_sub(1),
            goes_ahead: false,
            tail: lease.tail.clone(),
            all_or_nothing: digest.is_some(),
            digest,
            held_back: Vec::new(),
            sha256_so_far: lease.sha256_so_far.clone(),
            counted: Committed { expires_at, ..Committed::so_far(uploaded_bytes, Phase::Open) },
            awaits: Awaited::Begin,
        }
    }

    /// The same for a chunk that was begun as one that counts as a whole or not at all, whatever is known of its digest.
    #[must_use]
    pub fn all_or_nothing(self) -> Self {
        Self { all_or_nothing: true, ..self }
    }

    /// The same for a driver that begins a part while the one before is being answered for and counted.
    #[must_use]
    pub fn going_ahead(self) -> Self {
        Self { goes_ahead: true, ..self }
    }

    /// What to do, now that this has come of what was to be done before. An input that answers no effect that was asked for ends the
    /// attempt as a fault would.
    pub fn next(&mut self, input: Input) -> Effect {
        match (std::mem::replace(&mut self.awaits, Awaited::Nothing), input) {
            (Awaited::Begin, Input::Begin) => self.store_next(),
            (Awaited::Stored, Input::Stored { receipt, sha256_so_far }) => self.part_stored(receipt, sha256_so_far),
            (Awaited::RemainderStored(bytes), Input::RemainderStored { sha256_so_far }) => {
                self.sha256_so_far = sha256_so_far;
                self.check_digest(Some(Remainder { bytes, place: SegmentPlace::Object }), None)
            }
            (Awaited::RemainderRead, Input::RemainderRead { bytes, sha256_so_far, broken }) => {
                if let Some(failure) = broken.filter(|_| self.all_or_nothing) {
                    return self.give_up(failure);
                }
                // Otherwise what arrived counts, to the byte.
                self.sha256_so_far = sha256_so_far;
                let remainder = Remainder { bytes, place: SegmentPlace::Row };
                self.check_digest(Some(remainder).filter(|_| !bytes.is_zero()), broken)
            }
            (Awaited::Digest { remainder, broken }, Input::DigestIsRight) => self.commit_rest(remainder, broken),
            (Awaited::Digest { .. }, Input::DigestIsWrong) if self.put_key.is_some() => {
                // Crash here, or the deletion fails: the upload knows the key, and looks when it ends and once more before it is
                // forgotten.
                self.asks(Awaited::DeletedAfterWrongDigest, Effect::DeletePut)
            }
            (Awaited::Digest { .. }, Input::DigestIsWrong)
            | (Awaited::DeletedAfterWrongDigest, Input::Deleted | Input::Failed(_)) => {
                self.release(ReleaseReason::GaveUp, GivenUp::WrongDigest)
            }
            (Awaited::Committed { then, .. }, Input::Committed(Ok(committed))) => self.committed(committed, then),
            (Awaited::Committed { sent, .. }, Input::Committed(Err(refusal))) => self.refused(sent, refusal),
            (Awaited::StatusAfterRefusal { sent, refusal }, Input::Status(now)) => {
                self.delete_uncounted(sent, refusal, now.as_deref())
            }
            (Awaited::DeletedAfterRefusal { refusal, .. }, Input::Deleted)
            // The upload knows the key, and looks once more before it is forgotten.
            | (
                Awaited::StatusAfterRefusal { sent: Sent::Put, refusal }
                | Awaited::DeletedAfterRefusal { sent: Sent::Put, refusal },
                Input::Failed(_),
            ) => self.refuse(refusal),
            (Awaited::Released(given_up), Input::Released(counted)) => self.released(given_up, counted),
            (Awaited::BodyDiscarded(Discarded::ThenRefused(refusal)), _) => Effect::Finish(Finish::Refused(refusal)),
            (Awaited::BodyDiscarded(Discarded::ThenReleased(failure)), _) => {
                self.release(failure.release_reason(), GivenUp::Failed(failure))
            }
            (Awaited::StatusAtEnd { uploaded_bytes }, Input::Status(now)) => lost(now, uploaded_bytes),
            (Awaited::Nothing | Awaited::StatusAtEnd { .. }, _) => Effect::Finish(Finish::Fault),
            (Awaited::Released(given_up), _) => self.released(given_up, None),
            (_, Input::Failed(failure)) => self.give_up(failure),
            (_, _) => self.give_up(Failure::Fault),
        }
    }

    /// How many bytes count, as far as is known here.
    pub fn counted_bytes(&self) -> ByteCount {
        self.counted.uploaded_bytes
    }

    fn asks(&mut self, awaits: Awaited, effect: Effect) -> Effect {
        self.awaits = awaits;
        effect
    }

    /// How long the next whole part is; zero where there is none left.
    fn next_part_bytes(&self) -> ByteCount {
        self.part_bytes_from(self.part_from)
    }

    fn part_bytes_from(&self, from: ByteCount) -> ByteCount {
        self.plan.whole_parts_end(self.to).saturating_sub(from).min(self.plan.part_bytes)
    }

    /// What may be begun before the part with this number, which begins there, is stored and counted: none but a whole part under a number
    /// that has been handed out.
    fn ahead(&self, number: u16, from: ByteCount) -> Option<PartAhead> {
        let bytes = self.part_bytes_from(from);
        (self.goes_ahead && !bytes.is_zero() && number <= self.last_number).then_some(PartAhead { number, bytes })
    }

    /// The next whole part; or what is left behind the last of them.
    fn store_next(&mut self) -> Effect {
        let (bytes, number) = (self.next_part_bytes(), self.number);
        if bytes.is_zero() {
            return self.store_remainder();
        }
        // Only the first part begins with the tail.
        let tail = std::mem::take(&mut self.tail);
        let is_put = self.put_key.is_some();
        // Crash here: R2 has the part or not, under a number that nobody else uses, or an object under this attempt's key; nobody
        // counts it, and the offset is the old one.
        let effect = if is_put {
            Effect::PutObject { number, bytes, tail }
        } else {
            let next_from = self.part_from.checked_add(bytes).unwrap_or(self.to);
            let ahead = self.ahead(number.saturating_add(1), next_from);
            Effect::StorePart { number, bytes, tail, ahead }
        };
        self.asks(Awaited::Stored, effect)
    }

    fn part_stored(&mut self, receipt: Receipt, sha256_so_far: Option<Sha256State>) -> Effect {
        self.part_from = self.part_from.checked_add(self.next_part_bytes()).unwrap_or(self.to);
        self.number = self.number.saturating_add(1);
        self.sha256_so_far = sha256_so_far;
        if self.all_or_nothing {
            // Nothing counts before the end of the chunk is there, and its checksum right.
            self.held_back.push(receipt);
            return self.store_next();
        }
        self.commit(vec![receipt], None, Then::GoOn)
    }

    /// What is left behind the last whole part, and with it all that was held back.
    fn store_remainder(&mut self) -> Effect {
        let parts_end = self.plan.whole_parts_end(self.to);
        let bytes = self.to.saturating_sub(parts_end.max(self.from));
        if bytes.get() > MAX_ROW_SEGMENT_BYTES {
            // Crash here: R2 has an object that no session counts, under a key that is looked through when the upload ends.
            return self.asks(Awaited::RemainderStored(bytes), Effect::StoreRemainder { bytes });
        }
        if !bytes.is_zero() {
            return self.asks(Awaited::RemainderRead, Effect::ReadRemainder { bytes });
        }
        self.check_digest(None, None)
    }

    fn check_digest(&mut self, remainder: Option<Remainder>, broken: Option<Failure>) -> Effect {
        if self.digest.is_none() {
            return self.commit_rest(remainder, broken);
        }
        self.asks(Awaited::Digest { remainder, broken }, Effect::CheckDigest)
    }

    fn commit_rest(&mut self, remainder: Option<Remainder>, broken: Option<Failure>) -> Effect {
        if remainder.is_none() && self.held_back.is_empty() {
            return self.end(broken);
        }
        let receipts = std::mem::take(&mut self.held_back);
        self.commit(receipts, remainder, Then::End { broken })
    }

    fn commit(&mut self, receipts: Vec<Receipt>, remainder: Option<Remainder>, then: Then) -> Effect {
        let is_writing_on = then == Then::GoOn && !self.next_part_bytes().is_zero();
        let sent = match remainder {
            Some(Remainder { place: SegmentPlace::Object, .. }) => Sent::RemainderObject,
            _ if self.put_key.is_some() && !receipts.is_empty() => Sent::Put,
            _ if is_writing_on => Sent::PartsBeforeAnother,
            _ => Sent::OnlyPartsAndRows,
        };
        let (attempt, sha256_so_far, digest) = (self.id, self.sha256_so_far.clone(), self.digest.clone());
        let commit = Commit { attempt, receipts, remainder, sha256_so_far, digest, is_writing_on };
        // Crash here: what is in R2 counts if the commit arrives, and for nobody if it does not. The client finds out when it asks.
        self.asks(Awaited::Committed { sent, then }, Effect::Commit(commit))
    }

    fn committed(&mut self, committed: Committed, then: Then) -> Effect {
        let next_number = committed.next_number;
        self.last_number = self.last_number.max(committed.ahead_number.or(next_number).unwrap_or(0));
        self.counted = committed;
        match (then, next_number) {
            (Then::End { broken }, _) => self.end(broken),
            (Then::GoOn, _) if self.next_part_bytes().is_zero() => self.store_remainder(),
            (Then::GoOn, Some(number)) => {
                self.number = number;
                self.store_next()
            }
            // Somebody else may still be writing under the next number. What was stored counts, and the rest has to come again.
            (Then::GoOn, None) => self.release(ReleaseReason::GaveUp, GivenUp::NextNumberTaken),
        }
    }

    fn end(&mut self, broken: Option<Failure>) -> Effect {
        match broken {
            Some(failure) => self.give_up(failure),
            None => Effect::Finish(Finish::Appended(self.counted.clone())),
        }
    }

    /// The upload's object does not count what was sent.
    fn refused(&mut self, sent: Sent, refusal: ApiError) -> Effect {
        match sent {
            Sent::OnlyPartsAndRows => self.refuse(refusal),
            // Whoever has the numbers next waits until nobody writes under them.
            Sent::PartsBeforeAnother => self.release(ReleaseReason::GaveUp, GivenUp::Refused(refusal)),
            Sent::Put | Sent::RemainderObject => {
                self.asks(Awaited::StatusAfterRefusal { sent, refusal }, Effect::AskStatus)
            }
        }
    }

    /// An upload that has ended may have looked already for what does not count. One that is open looks when it ends; and an earlier
    /// copy of this commit, whose answer was lost, may have counted what was stored.
    fn delete_uncounted(&mut self, sent: Sent, refusal: ApiError, now: Result<&Snapshot, &ApiError>) -> Effect {
        let is_uncounted = match (sent, now) {
            (Sent::Put, Ok(Snapshot { phase: Phase::Completed, object: Some(object), .. })) => {
                self.put_key.as_ref() != Some(&object.key)
            }
            (Sent::Put, Ok(now)) => matches!(now.phase, Phase::Completed | Phase::Failed),
            (Sent::Put, Err(refusal)) => matches!(refusal, ApiError::UploadGone { .. }),
            (Sent::RemainderObject, now) => now.map_or(true, |now| now.phase != Phase::Open),
            (Sent::OnlyPartsAndRows | Sent::PartsBeforeAnother, _) => false,
        };
        if !is_uncounted {
            return self.refuse(refusal);
        }
        // Crash here: the upload looks once more before it is forgotten.
        let effect = if sent == Sent::Put { Effect::DeletePut } else { Effect::DeleteRemainder };
        self.asks(Awaited::DeletedAfterRefusal { sent, refusal }, effect)
    }

    fn refuse(&mut self, refusal: ApiError) -> Effect {
        self.asks(Awaited::BodyDiscarded(Discarded::ThenRefused(refusal)), Effect::DiscardBody)
    }

    /// The chunk does not get to its end. What was committed before stays counted.
    fn give_up(&mut self, failure: Failure) -> Effect {
        if failure.leaves_a_body() {
            return self.asks(Awaited::BodyDiscarded(Discarded::ThenReleased(failure)), Effect::DiscardBody);
        }
        self.release(failure.release_reason(), GivenUp::Failed(failure))
    }

    /// Crash here, or it fails: the next attempt takes the lease anyway.
    fn release(&mut self, reason: ReleaseReason, given_up: GivenUp) -> Effect {
        let release = Release { attempt: self.id, reason };
        self.asks(Awaited::Released(given_up), Effect::Release(release))
    }

    fn released(&mut self, given_up: GivenUp, counted: Option<ByteCount>) -> Effect {
        let uploaded_bytes = counted.unwrap_or(self.counted.uploaded_bytes);
        let failure = match given_up {
            GivenUp::Refused(refusal) => return self.refuse(refusal),
            GivenUp::WrongDigest => return self.refuse(ApiError::ChecksumMismatch { uploaded_bytes }),
            GivenUp::NextNumberTaken => {
                let retry_after_seconds = u32::try_from(RENEW_EVERY_MS / 1_000).unwrap_or(1);
                return self.refuse(ApiError::WritersPending { uploaded_bytes, retry_after_seconds });
            }
            GivenUp::Failed(failure) => failure,
        };
        Effect::Finish(match failure {
            Failure::BodyEnded => Finish::Refused(ApiError::BodyCutShort { uploaded_bytes }),
            Failure::BodyStalled => Finish::Refused(ApiError::BodyStalled { uploaded_bytes }),
            Failure::Storage => Finish::Refused(ApiError::StorageUnavailable { uploaded_bytes }),
            Failure::Superseded => Finish::Refused(ApiError::Superseded { uploaded_bytes }),
            Failure::Fault => Finish::Fault,
            Failure::MultipartGone | Failure::SegmentLost => {
                return self.asks(Awaited::StatusAtEnd { uploaded_bytes }, Effect::AskStatus);
            }
        })
    }
}

/// Two that go on alike are the same to whoever explores what they do: what one only says at its end is left out.
impl Hash for Attempt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id, self.part_from, self.number, self.last_number, &self.tail, &self.held_back).hash(state);
        discriminant(&self.awaits).hash(state);
        if let Awaited::Committed { sent, then } = self.awaits {
            (sent, then).hash(state);
        }
    }
}

/// Something is lost. Either the upload has ended for that, and says why; or it went on without this attempt, which had been taken over
/// and did not know.
fn lost(now: Result<Box<Snapshot>, ApiError>, uploaded_bytes: ByteCount) -> Effect {
    Effect::Finish(Finish::Refused(match now {
        Ok(now) => match *now {
            Snapshot { phase: phase @ Phase::Failed, reason: Some(reason), .. } => {
                ApiError::UploadGone { phase, reason }
            }
            _ => ApiError::Superseded { uploaded_bytes },
        },
        Err(gone) => gone,
    }))
}
