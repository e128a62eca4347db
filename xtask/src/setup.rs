//! `cargo xtask setup`: everything that a fresh clone needs beyond Rust and Node, each thing only when it is missing.
//!
//! Every other command does the part that it needs by itself, so nobody has to run this one. Two at once wait for each
//! other. Nothing is said when there is nothing to do.

use anyhow::Result;

use crate::project::Project;
use crate::{browsers, dev_vars, npm, output, page, rustup};

/// Brings one thing about; says whether it had to.
type Step = fn(&Project) -> Result<bool>;

const FOR_CHECK: &[Step] = &[rustup::ensure_wasm_target, rustup::ensure_check_components, npm::ensure_installed];
const FOR_NODE: &[Step] = &[npm::ensure_installed];
const FOR_RUNNING: &[Step] = &[dev_vars::ensure_written];
const EVERYTHING: &[&[Step]] = &[FOR_CHECK, FOR_RUNNING, &[page::ensure_built]];

/// All of it.
pub(crate) fn command(project: &Project) -> Result<()> {
    let had_to = run(project, &EVERYTHING.concat())?;
    output::line(if had_to { "everything is set up" } else { "everything was set up already" });
    Ok(())
}

/// What `check` needs.
pub(crate) fn for_check(project: &Project) -> Result<bool> {
    run(project, FOR_CHECK)
}

/// What a program of Node's needs.
pub(crate) fn for_node(project: &Project) -> Result<bool> {
    run(project, FOR_NODE)
}

/// What running the Worker needs, beside the Worker.
pub(crate) fn for_running(project: &Project) -> Result<bool> {
    run(project, FOR_RUNNING)
}

/// What `test` needs.
pub(crate) fn for_test(project: &Project) -> Result<bool> {
    run(project, &[&EVERYTHING.concat()[..], &[browsers::ensure_installed]].concat())
}

fn run(project: &Project, steps: &[Step]) -> Result<bool> {
    let _lock = project.lock()?;
    let mut did_something = false;
    for step in steps {
        did_something |= step(project)?;
    }
    Ok(did_something)
}
