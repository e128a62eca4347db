//! Operations, carried out: each asks the upload's object, and an append moves its bytes in between.

use durable_objects::rpc::{self, Cancel, Complete, CreateUpload, Probe, Redeliver, Status, ask};
use futures_channel::oneshot;
use upload_core::{
    integrity::RunningSha256,
    log_line::LogLine,
    operation::{Append, Create, Operation, Outcome},
    refusal::Refusal,
    session::{Begin, Birth, Commit, Committed, Grant, Release},
    units::{ByteCount, UnixMs, UploadId},
};
use web_sys::ReadableStream;
use worker::{Context, Env, Error, ObjectNamespace, Result};

use crate::{
    auth,
    config::Config,
    log::{self, Stopwatch, now_ms},
    relay::{Broken, Relay},
};

/// Which binding of wrangler.toml leads to the bucket.
pub(crate) const BUCKET_BINDING: &str = "BUCKET";

/// What an operation comes to: an outcome or a refusal; or else a fault, which is ours.
pub(crate) type Carried = Result<Result<Outcome, Refusal>>;

/// Carries out anything but a download. `host` is scheme and host of the request.
pub(crate) async fn carry_out(
    operation: Operation,
    body: Option<ReadableStream>,
    config: &Config,
    env: &Env,
    context: &Context,
    host: String,
) -> Carried {
    let objects = env.durable_object(rpc::NAMESPACE_BINDING)?;
    let answer = match operation {
        Operation::Create(create) => return self::create(create, config, &objects, host).await,
        Operation::Append(append) => return self::append(append, body, config, env, context).await,
        Operation::Probe(id) => ask(&objects, id, &Probe).await?.map(Outcome::Probed),
        Operation::Status(id) => ask(&objects, id, &Status).await?.map(Outcome::Status),
        Operation::Complete(id) => ask(&objects, id, &Complete).await?.map(Outcome::Completing),
        Operation::Redeliver(id) => ask(&objects, id, &Redeliver).await?.map(Outcome::Redelivering),
        Operation::Cancel(id) => ask(&objects, id, &Cancel).await?.map(|()| Outcome::Cancelled),
        Operation::Download(_) => return Err(Error::from("a download has no outcome")),
    };
    Ok(answer)
}

async fn create(create: Create, config: &Config, objects: &ObjectNamespace, host: String) -> Carried {
    let owner = match auth::owner(config) {
        Ok(owner) => owner,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Ok(plan) = upload_core::plan::Plan::new(create.file_bytes, create.chunk_bytes, config.limits) else {
        return Ok(Err(Refusal::UploadTooLarge { limit_bytes: config.limits.largest_file() }));
    };
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::RustError(error.to_string()))?;
    let id = UploadId::from_random_bytes(random);
    let created_at = UnixMs(now_ms());
    let birth = Birth {
        id,
        owner,
        key: Config::object_key(id),
        file: create.file,
        plan,
        multipart_id: None,
        public_url: config.public_url.clone().unwrap_or(host),
        created_at,
        expires_at: created_at.plus_ms(config.upload_ttl_ms),
        policy: config.policy,
    };
    let watch = Stopwatch::start();
    let answer = ask(objects, id, &CreateUpload(birth)).await?;
    let answer = answer.map(|snapshot| {
        let line = LogLine::of("created", id);
        let bytes = Some(snapshot.plan.file_bytes);
        log::info(&LogLine { bytes, duration_ms: Some(watch.elapsed_ms()), ..line });
        Outcome::Created { snapshot, limits: config.limits }
    });
    Ok(answer)
}

/// Stores a chunk. The work goes on for a while when the client goes away: what has arrived by then may be whole parts.
async fn append(
    append: Append,
    body: Option<ReadableStream>,
    config: &Config,
    env: &Env,
    context: &Context,
) -> Carried {
    let limit_bytes = config.limits.max_chunk_bytes;
    if append.length > limit_bytes {
        return Ok(Err(Refusal::ChunkTooLarge { limit_bytes }));
    }
    let (done, answer) = oneshot::channel();
    let env = env.clone();
    // In production a handler ends with its client, and only this survives, for at most 30 seconds.
    context.wait_until(async move {
        let _ = done.send(store(append, body, &env).await);
    });
    answer.await.map_err(|_| Error::from("the relay ended without an answer"))?
}

async fn store(append: Append, body: Option<ReadableStream>, env: &Env) -> Carried {
    let objects = env.durable_object(rpc::NAMESPACE_BINDING)?;
    let begin = Begin {
        offset: append.offset,
        length: append.length,
        file_bytes: append.file_bytes,
        whole: append.digest.is_some(),
    };
    let grant = match ask(&objects, append.id, &begin).await? {
        Ok(grant) => grant,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(body) = body else { return Err(Error::from("a chunk without a body")) };
    let upload = env.bucket(BUCKET_BINDING)?.resume_multipart_upload(&grant.key, &grant.multipart_id)?;
    let file_sha256 = if grant.carry_sha256 {
        let running = RunningSha256::resume(grant.sha256_so_far.as_ref());
        Some(running.ok_or_else(|| Error::from("the saved state of a SHA-256 cannot be read back"))?)
    } else {
        None
    };
    let relay = Relay::new(&body, upload, append.digest.as_ref(), file_sha256)?;
    let attempt = Attempt { id: append.id, objects: &objects, grant: &grant, uploaded_bytes: append.offset };
    attempt.run(&append, relay).await
}

/// One try at storing a chunk.
struct Attempt<'a> {
    id: UploadId,
    objects: &'a ObjectNamespace,
    grant: &'a Grant,
    /// How many bytes of the file count, as far as this attempt knows.
    uploaded_bytes: ByteCount,
}

impl Attempt<'_> {
    async fn run(mut self, append: &Append, mut relay: Relay) -> Carried {
        let watch = Stopwatch::start();
        let end = append.offset.checked_add(append.length).unwrap_or(append.offset);
        let mut held_back = Vec::new();
        let mut number = self.grant.first_number;
        let mut phase = None;
        for span in self.grant.plan.spans(append.offset, end) {
            let receipt = match relay.part(number, span).await {
                Ok(receipt) => receipt,
                Err(broken) => {
                    relay.stop().await;
                    return self.broken(broken).await;
                }
            };
            if append.digest.is_some() {
                // Nothing counts before the checksum at the end of the chunk is right.
                held_back.push(receipt);
                number += 1;
                continue;
            }
            // Dies here: R2 has the part and nobody counts it; the offset is the old one.
            match self.commit(vec![receipt], &relay).await? {
                // Dies here: the bytes are durable and count, and the client finds that out when it asks.
                Ok(committed) => {
                    number = committed.next_number.unwrap_or(number);
                    phase = Some(committed.phase);
                }
                Err(refusal) => {
                    relay.stop().await;
                    return Ok(Err(refusal));
                }
            }
        }
        if append.digest.is_some() {
            let commit = self.commit_of(held_back, &relay);
            if !relay.chunk_is_as_declared().await? {
                self.release(false).await;
                return Ok(Err(Refusal::ChecksumMismatch { uploaded_bytes: self.uploaded_bytes }));
            }
            match self.send(commit).await? {
                Ok(committed) => phase = Some(committed.phase),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let phase = phase.ok_or_else(|| Error::from("a chunk without parts"))?;
        let line = LogLine { bytes: Some(append.length), attempt: Some(self.grant.attempt), ..LogLine::of("chunk_committed", self.id) };
        log::info(&LogLine { duration_ms: Some(watch.elapsed_ms()), ..line });
        let file_bytes = self.grant.plan.file_bytes;
        Ok(Ok(Outcome::Appended { id: self.id, uploaded_bytes: self.uploaded_bytes, file_bytes, phase }))
    }

    fn commit_of(&self, receipts: Vec<upload_core::session::Receipt>, relay: &Relay) -> Commit {
        Commit { attempt: self.grant.attempt, receipts, sha256_so_far: relay.sha256_so_far() }
    }

    async fn commit(
        &mut self,
        receipts: Vec<upload_core::session::Receipt>,
        relay: &Relay,
    ) -> Result<Result<Committed, Refusal>> {
        let commit = self.commit_of(receipts, relay);
        self.send(commit).await
    }

    async fn send(&mut self, commit: Commit) -> Result<Result<Committed, Refusal>> {
        let answer = ask(self.objects, self.id, &commit).await?;
        if let Ok(committed) = &answer {
            self.uploaded_bytes = committed.uploaded_bytes;
        }
        Ok(answer)
    }

    /// The chunk did not get to its end. Whole parts before the break stay counted.
    async fn broken(&self, broken: Broken) -> Carried {
        let uploaded_bytes = self.uploaded_bytes;
        let line = LogLine { attempt: Some(self.grant.attempt), ..LogLine::of("chunk_broken", self.id) };
        let (refusal, code, detail) = match broken {
            Broken::BodyEnded => (Refusal::BodyCutShort { uploaded_bytes }, "body-ended", None),
            Broken::Storage(error) => (Refusal::StorageUnavailable { uploaded_bytes }, "storage", Some(error.to_string())),
            Broken::StorageGone => {
                self.release(true).await;
                log::error(&LogLine { code: Some("storage-gone"), ..line });
                // The object has ended the upload, and says so.
                return Ok(ask(self.objects, self.id, &Probe).await?.map(Outcome::Probed));
            }
            Broken::Fault(error) => {
                self.release(false).await;
                return Err(error);
            }
        };
        self.release(false).await;
        log::info(&LogLine { code: Some(code), detail, bytes: Some(uploaded_bytes), ..line });
        Ok(Err(refusal))
    }

    /// Gives the lease back. Where that fails, the next attempt takes it anyway.
    async fn release(&self, storage_gone: bool) {
        let release = Release { attempt: self.grant.attempt, storage_gone };
        if let Err(error) = ask(self.objects, self.id, &release).await {
            log::error(&LogLine { detail: Some(error.to_string()), ..LogLine::of("release_failed", self.id) });
        }
    }
}
