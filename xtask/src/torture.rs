//! `cargo xtask torture`: many uploads at once through a Worker that is made to fail, killed and restarted, with clients that
//! are cut off and take each other over; at the end every byte is compared, and nothing may be left over.
//!
//! The run itself is `tests/torture/`; here it is given its two programs and its seed. What is random comes from the seed.

use std::process::ExitCode;

use anyhow::Result;

use crate::dev::ORIGIN;
use crate::project::Project;
use crate::{cargo_build, children, setup, worker_build};

/// What the command line may change.
pub(crate) struct Options {
    /// How many uploads.
    pub(crate) uploads: u32,
    /// Where everything random comes from.
    pub(crate) seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { uploads: 200, seed: 1 }
    }
}

/// Runs it. Its last line is `zero differences`, or how many there are.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    setup::for_build(project)?;
    worker_build::build_with_faults(project)?;
    let origin = cargo_build::program(project, ORIGIN)?;
    let mut command = project.command(project.node_bin("node"));
    command
        .args(["--disable-warning=ExperimentalWarning", "tests/torture/main.ts"])
        .args(["--uploads", &options.uploads.to_string(), "--seed", &options.seed.to_string()])
        .env("QUAYSIDE_ORIGIN_BIN", origin);
    let status = children::run(&command)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
