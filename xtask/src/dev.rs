//! `cargo xtask dev`: the Worker and the example origin, running until Ctrl-C.
//!
//! Does all its set-up first, prints `ready: <url>` once both answer, and keeps what they store in the state folder, so
//! that the next start goes on where this one ended. wrangler builds again after every change of a source. When one
//! program ends by itself, says which, ends the other and fails.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::{Context, Result, ensure};

use crate::project::Project;
use crate::stack::{self, Auth, Event, Output, Stack, Urls};
use crate::{cargo_build, ports, say, setup, signals, worker_build};

/// The package and the program of the example origin.
pub(crate) const ORIGIN: &str = "origin";

/// What the command line may change.
pub(crate) struct Options {
    /// The Worker's port.
    pub(crate) port: u16,
    /// The origin's port.
    pub(crate) origin_port: u16,
    /// What both keep, relative to the current folder; `.state` in the repository when not given.
    pub(crate) state: Option<PathBuf>,
    /// Who may upload.
    pub(crate) auth: Auth,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 8787, origin_port: 8788, state: None, auth: Auth::Open }
    }
}

/// Runs until Ctrl-C, which is success.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    ensure!(options.port != options.origin_port, "the Worker and the origin need two different ports");
    ports::require_free(options.port, "--port", "the Worker")?;
    ports::require_free(options.origin_port, "--origin-port", "the origin")?;
    let state = match &options.state {
        Some(path) => std::path::absolute(path).context("finding the state folder")?,
        None => project.path(".state"),
    };
    let origin = build_everything(project)?;

    let (sender, events) = mpsc::channel();
    let stop = sender.clone();
    signals::on_stop(move || drop(stop.send(Event::Stop)))?;
    let stack_options = stack::Options {
        port: options.port,
        origin_port: options.origin_port,
        state,
        output: Output::Printed,
        auth: options.auth,
    };
    let urls = Urls::of(&stack_options);
    let stack = Stack::start(project, &origin, &stack_options, &sender)?;
    let event = match urls.wait_until_ready(&events) {
        Ok(None) => {
            say::line(match options.auth {
                Auth::Open => "AUTH is \"open\": anybody on this machine may upload. --auth token is as in production",
                Auth::Token => "AUTH is \"token\": the secret to mint tokens with is TOKEN_SECRETS in .dev.vars",
            });
            say::line(format_args!("origin: {}/uploads lists what it has received; Ctrl-C ends both", urls.origin));
            say::line(format_args!("ready: {}", urls.worker));
            events.recv().context("waiting for the Worker and the origin")
        }
        Ok(Some(event)) => Ok(event),
        Err(error) => Err(error),
    };
    stack.end();
    match event? {
        Event::Stop => {
            say::line("ended");
            Ok(ExitCode::SUCCESS)
        }
        Event::Ended(name, status) => {
            say::line(format_args!("the {name} ended by itself ({status}), so everything was ended"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// All set-up, the Worker and the origin; returns the path of the origin's program.
pub(crate) fn build_everything(project: &Project) -> Result<PathBuf> {
    setup::for_running(project)?;
    worker_build::build(project)?;
    cargo_build::program(project, ORIGIN)
}
