//! `quay doctor`: asks a deployment what it can do, sends it 20 MiB, cuts a connection in the middle, and says in plain words what is wrong.
//! Nothing of it stays: the upload is never whole, and is deleted.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use upload_types::integrity::Crc64Nvme;
use upload_types::units::{ByteCount, MIB};

use crate::api::documents::{CreateRequest, Creation};
use crate::api::{Api, Chunk, Refusal, SendingBody, UploadRef};
use crate::args::{Doctor, Global};
use crate::config;
use crate::failure::{Failure, Result};
use crate::progress::words::{duration, size};
use crate::results::print;
use crate::upload::base::{fresh_key, no_quayside};

const CHUNK_BYTES: u64 = 8 * MIB;
/// One chunk that arrives, one that is cut, one that is as large as many proxies allow.
const LARGE_CHUNK_BYTES: u64 = 12 * MIB;
const SENT_BYTES: u64 = CHUNK_BYTES + LARGE_CHUNK_BYTES;
/// Never sent, so that the upload is never whole.
const MISSING_BYTES: u64 = CHUNK_BYTES;
const CUT_AFTER_BYTES: u64 = 3 * MIB;
/// As much as the server forgives in tokens.
const CLOCK_LEEWAY: Duration = Duration::from_secs(30);
const FIRST_EVENT: Duration = Duration::from_secs(5);

pub(crate) async fn run(global: &Global, doctor: &Doctor) -> Result<u8> {
    let api = match &doctor.url {
        Some(url) => config::api(&Global { endpoint: Some(url.clone()), ..global.clone() }).await?,
        None => config::api(global).await?,
    };
    let mut examination = Examination { api, is_json: global.json, has_complaints: false };
    examination.alive().await?;
    examination.ready().await;
    examination.other_sites(doctor.origin.as_deref()).await;
    if examination.token().await {
        examination.transfer().await;
    }
    Ok(u8::from(examination.has_complaints))
}

struct Examination {
    api: Api,
    is_json: bool,
    has_complaints: bool,
}

impl Examination {
    fn fine(&self, about: &str, text: &str) {
        self.say(about, true, text);
    }

    fn wrong(&mut self, about: &str, text: &str) {
        self.has_complaints = true;
        self.say(about, false, text);
    }

    fn say(&self, about: &str, is_fine: bool, text: &str) {
        if self.is_json {
            print(json!({ "check": about, "ok": is_fine, "text": text }));
        } else {
            print(format_args!("{}  {about}: {text}", if is_fine { "ok   " } else { "WRONG" }));
        }
    }

    /// Whether it is there at all, and what time it has.
    async fn alive(&mut self) -> Result<()> {
        let began = Instant::now();
        let looked = self.api.look(Method::GET, "/healthz", HeaderMap::new()).await?;
        let said = serde_json::from_str::<Value>(&looked.body).unwrap_or_default();
        if looked.status != 200 || said["status"] != "alive" {
            return Err(no_quayside(self.api.endpoint(), &format!("GET /healthz was answered {}.", looked.status)));
        }
        let endpoint = self.api.endpoint().to_owned();
        self.fine("server", &format!("Quayside answers at {endpoint}, in {}.", duration(began.elapsed())));
        let date = looked.headers.get("date").and_then(|value| value.to_str().ok());
        match date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            None => self.fine("clock", "The server does not say what time it has."),
            Some(server) => self.clock(server, SystemTime::now()),
        }
        Ok(())
    }

    fn clock(&mut self, server: SystemTime, here: SystemTime) {
        let (apart, is_ahead) = match here.duration_since(server) {
            Ok(apart) => (apart, true),
            Err(error) => (error.duration(), false),
        };
        if apart > CLOCK_LEEWAY {
            let side = if is_ahead { "ahead of" } else { "behind" };
            let text = format!(
                "This machine's clock is {} {side} the server's. Uploads do not mind, but tokens minted here are expired or not valid yet, and \
                 TLS may fail: set the clock.",
                duration(apart)
            );
            self.wrong("clock", &text);
        } else {
            self.fine("clock", "This machine and the server agree on the time.");
        }
    }

    /// Whether its settings are right and all it is bound to answers.
    async fn ready(&mut self) {
        let looked = match self.api.look(Method::GET, "/readyz", HeaderMap::new()).await {
            Ok(looked) => looked,
            Err(refusal) => return self.wrong("readyz", &refusal.message),
        };
        let said = serde_json::from_str::<Value>(&looked.body).unwrap_or_default();
        let Some(checks) = said["checks"].as_object() else {
            return self.wrong("readyz", &format!("GET /readyz was answered {} by something else.", looked.status));
        };
        for (name, complaint) in checks.iter().filter(|(_, check)| **check != "ok") {
            self.wrong("readyz", &format!("{name}: {}", complaint.as_str().unwrap_or_default()));
        }
        if looked.status == 200 {
            self.fine("readyz", "The settings are right, and the bucket, the objects and the queues answer.");
        }
    }

    /// Whether pages of another site may upload.
    async fn other_sites(&mut self, origin: Option<&str>) {
        let Some(origin) = origin else { return };
        let Ok(value) = HeaderValue::from_str(origin) else {
            return self.wrong("CORS", &format!("`{origin}` is no origin; one looks like https://app.example.com"));
        };
        let mut headers = HeaderMap::new();
        headers.insert("origin", value);
        headers.insert("access-control-request-method", HeaderValue::from_static("POST"));
        match self.api.look(Method::OPTIONS, "/upload/init", headers).await {
            Err(refusal) => self.wrong("CORS", &refusal.message),
            Ok(looked) => match looked.headers.get("access-control-allow-origin").and_then(|value| value.to_str().ok())
            {
                Some(allowed) if allowed == origin || allowed == "*" => {
                    self.fine("CORS", &format!("Pages of {origin} may upload."));
                }
                _ => self.wrong("CORS", &format!("Pages of {origin} may not upload: add it to CORS_ORIGINS.")),
            },
        }
    }

    /// Whether it takes the token.
    async fn token(&mut self) -> bool {
        match self.api.open_uploads(None).await {
            Ok(_) => {
                self.fine("token", "Whoever asks here may upload.");
                true
            }
            Err(refusal) => {
                self.wrong("token", &refusal.message);
                false
            }
        }
    }

    async fn transfer(&mut self) {
        let created = self.create().await;
        let upload = match created {
            Ok(upload) => upload,
            Err(failure) => return self.wrong("upload", &failure.message),
        };
        if let Err(refusal) = self.send(&upload).await {
            self.wrong("upload", &refusal.message);
        }
        match self.api.delete(&upload).await {
            Ok(()) => self.fine("delete", "What was sent is deleted again."),
            Err(refusal) => self.wrong("delete", &refusal.message),
        }
    }

    async fn create(&self) -> Result<UploadRef> {
        let request = CreateRequest {
            file_name: "quay-doctor.bin".to_owned(),
            file_size: ByteCount::new(SENT_BYTES + MISSING_BYTES).unwrap_or(ByteCount::MAX),
            content_type: Some("application/octet-stream".to_owned()),
            chunk_size: None,
            parallel: false,
            direct: false,
            sha256: None,
            metadata: [].into(),
        };
        match self.api.create(&request, &fresh_key()?).await? {
            Creation::Created(created) => Ok(UploadRef { id: created.upload_id, token: created.upload_token }),
            Creation::Duplicate { .. } => {
                Err(Failure::refused("The server says that it has bytes that nobody has sent."))
            }
        }
    }

    /// A chunk, one that is cut, the place to go on, and a large one from there.
    async fn send(&mut self, upload: &UploadRef) -> Result<(), Refusal> {
        let began = Instant::now();
        let first = block(CHUNK_BYTES, 1);
        self.api.put(upload, chunk(0, first)).await?;
        let cut = self.api.put_cut(upload, CHUNK_BYTES, LARGE_CHUNK_BYTES, cut_body()).await;
        let status = self.api.status(upload).await?;
        let counted = status.uploaded_bytes.get();
        match cut {
            Ok(()) => self.wrong(
                "interruption",
                "A chunk that was cut was taken for a whole one: something in between fills it up.",
            ),
            Err(_) if (CHUNK_BYTES..SENT_BYTES).contains(&counted) => {
                self.fine("interruption", &format!("A connection was cut; the upload goes on at byte {counted}."));
            }
            Err(_) => self.wrong("interruption", &format!("After a cut connection the server counts {counted} bytes.")),
        }
        let rest = block(SENT_BYTES - counted, 2);
        let large = size(rest.len() as u64);
        self.api.put(upload, chunk(counted, rest)).await?;
        self.fine("size", &format!("A request with {large} goes through whatever is in between."));
        let took = began.elapsed();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = size(SENT_BYTES * 1000 / took_ms);
        self.fine("speed", &format!("{} were sent and compared in {}, {rate}/s.", size(SENT_BYTES), duration(took)));
        self.live(upload).await
    }

    /// Whether something in between holds live progress back.
    async fn live(&mut self, upload: &UploadRef) -> Result<(), Refusal> {
        let mut answer = self.api.events(upload).await?;
        match tokio::time::timeout(FIRST_EVENT, answer.block()).await {
            Ok(Ok(Some(_))) => self.fine("live", "Live progress arrives at once."),
            _ => self.wrong(
                "live",
                "Live progress does not arrive: a proxy in between gathers answers (`proxy_buffering off` in nginx).",
            ),
        }
        Ok(())
    }
}

fn chunk(offset: u64, bytes: Bytes) -> Chunk {
    Chunk { offset, crc64nvme: Crc64Nvme::of(&bytes), body: SendingBody::of_bytes(bytes) }
}

/// Bytes that do not compress.
fn block(bytes: u64, seed: u64) -> Bytes {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        // The step of Knuth's MMIX; its upper half is random enough.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 32).unwrap_or(0).to_le_bytes()
    });
    words.flatten().take(usize::try_from(bytes).unwrap_or(0)).collect::<Vec<u8>>().into()
}

/// Ends too early, as a connection does.
fn cut_body() -> reqwest::Body {
    let blocks = [Ok(block(CUT_AFTER_BYTES, 2)), Err(std::io::Error::other("cut on purpose"))];
    reqwest::Body::wrap_stream(stream::iter(blocks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::credential::Credential;

    fn examined(ahead_seconds: u64, behind_seconds: u64) -> bool {
        let api = Api::new("http://a.example", Credential::default()).unwrap();
        let mut examination = Examination { api, is_json: false, has_complaints: false };
        let server = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let here = server + Duration::from_secs(ahead_seconds) - Duration::from_secs(behind_seconds);
        examination.clock(server, here);
        examination.has_complaints
    }

    #[test]
    fn a_clock_that_is_years_off_is_told_in_either_direction() {
        assert!(!examined(0, 0) && !examined(20, 0) && !examined(0, 20));
        assert!(examined(100_000_000, 0) && examined(0, 100_000_000));
    }

    #[test]
    fn what_is_sent_is_as_long_as_it_was_said_and_not_all_the_same() {
        let bytes = block(10_001, 1);
        assert_eq!(bytes.len(), 10_001);
        assert_ne!(bytes[..100], bytes[100..200]);
    }
}
