//! `cargo xtask demo [FILE]`: the main job from end to end, for a first look.
//!
//! The Worker and the origin on free ports, with a temporary state; `examples/demo.mjs` uploads with `quay`, kills it, runs the same command
//! again, and compares what the origin has with the file. Leaves behind what the origin has, and says where: in `target/demo/`, until the next
//! upload of that name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::stack::{self, Auth, Options, Output};
use crate::{output, ports, worker_build};

/// Where the file ends. On the same disk as the state, from which it is moved.
const FOLDER: &str = "target/demo";
/// What a file is called that nobody has named.
const GENERATED: &str = "generated.bin";
/// How much of each program's output is shown after a failure.
const LOG_LINES: usize = 20;

/// Runs it.
pub(crate) fn command(project: &Project, file: Option<PathBuf>) -> Result<ExitCode> {
    let file =
        file.map(|file| file.canonicalize().with_context(|| format!("opening {}", file.display()))).transpose()?;
    let (origin, quay) = worker_build::everything_and_quay(project)?;
    let (port, origin_port) = ports::two_free()?;
    let state = project.path(format!("target/demo-state-{}", std::process::id()));
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
        command.arg(project.path("examples/demo.mjs")).args([&urls.worker, &urls.origin]);
        command.args([&quay, &state]).args(&file);
        Some(command)
    });
    let ended = match ended {
        Ok(ExitCode::SUCCESS) => leave_file(project, &state, file.as_deref()).map(|()| ExitCode::SUCCESS),
        ended => {
            show_logs(&options);
            ended
        }
    };
    let _ = std::fs::remove_dir_all(state);
    ended
}

/// Moves the one file that the origin has received to where it stays.
fn leave_file(project: &Project, state: &Path, sent: Option<&Path>) -> Result<()> {
    let folder = project.path(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let objects = state.join("origin/objects");
    let received = std::fs::read_dir(&objects)?.next().context("the origin has no file")??.path();
    let place = folder.join(sent.and_then(Path::file_name).unwrap_or(GENERATED.as_ref()));
    std::fs::rename(&received, &place).with_context(|| format!("moving {}", received.display()))?;
    output::line(format_args!("the file that the origin has: {}", place.display()));
    Ok(())
}

fn show_logs(options: &Options) {
    for name in ["worker", "origin"] {
        let log = std::fs::read_to_string(stack::log_path(&options.state, name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
            output::line(format_args!("{name} | {line}"));
        }
    }
}
