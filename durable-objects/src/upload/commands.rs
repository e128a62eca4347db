//! The commands of an upload's object, by name: each is read, and the session decides.

use upload_session::session::{Commit, Decision, Session};
use upload_types::{api_error::ApiError, cost::Cost};
use worker::{Request, Response};

use crate::{
    platform::{error::Result, metering},
    rpc::{
        self, Command, WATCH, answer,
        direct::{AssembleParts, RecordParts},
        repair::BeginCopy,
        upload::{
            AsPartial, AwaitBytes, AwaitObject, BeginCopyBatch, BytesAwaited, COMMAND_HEADER, Cancel, CreateDuplicate,
            CreateUpload, Describe, Judge, KEEP_CUTS, Probe, ReadGrowing, ReadTail, Redeliver, UploadCommand,
        },
    },
    upload::{
        UploadSession,
        queries::{
            begin_delivery, end_delivery, find_object, next_slice, show_to_admin, slice_hashed, wanted_partials,
        },
        tables, wait,
    },
};

impl UploadSession {
    /// Carries out a command, if whoever sends it may use this upload.
    pub(crate) async fn asked(&self, mut request: Request) -> Result<Response> {
        let (path, caller) = (request.path(), rpc::caller(&request)?);
        let name = path.trim_start_matches('/');
        // A command whose body is bytes travels in a header.
        let (body, content) = match request.headers().get(COMMAND_HEADER)? {
            Some(command) => (command, Some(request.bytes().await?)),
            None => (request.text().await?, None),
        };
        self.load()?;
        if self.session.borrow().as_ref().is_some_and(|session| !caller.may_use(session.spec().ownership())) {
            // Answered with bytes where it is answered: a refusal must not be taken for some.
            return if name == ReadTail::NAME {
                Ok(Response::error("no such upload", 404)?)
            } else {
                Err(ApiError::UploadNotFound.into())
            };
        }
        self.look_after_duties()?;
        if name == WATCH {
            return self.watch();
        }
        if name == KEEP_CUTS {
            return self.keep_cuts(&body);
        }
        match UploadCommand::read(name, &body)? {
            Some(command) => self.carry_out(command, content.as_deref()).await,
            // A newer build sends it: this one is about to be replaced.
            None => Ok(Response::error("no such command", 404)?),
        }
    }

    /// Each command, and who decides. `content` is what came with a commit, to be kept in a row.
    async fn carry_out(&self, command: UploadCommand, content: Option<&[u8]>) -> Result<Response> {
        let cost = metering::of_command(&command);
        match command {
            UploadCommand::CreateUpload(CreateUpload { spec, first }) => answer(self.create(spec, first).await?),
            UploadCommand::CreateDuplicate(CreateDuplicate { spec, stored }) => {
                answer(self.create_duplicate(spec, &stored)?)
            }
            UploadCommand::BeginChunk(begin) => self.begin(cost, begin).await,
            UploadCommand::Commit(commit) => self.commit(cost, &commit, content),
            UploadCommand::ReadTail(ReadTail { start, end }) => {
                Ok(Response::from_stream(tables::stream_rows(self.state.storage().sql(), start, end))?)
            }
            UploadCommand::Release(release) => self.decide(cost, |session, now| session.release(now, release)),
            UploadCommand::Renew(renew) => self.decide(cost, |session, now| session.renew(now, renew)),
            UploadCommand::Probe(Probe) => {
                wait::for_last_commit(&self.session).await;
                self.arrivals.overtake_all();
                self.decide_then_show(cost, Session::probe)
            }
            UploadCommand::Status(_) => self.decide_then_show(cost, |session, _| session.status()),
            UploadCommand::ShowToAdmin(_) => self.decide(cost, |session, _| show_to_admin(session, &self.history)),
            UploadCommand::ReadHistory(_) => self.decide(cost, |_, _| self.history.show()),
            UploadCommand::Declare(declare) => self.declare(cost, &declare).await,
            UploadCommand::AwaitObject(AwaitObject { result_ms }) => {
                wait::for_object(&self.session, result_ms).await;
                self.decide_then_show(cost, |session, _| session.status())
            }
            UploadCommand::AwaitBytes(AwaitBytes { bytes, longest_ms }) => {
                let was_appended = wait::for_bytes(&self.session, bytes, longest_ms).await;
                self.take(cost, None, &mut |session, _| session.status())?;
                answer(BytesAwaited(self.snapshot()?, was_appended))
            }
            UploadCommand::ReadGrowing(ReadGrowing { from, to, longest_ms }) => {
                wait::for_growth(&self.session, from, longest_ms).await;
                self.growing(cost, from, to)
            }
            UploadCommand::Complete(_) => {
                self.force_alarm()?;
                self.decide_then_show(cost, Session::complete)
            }
            UploadCommand::Cancel(Cancel(right)) => self.decide(cost, |session, now| session.cancel(now, right)),
            UploadCommand::Describe(Describe(wanted)) => {
                self.decide_then_show(cost, |session, _| session.describe(&wanted))
            }
            UploadCommand::Redeliver(Redeliver(receiver)) => {
                self.force_alarm()?;
                self.decide_then_show(cost, |session, now| session.redeliver(now, receiver.as_deref()))
            }
            UploadCommand::FindObject(_) => self.decide(cost, |session, _| find_object(session, session.find_object())),
            UploadCommand::FindForScanner(_) => {
                self.decide(cost, |session, _| find_object(session, session.find_for_scanner()))
            }
            UploadCommand::Judge(Judge(said)) => self.decide_then_show(cost, |session, now| session.judge(now, &said)),
            UploadCommand::BeginDelivery(begin) => {
                self.decide(cost, |session, now| begin_delivery(session, now, &begin))
            }
            UploadCommand::EndDelivery(end) => self.decide(cost, |session, now| end_delivery(session, now, &end)),
            UploadCommand::AsPartial(AsPartial { owner, until }) => {
                self.decide(cost, |session, _| session.as_partial(&owner, until))
            }
            UploadCommand::WantedPartials(wanted) => {
                self.decide(cost, |session, now| wanted_partials(session, now, &wanted))
            }
            UploadCommand::BeginCopyBatch(BeginCopyBatch(statuses)) => {
                self.decide(cost, |session, now| session.begin_batch(now, &statuses))
            }
            UploadCommand::NextSlice(_) => self.decide(cost, |session, _| next_slice(session)),
            UploadCommand::SliceHashed(hashed) => self.decide(cost, |session, now| slice_hashed(session, now, &hashed)),
            UploadCommand::SignParts(sign) => self.sign_parts(cost, &sign),
            UploadCommand::RecordParts(RecordParts(found)) => self.count_parts(cost, |session, now| {
                let Decision { answer, change } = session.record(now, &found);
                Decision { answer: answer.map(drop), change }
            }),
            UploadCommand::FindSigned(_) => self.find_signed(cost),
            UploadCommand::AssembleParts(AssembleParts(chosen)) => {
                self.count_parts(cost, |session, now| session.assemble_of(now, &chosen))
            }
            UploadCommand::ShowManifest(_) => self.manifest(cost),
            UploadCommand::RepairUpload(repair) => self.repair(cost, &repair).await,
            UploadCommand::BeginCopy(BeginCopy { after }) => {
                self.decide(cost, |session, now| session.begin_copy(now, after))
            }
        }
    }

    fn commit(&self, cost: Cost, commit: &Commit, content: Option<&[u8]>) -> Result<Response> {
        let is_live = self.session.borrow().as_ref().is_some_and(|session| session.spec().live.is_some());
        self.charge(metering::of_commit(commit, is_live));
        answer(self.take(cost, content, &mut |session, now| session.commit(now, commit))?)
    }

    /// Answered with a socket, on which how the upload stands is told from then on.
    fn watch(&self) -> Result<Response> {
        self.take(Cost::NONE, None, &mut |session, _| session.status())?;
        self.watchers.accept(&self.snapshot()?)
    }
}
