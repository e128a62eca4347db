//! The commands of an upload's object, by name: each is read, and the session decides.

use upload_core::{
    api_error::ApiError,
    session::{Commit, Release, Renew},
};
use worker::{Request, Response};

use crate::{
    platform::{error::Result, metering},
    rpc::{
        self, Command, answer,
        repair::{BeginCopy, RepairUpload, ShowManifest},
        upload::{
            AsPartial, AwaitObject, BeginChunk, BeginCopyBatch, BeginDelivery, COMMAND_HEADER, Cancel, Complete,
            CreateAndBegin, CreateUpload, Declare, EndDelivery, FindObject, NextSlice, Probe, ReadTail, ReadTrail,
            Redeliver, SliceHashed, Status, WATCH, WantedPartials,
        },
    },
    upload::{
        UploadSession,
        queries::{begin_delivery, end_delivery, find_object, next_slice, slice_hashed, wanted_pieces},
        tables, wait,
    },
};

impl UploadSession {
    /// Carries out a command.
    pub(crate) async fn asked(&self, mut request: Request) -> Result<Response> {
        let (path, caller) = (request.path(), rpc::caller(&request)?);
        // A command whose body is bytes travels in a header.
        let (body, content) = match request.headers().get(COMMAND_HEADER)? {
            Some(command) => (command, Some(request.bytes().await?)),
            None => (request.text().await?, None),
        };
        self.load()?;
        let is_theirs = self.session.borrow().as_ref().is_none_or(|session| caller.may_use(session.birth.ownership()));
        if is_theirs {
            self.look_after_duties()?;
        }
        match path.trim_start_matches('/') {
            // Answered with bytes where it is answered: a refusal must not be taken for some.
            ReadTail::NAME if !is_theirs => Ok(Response::error("no such upload", 404)?),
            _ if !is_theirs => Err(ApiError::UploadNotFound.into()),
            CreateUpload::NAME => {
                let CreateUpload(birth) = serde_json::from_str(&body)?;
                answer(self.create(birth, None).await?.snapshot)
            }
            CreateAndBegin::NAME => {
                let CreateAndBegin { birth, first } = serde_json::from_str(&body)?;
                answer(self.create(birth, Some(first)).await?)
            }
            BeginChunk::NAME => self.begin(&body).await,
            Commit::NAME => self.commit(&body, content.as_deref()),
            ReadTail::NAME => {
                let ReadTail { start, end } = serde_json::from_str(&body)?;
                Ok(Response::from_stream(tables::stream_rows(self.state.storage().sql(), start, end))?)
            }
            Release::NAME => self.decide(&body, |session, now, release: &Release| session.release(now, *release)),
            Renew::NAME => self.decide(&body, |session, now, renew: &Renew| session.renew(now, *renew)),
            Probe::NAME => {
                self.load()?;
                wait::for_last_commit(&self.session).await;
                self.arrivals.overtake_all();
                self.decide_then_show(&body, |session, now, _: &Probe| session.probe(now))
            }
            Status::NAME => self.decide_then_show(&body, |session, _, _: &Status| session.status()),
            ReadTrail::NAME => self.decide(&body, |_, _, _: &ReadTrail| self.trail.show()),
            Declare::NAME => self.declare(&body).await,
            AwaitObject::NAME => {
                self.load()?;
                wait::for_object(&self.session).await;
                self.decide_then_show(&body, |session, _, _: &AwaitObject| session.status())
            }
            Complete::NAME => {
                self.force_alarm()?;
                self.decide_then_show(&body, |session, now, _: &Complete| session.complete(now))
            }
            Cancel::NAME => self.decide(&body, |session, now, cancel: &Cancel| session.cancel(now, cancel.0)),
            Redeliver::NAME => {
                self.force_alarm()?;
                self.decide_then_show(&body, |session, now, _: &Redeliver| session.redeliver(now))
            }
            FindObject::NAME => self.decide(&body, |session, _, _: &FindObject| find_object(session)),
            BeginDelivery::NAME => self.decide(&body, begin_delivery),
            EndDelivery::NAME => self.decide(&body, end_delivery),
            AsPartial::NAME => {
                self.decide(&body, |session, _, piece: &AsPartial| session.as_piece(&piece.owner, piece.until))
            }
            WantedPartials::NAME => self.decide(&body, wanted_pieces),
            BeginCopyBatch::NAME => self.decide(&body, |session, now, BeginCopyBatch(standings): &BeginCopyBatch| {
                session.begin_stretch(now, standings)
            }),
            ShowManifest::NAME => self.manifest(),
            RepairUpload::NAME => self.repair(&body).await,
            BeginCopy::NAME => self.decide(&body, |session, now, copy: &BeginCopy| session.begin_copy(now, copy.after)),
            NextSlice::NAME => self.decide(&body, |session, _, _: &NextSlice| next_slice(session)),
            SliceHashed::NAME => self.decide(&body, slice_hashed),
            WATCH => self.watch(),
            // Those about parts that the client stores itself.
            name => self.direct(name, &body),
        }
    }

    fn commit(&self, body: &str, content: Option<&[u8]>) -> Result<Response> {
        let commit = serde_json::from_str(body)?;
        self.load()?;
        self.charge(metering::of_commit(&commit));
        answer(self.take(Commit::NAME, content, &mut |session, now| session.commit(now, &commit))?)
    }

    /// Answered with a socket, on which how the upload stands is told from then on.
    pub(crate) fn watch(&self) -> Result<Response> {
        self.take(Status::NAME, None, &mut |session, _| session.status())?;
        self.watchers.accept(&self.snapshot()?)
    }
}
