//! Live state of all open uploads of an owner, as Server-Sent Events: how each stands, at once and at every change, and the same of those
//! that are created meanwhile. The ledger names what it admits; each upload's object tells by itself, as it tells whoever watches one.
//!
//! What cannot be told completely ends: an object that was lost, a client that reads too slowly, more uploads than fit. Whoever comes
//! back is told the whole truth again, so nothing is remembered from one answer to the next.

use std::{cell::RefCell, time::Duration};

use durable_objects::platform::error::{Error, Result};
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{self, ListOpen},
    upload,
};
use futures_channel::mpsc::{Sender, channel};
use futures_util::{
    StreamExt,
    future::{Either, pending, select},
    pin_mut,
    stream::FuturesUnordered,
};
use upload_types::{api_error::ApiError, ledger::EntryName, units::UploadId};
use worker::{Delay, Response, WebSocket};

use crate::{
    context::RequestContext,
    http::event_stream::{self, COMMENT, Heard, hang_up, hear},
};

/// So many uploads are followed at the same time, the newest: each is a socket in the memory that an isolate's requests share.
const MOST_FOLLOWED: usize = 500;

/// So many are followed by one answer: each takes a call or, until it is created, a few, of the 10,000 that an invocation has
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const MOST_OPENED: usize = 1_500;

/// So many messages may wait for the client, of about 1 KiB each.
const MOST_WAITING: usize = 1_000;

/// An upload is admitted before its object is there: so often it is looked for, with twice the pause each time.
const MOST_LOOKS: u32 = 6;
const FIRST_PAUSE_MS: u64 = 100;

/// Opens the answer.
pub(crate) async fn open(context: RequestContext<'_>) -> Result<Response> {
    let owner = context.access.lister()?.owner.clone();
    let ledgers = ObjectClient::to_ledgers(context.env)?;
    let admissions = ListeningSocket(ledger::watch(&ledgers, &owner).await?);
    let (sender, receiver) = channel(MOST_WAITING);
    let feed = Feed { owner, ledgers, objects: context.uploads()?, sender: RefCell::new(sender) };
    wasm_bindgen_futures::spawn_local(async move {
        let _ended = feed.run(&admissions.0).await;
        feed.end();
    });
    event_stream::response(receiver)
}

/// A socket that is closed when nobody listens to it any more.
struct ListeningSocket(WebSocket);

impl Drop for ListeningSocket {
    fn drop(&mut self) {
        hang_up(&self.0);
    }
}

struct Feed {
    owner: String,
    ledgers: ObjectClient,
    objects: ObjectClient,
    sender: RefCell<Sender<String>>,
}

impl Feed {
    /// Until the client has gone, or has to come back.
    async fn run(&self, admissions: &WebSocket) -> Result<()> {
        let mut admitted = admissions.events()?;
        // What is admitted while the list is read is heard after it.
        admissions.accept()?;
        let mut known = self.open_uploads().await?;
        let mut followed: FuturesUnordered<_> = known.iter().map(|upload| self.follow(*upload)).collect();
        while known.len() < MOST_OPENED && followed.len() <= MOST_FOLLOWED && !self.has_ended() {
            let ended = async {
                if followed.next().await.is_none() {
                    pending::<()>().await;
                }
            };
            pin_mut!(ended);
            let heard = match select(Box::pin(hear(&mut admitted)), ended).await {
                Either::Left((heard, _)) => heard,
                Either::Right(_) => continue,
            };
            match heard {
                Heard::Message(name) => {
                    let upload = EntryName::parse(&name).map(|name| name.upload_id);
                    if let Some(upload) = upload.filter(|upload| !known.contains(upload)) {
                        known.push(upload);
                        followed.push(self.follow(upload));
                    }
                }
                Heard::Nothing => self.send(COMMENT.to_owned()),
                Heard::Settled | Heard::Lost => break,
            }
        }
        Ok(())
    }

    /// The newest of them.
    async fn open_uploads(&self) -> Result<Vec<UploadId>> {
        let (mut uploads, mut after) = (Vec::new(), None);
        loop {
            let page = call(&self.ledgers, &self.owner, &ListOpen { after }).await?;
            uploads.extend(page.entries.iter().map(|name| name.upload_id));
            if page.next.is_none() || uploads.len() >= MOST_FOLLOWED {
                uploads.truncate(MOST_FOLLOWED);
                return Ok(uploads);
            }
            after = page.next;
        }
    }

    /// Tells how it stands until nothing can follow.
    async fn follow(&self, upload: UploadId) {
        match self.listen(upload).await {
            // It was never created, or it is gone.
            Ok(()) | Err(Error::Refused(ApiError::UploadNotFound)) => {}
            // What happens to it from now on would not be told.
            Err(_) => self.end(),
        }
    }

    async fn listen(&self, upload: UploadId) -> Result<()> {
        let socket = ListeningSocket(self.socket(upload).await?);
        let mut statuses = socket.0.events()?;
        socket.0.accept()?;
        loop {
            match hear(&mut statuses).await {
                Heard::Message(status) => self.send(format!("data: {status}\n\n")),
                Heard::Nothing => {}
                Heard::Settled => return Ok(()),
                Heard::Lost => return Err("the object was restarted".into()),
            }
        }
    }

    async fn socket(&self, upload: UploadId) -> Result<WebSocket> {
        for looks in 0..MOST_LOOKS {
            match upload::watch(&self.objects, upload).await {
                Err(Error::Refused(ApiError::UploadNotFound)) => {
                    Delay::from(Duration::from_millis(FIRST_PAUSE_MS << looks)).await;
                }
                answer => return answer,
            }
        }
        Err(ApiError::UploadNotFound.into())
    }

    /// A client that has not read what came before has to come back.
    fn send(&self, text: String) {
        if self.sender.borrow_mut().try_send(text).is_err() {
            self.end();
        }
    }

    fn end(&self) {
        self.sender.borrow_mut().close_channel();
    }

    fn has_ended(&self) -> bool {
        self.sender.borrow().is_closed()
    }
}
