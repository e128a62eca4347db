//! A client of the JSON API and of the origin's list, as small as one can be: one method per call, no retries.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::stack::Urls;

/// Only for giving up.
const CALL_WITHIN: Duration = Duration::from_mins(5);

/// Speaks to one Worker and one origin.
pub(crate) struct Client {
    agent: Agent,
    worker_url: String,
    origin_url: String,
}

/// An upload that the Worker has created.
pub(crate) struct Upload {
    /// Its id.
    pub(crate) id: String,
    /// How many bytes each request is to carry.
    pub(crate) chunk_bytes: u64,
    /// The path of the upload, on the Worker.
    path: String,
}

impl Client {
    /// Connects to nothing yet.
    pub(crate) fn new(urls: &Urls) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(CALL_WITHIN));
        let agent = config.build().new_agent();
        Self { agent, worker_url: urls.worker.clone(), origin_url: urls.origin.clone() }
    }

    /// Creates an upload, asking for chunks of `chunk_bytes`.
    pub(crate) fn init(&self, name: &str, size_bytes: u64, chunk_bytes: u64) -> Result<Upload> {
        let request = json!({"fileName": name, "fileSize": size_bytes, "chunkSize": chunk_bytes});
        let sent = self
            .agent
            .post(format!("{}/upload/init", self.worker_url))
            .content_type("application/json")
            .send(request.to_string());
        let answer = json_of(sent.context("creating the upload")?)?;
        Ok(Upload {
            id: text(&answer, "uploadId")?,
            chunk_bytes: number(&answer, "chunkSize")?,
            path: text(&answer, "uploadUrl")?,
        })
    }

    /// Puts one chunk; returns how many bytes the Worker has confirmed in all.
    pub(crate) fn put(&self, upload: &Upload, offset: u64, chunk: &[u8]) -> Result<u64> {
        let sent = self.agent.put(self.url(upload)).header("x-upload-offset", offset.to_string()).send(chunk);
        number(&json_of(sent.context("putting a chunk")?)?, "uploadedBytes")
    }

    /// Announces a whole chunk, sends the first half of it, and closes the connection.
    pub(crate) fn put_half(&self, upload: &Upload, offset: u64, chunk: &[u8]) -> Result<()> {
        let host = self.worker_url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
        let head = format!(
            "PUT {} HTTP/1.1\r\nhost: {host}\r\nx-upload-offset: {offset}\r\ncontent-length: {}\r\n\r\n",
            upload.path,
            chunk.len()
        );
        connection.write_all(head.as_bytes())?;
        connection.write_all(&chunk[..chunk.len() / 2]).context("sending half of a chunk")
    }

    /// Asks from where to go on.
    pub(crate) fn offset(&self, upload: &Upload) -> Result<u64> {
        let answer = self.agent.head(self.url(upload)).call().context("asking for the offset")?;
        let header = answer.headers().get("upload-offset").and_then(|value| value.to_str().ok());
        header
            .and_then(|value| value.parse().ok())
            .with_context(|| format!("HEAD answered {} without Upload-Offset", answer.status()))
    }

    /// Says that every byte is there.
    pub(crate) fn complete(&self, upload: &Upload) -> Result<()> {
        let sent = self.agent.post(format!("{}/complete", self.url(upload))).send_empty();
        json_of(sent.context("completing the upload")?).map(drop)
    }

    /// What the Worker says of the upload.
    pub(crate) fn status(&self, upload: &Upload) -> Result<Value> {
        json_of(self.agent.get(format!("{}/status", self.url(upload))).call().context("asking for the status")?)
    }

    /// What the origin has recorded, once it has.
    pub(crate) fn origin_record(&self, upload: &Upload) -> Result<Option<Value>> {
        let url = format!("{}/uploads/{}", self.origin_url, upload.id);
        let answer = self.agent.get(url).call().context("asking the origin")?;
        if answer.status() == 404 { Ok(None) } else { json_of(answer).map(Some) }
    }

    fn url(&self, upload: &Upload) -> String {
        format!("{}{}", self.worker_url, upload.path)
    }
}

/// The body of a success; the problem that a refusal tells, as an error.
fn json_of(mut answer: Response<Body>) -> Result<Value> {
    let status = answer.status();
    let body = answer.body_mut().read_to_string().context("reading the answer")?;
    if !status.is_success() {
        bail!("the answer was {status}: {}", body.trim());
    }
    serde_json::from_str(&body).with_context(|| format!("this answer is not JSON: {body}"))
}

/// The text under `name`.
pub(crate) fn text(object: &Value, name: &str) -> Result<String> {
    object[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {object}"))
}

fn number(object: &Value, name: &str) -> Result<u64> {
    object[name].as_u64().with_context(|| format!("no {name} in {object}"))
}
