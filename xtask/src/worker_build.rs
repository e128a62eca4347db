//! `cargo xtask build`: the Worker, from Rust to what wrangler uploads, in `build/`.
//!
//! wrangler calls it at its start and after every change of a source. worker-build does the work; every program that it
//! would otherwise download is given to it by path, so that a build needs no network once set-up is done. Two builds at
//! once wait for each other, and the second finds nothing left to do.
//!
//! There is another bundle, `build-faults/`: the same Worker with the cargo feature `faults`, which tests can make fail. Each is compiled
//! in a folder of its own, so that building one never makes the other old.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::children;
use crate::file_lock::FileLock;
use crate::project::Project;
use crate::say::{self, Step};
use crate::{build_stamp, cargo_build, page, rust_tools, setup};

const PACKAGE: &str = "quayside";

/// What only a Worker that can be made to fail has in it: the name of a log line.
const MARK_OF_FAULTS: &str = "fault_injected";

/// The most that the released Worker's wasm may have when it is compressed. The platform takes 3 MB; what size costs is the first
/// request after a pause, which waits for it to be compiled, some milliseconds.
const MOST_GZIPPED_BYTES: u64 = 700_000;

/// The module that wrangler enters by, around the one that worker-build makes.
const ENTRY: &str = "entry.js";

/// One way to build the Worker.
struct Bundle {
    folder: &'static str,
    features: &'static [&'static str],
    /// Where cargo compiles, if not in its usual place.
    target_dir: Option<&'static str>,
    title: &'static str,
}

const RELEASE: Bundle =
    Bundle { folder: "build", features: &[], target_dir: None, title: "compiling the Worker to wasm" };

const WITH_FAULTS: Bundle = Bundle {
    folder: "build-faults",
    features: &["--features", "faults"],
    target_dir: Some("target/faults"),
    title: "compiling the Worker with faults to wasm",
};

/// Builds, and says how large the result is.
pub(crate) fn command(project: &Project) -> Result<()> {
    if build(project)? {
        let (plain_bytes, gzipped_bytes) = sizes(&wasm_output(project, &RELEASE))?;
        say::line(format_args!("the Worker: {} of wasm, {} gzipped", say::size(plain_bytes), say::size(gzipped_bytes)));
    } else {
        say::line("the Worker is up to date");
    }
    if page::ensure_built(project)? {
        say::line(format_args!("the page: {}", page::sizes(project)?));
    }
    Ok(())
}

/// Builds when something has changed since the last time; says whether it had to.
pub(crate) fn build(project: &Project) -> Result<bool> {
    build_bundle(project, &RELEASE)
}

/// The same, for the Worker that can be made to fail.
pub(crate) fn build_with_faults(project: &Project) -> Result<bool> {
    build_bundle(project, &WITH_FAULTS)
}

/// Fails where the Worker that is released could be made to fail, or where this could not be told.
pub(crate) fn release_is_plain(project: &Project) -> Result<()> {
    ensure!(has_mark(project, &WITH_FAULTS, MARK_OF_FAULTS)?, "{} has no {MARK_OF_FAULTS} in it", WITH_FAULTS.folder);
    ensure!(
        !has_mark(project, &RELEASE, MARK_OF_FAULTS)?,
        "{} has {MARK_OF_FAULTS} in it: no release may",
        RELEASE.folder
    );
    Ok(())
}

/// Fails where the released Worker has grown beyond its limit.
pub(crate) fn release_is_small(project: &Project) -> Result<()> {
    let (_, gzipped_bytes) = sizes(&wasm_output(project, &RELEASE))?;
    ensure!(
        gzipped_bytes <= MOST_GZIPPED_BYTES,
        "the Worker has {gzipped_bytes} bytes gzipped; it may have {MOST_GZIPPED_BYTES}"
    );
    Ok(())
}

fn has_mark(project: &Project, bundle: &Bundle, mark: &str) -> Result<bool> {
    let path = wasm_output(project, bundle);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes.windows(mark.len()).any(|window| window == mark.as_bytes()))
}

/// Whether this wasm is of a Worker that can be made to fail.
pub(crate) fn has_faults(wasm: &[u8]) -> bool {
    wasm.windows(MARK_OF_FAULTS.len()).any(|window| window == MARK_OF_FAULTS.as_bytes())
}

/// The wasm that is released.
pub(crate) fn release_wasm(project: &Project) -> PathBuf {
    wasm_output(project, &RELEASE)
}

fn build_bundle(project: &Project, bundle: &Bundle) -> Result<bool> {
    setup::for_build(project)?;
    let _lock = FileLock::take(&project.tools_dir().join(".build.lock"), "build")?;
    let mut arguments = bundle.features.to_vec();
    arguments.extend(bundle.target_dir.iter().flat_map(|dir| ["--target-dir", *dir]));
    let wasm = cargo_build::wasm(project, PACKAGE, &arguments, bundle.title)?;
    let tools = rust_tools::needed(project)?;
    let folder = project.path(bundle.folder);
    if build_stamp::fits(&folder, &build_stamp::compute(project, &folder, &wasm, &tools)) {
        return put_entry(project, &folder);
    }
    package(project, bundle)?;
    put_entry(project, &folder)?;
    build_stamp::write(&folder, &build_stamp::compute(project, &folder, &wasm, &tools))?;
    Ok(true)
}

/// What wrangler enters by stands beside what worker-build makes. Says whether it was another.
fn put_entry(project: &Project, folder: &Path) -> Result<bool> {
    let (from, to) = (project.path("src").join(ENTRY), folder.join(ENTRY));
    let entry = std::fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
    // Written only where it is another: wrangler builds again when a file changes.
    if std::fs::read(&to).is_ok_and(|old| old == entry) {
        return Ok(false);
    }
    std::fs::write(&to, entry).with_context(|| format!("writing {}", to.display()))?;
    Ok(true)
}

fn wasm_output(project: &Project, bundle: &Bundle) -> PathBuf {
    project.path(bundle.folder).join(build_stamp::WASM_OUTPUT)
}

/// Bindings, optimising, bundling.
fn package(project: &Project, bundle: &Bundle) -> Result<()> {
    // What a build that was killed has left: worker-build would wait for it to go stale.
    let _ = std::fs::remove_dir_all(project.path(bundle.folder).join(".tmp"));
    let step = Step::begin("packaging the Worker");
    let mut command = project.command(project.tool("worker-build"));
    command
        .args(["--release", "--out-dir", bundle.folder])
        // The root folder is a workspace with default members, and the Worker is none of them.
        .args(["--package", PACKAGE])
        // What worker-build does not know itself, it hands to cargo.
        .args(bundle.features)
        .env("WASM_BINDGEN_BIN", project.tool("wasm-bindgen"))
        .env("WASM_OPT_BIN", project.node_bin("wasm-opt"))
        .env("ESBUILD_BIN", project.node_bin("esbuild"));
    if let Some(dir) = bundle.target_dir {
        command.env("CARGO_TARGET_DIR", project.path(dir));
    }
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        step.failed("");
        bail!("worker-build failed:\n{}", finished.both.trim_end());
    }
    step.done("");
    Ok(())
}

/// As it is, and gzipped.
fn sizes(wasm: &Path) -> Result<(u64, u64)> {
    let bytes = std::fs::read(wasm).with_context(|| format!("reading {}", wasm.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes)?;
    let gzipped = encoder.finish()?;
    Ok((u64::try_from(bytes.len())?, u64::try_from(gzipped.len())?))
}
