//! What has to be added to the Rust toolchain: the wasm target, and for `check` the formatter and the linter.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::children;
use crate::output::Step;
use crate::project::Project;

/// What the Worker is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";
const WITHOUT_RUSTUP: &str = "No rustup? Get it from https://rustup.rs, or add wasm32-unknown-unknown, rustfmt and clippy \
                              the way your Rust was installed.";

/// Adds the wasm target when it is missing.
pub(crate) fn ensure_wasm_target(project: &Project) -> Result<bool> {
    ensure_target(project, WASM_TARGET)
}

/// Adds a target when it is missing.
pub(crate) fn ensure_target(project: &Project, target: &str) -> Result<bool> {
    let mut question = project.bare_command("rustc");
    question.args(["--print", "target-libdir", "--target", target]);
    let answer = answer(&mut question).with_context(|| format!("asking rustc for its target {target}"))?;
    if Path::new(&answer).is_dir() {
        return Ok(false);
    }
    add(project, &["target", "add", target])?;
    Ok(true)
}

/// Adds rustfmt and clippy when they are missing, as in a minimal toolchain.
pub(crate) fn ensure_check_components(project: &Project) -> Result<bool> {
    let mut added = false;
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if answer(project.bare_command("cargo").args([subcommand, "--version"])).is_err() {
            add(project, &["component", "add", component])?;
            added = true;
        }
    }
    Ok(added)
}

fn add(project: &Project, arguments: &[&str]) -> Result<()> {
    let what = arguments.join(" ");
    let step = Step::begin(format!("rustup {what}"));
    let mut command = project.bare_command("rustup");
    command.args(arguments);
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    step.end(finished.status.success());
    if !finished.status.success() {
        bail!("`rustup {what}` failed:\n{}\n{WITHOUT_RUSTUP}", finished.both.trim_end());
    }
    Ok(())
}

fn answer(question: &mut Command) -> Result<String> {
    let output = question.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
