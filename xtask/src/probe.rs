//! `cargo xtask probe [--remote]`: asks the platform the questions whose answers this service leans on and nobody could confirm on
//! a simulator. The probe itself is in `probe/`; here it is given its Node.

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;
use crate::{children, setup};

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) enum Where {
    /// The simulator on this machine: shows that the probe works.
    Simulator,
    /// The account that wrangler is logged in to. Puts a Worker and a bucket there, and takes both away again.
    Cloudflare,
}

/// Runs it. Fails where Cloudflare gives another answer than is leaned on.
pub(crate) fn command(project: &Project, place: Where) -> Result<ExitCode> {
    setup::for_build(project)?;
    let mut command = project.command(project.node_bin("node"));
    command.args(["--disable-warning=ExperimentalWarning", "probe/run.ts"]);
    if let Where::Cloudflare = place {
        command.arg("--remote");
    }
    let status = children::run(&command)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
