//! A chunk of an upload that its client has no id of: it knows the file by a name of its own, and the owner's ledger knows which upload
//! belongs to that. Libraries that send a file in pieces of a form speak so. The first chunk to arrive creates the upload, whichever of
//! the file it is.

use crate::{
    api_error::ApiError,
    chunk::Overlap,
    ledger::Idempotency,
    units::ByteCount,
    upload::{FileInfo, Phase, Snapshot},
};

/// The chunk, and all that its request says of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedChunk {
    /// The client's name for the upload, as the ledger remembers it.
    pub key: Idempotency,
    /// What it means where there is an upload of this name already.
    pub known_as: KnownAs,
    /// What the client says of the file.
    pub file: FileInfo,
    /// How long the file is, where each chunk says so.
    pub file_bytes: Option<ByteCount>,
    /// Which of the chunks it is.
    pub place: Place,
    /// How long it is.
    pub length: ByteCount,
}

/// How far a client's name for an upload tells files apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownAs {
    /// Every upload has a name of its own: one that has ended has ended.
    ThisUpload,
    /// By what the file is (its name and length), so that it is found again later: one that has ended without a file begins anew.
    ThisFile,
    /// By little more than a file's name, which the next file may have as well: whoever sends its beginning means a new upload. What
    /// comes for one that has ended without a file has nowhere to go: it would wait there for the beginning of another file.
    ThisName,
}

/// Which chunk of the file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It begins there.
    At(ByteCount),
    /// So many there are, this is one of them, counted from 0, and all but the last are of one length. They come one after the other.
    Numbered {
        /// Its number.
        index: u32,
        /// How many there are.
        count: u32,
    },
}

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it begins.
    pub offset: ByteCount,
    /// How long the file is, where the chunk shows it.
    pub file_bytes: Option<ByteCount>,
}

impl KeyedChunk {
    /// Whether it belongs to a new upload, and not to the one that stands so.
    pub fn begins_anew(&self, now: &Snapshot) -> bool {
        match self.known_as {
            KnownAs::ThisUpload => false,
            KnownAs::ThisFile => now.phase == Phase::Failed,
            KnownAs::ThisName => {
                let has_begun = !now.uploaded_bytes.is_zero() || now.phase != Phase::Open;
                self.is_first() && has_begun
            }
        }
    }

    /// Whether it begins a new upload where nothing is left of the one of its name.
    pub fn outlives_its_upload(&self) -> bool {
        match self.known_as {
            KnownAs::ThisUpload => false,
            KnownAs::ThisFile => true,
            KnownAs::ThisName => self.is_first(),
        }
    }

    /// Whether a chunk that comes too early waits for those before it, which may be under way. Where they come one after the other,
    /// none is.
    pub fn may_wait(&self) -> bool {
        matches!(self.place, Place::At(_))
    }

    /// Whether it may be the first of its upload to arrive.
    pub fn may_come_first(&self) -> bool {
        self.is_first() || self.may_wait()
    }

    /// What is done with it where it counts already.
    pub fn overlap(&self) -> Overlap {
        match self.known_as {
            KnownAs::ThisUpload | KnownAs::ThisFile => Overlap::PassedOver,
            KnownAs::ThisName => Overlap::Compared,
        }
    }

    /// How long the file is, where its creation says so.
    pub fn declared_bytes(&self) -> Option<ByteCount> {
        let is_all = matches!(self.place, Place::Numbered { count: 1, .. });
        self.file_bytes.or(is_all.then_some(self.length))
    }

    /// Where it lies in the upload that stands so.
    pub fn placed(&self, now: &Snapshot) -> Result<Placed, ApiError> {
        let file_bytes = self.file_bytes;
        match self.place {
            Place::At(offset) => Ok(Placed { offset, file_bytes }),
            Place::Numbered { index, count } if index + 1 < count => {
                let offset = product(index, self.length).ok_or_else(too_large)?;
                Ok(Placed { offset, file_bytes })
            }
            Place::Numbered { index, .. } => {
                let offset = self.last_offset(index, now)?;
                let end = offset.checked_add(self.length).ok_or_else(too_large)?;
                Ok(Placed { offset, file_bytes: file_bytes.or(Some(end)) })
            }
        }
    }

    fn is_first(&self) -> bool {
        matches!(self.place, Place::At(ByteCount::ZERO) | Place::Numbered { index: 0, .. })
    }

    /// Where the last chunk begins, of which only its number is known, and its length, which is another than that of those before it. How long
    /// they are the first of them has shown, and the plan says. Bytes that only happen to be as many as its number divides are no proof
    /// that all of them are there.
    fn last_offset(&self, index: u32, now: &Snapshot) -> Result<ByteCount, ApiError> {
        if index == 0 {
            return Ok(ByteCount::ZERO);
        }
        let uploaded_bytes = now.uploaded_bytes;
        // The answer to it was lost.
        if let Some(offset) = now.plan.declared_bytes().and_then(|end| end.get().checked_sub(self.length.get())) {
            return Ok(ByteCount::new(offset).unwrap_or_default());
        }
        let planned = product(index, now.plan.chunk_bytes).filter(|offset| {
            let end = offset.checked_add(self.length);
            self.length <= now.plan.chunk_bytes
                && *offset <= uploaded_bytes
                && end.is_some_and(|end| uploaded_bytes < end)
        });
        planned.ok_or(ApiError::OffsetMismatch { uploaded_bytes, is_whole: false })
    }
}

fn product(count: u32, bytes: ByteCount) -> Option<ByteCount> {
    u64::from(count).checked_mul(bytes.get()).and_then(ByteCount::new)
}

fn too_large() -> ApiError {
    ApiError::bad_request("chunk", "lies beyond 2^53 - 1 bytes")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        chunk::Completion,
        cost::Cost,
        integrity::Sha256Digest,
        plan::{Limits, MIN_PART_BYTES, Mode, Plan},
        units::{UnixMs, UploadId},
    };

    fn file() -> FileInfo {
        FileInfo {
            name: "a".to_owned(),
            content_type: None,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
            memo: None,
        }
    }

    fn chunk(known_as: KnownAs, place: Place, length: u32) -> KeyedChunk {
        let key = Idempotency::implied(Sha256Digest::of(b"a"));
        KeyedChunk { key, known_as, file: file(), file_bytes: None, place, length: length.into() }
    }

    /// An upload whose first chunk was so long, and of which so much counts; with a length where that has been declared.
    fn now(phase: Phase, first_chunk: u32, uploaded: u32, declared: Option<u32>) -> Snapshot {
        let max = ByteCount::new(100 * MIN_PART_BYTES).unwrap();
        let limits = Limits { max_upload_bytes: max, max_chunk_bytes: max };
        let plan = Plan::new(Mode::Sequential, declared.map(Into::into), None, limits).unwrap();
        let plan = Plan { chunk_bytes: first_chunk.into(), ..plan };
        Snapshot {
            id: UploadId::from_random_bytes([1; 16]),
            phase,
            reason: None,
            uploaded_bytes: uploaded.into(),
            offset: uploaded.into(),
            missing: Vec::new(),
            received_chunks_bitmap: None,
            plan,
            file: file(),
            created_at: UnixMs(0),
            expires_at: UnixMs(0),
            delivery: None,
            completes: Completion::WhenWhole,
            cost: Cost::NONE,
            object: None,
            deleted_at: None,
            live: None,
            public_url: None,
            quota_warning: None,
            held: false,
            receivers: Vec::new(),
        }
    }

    const fn number(index: u32, count: u32) -> Place {
        Place::Numbered { index, count }
    }

    #[test]
    fn a_number_shows_where_a_chunk_lies_once_the_first_has_shown_how_long_they_are() {
        let open = Phase::Open;
        for (place, length, now, expected) in [
            (number(0, 3), 10, now(open, 8, 0, None), Ok((0, None))),
            (number(1, 3), 10, now(open, 10, 10, None), Ok((10, None))),
            (number(1, 3), 10, now(open, 10, 0, None), Ok((10, None))),
            // The last one: shorter, begun already, and once more when it was whole.
            (number(2, 3), 5, now(open, 10, 20, None), Ok((20, Some(25)))),
            (number(2, 3), 5, now(open, 10, 23, None), Ok((20, Some(25)))),
            (number(2, 3), 5, now(Phase::Completed, 10, 25, Some(25)), Ok((20, Some(25)))),
            (number(0, 1), 5, now(open, 8, 0, None), Ok((0, Some(5)))),
            // It is not its turn, or it is longer than those before it.
            (number(2, 3), 5, now(open, 10, 11, None), Err(11)),
            (number(2, 3), 5, now(open, 10, 10, None), Err(10)),
            (number(2, 3), 5, now(open, 10, 0, None), Err(0)),
            (number(2, 3), 11, now(open, 10, 20, None), Err(20)),
        ] {
            let placed = chunk(KnownAs::ThisName, place, length).placed(&now);
            let expected = match expected {
                Ok((offset, total)) => {
                    let total: Option<u32> = total;
                    Ok(Placed { offset: ByteCount::from(offset), file_bytes: total.map(Into::into) })
                }
                Err(uploaded) => {
                    Err(ApiError::OffsetMismatch { uploaded_bytes: ByteCount::from(uploaded), is_whole: false })
                }
            };
            assert_eq!(placed, expected, "{place:?} {length} {}", now.uploaded_bytes);
        }
        let far = chunk(KnownAs::ThisName, number(u32::MAX - 2, u32::MAX), u32::MAX);
        assert!(matches!(far.placed(&now(open, 10, 0, None)), Err(ApiError::BadRequest { .. })));
    }

    #[test]
    fn what_is_known_by_little_more_than_a_name_is_compared_and_what_comes_one_by_one_begins_with_the_first() {
        use KnownAs::{ThisFile, ThisName, ThisUpload};
        for (known_as, overlap) in
            [(ThisUpload, Overlap::PassedOver), (ThisFile, Overlap::PassedOver), (ThisName, Overlap::Compared)]
        {
            assert_eq!(chunk(known_as, number(1, 3), 5).overlap(), overlap);
        }
        for (place, expected) in [
            (number(0, 3), true),
            (number(1, 3), false),
            (Place::At(ByteCount::ZERO), true),
            (Place::At(5.into()), true),
        ] {
            assert_eq!(chunk(ThisName, place, 5).may_come_first(), expected, "{place:?}");
        }
        for (known_as, place, outlives) in [
            (ThisUpload, number(0, 3), false),
            (ThisFile, number(1, 3), true),
            (ThisName, number(0, 3), true),
            (ThisName, Place::At(5.into()), false),
        ] {
            assert_eq!(chunk(known_as, place, 5).outlives_its_upload(), outlives, "{known_as:?} {place:?}");
        }
        for (place, declared) in [(number(0, 1), Some(5.into())), (number(0, 2), None), (Place::At(5.into()), None)] {
            assert_eq!(chunk(ThisName, place, 5).declared_bytes(), declared, "{place:?}");
        }
    }

    #[test]
    fn who_sends_the_beginning_of_a_name_means_a_new_upload() {
        use KnownAs::{ThisFile, ThisName, ThisUpload};
        let (start, later) = (Place::At(ByteCount::ZERO), Place::At(10.into()));
        for (known_as, place, phase, uploaded, anew) in [
            (ThisUpload, start, Phase::Open, 10, false),
            (ThisUpload, start, Phase::Failed, 10, false),
            (ThisFile, start, Phase::Open, 10, false),
            (ThisFile, start, Phase::Completed, 25, false),
            (ThisFile, later, Phase::Failed, 25, true),
            (ThisName, start, Phase::Open, 0, false),
            (ThisName, start, Phase::Open, 10, true),
            (ThisName, number(0, 3), Phase::Open, 10, true),
            (ThisName, later, Phase::Open, 10, false),
            (ThisName, start, Phase::Completed, 25, true),
            (ThisName, later, Phase::Completed, 25, false),
            (ThisName, later, Phase::Failed, 25, false),
            (ThisName, start, Phase::Failed, 25, true),
            (ThisName, start, Phase::Failed, 0, true),
        ] {
            let chunk = chunk(known_as, place, 5);
            assert_eq!(
                chunk.begins_anew(&now(phase, 10, uploaded, Some(25))),
                anew,
                "{known_as:?} {place:?} {phase:?}"
            );
        }
    }
}
