//! The network's half of a download: one GET, streamed to the spool, and the comparison with what the event promised; or with what was asked for,
//! of a recording that goes on.
//!
//! Every ending is one of three: the bytes are right; they are wrong and will be wrong again
//! ([`DownloadError::Mismatch`]); something was in the way and another delivery may fare better
//! ([`DownloadError::Passing`]). In doubt it is the last: a wrong "passing" costs some retries and then shows in
//! Quayside's dead letters, a wrong "mismatch" loses a file.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::StreamExt;
use reqwest::{Client, Response, StatusCode, header, redirect};
use tokio_util::sync::CancellationToken;

use crate::event::{CompletedUpload, DownloadUrl, Expected};
use crate::spool::{Spool, Spooled};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may send nothing. There is no limit for the whole: a large file takes what it takes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no usable file.
#[derive(Debug)]
pub(crate) enum DownloadError {
    /// The object is not what the event describes.
    Mismatch(String),
    /// The network, the server or our disk failed.
    Passing(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for DownloadError {
    fn from(error: E) -> Self {
        Self::Passing(error.into())
    }
}

/// The one client. It follows no redirect: the event names the place, and no answer may name another.
pub(crate) fn client() -> anyhow::Result<Client> {
    // A second call finds the first one's choice in place, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .build()
        .context("cannot set up the HTTP client")
}

/// Fetches the object into `part`. Whatever comes back, nothing writes to `part` any more.
pub(crate) async fn download(
    client: &Client,
    upload: &CompletedUpload,
    part: PathBuf,
    stopping: &CancellationToken,
) -> Result<Spooled, DownloadError> {
    let response = tokio::select! {
        response = request(client, &upload.download_url, None) => response?,
        () = stopping.cancelled() => return Err(stopped()),
    };
    let announced = response.content_length();
    check_size(announced.unwrap_or(upload.expected.size_bytes), upload.expected)?;

    let spool = Spool::create(part);
    let received = receive(response, &spool, upload.expected.size_bytes, stopping).await;
    // Wait for the writer first, also when receiving failed. Its own error explains a push that was refused.
    let spooled = spool.finish().await.context("cannot write to disk")?;
    received?;
    if announced.is_none() && spooled.size_bytes < upload.expected.size_bytes {
        // Without an announced length, an early end is how a cut connection may look.
        return Err(anyhow!("ended after {} of {} bytes", spooled.size_bytes, upload.expected.size_bytes).into());
    }
    check_size(spooled.size_bytes, upload.expected)?;
    check_digests(&spooled, upload.expected)?;
    Ok(spooled)
}

/// Fetches the bytes from one to another, and puts them behind the first `range.start` of `growing`. Whatever comes back, nothing writes to it
/// any more. All that can be wrong may pass: there is no digest of a piece, and the whole is checked when it is there.
pub(crate) async fn download_range(
    client: &Client,
    url: &DownloadUrl,
    range: Range<u64>,
    growing: PathBuf,
    stopping: &CancellationToken,
) -> Result<Spooled, DownloadError> {
    let response = tokio::select! {
        response = request(client, url, Some(&range)) => response?,
        () = stopping.cancelled() => return Err(stopped()),
    };
    let wanted_bytes = range.end - range.start;
    let spool = Spool::append(growing, range.start);
    let received = receive(response, &spool, wanted_bytes, stopping).await;
    let spooled = spool.finish().await.context("cannot write to disk")?;
    received?;
    if spooled.size_bytes != wanted_bytes {
        return Err(anyhow!("ended after {} of {wanted_bytes} bytes", spooled.size_bytes).into());
    }
    Ok(spooled)
}

async fn request(client: &Client, url: &DownloadUrl, range: Option<&Range<u64>>) -> anyhow::Result<Response> {
    let mut request = client
        .get(url.0.clone())
        // Nothing on the way may compress: the digests are of the plain bytes.
        .header(header::ACCEPT_ENCODING, "identity");
    if let Some(range) = range {
        request = request.header(header::RANGE, format!("bytes={}-{}", range.start, range.end - 1));
    }
    let response = request.send().await.map_err(reqwest::Error::without_url)?;
    match response.status() {
        StatusCode::OK if range.is_none() => Ok(response),
        StatusCode::PARTIAL_CONTENT if range.is_some() => Ok(response),
        // Also 403 and 404: the next delivery brings a fresh URL, and what stays wrong ends in the dead letters, seen.
        status => Err(anyhow!("the download was answered with {status}")),
    }
}

async fn receive(
    response: Response,
    spool: &Spool,
    size_bytes: u64,
    stopping: &CancellationToken,
) -> Result<(), DownloadError> {
    let mut chunks = response.bytes_stream();
    let mut received_bytes = 0;
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk,
            () = stopping.cancelled() => return Err(stopped()),
        };
        let Some(chunk) = chunk else { return Ok(()) };
        let chunk = chunk.map_err(reqwest::Error::without_url)?;
        received_bytes += chunk.len() as u64;
        if received_bytes > size_bytes {
            return Err(DownloadError::Mismatch(format!("more bytes than the {size_bytes} of the event")));
        }
        if !spool.push(chunk).await {
            return Err(anyhow!("the disk took no more").into());
        }
    }
}

fn stopped() -> DownloadError {
    anyhow!("the origin is shutting down").into()
}

fn check_size(actual_bytes: u64, expected: Expected) -> Result<(), DownloadError> {
    if actual_bytes == expected.size_bytes {
        return Ok(());
    }
    Err(DownloadError::Mismatch(format!("{actual_bytes} bytes, the event says {}", expected.size_bytes)))
}

fn check_digests(spooled: &Spooled, expected: Expected) -> Result<(), DownloadError> {
    check_digest("CRC-64/NVME", &spooled.crc64nvme, &expected.crc64nvme)?;
    expected.sha256.map_or(Ok(()), |sha256| check_digest("SHA-256", &spooled.sha256, &sha256))
}

fn check_digest(name: &str, actual: &[u8], expected: &[u8]) -> Result<(), DownloadError> {
    if actual == expected {
        return Ok(());
    }
    Err(DownloadError::Mismatch(format!("{name} is {}, the event says {}", hex::encode(actual), hex::encode(expected))))
}
