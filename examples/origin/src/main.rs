//! The example origin: the backend that Quayside tells about finished uploads.
//!
//! This file wires the parts together and ends them in order; everything worth copying is in the modules: `webhook` (is
//! it really Quayside, what does it say, what do we answer) → `intake` (each upload is taken in exactly once) →
//! `download` and `spool` (one stream to disk, counted and hashed on the way) → `store` (the record).
//!
//! The process may be killed at any moment. Nothing here repairs anything at start-up: Quayside repeats an event until
//! it is acknowledged, and the repetition takes the same path as the first delivery.

mod clock;
mod config;
mod data_dir;
mod download;
mod event;
mod growing;
mod intake;
mod listing;
mod log;
mod record;
mod sniff;
mod spool;
mod store;
mod webhook;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::growing::Growing;
use crate::intake::Intake;
use crate::store::Store;
use crate::webhook::Inbox;

/// How long requests in flight may take to end once we were asked to stop. Cutting them off is safe, only less polite.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("origin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    // Before anything else, so that a signal during start-up is not lost.
    let stopping = stop_on_signal()?;
    let Config { listen, data_dir, verifiers, disposition, wait, show_to } = Config::from_env()?;
    let data_dir = Arc::new(DataDir::open(data_dir)?);
    let store = Store::open(&data_dir.database())?;
    let client = download::client()?;
    let growing = Growing::new(Arc::clone(&data_dir), client.clone(), stopping.clone());
    let intake = Arc::new(Intake::new(store.clone(), Arc::clone(&data_dir), client, stopping.clone()));

    let app = Router::new()
        .merge(webhook::routes(Inbox {
            verifiers,
            store: store.clone(),
            intake: Arc::clone(&intake),
            growing,
            disposition,
            wait,
        }))
        .merge(listing::routes(store, Arc::clone(&data_dir), show_to))
        .route("/healthz", get(async || "ok"));

    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    log::info("listening", json!({ "address": listener.local_addr()?.to_string(), "dataDir": data_dir.root() }));

    let serving = axum::serve(listener, app).with_graceful_shutdown(stopping.clone().cancelled_owned());
    let ended = tokio::select! {
        served = async { serving.await } => served.map(|()| "all requests answered")?,
        () = async { stopping.cancelled().await; tokio::time::sleep(SHUTDOWN_GRACE).await } => "requests cut off",
    };
    intake.stopped().await;
    log::info("stopped", json!({ "ended": ended }));
    Ok(())
}

/// Becomes cancelled at the first SIGTERM or SIGINT. Every wait in the program ends with it.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = CancellationToken::new();
    let token = stopping.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(stopping)
}
