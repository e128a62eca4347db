//! The demo page: built by Vite from `examples/page` and the SDK into `build-page/`, which wrangler serves beside the Worker.
//!
//! While something runs, its page is a copy of its own, told where the origin shows its records and allowed to ask there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::children;
use crate::output::Step;
use crate::project::Project;
use crate::stamp::{self, files_below};

/// Where wrangler.toml looks for it.
pub(crate) const FOLDER: &str = "build-page";
/// Everything that the page is made of.
const SOURCES: [&str; 6] = [
    "examples/page",
    "client/src",
    "client/build.mjs",
    "client/tsconfig.json",
    "client/package.json",
    "package-lock.json",
];
/// What the page's policy allows it to call, as written in `examples/page/public/_headers`.
const CONNECT_SELF: &str = "connect-src 'self'";

/// Builds when something has changed since the last time; says whether it had to. The SDK is built with it.
pub(crate) fn ensure_built(project: &Project) -> Result<bool> {
    let outputs = [project.path(FOLDER).join("index.html"), project.path("client/dist/index.js")];
    let Some(stale) = stamp::stale(project, "page.stamp", &SOURCES.map(|source| project.path(source)), &outputs)?
    else {
        return Ok(false);
    };
    let step = Step::begin("building the demo page");
    let mut command = project.command("npm");
    command.args(["run", "--silent", "page"]);
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    step.end(finished.status.success());
    if !finished.status.success() {
        bail!("`npm run page` failed:\n{}", finished.both.trim_end());
    }
    stale.renew().map(|()| true)
}

/// Puts a copy below `state` that knows the origin; returns its folder.
pub(crate) fn place(project: &Project, state: &Path, origin_url: &str) -> Result<PathBuf> {
    let (from, to) = (project.path(FOLDER), state.join("page"));
    let _ = std::fs::remove_dir_all(&to);
    for path in files_below(&from)? {
        let copy = to.join(path.strip_prefix(&from)?);
        std::fs::create_dir_all(copy.parent().unwrap_or(&to))?;
        std::fs::copy(&path, &copy).with_context(|| format!("copying {}", path.display()))?;
    }
    let config = json!({ "originUrl": origin_url, "allowedFileTypes": null });
    std::fs::write(to.join("config.json"), config.to_string())?;
    let headers = read(&to.join("_headers"))?;
    ensure!(headers.contains(CONNECT_SELF), "examples/page/public/_headers has no {CONNECT_SELF}");
    std::fs::write(to.join("_headers"), headers.replace(CONNECT_SELF, &format!("{CONNECT_SELF} {origin_url}")))?;
    Ok(to)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
