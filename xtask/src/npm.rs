//! The npm packages of package-lock.json: wrangler, the Node that it needs, esbuild, wasm-opt, TypeScript, Biome.
//!
//! A stamp in `node_modules` holds the hash of the lock file they were installed from. `npm ci` removes the folder, stamp
//! included, before it installs, so an interrupted installation is never taken for a whole one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::children;
use crate::output::Step;
use crate::project::Project;

const STAMP: &str = "node_modules/.quayside-lock-hash";
/// What npm says of a failure begins with the reason and ends with pages of usage.
const LINES_OF_FAILURE: usize = 30;
/// What tells npm where its cache is.
const CACHE: &str = "npm_config_cache";
/// As package.json has it.
const OLDEST_NODE: u32 = 20;
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
    install(project)?;
    std::fs::write(&stamp, hash).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(true)
}

fn install(project: &Project) -> Result<()> {
    let version = version_of_node(project);
    ensure!(
        version.as_deref().and_then(major).is_some_and(|major| major >= OLDEST_NODE),
        "Node is {}; {GET_NODE}",
        version.as_deref().unwrap_or("not installed")
    );
    // Not with node_modules/.bin on PATH: the Node that runs npm would be removed under its feet.
    let mut command = project.bare_command("npm");
    ensure!(project.bare_command("npm").arg("--version").output().is_ok(), "npm cannot be run; {GET_NODE}");
    command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    if !can_write(&npm_cache()) {
        command.env(CACHE, project.path("target/npm-cache"));
    }
    let step = Step::begin("npm ci");
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    step.end(finished.status.success());
    if !finished.status.success() {
        let said: Vec<&str> = finished.both.lines().take(LINES_OF_FAILURE).collect();
        bail!("`npm ci` failed:\n{}", said.join("\n"));
    }
    ensure!(
        project.bare_command(project.node_bin("node")).arg("--version").output().is_ok(),
        "the npm package `node` came without its program: its install script did not run. \
         Allow such scripts (`npm config set ignore-scripts false`), remove node_modules, and try again"
    );
    Ok(())
}

/// Where npm keeps what it has downloaded, unless a configuration of its own says otherwise.
fn npm_cache() -> PathBuf {
    let said = std::env::var_os(CACHE).map(PathBuf::from);
    said.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".npm"))
}

/// Whether files can be made there. A home may be read-only, as in some containers, or not be there at all.
fn can_write(folder: &Path) -> bool {
    let probe = folder.join(format!(".quayside-{}", std::process::id()));
    let written = std::fs::create_dir_all(folder).is_ok() && std::fs::write(&probe, "").is_ok();
    let _ = std::fs::remove_file(probe);
    written
}

fn version_of_node(project: &Project) -> Option<String> {
    let output = project.bare_command("node").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// 22, of `v22.18.0`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_cannot_be_written_is_told_from_one_that_can() {
        let home = std::env::temp_dir().join(format!("quayside-home-{}", std::process::id()));
        assert!(can_write(&home.join(".npm")));
        assert_eq!(std::fs::read_dir(home.join(".npm")).unwrap().count(), 0, "nothing is left there");
        std::fs::write(home.join("file"), "").unwrap();
        assert!(!can_write(&home.join("file")));
        assert!(!can_write(Path::new("/dev/null/.npm")));
        std::fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_version_of_node_is_understood() {
        assert_eq!((major("v22.18.0"), major("v8.0.0-nightly"), major("")), (Some(22), Some(8), None));
    }
}
