//! The Worker: HTTP, bytes, and the queue. Decides nothing about uploads: what may happen to one is decided in its object.
//!
//! * `front`: a request in, an answer out, with CORS and a log line. `auth`: whose request it is, and what it may.
//! * `uploads`: operations, carried out through the object.
//! * `create`: a new upload. `append`: a chunk, granted, then stored and counted by an `attempt`; `relay` over `streams`: a body into storage, and its
//!   digests by the way; `patience`: how long a body may bring too little; `renewal`: that a part is still under way; `tail`: what a part begins with.
//!   `append_unsized`: a chunk that does not say how long it is; `gathering` into memory, which is `held`. `document`: a body that says what is
//!   asked. `call`: what every operation is carried out with.
//! * `compose`: a new upload that is put together from others. `copying`: its bytes.
//! * `repairing`: a file without its declared digest is put together anew.
//! * `direct`: parts that the client stores itself, under signed URLs.
//! * `download`: the object out, by signed URL. `events`: how an upload stands, live.
//! * `config`: the settings. `cors`: what other sites may do. `signed_url`: links to objects. `log`: lines, and when it is.
//! * `health`: whether it runs, and whether it is ready. `timings`: where a request's time went.
//! * `queue_consumer` and `webhook`: the origin is told. `verification`: an object read back.

// Wasm needs `unsafe` nowhere in this package: the bindings are wasm-bindgen's.
#![deny(unsafe_code)]

mod access;
mod context;
mod handlers;
mod http;
mod queue;
mod storage;
mod transfer;

mod config;
mod log;

use durable_objects::platform::error::Result;
use worker::{Context, Env, MessageBatch, Request, Response, event};

// A class that the root package does not name vanishes from the wasm.
use durable_objects::rpc::upload::Errand;
pub use durable_objects::{OwnerLedger, UploadSession};

/// Called once, when an isolate loads the Worker.
#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// Called for every request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    #[cfg(feature = "small-parts")]
    if web_sys::Url::new(&request.inner().url())?.hostname() != "127.0.0.1" {
        return Ok(Response::error("a Worker built with small parts serves only the machine it runs on", 503)?);
    }
    log::bind(&env);
    http::router::answer(request, env, context).await
}

/// Called for every batch of either queue. Never returns an error: that would take the whole isolate down.
#[event(queue)]
async fn queue(batch: MessageBatch<Errand>, env: Env, _context: Context) -> Result<()> {
    log::bind(&env);
    queue::consume(&batch, &env).await;
    Ok(())
}
