//! A chunk begins. The first one that needs R2's multipart upload, where that was not opened with the upload, has it opened first.
//! Who waits for that is overtaken by whoever came later and was served: only the newest gets the lease, and an offset that was told
//! stays true.

use crate::platform::error::Result;
use upload_core::{
    api_error::ApiError,
    cost::Cost,
    integrity::ChunkDigest,
    session::{BeginAppend, Decision, Session, StateChange, WriteLease},
    units::UnixMs,
    upload::Snapshot,
};
use worker::Response;

use crate::{
    platform::{
        clock::now,
        metering::{self, metered},
    },
    rpc::{
        answer,
        upload::{BeginAnswer, BeginChunk},
    },
    upload::{UploadSession, storage, tables},
};

impl UploadSession {
    /// Grants the right to store a chunk; one that is there already needs none.
    pub(crate) async fn begin(&self, cost: Cost, chunk: &BeginChunk) -> Result<Response> {
        let BeginChunk { begin, digest } = chunk;
        let begin = *begin;
        if let Some(snapshot) = self.repeated(begin, digest.as_ref())? {
            return answer(BeginAnswer::Counted(Box::new(snapshot)));
        }
        let arrival = self.arrivals.arrive();
        self.has_room(|session| session.growth_by_chunk(now(), begin)).await?;
        let opened = self.open_for(begin).await?;
        // Crash here: R2 holds an empty multipart upload that nobody knows. R2 itself drops it after its 7 days.
        let rule = &mut |session: &Session, now: UnixMs| -> Decision<WriteLease> {
            if self.arrivals.is_overtaken(arrival) {
                let uploaded_bytes = session.uploaded_bytes();
                return Decision { answer: Err(ApiError::Superseded { uploaded_bytes }), change: StateChange::none() };
            }
            session.begin_opened(now, begin, opened.as_deref())
        };
        let mut taken = self.take(cost, None, rule);
        if taken.is_ok() {
            self.arrivals.serve(arrival);
        }
        let mut tail_rows = Cost::NONE;
        if let Ok(grant) = &mut taken
            && grant.reserved > 0
            && let Some(session) = &*self.session.borrow()
            && session.has_tail()
        {
            // The bytes that the attempt's first part begins with.
            let (tail, rows) = metered(|| tables::tail(&self.state.storage(), &session.birth));
            grant.tail = tail?;
            tail_rows += rows;
        }
        self.charge(tail_rows);
        self.abort_unless_used(opened.as_deref()).await?;
        self.charge(metering::of_begin(&begin, taken.as_ref().ok()));
        answer(BeginAnswer::Leased(Box::new(taken?)))
    }

    /// How the upload stands, where the chunk is there already; or that it is there with another digest.
    fn repeated(&self, begin: BeginAppend, digest: Option<&ChunkDigest>) -> Result<Option<Snapshot>> {
        self.load()?;
        let session = self.session.borrow();
        let Some(session) = session.as_ref().filter(|session| session.repeats_what_counts(begin)) else {
            return Ok(None);
        };
        if let Some((digest, end)) = digest.zip(session.part_of_repetition(begin))
            && let Some(stored) = tables::digest_of_part(&self.state.storage(), end)?
            && stored.algorithm == digest.algorithm
            && stored != *digest
        {
            return Err(ApiError::ChunkDiffers { uploaded_bytes: session.uploaded_bytes() }.into());
        }
        Ok(Some(session.snapshot()))
    }

    /// Opens the multipart upload that this chunk lacks, if that is all it lacks. Where R2 does not, the chunk is told so.
    async fn open_for(&self, begin: BeginAppend) -> Result<Option<String>> {
        self.load()?;
        let birth = match &*self.session.borrow() {
            Some(session) if session.lacks_multipart(now(), begin) => session.birth.clone(),
            _ => return Ok(None),
        };
        self.open_at(&birth.key).await
    }

    /// While it was opened, another chunk had one opened, or brought the whole, or the upload ended: then it is one too many.
    async fn abort_unless_used(&self, opened: Option<&str>) -> Result<()> {
        let key = match &*self.session.borrow() {
            Some(session) if opened.is_some() && session.multipart_id() != opened => session.birth.key.clone(),
            _ => return Ok(()),
        };
        // Crash here, or fails: R2 drops it after its 7 days.
        let _aborted = storage::abort(&self.bucket()?, &key, opened).await;
        Ok(())
    }
}
