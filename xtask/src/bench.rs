//! `cargo xtask bench`, how fast, how frugal and how cheap the Worker is, beside a Worker that only hands bodies to R2; and `cargo xtask
//! probe`, what of all that this service leans on the platform really does.
//!
//! The runs themselves are `bench/` and `probe/`; here they are given their programs. `bench` writes `target/bench/report.json`,
//! `report.md` and a `ratios-*.svg` for each profile of distances. Its state lies in memory where there is a folder for that, so that no disk is measured.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::project::Project;
use crate::{children, setup, worker_build};

/// Linux's folder in memory.
const IN_MEMORY: &str = "/dev/shm";

/// What the command line may change.
#[derive(Args)]
pub(crate) struct Options {
    /// Small files and few rounds
    #[arg(long)]
    pub(crate) quick: bool,
    /// Near, far, on the telephone, or all on one machine: `far`, `near`, `mobile`, `zero`, with commas between them
    #[arg(long, value_name = "NAMES", conflicts_with = "latency")]
    pub(crate) profile: Option<String>,
    /// Distances of one's own: `r2=80ms,object=15ms,client=40ms`
    #[arg(long, value_name = "DISTANCES")]
    pub(crate) latency: Option<String>,
    /// Only workloads with this in their name, or one of these with `|` between them
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    pub(crate) only: String,
    /// How many counted pairs of each
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<u32>,
}

/// Runs it.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    worker_build::build(project)?;
    let in_memory = Path::new(IN_MEMORY).is_dir();
    let folder = format!("quayside-bench-{}", std::process::id());
    let state = if in_memory { Path::new(IN_MEMORY).join(folder) } else { project.path("target/bench-state") };
    std::fs::create_dir_all(&state)?;
    let mut command = project.node_script("bench/main.ts");
    command.args(["--only", &options.only]).args(options.quick.then_some("--quick"));
    command.args(options.profile.as_ref().map(|names| format!("--profile={names}")));
    command.args(options.latency.as_ref().map(|distances| format!("--latency={distances}")));
    command.args(options.rounds.map(|rounds| format!("--rounds={rounds}"))).env("TMPDIR", &state);
    let code = children::run_to_code(&command)?;
    let _ = std::fs::remove_dir(state);
    Ok(code)
}

/// Where the probe asks.
#[derive(Args)]
pub(crate) struct Probe {
    /// On the account that wrangler is logged in to. Puts a Worker and a bucket there, and takes both away again
    #[arg(long)]
    pub(crate) remote: bool,
}

/// Asks. Fails where Cloudflare gives another answer than is leaned on; the simulator shows only that the probe works.
pub(crate) fn probe(project: &Project, options: &Probe) -> Result<ExitCode> {
    setup::for_node(project)?;
    let mut command = project.node_script("probe/run.ts");
    children::run_to_code(command.args(options.remote.then_some("--remote")))
}
