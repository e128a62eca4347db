//! The npm packages of package-lock.json: wrangler, the Node that it needs, esbuild, wasm-opt, TypeScript, Biome.
//!
//! A stamp in `node_modules` holds the hash of the lock file they were installed from. `npm ci` removes the folder, stamp
//! included, before it installs, so an interrupted installation is never taken for a whole one.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::children;
use crate::project::Project;
use crate::say::Step;

const STAMP: &str = "node_modules/.quayside-lock-hash";
/// Written by npm itself, last of all.
const NPM_RECORD: &str = "node_modules/.package-lock.json";
/// What npm says of a failure begins with the reason and ends with pages of usage.
const LINES_OF_FAILURE: usize = 30;
const GET_NODE: &str = "get Node 20 or newer, with npm, from https://nodejs.org";

/// Installs when nothing is installed, or from another lock file.
pub(crate) fn ensure_installed(project: &Project) -> Result<bool> {
    let lock_path = project.path("package-lock.json");
    let lock = std::fs::read(&lock_path).with_context(|| format!("reading {}", lock_path.display()))?;
    let hash = hex::encode(Sha256::digest(&lock));
    let stamp = project.path(STAMP);
    if std::fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == hash) {
        return Ok(false);
    }
    // Without a stamp, npm's own record tells whether somebody ran `npm ci` by hand since the lock file came.
    let by_hand = !stamp.exists() && is_newer(&project.path(NPM_RECORD), &lock_path);
    if !by_hand {
        install(project)?;
    }
    std::fs::write(&stamp, hash).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(!by_hand)
}

fn install(project: &Project) -> Result<()> {
    // Not with node_modules/.bin on PATH: the Node that runs npm would be removed under its feet.
    let mut command = project.bare_command("npm");
    ensure!(project.bare_command("npm").arg("--version").output().is_ok(), "npm cannot be run; {GET_NODE}");
    command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    let step = Step::begin("npm ci");
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        step.failed("");
        let said: Vec<&str> = finished.both.lines().take(LINES_OF_FAILURE).collect();
        bail!("`npm ci` failed:\n{}", said.join("\n"));
    }
    step.done("");
    ensure!(
        project.bare_command(project.node_bin("node")).arg("--version").output().is_ok(),
        "the npm package `node` came without its program: its install script did not run. \
         Allow such scripts (`npm config set ignore-scripts false`), remove node_modules, and try again"
    );
    Ok(())
}

fn is_newer(path: &Path, than: &Path) -> bool {
    let modified = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    modified(path).zip(modified(than)).is_some_and(|(this, that)| this >= that)
}
