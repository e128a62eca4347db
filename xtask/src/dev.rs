//! `cargo xtask dev`: the Worker and the example origin, running until Ctrl-C.
//!
//! Does all its set-up first, prints `ready: <url>` once both answer, and keeps what they store in the state folder, so
//! that the next start goes on where this one ended. wrangler builds again after every change of a source. When one
//! program ends by itself, says which, ends the other and fails.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::project::Project;
use crate::stack::{self, Auth, Output};
use crate::{output, ports, worker_build};

/// What the command line may change.
#[derive(Args)]
pub(crate) struct Options {
    /// The Worker's port
    #[arg(long, default_value_t = 8787, value_name = "PORT")]
    pub(crate) port: u16,
    /// The origin's port
    #[arg(long, default_value_t = 8788, value_name = "PORT")]
    pub(crate) origin_port: u16,
    /// The address that both listen on: one of this machine's, for a phone, or 0.0.0.0 in a container
    #[arg(long, default_value_t = ports::THIS_MACHINE, value_name = "ADDRESS")]
    pub(crate) ip: IpAddr,
    /// What both keep [default: .state in the repository]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// Who may upload: anybody on this machine, or whoever has a token, as in production
    #[arg(long, value_enum, default_value = "open")]
    pub(crate) auth: Auth,
}

/// Runs until Ctrl-C, which is success.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    let Options { port, origin_port, ip, auth, .. } = *options;
    ensure!(port != origin_port, "the Worker and the origin need two different ports: --port and --origin-port");
    ensure!(
        ip.is_loopback() || ip.is_unspecified() || auth == Auth::Token,
        "on {ip} other machines would upload, and AUTH \"open\" answers this machine only: add --auth token"
    );
    ports::require_free(ip, port, "--port", "the Worker")?;
    ports::require_free(ip, origin_port, "--origin-port", "the origin")?;
    let state = match &options.state {
        Some(path) => std::path::absolute(path).context("finding the folder that --state names")?,
        None => project.path(".state"),
    };
    let origin = worker_build::everything(project)?;
    let options = stack::Options { ip, port, origin_port, state, output: Output::Printed, auth };
    stack::run(project, &origin, &options, ExitCode::SUCCESS, |urls| {
        output::line(match auth {
            Auth::Open => "AUTH is \"open\": anybody on this machine may upload. --auth token is as in production",
            Auth::Token => "AUTH is \"token\": the secret to mint tokens with is TOKEN_SECRETS in .dev.vars",
        });
        output::line(format_args!("origin: {}/uploads lists what it has received; Ctrl-C ends both", urls.origin));
        output::line(format_args!("ready: {}", urls.worker));
        None
    })
}
