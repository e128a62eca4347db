//! `cargo xtask bench`: how fast, how frugal and how cheap the Worker is, beside a Worker that only hands bodies to R2.
//!
//! The run itself is `bench/`; here it is given its programs. It writes `target/bench/report.json`, `report.md` and
//! `ratios.svg`. State lies in memory where there is a folder for that, so that no disk is measured.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;
use crate::{children, setup, worker_build};

/// Linux's folder in memory.
const IN_MEMORY: &str = "/dev/shm";

/// What the command line may change.
#[derive(Default)]
pub(crate) struct Options {
    /// Small files and few rounds.
    pub(crate) quick: bool,
    /// Only workloads with this in their name, or one of these with `|` between them; all where it is empty.
    pub(crate) only: String,
    /// How many counted pairs of each.
    pub(crate) rounds: Option<u32>,
}

/// Runs it.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    setup::for_build(project)?;
    worker_build::build(project)?;
    let state = state_folder(project);
    std::fs::create_dir_all(&state)?;
    let mut command = project.command(project.node_bin("node"));
    command.args(["--disable-warning=ExperimentalWarning", "bench/main.ts", "--only", &options.only]);
    if options.quick {
        command.arg("--quick");
    }
    if let Some(rounds) = options.rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    let status = children::run(command.env("TMPDIR", &state))?;
    let _ = std::fs::remove_dir(state);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn state_folder(project: &Project) -> PathBuf {
    let folder = format!("quayside-bench-{}", std::process::id());
    if Path::new(IN_MEMORY).is_dir() { Path::new(IN_MEMORY).join(folder) } else { project.path("target/bench-state") }
}
