//! `cargo xtask simulate`: whole lives of uploads, one seed each, optimised. A seed that fails is the same world again.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::children;
use crate::project::Project;

/// How many seeds, and which one alone, read by `core/session/tests/simulate/main.rs`.
const SEEDS: &str = "QUAYSIDE_SIMULATE_SEEDS";
const SEED: &str = "QUAYSIDE_SIMULATE_SEED";

/// What the command line may change.
#[derive(Args)]
pub(crate) struct Options {
    /// How many, from 0
    #[arg(long, default_value_t = 100_000)]
    pub(crate) seeds: u64,
    /// This one alone, with its story where it fails
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// Runs it.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    let mut command = project.command("cargo");
    command
        .args(["test", "--release", "-p", "upload-session", "--test", "simulate", "--", "--show-output"])
        .env(SEEDS, options.seeds.to_string());
    if let Some(seed) = options.seed {
        command.env(SEED, seed.to_string());
    }
    children::run_to_code(&command)
}
