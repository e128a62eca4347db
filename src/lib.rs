//! The Worker: HTTP, bytes, and the queue. It decides nothing about uploads: what may happen to one is decided in its Durable Object.
//!
//! * `http`: a request in, an answer out. `router` understands it, has it handled and renders the answer; `cors`, `health`, `server_timing`.
//! * `access`: whose request it is, and what it may: tokens, key sets, signed URLs, limits on the pace of creations.
//! * `handlers`: one file for each thing that a client can ask for; `create` and `append` are the main ones.
//! * `transfer`: the bytes of a body on their way into storage: `attempt` stores and commits part by part, `relay` moves the bytes into R2 and the
//!   digests, `idle_timeout` ends bodies that stall, `prefix` is what a part begins with, `gathering` holds bodies of unknown length.
//! * `storage`: the bucket by its S3 API. By its binding it is `durable_objects::platform::object_storage`.
//! * `queue`: the consumer: `webhook` tells the origin, `concat` and `repair` copy, `verify` reads objects back.
//! * `exchange`: a request to somebody outside. `signed_post`: how the application is told and asked.
//! * `switch`: what the service takes just now, by word of whoever runs it.
//! * `context`: what a handler is given beside the request. `config`: the settings, `address_settings` and `token_settings` among them, `defaults`, and `bindings`. `log`: lines, and what time it is.

// Wasm needs `unsafe` nowhere in this package: the bindings are wasm-bindgen's.
#![deny(unsafe_code)]

mod access;
mod context;
mod handlers;
mod http;
mod queue;
mod storage;
mod transfer;

mod address_settings;
mod bindings;
mod config;
mod defaults;
mod exchange;
mod log;
mod receivers;
mod setting;
mod signed_post;
mod switch;
mod token_settings;

use durable_objects::platform::error::Result;
use worker::{Context, Env, MessageBatch, Request, Response, event};

// A class that the root package does not name vanishes from the wasm.
use durable_objects::rpc::upload::QueueMessage;
pub use durable_objects::{OwnerLedger, UploadSession};

/// Called once, when an isolate loads the Worker.
#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// Called for every request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    log::bind(&env);
    http::router::answer(request, env, context).await
}

/// Called for every batch of either queue. Never returns an error: that would take the whole isolate down.
#[event(queue)]
async fn queue(batch: MessageBatch<QueueMessage>, env: Env, _context: Context) -> Result<()> {
    log::bind(&env);
    queue::consume(&batch, &env).await;
    Ok(())
}
