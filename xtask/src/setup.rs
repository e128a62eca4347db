//! `cargo xtask setup`: everything that a fresh clone needs beyond Rust and Node, each thing only when it is missing.
//!
//! Every other command does the part that it needs by itself, so nobody has to run this one. Two at once wait for each
//! other. Nothing is said when there is nothing to do.

use std::time::Instant;

use anyhow::Result;

use crate::file_lock::FileLock;
use crate::project::Project;
use crate::{chromium, dev_vars, npm, page, rust_tools, rustup, say};

/// Brings one thing about; says whether it had to.
type Step = fn(&Project) -> Result<bool>;

const FOR_CHECK: &[Step] = &[rustup::ensure_wasm_target, rustup::ensure_check_components, npm::ensure_installed];
const FOR_BUILD: &[Step] = &[rustup::ensure_wasm_target, npm::ensure_installed, rust_tools::ensure_installed];
/// wrangler reads the page's headers before it has anything built.
const FOR_RUNNING: &[Step] = &[dev_vars::ensure_written, page::ensure_built];
const FOR_TEST: &[Step] = &[chromium::ensure_installed];

/// All of it.
pub(crate) fn command(project: &Project) -> Result<()> {
    let started = Instant::now();
    if everything(project)? {
        say::line(format_args!("everything is set up ({})", say::duration(started.elapsed())));
    } else {
        say::line("everything was set up already");
    }
    Ok(())
}

/// What `check` needs.
pub(crate) fn for_check(project: &Project) -> Result<bool> {
    run(project, FOR_CHECK)
}

/// What compiling the Worker needs.
pub(crate) fn for_build(project: &Project) -> Result<bool> {
    run(project, FOR_BUILD)
}

/// What running the Worker needs.
pub(crate) fn for_running(project: &Project) -> Result<bool> {
    Ok(for_build(project)? | run(project, FOR_RUNNING)?)
}

/// What `test` needs.
pub(crate) fn for_test(project: &Project) -> Result<bool> {
    Ok(everything(project)? | run(project, FOR_TEST)?)
}

fn everything(project: &Project) -> Result<bool> {
    Ok(for_check(project)? | for_running(project)?)
}

fn run(project: &Project, steps: &[Step]) -> Result<bool> {
    let _lock = FileLock::take(&project.tools_dir().join(".setup.lock"), "set-up")?;
    let mut did_something = false;
    for step in steps {
        did_something |= step(project)?;
    }
    Ok(did_something)
}
