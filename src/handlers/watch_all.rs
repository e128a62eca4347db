//! Live state of all open uploads of an owner, as Server-Sent Events: how each stands, at once and at every change, and the same of those
//! that are created meanwhile. The ledger names what it admits; each upload's object tells by itself, as it tells whoever watches one.
//!
//! Nothing is remembered from one answer to the next: whoever comes back is told the whole truth again.

use std::{cell::Cell, collections::VecDeque, time::Duration};

use durable_objects::platform::background::run_behind;
use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{self, ListUploads},
    upload,
};
use futures_util::{
    StreamExt,
    future::{Either, pending, select},
    stream::FuturesUnordered,
};
use upload_types::{
    api_error::ApiError,
    ledger::{EntryName, ListQuery},
    units::UploadId,
};
use worker::{Delay, Response};

use crate::{
    context::RequestContext,
    http::{
        event_stream::{self, COMMENT, HEARTBEAT, Heard, ListeningSocket, hear},
        status_queue::StatusQueue,
    },
};

/// So many uploads are followed at the same time, the newest first: each is a socket in the memory that an isolate's requests share. The
/// others wait until one of these ends.
const MOST_FOLLOWED: usize = 500;

/// So many names wait for that, and so many texts for the client.
const MOST_WAITING: usize = 1_000;

/// So many sockets are opened for one answer: an invocation has 10,000 calls
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const MOST_OPENED: u32 = 5_000;

/// An answer lasts for 60 heartbeats, a quarter of an hour: whoever comes back has to have a token that is still good.
const MOST_HEARTBEATS: u32 = 60;

/// An upload whose object is not there yet, or has gone away, is looked for so often, the first time after this pause, each time after
/// twice that: 51 s together.
const MOST_LOOKS: u32 = 9;
const FIRST_PAUSE_MS: u64 = 100;

/// Opens the answer.
pub(crate) async fn open(context: RequestContext<'_>) -> Result<Response> {
    let owner = context.access.lister()?.owner.clone();
    let ledgers = ObjectClient::to_ledgers(context.env)?;
    let admissions = ListeningSocket(ledger::watch(&ledgers, &owner).await?);
    let feed =
        Feed { owner, ledgers, objects: context.uploads()?, queue: StatusQueue::default(), opened: Cell::new(0) };
    let reader = feed.queue.reader();
    // A client that has gone is noticed by the next heartbeat, which must still come.
    let work = async move {
        let _ended = feed.run(&admissions).await;
        feed.queue.end();
    };
    run_behind(context.execution, Box::pin(work));
    event_stream::response(reader)
}

struct Feed {
    owner: String,
    ledgers: ObjectClient,
    objects: ObjectClient,
    queue: StatusQueue,
    opened: Cell<u32>,
}

/// What happens next.
enum Next {
    Said(Heard),
    Ended(UploadId),
    Heartbeat,
}

impl Feed {
    /// Until the client has gone, or has to come back.
    async fn run(&self, admissions: &ListeningSocket) -> Result<()> {
        let mut admitted = admissions.0.events()?;
        // What is admitted while the list is read is heard after it.
        admissions.0.accept()?;
        let mut waiting = self.open_uploads().await?;
        let (mut known, mut followed) = (Vec::new(), FuturesUnordered::new());
        let (mut heartbeats, mut heartbeat) = (0, Delay::from(HEARTBEAT));
        while heartbeats < MOST_HEARTBEATS && !self.queue.has_ended() {
            while known.len() < MOST_FOLLOWED
                && let Some(upload) = waiting.pop_front()
            {
                known.push(upload);
                followed.push(self.follow(upload));
            }
            let next = {
                let said = Box::pin(hear(&mut admitted));
                let ended = Box::pin(async {
                    match followed.next().await {
                        Some(upload) => upload,
                        None => pending().await,
                    }
                });
                match select(select(said, ended), &mut heartbeat).await {
                    Either::Left((Either::Left((heard, _)), _)) => Next::Said(heard),
                    Either::Left((Either::Right((upload, _)), _)) => Next::Ended(upload),
                    Either::Right(_) => Next::Heartbeat,
                }
            };
            match next {
                Next::Said(Heard::Message(name)) => {
                    let upload = EntryName::parse(&name).map(|name| name.upload_id);
                    let is_news = |upload: &UploadId| !known.contains(upload) && !waiting.contains(upload);
                    if let Some(upload) = upload.filter(is_news) {
                        waiting.push_front(upload);
                    }
                    waiting.truncate(MOST_WAITING);
                }
                Next::Said(Heard::Settled | Heard::Lost) => break,
                Next::Ended(upload) => known.retain(|known| *known != upload),
                Next::Heartbeat => {
                    (heartbeats, heartbeat) = (heartbeats + 1, Delay::from(HEARTBEAT));
                    self.queue.put_comment(COMMENT);
                }
            }
        }
        Ok(())
    }

    /// The newest of them.
    async fn open_uploads(&self) -> Result<VecDeque<UploadId>> {
        let (mut uploads, mut after) = (VecDeque::new(), None);
        loop {
            let page =
                call(&self.ledgers, &self.owner, &ListUploads(ListQuery { after, ..ListQuery::default() })).await?;
            uploads.extend(page.entries.iter().map(|name| name.upload_id));
            if page.next.is_none() || uploads.len() >= MOST_WAITING {
                return Ok(uploads);
            }
            after = page.next;
        }
    }

    /// Tells how it stands until nothing can follow, or nobody can say. Says which it was.
    async fn follow(&self, upload: UploadId) -> UploadId {
        let mut looks = 0;
        while looks < MOST_LOOKS && !self.queue.has_ended() {
            match self.listen(upload).await {
                Ok(Heard::Lost) => looks = 0,
                // It is about to be created; or so many watch it that there is no room just now.
                Err(Error::Refused(ApiError::UploadNotFound | ApiError::TooManyWatchers) | Error::Fault(_)) => {}
                Ok(_) | Err(Error::Refused(_)) => return upload,
            }
            Delay::from(Duration::from_millis(FIRST_PAUSE_MS << looks)).await;
            looks += 1;
        }
        upload
    }

    /// Passes on what is said on a socket of its own, until its end.
    async fn listen(&self, upload: UploadId) -> Result<Heard> {
        self.opened.set(self.opened.get() + 1);
        if self.opened.get() > MOST_OPENED {
            self.queue.end();
        }
        let socket = ListeningSocket(upload::watch(&self.objects, upload).await?);
        let mut statuses = socket.0.events()?;
        socket.0.accept()?;
        loop {
            match hear(&mut statuses).await {
                Heard::Message(status) => self.tell(upload, &status),
                end => return Ok(end),
            }
        }
    }

    /// A client that has read nothing of so many has to come back.
    fn tell(&self, upload: UploadId, status: &str) {
        self.queue.put(upload, format!("data: {status}\n\n"));
        if self.queue.len() > MOST_WAITING {
            self.queue.end();
        }
    }
}
