//! A form, read as it comes: fields in memory, which are few and short, and files as a [`Source`] each, one after the other.
//!
//! Bytes of files stay JavaScript buffers. To find the boundaries between parts, each piece of the body is copied into wasm, a window
//! after the other, and looked through there (`upload_protocols::form`).

use std::{cell::RefCell, collections::VecDeque, ops::Range, time::Duration};

use durable_objects::platform::error::Result;
use futures_util::future::LocalBoxFuture;
use js_sys::Uint8Array;
use upload_protocols::form::{Boundary, Event, Fields, FileHead, Parser};
use upload_types::api_error::ApiError;
use web_sys::ReadableStream;

use crate::transfer::{
    body::Sink,
    gathering::{Arriving, Ended, Next, Source},
    idle_timeout::Waited,
};

/// So much of a piece is looked through at a time. The window is one for the whole isolate, since nobody waits while it is in use; what is in
/// it is told before the next is filled.
const WINDOW_BYTES: u32 = 32 * 1024;

thread_local! {
    static WINDOW: RefCell<Vec<u8>> = RefCell::new(vec![0; WINDOW_BYTES as usize]);
}

/// What comes behind the fields that have been read.
#[derive(Debug, PartialEq)]
pub(crate) enum Ahead {
    /// A file.
    File(FileHead),
    /// Nothing: the form has ended.
    Nothing,
    /// Nothing for a while. It may still come.
    Paused,
}

/// A form on its way.
pub(crate) struct FormReader {
    body: Arriving,
    parser: Parser,
    /// What has come, and how far it has been looked through.
    piece: Option<(Uint8Array, u32)>,
    /// What was found in it and has not been told yet. Ranges are of the piece.
    found: VecDeque<Event>,
    /// Where in the form the file begins that was told last.
    file_at: u64,
    /// Whether a file has begun whose end has not been told.
    is_in_file: bool,
    /// Why no more of it can be read.
    refusal: Option<ApiError>,
}

impl FormReader {
    /// Takes the body, which must not have been read.
    pub(crate) fn new(body: &ReadableStream, boundary: &Boundary, stalled_after: Duration) -> Result<Self> {
        Ok(Self {
            body: Arriving::new(body, stalled_after)?,
            parser: Parser::new(boundary),
            piece: None,
            found: VecDeque::new(),
            file_at: 0,
            is_in_file: false,
            refusal: None,
        })
    }

    /// Reads fields up to the next file, whose bytes then come from this [`Source`]; none where the form has ended. What was left of
    /// the file before is read away.
    pub(crate) async fn next_file(&mut self, fields: &mut Fields) -> Result<Option<FileHead>, ApiError> {
        loop {
            match self.look_ahead(fields).await? {
                Ahead::File(file) => return Ok(Some(file)),
                Ahead::Nothing => return Ok(None),
                Ahead::Paused => {}
            }
        }
    }

    /// The same, for whoever does not want to wait while nothing comes.
    pub(crate) async fn look_ahead(&mut self, fields: &mut Fields) -> Result<Ahead, ApiError> {
        loop {
            match self.event().await {
                Waited::Came(Ok(Event::Field(name, value))) => fields.add(name, value),
                Waited::Came(Ok(Event::File(file, begins_at))) => {
                    (self.is_in_file, self.file_at) = (true, begins_at);
                    return Ok(Ahead::File(file));
                }
                Waited::Came(Ok(Event::FormEnds)) => return Ok(Ahead::Nothing),
                Waited::Came(Ok(Event::FileEnds)) => self.is_in_file = false,
                Waited::Came(Ok(Event::Content(_) | Event::Kept(_))) => {}
                Waited::Came(Err(refusal)) => return Err(self.refuse(refusal)),
                Waited::Stalled => return Err(self.refuse(ApiError::DocumentStalled)),
                Waited::Paused => return Ok(Ahead::Paused),
            }
        }
    }

    /// Why no more of the form can be read, where that is so. A file that has ended early for this is not whole.
    pub(crate) fn broken(&self) -> Result<(), ApiError> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    /// How long the file is that has begun, where it is the last part of a form of so many bytes, as libraries send it.
    pub(crate) async fn bytes_to_come(&mut self, form_bytes: u64, boundary: &Boundary) -> Result<u64, ApiError> {
        loop {
            match self.found.front() {
                Some(Event::Content(_) | Event::Kept(_)) => break,
                Some(_) => return Ok(0),
                None => {}
            }
            match self.look_further().await {
                Waited::Came(Ok(())) | Waited::Paused => self.broken()?,
                Waited::Came(Err(_)) => return Err(self.refuse(ApiError::DocumentCutShort)),
                Waited::Stalled => return Err(self.refuse(ApiError::DocumentStalled)),
            }
        }
        let behind = "\r\n--".len() + boundary.as_str().len() + "--\r\n".len();
        Ok(form_bytes.saturating_sub(self.file_at + behind as u64))
    }

    /// The bytes of the file that has begun, into a sink that takes so many, at least one. The last one only when the end of the file has
    /// been seen behind it: of a file that is longer or shorter, or in a form that breaks off, nobody gets the whole. Says whether it had
    /// so many.
    pub(crate) async fn flow_into(&mut self, sink: &Sink, bytes: u64) -> Result<bool> {
        let mut left = bytes;
        while left > 1 {
            let Some(piece) = self.piece_of_file(left - 1).await else {
                sink.abort().await;
                return Ok(false);
            };
            left -= u64::from(piece.length());
            sink.write(&piece).await?;
        }
        // A copy: what it lies in goes on to what comes next.
        let last = self.piece_of_file(1).await.map(|piece| piece.slice(0, 1));
        let is_end = self.piece_of_file(1).await.is_none() && self.broken().is_ok();
        let Some(last) = last.filter(|_| is_end) else {
            sink.abort().await;
            return Ok(false);
        };
        sink.write(&last).await?;
        sink.close().await?;
        Ok(true)
    }

    async fn piece_of_file(&mut self, most_bytes: u64) -> Option<Uint8Array> {
        loop {
            match self.next(most_bytes).await {
                Waited::Came(Ok(piece)) => return Some(piece),
                Waited::Came(Err(_)) | Waited::Stalled => return None,
                Waited::Paused => {}
            }
        }
    }

    /// What is still to come of the whole form is not wanted.
    pub(crate) async fn drain_form(&mut self) {
        self.body.drain().await;
    }

    fn refuse(&mut self, refusal: ApiError) -> ApiError {
        self.refusal.get_or_insert(refusal).clone()
    }

    /// What comes next in the form.
    async fn event(&mut self) -> Waited<Result<Event, ApiError>> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Waited::Came(Ok(event));
            }
            if let Some(refusal) = &self.refusal {
                return Waited::Came(Err(refusal.clone()));
            }
            let came = match self.look_further().await {
                Waited::Came(came) => came,
                Waited::Stalled => return Waited::Stalled,
                Waited::Paused => return Waited::Paused,
            };
            match came {
                Ok(()) => {}
                // What follows the end of a form means nothing, and nobody asks twice for it.
                Err(Ended::AtEnd) => return Waited::Came(self.parser.finish().map(|()| Event::FormEnds)),
                Err(Ended::CutOff | Ended::Stalled) => return Waited::Came(Err(ApiError::DocumentCutShort)),
            }
        }
    }

    /// Looks through the next window of the piece, or has another piece come.
    async fn look_further(&mut self) -> Waited<Result<(), Ended>> {
        if self.look_through() {
            return Waited::Came(Ok(()));
        }
        match self.body.next(u64::MAX).await {
            Waited::Came(came) => Waited::Came(came.map(|piece| self.piece = Some((piece, 0)))),
            Waited::Stalled => Waited::Stalled,
            Waited::Paused => Waited::Paused,
        }
    }

    /// Looks through the next window of the piece. False where there is none left.
    fn look_through(&mut self) -> bool {
        let Some((piece, from)) = self.piece.take() else { return false };
        if from >= piece.length() {
            self.body.give_back(&piece);
            return false;
        }
        let to = piece.length().min(from.saturating_add(WINDOW_BYTES));
        let (view, found) = (piece.subarray(from, to), &mut self.found);
        let shifted = |range: Range<usize>| range.start + from as usize..range.end + from as usize;
        let pushed = WINDOW.with_borrow_mut(|window| {
            let window = &mut window[..view.length() as usize];
            view.copy_to(window);
            self.parser.push(window, |event| {
                found.push_back(match event {
                    Event::Content(range) => Event::Content(shifted(range)),
                    other => other,
                });
            })
        });
        self.piece = Some((piece, to));
        if let Err(refusal) = pushed {
            self.refuse(refusal);
        }
        true
    }

    /// No more than so many bytes of what was found; the others are found next.
    fn cut(&mut self, range: Range<usize>, most_bytes: u64) -> Uint8Array {
        let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
        let end = range.end.min(range.start.saturating_add(most));
        if end < range.end {
            self.found.push_front(Event::Content(end..range.end));
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        match &self.piece {
            Some((piece, _)) => piece.subarray(place(range.start), place(end)),
            None => Uint8Array::new_with_length(0),
        }
    }

    fn cut_kept(&mut self, mut bytes: Vec<u8>, most_bytes: u64) -> Uint8Array {
        let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
        if bytes.len() > most {
            self.found.push_front(Event::Kept(bytes.split_off(most)));
        }
        Uint8Array::from(&bytes[..])
    }
}

/// The bytes of the file that has begun.
impl Source for FormReader {
    fn next(&mut self, most_bytes: u64) -> Next<'_> {
        Box::pin(async move {
            if !self.is_in_file {
                return Waited::Came(Err(Ended::AtEnd));
            }
            match self.event().await {
                Waited::Came(Ok(Event::Content(range))) => Waited::Came(Ok(self.cut(range, most_bytes))),
                Waited::Came(Ok(Event::Kept(bytes))) => Waited::Came(Ok(self.cut_kept(bytes, most_bytes))),
                Waited::Came(Ok(_)) => {
                    self.is_in_file = false;
                    Waited::Came(Err(Ended::AtEnd))
                }
                Waited::Came(Err(refusal)) => {
                    self.refuse(refusal);
                    Waited::Came(Err(Ended::CutOff))
                }
                Waited::Stalled => {
                    self.refuse(ApiError::DocumentStalled);
                    Waited::Stalled
                }
                Waited::Paused => Waited::Paused,
            }
        })
    }

    /// The piece that it lies in is given back when all of it has been told.
    fn give_back(&mut self, _: &Uint8Array) {}

    /// What is still to come of this file is not wanted. The form goes on behind it.
    fn drain(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async { while let Waited::Came(Ok(_)) | Waited::Paused = self.next(u64::MAX).await {} })
    }
}
