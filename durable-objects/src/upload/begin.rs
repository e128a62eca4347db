//! A chunk begins. The first one that needs R2's multipart upload, where that was not opened with the upload, has it opened first.
//! Who waits for that is overtaken by whoever came later and was served: only the newest gets the lease, and an offset that was told
//! stays true.

use crate::platform::error::Result;
use upload_session::session::{BeginAppend, Decision, Session, StateChange, WriteLease};
use upload_types::{
    api_error::ApiError,
    cost::Cost,
    units::{ByteCount, UnixMs},
};
use worker::Response;

use crate::{
    platform::{
        clock::now,
        metering::{self, metered},
    },
    rpc::{
        answer,
        upload::{BeginAnswer, BeginChunk, Counted},
    },
    upload::{UploadSession, multipart::Opened, tables},
};

impl UploadSession {
    /// Grants the right to store a chunk; one that is there already needs none.
    pub(crate) async fn begin(&self, cost: Cost, BeginChunk(begin): BeginChunk) -> Result<Response> {
        if let Some(counted) = self.counted(begin)? {
            return answer(BeginAnswer::Counted(Box::new(counted)));
        }
        let arrival = self.arrivals.arrive();
        self.has_room(|session| session.growth_by_chunk(now(), begin)).await?;
        let opened = self.open_for(begin).await?;
        let opened_id = opened.as_ref().map(|opened| opened.id.as_str());
        let rule = &mut |session: &Session, now: UnixMs| -> Decision<WriteLease> {
            if self.arrivals.is_overtaken(arrival) {
                let uploaded_bytes = session.uploaded_bytes();
                return Decision { answer: Err(ApiError::Superseded { uploaded_bytes }), change: StateChange::none() };
            }
            session.begin_opened(now, begin, opened_id)
        };
        let mut taken = self.take(cost, None, rule);
        if taken.is_ok() {
            self.arrivals.serve(arrival);
        }
        let mut tail_rows = Cost::NONE;
        if let Ok(lease) = &mut taken
            && lease.reserved_parts > 0
            && let Some(session) = &*self.session.borrow()
            && session.has_tail()
        {
            // The bytes that the attempt's first part begins with.
            let (tail, rows) = metered(|| tables::tail(&self.state.storage(), session.spec(), ByteCount::ZERO));
            lease.tail = tail?.1;
            tail_rows += rows;
        }
        self.charge(tail_rows);
        self.abort_unless_used(opened).await?;
        self.charge(metering::of_begin(&begin, taken.as_ref().ok()));
        answer(BeginAnswer::Leased(Box::new(taken?)))
    }

    /// How the upload stands, where all bytes of the chunk count already. Whether the bytes that come now are the same is for the
    /// Worker to see, where the chunk has a checksum.
    fn counted(&self, begin: BeginAppend) -> Result<Option<Counted>> {
        self.load()?;
        let session = self.session.borrow();
        let Some(session) = session.as_ref().filter(|session| session.repeats_what_counts(begin)) else {
            return Ok(None);
        };
        let crc64nvme = match session.part_of_repetition(begin).filter(|_| begin.all_or_nothing) {
            Some(end) => tables::crc_of_part(&self.state.storage(), end)?,
            None => None,
        };
        Ok(Some(Counted { now: session.snapshot(), crc64nvme }))
    }

    /// Opens the multipart upload that this chunk lacks, if that is all it lacks. Where R2 does not, the chunk is told so.
    async fn open_for(&self, begin: BeginAppend) -> Result<Option<Opened>> {
        self.load()?;
        let key = match &*self.session.borrow() {
            Some(session) if session.lacks_multipart(now(), begin) => session.spec().key.clone(),
            _ => return Ok(None),
        };
        self.open_multipart(key).await
    }
}
