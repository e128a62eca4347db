//! The demo page: built by Vite from `client/page` and the SDK into `build-page/`, which wrangler serves beside the Worker.
//!
//! A stamp in `target/` holds the hash of everything it was built from, so an unchanged page costs a few milliseconds. While
//! something runs, its page is a copy of its own, told where the origin shows its records and allowed to ask there.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::children;
use crate::file_lock::FileLock;
use crate::project::Project;
use crate::say::{self, Step};

/// Where wrangler.toml looks for it.
const FOLDER: &str = "build-page";
const STAMP: &str = "target/page-hash";
/// Everything that the page is made of.
const SOURCES: [&str; 4] = ["client/page", "client/src", "client/tsconfig.json", "client/package.json"];
const LOCK_FILE: &str = "package-lock.json";
/// What the page's policy allows it to call, as written in `client/page/public/_headers`.
const CONNECT_SELF: &str = "connect-src 'self'";

/// Builds when something has changed since the last time; says whether it had to.
pub(crate) fn ensure_built(project: &Project) -> Result<bool> {
    let _lock = FileLock::take(&project.tools_dir().join(".page.lock"), "build of the page")?;
    let hash = hash_of_sources(project)?;
    let stamp = project.path(STAMP);
    let is_there = project.path(FOLDER).join("index.html").is_file();
    if is_there && std::fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == hash) {
        return Ok(false);
    }
    let step = Step::begin("building the demo page");
    let mut command = project.command("npm");
    command.args(["run", "--silent", "page"]);
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        step.failed("");
        bail!("`npm run page` failed:\n{}", finished.both.trim_end());
    }
    step.done("");
    std::fs::write(&stamp, hash).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(true)
}

/// `430 KiB of script and style, 130 KiB gzipped`: what a browser loads before anything can be dropped.
pub(crate) fn sizes(project: &Project) -> Result<String> {
    let (mut plain, mut gzipped) = (0, 0);
    let index = read(&project.path(FOLDER).join("index.html"))?;
    for path in files_below(&project.path(FOLDER).join("assets"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What the HTML does not name is loaded later, or never.
        if index.contains(name.as_ref()) {
            let bytes = std::fs::read(&path)?;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes)?;
            plain += u64::try_from(bytes.len())?;
            gzipped += u64::try_from(encoder.finish()?.len())?;
        }
    }
    Ok(format!("{} of script and style, {} gzipped", say::size(plain), say::size(gzipped)))
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
    ensure!(headers.contains(CONNECT_SELF), "client/page/public/_headers has no {CONNECT_SELF}");
    std::fs::write(to.join("_headers"), headers.replace(CONNECT_SELF, &format!("{CONNECT_SELF} {origin_url}")))?;
    Ok(to)
}

fn hash_of_sources(project: &Project) -> Result<String> {
    let mut hasher = Sha256::new();
    for source in SOURCES.iter().chain([&LOCK_FILE]) {
        for path in files_below(&project.path(source))? {
            hasher.update(path.to_string_lossy().as_bytes());
            hasher.update(std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
        }
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Every file below a folder, or the file itself, in order.
fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        files.extend(files_below(&entry?.path())?);
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
