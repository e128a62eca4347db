//! The line to a server: what is asked goes through here, and what comes back is read no further, and waited for no longer, than it must be.
//!
//! A sign-in page in place of an answer, or TLS that fails, is a mistake of the address at the first request. Where the same server has
//! answered rightly before in this run, it is an outage like any other: the network wants a sign-in, or somebody is in between.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use upload_types::units::UploadId;

use crate::api::body::{Moving, SendingBody};
use crate::api::credential::Credential;
use crate::api::refusal::Refusal;
use crate::failure::{Failure, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// For an answer to a question without a body to speak of.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long nothing may move, of a body or of an answer. Heartbeats come more often.
const STALL: Duration = Duration::from_mins(1);
/// No document is longer: a page of a hundred uploads with the longest of names has 700 KiB.
const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
pub(super) struct Line {
    pub(super) http: Client,
    /// Hosts that have answered rightly in this run.
    known: Arc<Mutex<HashSet<String>>>,
    credential: Arc<Credential>,
    stall: Duration,
}

impl Line {
    pub(super) fn new(credential: Arc<Credential>) -> Result<Self> {
        // Refused only where another provider was installed before, which nobody does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("quay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::usage(format!("No HTTP client can be made: {error}.")))?;
        Ok(Self { http, known: Arc::default(), credential, stall: STALL })
    }

    /// Asks, and takes any answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Refusal> {
        let request = request.build().map_err(|error| Refusal::of_transport(&error))?;
        let host = request.url().authority().to_owned();
        let bearer = request.headers().get(AUTHORIZATION).cloned();
        match self.http.execute(request).await {
            Ok(response) => Ok(Answer { response, host, bearer, line: self.clone() }),
            Err(error) => Err(self.judged(&host, Refusal::of_transport(&error))),
        }
    }

    /// Asks, and takes a success.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Answer, Refusal> {
        let mut answer = self.send(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let body = answer.text().await.unwrap_or_default();
        let refusal = Refusal::of_answer(answer.status().as_u16(), answer.headers(), &body);
        let refusal = self.renewed(answer.bearer.as_ref(), refusal).await;
        Err(self.judged(&answer.host, refusal))
    }

    /// What is left of it once a token that has expired was replaced.
    async fn renewed(&self, bearer: Option<&HeaderValue>, refusal: Refusal) -> Refusal {
        let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match bearer.filter(|_| refusal.code.as_deref() == Some("token-expired")) {
            Some(expired) => match self.credential.renew(expired).await {
                Some(said) => Refusal::passing(said),
                None => refusal,
            },
            None => refusal,
        }
    }

    /// A question that is answered at once.
    pub(super) async fn ask_shortly(&self, request: RequestBuilder) -> Result<Answer, Refusal> {
        self.ask(request.timeout(ANSWER_TIMEOUT)).await
    }

    /// A question that is answered at once, with a document.
    pub(super) async fn document<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refusal> {
        self.ask(request.timeout(ANSWER_TIMEOUT)).await?.json().await
    }

    /// A question whose answer begins at once, and goes on for as long as it does.
    pub(super) async fn ask_at_length(&self, request: RequestBuilder) -> Result<Answer, Refusal> {
        timeout(self.stall, self.ask(request)).await.unwrap_or_else(|_| Err(self.stalled()))
    }

    /// Brings a body, which takes as long as it moves. `read` is for what is read of the answer.
    pub(super) async fn bring<T>(
        &self,
        request: RequestBuilder,
        body: SendingBody,
        read: impl AsyncFnOnce(Answer) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (moving, length) = (body.moving(), body.length());
        let request = request.header(CONTENT_LENGTH, length).body(body.into_body());
        self.while_moving(&moving, async { read(self.ask(request).await?).await }).await
    }

    /// Waits for as long as a body moves.
    pub(super) async fn while_moving<T>(
        &self,
        moving: &Moving,
        asking: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        tokio::select! {
            // An answer that is there counts, however late it is looked at.
            biased;
            answer = asking => answer,
            complaint = moving.until_stalled(self.stall) => Err(Refusal::passing(complaint)),
        }
    }

    fn stalled(&self) -> Refusal {
        Refusal::passing(format!("Nothing has come for {} s.", self.stall.as_secs()))
    }

    /// What answers there is a Quayside.
    pub(super) fn is_known(&self, host: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    }

    fn judged(&self, host: &str, refusal: Refusal) -> Refusal {
        let is_known = self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(host);
        if is_known { refusal.of_known_server() } else { refusal }
    }
}

/// An answer, of whomever.
pub(crate) struct Answer {
    response: Response,
    host: String,
    /// Who has asked.
    bearer: Option<HeaderValue>,
    line: Line,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// It is what was asked for: this server is known from here on.
    pub(crate) fn is_right(&self) {
        self.line.is_known(&self.host);
    }

    /// It is not.
    pub(crate) fn strangers(&self) -> Refusal {
        self.line.judged(&self.host, Refusal::of_stranger(self.status().as_u16()))
    }

    /// What comes next of its body; `None` at its end.
    pub(crate) async fn block(&mut self) -> Result<Option<Bytes>, Refusal> {
        match timeout(self.line.stall, self.response.chunk()).await {
            Ok(Ok(block)) => Ok(block),
            Ok(Err(error)) => Err(self.line.judged(&self.host, Refusal::of_transport(&error))),
            Err(_) => Err(self.line.stalled()),
        }
    }

    /// The document that it must be.
    pub(super) async fn json<T: DeserializeOwned>(mut self) -> Result<T, Refusal> {
        let body = self.body().await?;
        let document = body.and_then(|body| serde_json::from_slice(&body).ok()).ok_or_else(|| self.strangers())?;
        self.is_right();
        Ok(document)
    }

    /// The upload that tus has created.
    pub(super) fn created_by_tus(&self) -> Result<UploadId, Refusal> {
        let location = self.headers().get("location").and_then(|value| value.to_str().ok());
        let id = location.and_then(|location| location.rsplit('/').next()).and_then(UploadId::parse);
        id.inspect(|_| self.is_right()).ok_or_else(|| self.strangers())
    }

    /// How far an upload is, as tus says it.
    pub(super) fn offset(&self) -> Result<u64, Refusal> {
        let offset = self.headers().get("upload-offset").and_then(|value| value.to_str().ok());
        let offset = offset.and_then(|text| text.parse().ok());
        offset.inspect(|_| self.is_right()).ok_or_else(|| self.strangers())
    }

    /// Its body as text; nothing where it is longer than any document.
    pub(super) async fn text(&mut self) -> Result<String, Refusal> {
        let body = self.body().await?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Its body; `None` where it is longer than any document, which is then read no further.
    async fn body(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let mut body = Vec::new();
        while let Some(block) = self.block().await? {
            if body.len() + block.len() > MAX_DOCUMENT_BYTES {
                return Ok(None);
            }
            body.extend_from_slice(&block);
        }
        Ok(Some(body))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use reqwest::header::CONTENT_TYPE;
    use serde_json::Value;

    use super::*;
    use crate::api::refusal::Verdict;

    /// A server that answers each connection with the next of these. Its host.
    fn server(answers: Vec<Box<dyn FnOnce(TcpStream) + Send>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut connection, _)) = listener.accept() else { return };
                let mut head = Vec::new();
                // What begins with 22 is a greeting of TLS.
                while !head.ends_with(b"\r\n\r\n") && head != [22] {
                    let mut byte = [0];
                    if connection.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    head.push(byte[0]);
                }
                answer(connection);
            }
        });
        host
    }

    fn saying(text: &'static str) -> Box<dyn FnOnce(TcpStream) + Send> {
        Box::new(move |mut connection| {
            let _ = connection.write_all(text.as_bytes());
        })
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const SIGN_IN: &str = "HTTP/1.1 302 Found\r\nlocation: https://portal.example/\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn a_sign_in_page_is_final_at_first_and_an_outage_later() {
        let host = server(vec![saying(SIGN_IN), saying(FINE), saying(SIGN_IN)]);
        let line = Line::new(Arc::default()).unwrap();
        let ask = || line.document::<Value>(line.http.get(format!("http://{host}/")).header("connection", "close"));
        assert_eq!(ask().await.unwrap_err().verdict, Verdict::Final);
        ask().await.unwrap();
        let later = ask().await.unwrap_err();
        assert_eq!(later.verdict, Verdict::Passing);
        assert!(later.message.contains("portal.example"), "{}", later.message);
    }

    #[tokio::test]
    async fn tls_that_fails_is_final_at_first_and_an_outage_later() {
        // What answers in plain text is no TLS.
        let host = server(vec![saying(FINE), saying(FINE), saying(FINE)]);
        let line = Line::new(Arc::default()).unwrap();
        let ask = |scheme: &str| {
            line.document::<Value>(line.http.get(format!("{scheme}://{host}/")).header("connection", "close"))
        };
        let first = ask("https").await.unwrap_err();
        assert_eq!(first.verdict, Verdict::Final, "{}", first.message);
        ask("http").await.unwrap();
        let later = ask("https").await.unwrap_err();
        assert_eq!(later.verdict, Verdict::Passing);
        assert!(later.message.contains("TLS"), "{}", later.message);
    }

    #[tokio::test]
    async fn a_body_without_end_is_read_up_to_a_bound() {
        for status in ["200 OK", "500 Oh", "302 Found"] {
            let (told, written) = std::sync::mpsc::channel();
            let endless = move |mut connection: TcpStream| {
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\n\r\n");
                let mut bytes = 0_usize;
                let block = vec![b' '; 64 * 1024];
                let mut result = connection.write_all(head.as_bytes());
                while result.is_ok() && bytes < 512 * MAX_DOCUMENT_BYTES {
                    result = connection.write_all(&block);
                    bytes += block.len();
                }
                let _ = told.send(bytes);
            };
            let host = server(vec![Box::new(endless)]);
            let line = Line::new(Arc::default()).unwrap();
            let refused = line.document::<Value>(line.http.get(format!("http://{host}/"))).await.unwrap_err();
            assert!(refused.message.starts_with("Something other than Quayside answered"), "{}", refused.message);
            let bytes = tokio::task::spawn_blocking(move || written.recv().unwrap()).await.unwrap();
            // What the sockets hold is written, too.
            assert!(bytes < 64 * MAX_DOCUMENT_BYTES, "{bytes} bytes were read");
        }
    }

    /// Answers so far, and holds the connection until the other end goes.
    fn silent_after(text: &'static str) -> Box<dyn FnOnce(TcpStream) + Send> {
        Box::new(move |mut connection| {
            let _ = connection.write_all(text.as_bytes());
            let _ = connection.read_to_end(&mut Vec::new());
        })
    }

    fn impatient() -> Line {
        Line { stall: Duration::from_secs(2), ..Line::new(Arc::default()).unwrap() }
    }

    #[tokio::test]
    async fn a_body_that_is_not_answered_is_given_up() {
        let host = server(vec![silent_after("")]);
        let line = impatient();
        let request = line.http.patch(format!("http://{host}/"));
        let body = SendingBody::of_bytes(Bytes::from_static(&[7; 1000]));
        let refused = line.bring(request, body, async |answer: Answer| answer.offset()).await.unwrap_err();
        assert_eq!(refused.verdict, Verdict::Passing);
        assert!(refused.message.contains("Nothing has moved"), "{}", refused.message);
    }

    #[tokio::test]
    async fn an_answer_in_which_nothing_comes_is_given_up() {
        let begun = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n:\n\n";
        let host = server(vec![silent_after(""), silent_after(begun)]);
        let line = impatient();
        let ask = || line.ask_at_length(line.http.get(format!("http://{host}/")));
        let refused = ask().await.err().unwrap();
        assert!(refused.message.contains("Nothing has come"), "{}", refused.message);
        let mut answer = ask().await.ok().unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/event-stream");
        assert_eq!(answer.block().await.unwrap().unwrap(), ":\n\n");
        let refused = answer.block().await.unwrap_err();
        assert_eq!(refused.verdict, Verdict::Passing);
    }
}
