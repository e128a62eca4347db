//! `cargo xtask demo [FILE]`: the main job from end to end, for a first look.
//!
//! The Worker and the origin on free ports, with a temporary state; `examples/demo.mjs` uploads through the SDK, is cut off, goes on, and
//! compares what the origin has with the file. Leaves nothing behind.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::stack::{self, Auth, Options, Output};
use crate::{ports, say, worker_build};

/// How much of each program's output is shown after a failure.
const LOG_LINES: usize = 20;

/// Runs it.
pub(crate) fn command(project: &Project, file: Option<PathBuf>) -> Result<ExitCode> {
    let file =
        file.map(|file| file.canonicalize().with_context(|| format!("opening {}", file.display()))).transpose()?;
    let origin = worker_build::everything(project)?;
    let (port, origin_port) = ports::two_free()?;
    let state = std::env::temp_dir().join(format!("quayside-demo-{}", std::process::id()));
    let options = Options {
        ip: ports::THIS_MACHINE,
        port,
        origin_port,
        state: state.clone(),
        output: Output::Logged,
        auth: Auth::Open,
    };
    let ended = stack::run(project, &origin, &options, ExitCode::FAILURE, |urls| {
        let mut command = project.command(project.node_bin("node"));
        command.arg(project.path("examples/demo.mjs")).args([&urls.worker, &urls.origin]).args(&file);
        Some(command)
    });
    if !matches!(ended, Ok(ExitCode::SUCCESS)) {
        show_logs(&options);
    }
    let _ = std::fs::remove_dir_all(state);
    ended
}

fn show_logs(options: &Options) {
    for name in ["worker", "origin"] {
        let log = std::fs::read_to_string(stack::log_path(&options.state, name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
            say::line(format_args!("{name} | {line}"));
        }
    }
}
