//! `cargo xtask fuzz`: made-up input for every parser, for as long as wanted, optimised.
//!
//! What breaks something is made as small as it gets and left in `core/fuzz/tests/fuzz/corpus`, to be committed with what mends it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::children;
use crate::project::Project;

/// How long all targets take together, read by `core/fuzz/tests/fuzz/run.rs`.
pub(crate) const SECONDS: &str = "QUAYSIDE_FUZZ_SECONDS";

/// What the command line may change.
#[derive(Args)]
pub(crate) struct Options {
    /// How long, in seconds of one processor
    #[arg(long, default_value_t = 600)]
    pub(crate) seconds: u32,
}

/// Runs it.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    let mut command = project.command("cargo");
    command
        .args(["test", "--release", "-p", "upload-fuzz", "--test", "fuzz", "--no-fail-fast", "--", "--show-output"])
        .env(SECONDS, options.seconds.to_string());
    children::run_to_code(&command)
}
