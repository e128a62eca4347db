//! A server that has one object and answers every download as the test says, and counts them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::GIVE_UP;

/// How one download goes.
#[derive(Clone)]
pub(crate) enum Answer {
    /// All of these bytes.
    Whole(Vec<u8>),
    /// All of these bytes, without saying how many will come.
    Unannounced(Vec<u8>),
    /// The first half, and the connection is gone.
    Cut(Vec<u8>),
    /// The first half, and the rest once [`ObjectServer::release`] is called.
    Held(Vec<u8>),
    /// Of these bytes the range that is asked for.
    Ranges(Vec<u8>),
    /// The first half of that, and the connection is gone.
    RangeCut(Vec<u8>),
    /// No bytes.
    Status(StatusCode),
    /// Another place.
    Redirect(String),
}

/// The server; gone with the test.
pub(crate) struct ObjectServer {
    /// `http://127.0.0.1:<port>`
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    requests: watch::Sender<usize>,
    release: Arc<Semaphore>,
}

impl ObjectServer {
    /// Answers the first download with the first answer and so on; the last one goes for all that follow.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers.into_iter().collect()),
            requests: watch::Sender::new(0),
            release: Arc::new(Semaphore::new(0)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().route("/upload/{id}/content", get(content)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    /// How many downloads were asked for.
    pub(crate) fn requests(&self) -> usize {
        *self.shared.requests.borrow()
    }

    /// Waits until so many were.
    pub(crate) async fn requested(&self, count: usize) {
        let mut requests = self.shared.requests.subscribe();
        timeout(GIVE_UP, requests.wait_for(|now| *now >= count)).await.expect("no download was asked for").unwrap();
    }

    /// Lets one held answer go on.
    pub(crate) fn release(&self) {
        self.shared.release.add_permits(1);
    }
}

async fn content(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let answer = {
        let mut answers = shared.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    };
    shared.requests.send_modify(|count| *count += 1);
    match answer.expect("the test gave no answer") {
        Answer::Whole(bytes) => bytes.into_response(),
        Answer::Unannounced(bytes) => {
            Body::from_stream(stream::iter([Ok::<_, io::Error>(Bytes::from(bytes))])).into_response()
        }
        Answer::Cut(bytes) => halves(&bytes, async { Err(io::Error::other("cut")) }),
        Answer::Held(bytes) => {
            let rest = Bytes::copy_from_slice(&bytes[bytes.len() / 2..]);
            halves(&bytes, async move {
                shared.release.acquire().await.unwrap().forget();
                Ok(rest)
            })
        }
        Answer::Ranges(bytes) => (StatusCode::PARTIAL_CONTENT, wanted(&headers, &bytes)).into_response(),
        Answer::RangeCut(bytes) => {
            let cut = halves(&wanted(&headers, &bytes), async { Err(io::Error::other("cut")) });
            (StatusCode::PARTIAL_CONTENT, cut).into_response()
        }
        Answer::Status(status) => status.into_response(),
        Answer::Redirect(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
    }
}

/// What `Range: bytes=2-5` means.
fn wanted(headers: &HeaderMap, bytes: &[u8]) -> Vec<u8> {
    let range = headers[header::RANGE].to_str().unwrap().strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    bytes[first.parse().unwrap()..=last.parse().unwrap()].to_vec()
}

fn halves(bytes: &[u8], rest: impl Future<Output = io::Result<Bytes>> + Send + 'static) -> Response {
    let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    let body = Body::from_stream(stream::iter([Ok(half)]).chain(stream::once(rest)));
    ([(header::CONTENT_LENGTH, bytes.len())], body).into_response()
}
