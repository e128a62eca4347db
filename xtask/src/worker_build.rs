//! `cargo xtask build`: the Worker, from Rust to what wrangler uploads, in `build/`.
//!
//! wrangler calls it at its start and after every change of a source. worker-build does the work; every program that it
//! would otherwise download is given to it by path, so that a build needs no network once set-up is done. Two builds at
//! once wait for each other, and the second finds nothing left to do.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::children;
use crate::file_lock::FileLock;
use crate::project::Project;
use crate::say::{self, Step};
use crate::{build_stamp, cargo_build, rust_tools, setup};

const PACKAGE: &str = "quayside";

/// Builds, and says how large the result is.
pub(crate) fn command(project: &Project) -> Result<()> {
    if build(project)? {
        say::line(format_args!("the Worker: {}", sizes(&project.path(build_stamp::WASM_OUTPUT))?));
    } else {
        say::line("the Worker is up to date");
    }
    Ok(())
}

/// Builds when something has changed since the last time; says whether it had to.
pub(crate) fn build(project: &Project) -> Result<bool> {
    setup::for_build(project)?;
    let _lock = FileLock::take(&project.tools_dir().join(".build.lock"), "build")?;
    let wasm = cargo_build::wasm(project, PACKAGE)?;
    let tools = rust_tools::needed(project)?;
    if build_stamp::fits(project, &build_stamp::compute(project, &wasm, &tools)) {
        return Ok(false);
    }
    package(project)?;
    build_stamp::write(project, &build_stamp::compute(project, &wasm, &tools))?;
    Ok(true)
}

/// Bindings, optimising, bundling.
fn package(project: &Project) -> Result<()> {
    // What a build that was killed has left: worker-build would wait for it to go stale.
    let _ = std::fs::remove_dir_all(project.path("build/.tmp"));
    let step = Step::begin("packaging the Worker");
    let mut command = project.command(project.tool("worker-build"));
    command
        // The root folder is a workspace with default members, and the Worker is none of them.
        .args(["--release", "--package", PACKAGE])
        .env("WASM_BINDGEN_BIN", project.tool("wasm-bindgen"))
        .env("WASM_OPT_BIN", project.node_bin("wasm-opt"))
        .env("ESBUILD_BIN", project.node_bin("esbuild"));
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        step.failed("");
        bail!("worker-build failed:\n{}", finished.both.trim_end());
    }
    step.done("");
    Ok(())
}

/// `812 KiB, gzipped 301 KiB`.
fn sizes(wasm: &Path) -> Result<String> {
    let bytes = std::fs::read(wasm).with_context(|| format!("reading {}", wasm.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes)?;
    let gzipped = encoder.finish()?;
    let (plain_bytes, gzipped_bytes) = (u64::try_from(bytes.len())?, u64::try_from(gzipped.len())?);
    Ok(format!("{} of wasm, {} gzipped", say::size(plain_bytes), say::size(gzipped_bytes)))
}
