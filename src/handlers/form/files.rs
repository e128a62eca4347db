//! The files of one form: each stored as it comes, and all completed, or none, once it is known that the form is whole.

use std::cell::Cell;

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    call,
    upload::{Cancel, Declare, Probe},
};
use futures_util::future::{Either, select};
use upload_protocols::{
    Head,
    form::{Fields, FileAnswer, FileHead},
};
use upload_session::session::DeleteRight;
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    operation::{BodyEnd, Create, FirstChunk, Outcome, Unsized, Wait},
    units::{ByteCount, UploadId},
    upload::{Phase, Snapshot},
};

use super::open::Form;
use crate::{
    config::Config,
    context::RequestContext,
    handlers::{append, append_stream, create, create_with},
    log,
    transfer::{
        body::fixed_length,
        form::Ahead,
        gathering::{Ended, Gathered, Source as _, gather},
        held::Held,
        idle_timeout::Waited,
    },
};

/// Why no more files of a form are stored.
pub(super) enum Stopped {
    /// One was refused, and with it all.
    ByFile(Box<FileAnswer>),
    /// The form itself is refused, or something of ours went wrong.
    By(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::By(error)
    }
}

impl From<ApiError> for Stopped {
    fn from(refusal: ApiError) -> Self {
        Self::By(refusal.into())
    }
}

impl Stopped {
    /// The upload of the file that was refused, where it got one.
    fn upload(&self) -> Option<UploadId> {
        match self {
            Self::ByFile(refused) => refused.upload,
            Self::By(_) => None,
        }
    }
}

/// What has become of one file so far.
struct StoredFile {
    head: FileHead,
    /// Its upload, where it got one.
    upload: Option<UploadId>,
    state: FileState,
}

enum FileState {
    /// All its bytes count, up to here; nothing but the end of the form is missing.
    Whole(Outcome, ByteCount),
    /// There is nothing more to be done: it is complete, storing it has failed, or it is the upload of an earlier form under the same key, of
    /// which not everything came.
    Settled(Outcome),
    /// It is not taken.
    Refused(ApiError),
}

impl FileState {
    fn is_taken(&self) -> bool {
        match self {
            Self::Whole(..) => true,
            Self::Settled(outcome) => {
                created(outcome).is_none_or(|now| now.phase == Phase::Completed || now.phase.is_finishing())
            }
            Self::Refused(_) => false,
        }
    }
}

/// All files of a form.
pub(super) struct Files<'a> {
    context: RequestContext<'a>,
    stored: Vec<StoredFile>,
}

impl<'a> Files<'a> {
    pub(super) fn new(context: RequestContext<'a>) -> Self {
        Self { context, stored: Vec::new() }
    }

    pub(super) fn are_none(&self) -> bool {
        self.stored.is_empty()
    }

    pub(super) fn config(&self) -> &'a Config {
        self.context.config
    }

    /// Stores the file that has begun in the form, and says what comes behind it.
    pub(super) async fn store(&mut self, form: &mut Form<'_>, file: FileHead, asked: &Head) -> Result<Ahead, Stopped> {
        let Some(reader) = &mut form.reader else { return Err(Error::from("a file is being read").into()) };
        // As much as may wait in memory just now.
        let mut begun = Gathered::default();
        gather(reader, &mut begun, u64::MAX, &Cell::new(false)).await;
        reader.broken()?;
        let is_all = matches!(begun.end, Some(Ended::AtEnd));
        // What stands behind a small file is looked at before it is stored: mostly nothing does, and fields are about it, too.
        let ahead = if is_all { reader.look_ahead(&mut form.fields).await? } else { Ahead::Paused };
        if is_all && begun.held.bytes() == 0 && !file.is_named {
            // A field in which no file was chosen.
            return Ok(ahead);
        }
        form.redirect(self.config())?;
        let length = ByteCount::new(begun.held.bytes()).filter(|_| is_all);
        let is_alone = self.stored.is_empty() && ahead == Ahead::Nothing;
        // A file that is declared to be empty is complete as soon as it is created.
        let declared = length.filter(|length| is_alone || !length.is_zero());
        let create = form.request.creation(asked, &file, &form.fields, self.stored.len(), declared)?;
        let result = match length {
            Some(length) => self.store_small(create, begun.held, length, is_alone).await,
            None => self.store_large(create, begun, form).await,
        };
        let state = match result {
            Ok(state) => state,
            Err(Error::Refused(refusal)) => FileState::Refused(refusal),
            Err(fault) => return Err(fault.into()),
        };
        let upload = match &state {
            FileState::Whole(outcome, _) | FileState::Settled(outcome) => created(outcome).map(|snapshot| snapshot.id),
            FileState::Refused(_) => None,
        };
        self.stored.push(StoredFile { head: file, upload, state });
        match &form.reader {
            Some(reader) => reader.broken()?,
            None => return Err(Error::from("the form has not come back").into()),
        }
        self.refuse_all_by_last(form.request.is_atomic)?;
        Ok(ahead)
    }

    /// Where one file that is not taken refuses all, and the last was not.
    fn refuse_all_by_last(&mut self, is_atomic: bool) -> Result<(), Stopped> {
        match self.stored.pop_if(|file| is_atomic && !file.state.is_taken()) {
            Some(refused) => Err(Stopped::ByFile(Box::new(refused.answer()))),
            None => Ok(()),
        }
    }

    /// A file that is there as a whole. Where it is all that the form has, it is complete with its last byte.
    async fn store_small(&self, create: Create, held: Held, length: ByteCount, is_alone: bool) -> Result<FileState> {
        let (completes, wait) =
            if is_alone { (Completion::WhenWhole, Wait::ForObject) } else { (Completion::WhenTold, Wait::No) };
        let first = FirstChunk { length, digest: None, completes, wait };
        let (sink, readable) = fixed_length(length.get())?;
        let storing = Box::pin(create_with::first_chunk(create, first, Some(readable), self.context));
        let flowing = Box::pin(held.flow_into(&sink));
        let outcome = match select(storing, flowing).await {
            Either::Left((outcome, _)) => outcome?,
            Either::Right((_, storing)) => storing.await?,
        };
        Ok(match created(&outcome) {
            Some(now) if now.phase == Phase::Open && now.uploaded_bytes == length => FileState::Whole(outcome, length),
            _ => FileState::Settled(outcome),
        })
    }

    /// A file of which more is to come than has been gathered.
    async fn store_large(&self, create: Create, begun: Gathered, form: &mut Form<'_>) -> Result<FileState> {
        let outcome = create::handle(create, self.context).await?;
        let Outcome::Created { snapshot, limits, upload_token } = outcome else {
            return Ok(FileState::Settled(outcome));
        };
        let objects = self.context.uploads()?;
        if snapshot.phase != Phase::Open || !snapshot.uploaded_bytes.is_zero() {
            // Asked before, and the bytes of that form may still be on their way: the offset told now must be accepted.
            let snapshot = call(&objects, snapshot.id, &Probe).await?;
            let (phase, arrived) = (snapshot.phase, snapshot.uploaded_bytes);
            let outcome = Outcome::Created { snapshot, limits, upload_token };
            let is_whole = phase == Phase::Open && length_of(begun, form).await? == arrived.get();
            return Ok(if is_whole { FileState::Whole(outcome, arrived) } else { FileState::Settled(outcome) });
        }
        let (end, wait) = (BodyEnd::FileEnds, Wait::No);
        let chunk = Unsized { id: snapshot.id, offset: ByteCount::ZERO, file_bytes: None, end, wait };
        let (plan, storing) = (snapshot.plan, self.context.storing()?);
        let Some(mut reader) = form.reader.take() else { return Err("a file is being read".into()) };
        let (reader, arrived) = self
            .context
            .run_with_wait_until(async move {
                let arrived = append_stream::store_source(chunk, plan, &mut reader, begun, &storing).await;
                (reader, arrived)
            })
            .await?;
        let is_broken = reader.broken().is_err();
        form.reader = Some(reader);
        let to = match arrived {
            Ok(arrived) => arrived.to,
            // It is the form that has ended, and what becomes of its files is decided with that.
            Err(Error::Refused(_)) if is_broken => ByteCount::ZERO,
            Err(error) => {
                // Crash here, or fails: the upload is there, nobody knows its id, and it expires.
                let _expires = call(&objects, snapshot.id, &Cancel(DeleteRight::Unfinished)).await;
                return Err(error);
            }
        };
        Ok(FileState::Whole(Outcome::Created { snapshot, limits, upload_token }, to))
    }

    /// The form is whole: so is every file that is.
    ///
    /// Crash here: those that have been told so are complete, and the others expire. The form's sender has no answer.
    pub(super) async fn complete(mut self, fields: &Fields) -> Result<Vec<FileAnswer>> {
        for file in &mut self.stored {
            file.declare(fields, self.context).await?;
        }
        // All first, so that what is awaited of each, its object and what the application has to say, comes about at the same time.
        for wait in [Wait::No, Wait::ForObject] {
            for file in &mut self.stored {
                file.finish(wait, self.context).await?;
            }
        }
        Ok(self.stored.into_iter().map(StoredFile::answer).collect())
    }

    /// Nothing of the form, which has no key, is to stay: also not of a file whose storing failed, nor of the one that has refused all.
    pub(super) async fn abort(self, stopped: &Stopped) {
        let Ok(objects) = self.context.uploads() else { return };
        for upload in self.stored.iter().filter_map(|file| file.upload).chain(stopped.upload()) {
            // Crash here, or fails: the upload is there, nobody knows its id, and it expires. What is complete stays so.
            let _expires = call(&objects, upload, &Cancel(DeleteRight::Unfinished)).await;
        }
    }
}

impl StoredFile {
    /// Says how long the file is, and what the whole form says of it.
    async fn declare(&mut self, fields: &Fields, context: RequestContext<'_>) -> Result<()> {
        let (FileState::Whole(outcome, to), Some(upload)) = (&mut self.state, self.upload) else { return Ok(()) };
        let metadata = fields.metadata(&self.head.field)?;
        let said = created(outcome).is_some_and(|before| before.file.metadata == metadata);
        let metadata = Some(metadata).filter(|_| !said);
        if metadata.is_some() && context.config.accept.is_some() {
            return self.take_back(upload, context).await;
        }
        let declare = Declare { offset: *to, file_bytes: Some(*to), completes: Completion::WhenWhole, metadata };
        match call(&context.uploads()?, upload, &declare).await {
            Ok(now) => now_created(outcome, now),
            Err(Error::Refused(refusal)) => self.state = FileState::Refused(refusal),
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// The application has been asked about a file with fewer fields, and might have refused it with these.
    async fn take_back(&mut self, upload: UploadId, context: RequestContext<'_>) -> Result<()> {
        let detail = "has a field behind a file. Here the application is asked about each file as it comes, with the fields in \
                      front of it: send all fields before the first file.";
        self.state = FileState::Refused(ApiError::bad_request("form", detail));
        // Crash here, or fails: the upload is there, and expires.
        let _expires = call(&context.uploads()?, upload, &Cancel(DeleteRight::Unfinished)).await;
        Ok(())
    }

    /// Puts what is left of it into its last part, and waits for the object where it is to.
    async fn finish(&mut self, wait: Wait, context: RequestContext<'_>) -> Result<()> {
        let FileState::Whole(outcome, _) = &mut self.state else { return Ok(()) };
        let Some(now) = created(outcome).cloned() else { return Ok(()) };
        match append::finish(now, wait, context).await {
            Ok(now) => now_created(outcome, now),
            Err(Error::Refused(refusal)) => self.state = FileState::Refused(refusal),
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn answer(self) -> FileAnswer {
        let Self { head: FileHead { field, name, .. }, upload, state } = self;
        let result = match state {
            FileState::Whole(outcome, _) | FileState::Settled(outcome) => Ok(outcome),
            FileState::Refused(refusal) => {
                log::info(&LogLine {
                    event: "refused",
                    upload_id: upload,
                    status: Some(refusal.status()),
                    code: Some(refusal.code()),
                    ..LogLine::default()
                });
                Err(refusal)
            }
        };
        FileAnswer { field, name, upload, result }
    }
}

/// How long the file is of which this has come. What is still to come of it is read away.
async fn length_of(begun: Gathered, form: &mut Form<'_>) -> Result<u64> {
    let Some(reader) = &mut form.reader else { return Err("a file is being read".into()) };
    let mut bytes = begun.held.bytes();
    let has_ended = begun.end.is_some();
    drop(begun);
    if has_ended {
        return Ok(bytes);
    }
    loop {
        match reader.next(u64::MAX).await {
            Waited::Came(Ok(piece)) => bytes += u64::from(piece.length()),
            Waited::Paused => {}
            // Where that is no end, the form is broken, and no file of it counts.
            Waited::Came(Err(_)) | Waited::Stalled => return Ok(bytes),
        }
    }
}

fn created(outcome: &Outcome) -> Option<&Snapshot> {
    match outcome {
        Outcome::Created { snapshot, .. } => Some(snapshot),
        _ => None,
    }
}

fn now_created(outcome: &mut Outcome, now: Snapshot) {
    if let Outcome::Created { snapshot, .. } = outcome {
        *snapshot = now;
    }
}
