//! What waits for a client that is told of many uploads: of each the newest text alone. So a client that reads slowly misses steps, never
//! how something ended, and what waits is bounded by the number of uploads.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_util::Stream;
use upload_types::units::UploadId;

/// The end where texts are put in.
#[derive(Clone, Default)]
pub(crate) struct StatusQueue(Rc<RefCell<Waiting>>);

/// The end that the client reads.
pub(crate) struct Statuses(Rc<RefCell<Waiting>>);

#[derive(Default)]
struct Waiting {
    texts: VecDeque<(Option<UploadId>, String)>,
    reader: Option<Waker>,
    has_ended: bool,
}

impl StatusQueue {
    /// The other end. There is one reader.
    pub(crate) fn reader(&self) -> Statuses {
        Statuses(Rc::clone(&self.0))
    }

    /// How an upload stands, instead of what still waits of it.
    pub(crate) fn put(&self, upload: UploadId, text: String) {
        self.put_under(Some(upload), text);
    }

    /// What is about none.
    pub(crate) fn put_comment(&self, text: &str) {
        self.put_under(None, text.to_owned());
    }

    /// Nothing is put in any more. What waits is read all the same.
    pub(crate) fn end(&self) {
        self.0.borrow_mut().end();
    }

    /// Whether that was said, or the reader has gone.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.borrow().has_ended
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().texts.len()
    }

    fn put_under(&self, upload: Option<UploadId>, text: String) {
        let mut waiting = self.0.borrow_mut();
        match waiting.texts.iter_mut().find(|(of, _)| *of == upload) {
            Some((_, older)) => *older = text,
            None => waiting.texts.push_back((upload, text)),
        }
        waiting.wake();
    }
}

impl Waiting {
    fn end(&mut self) {
        self.has_ended = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Stream for Statuses {
    type Item = String;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut waiting = self.0.borrow_mut();
        match waiting.texts.pop_front() {
            Some((_, text)) => Poll::Ready(Some(text)),
            None if waiting.has_ended => Poll::Ready(None),
            None => {
                waiting.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Statuses {
    fn drop(&mut self) {
        self.0.borrow_mut().end();
    }
}
