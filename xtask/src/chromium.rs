//! A Chromium for the browser tests: the one that `CHROMIUM` names, or one that is installed, or on Debian, as root, one from
//! its packages. Without one those tests are skipped, and counted as skipped.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::children;
use crate::project::Project;
use crate::say::{self, Step};

/// The variable that names it, here and for the tests.
pub(crate) const VARIABLE: &str = "CHROMIUM";

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const ON_MACOS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Sees that there is one, where that can be brought about; says whether it had to install it.
pub(crate) fn ensure_installed(project: &Project) -> Result<bool> {
    if find().is_some() {
        return Ok(false);
    }
    if !(Path::new("/etc/debian_version").exists() && rustix::process::geteuid().is_root()) {
        return Ok(false);
    }
    Ok(install(project)? && find().is_some())
}

/// Where it is.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&folders).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    on_path.chain(ON_MACOS.map(PathBuf::from)).find(|path| path.is_file())
}

/// Says what to do where there is none.
pub(crate) fn say_what_is_missing() {
    say::line(format_args!(
        "No Chromium was found, so the tests in a real browser are SKIPPED. Install `chromium` or Google Chrome, or name one \
         in {VARIABLE}."
    ));
}

/// A package source that does not answer is no failure of this project: the tests are skipped then.
fn install(project: &Project) -> Result<bool> {
    let step = Step::begin("apt-get install chromium");
    for arguments in [&["update", "-q"][..], &["install", "-qy", "--no-install-recommends", "chromium"]] {
        let mut command = project.bare_command("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
        if !finished.status.success() && arguments.contains(&"install") {
            step.end(false);
            say::line(finished.both.lines().rev().take(3).collect::<Vec<_>>().join("\n"));
            return Ok(false);
        }
    }
    step.end(true);
    Ok(true)
}
