//! Whether the built Worker is still what its inputs would give: the part of a build that makes an unchanged one quick.
//!
//! Cargo decides whether the wasm has to be compiled again; this decides whether what follows (bindings, optimising,
//! bundling: several seconds) has to run on it. The stamp names each input and output by length and time of change,
//! and is written last, so an interrupted build leaves none that fits.

use std::fmt::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::rust_tools::Tool;

const FILE: &str = ".stamp";
/// Both are what wrangler takes.
const OUTPUTS: [&str; 2] = ["index.js", WASM_OUTPUT];
/// The wasm that wrangler uploads.
pub(crate) const WASM_OUTPUT: &str = "index_bg.wasm";
/// Files with settings or versions that what follows the compiler depends on.
const SETTINGS: [&str; 2] = ["Cargo.toml", "package-lock.json"];

/// Everything that the Worker built into `folder` depends on, and the built Worker, as one text.
pub(crate) fn compute(project: &Project, folder: &Path, wasm: &Path, tools: &[Tool]) -> String {
    let mut stamp = String::new();
    for tool in tools {
        let _ = writeln!(stamp, "tool {}", tool.version);
    }
    let settings = SETTINGS.iter().map(|name| project.path(name));
    let outputs = OUTPUTS.iter().map(|name| folder.join(name));
    for path in settings.chain(outputs).chain([wasm.to_path_buf()]) {
        let _ = writeln!(stamp, "{} {}", path.display(), identity(&path).unwrap_or_else(|| "missing".to_owned()));
    }
    stamp
}

/// Whether the last build into `folder` ended with this stamp.
pub(crate) fn fits(folder: &Path, stamp: &str) -> bool {
    let outputs_are_there = OUTPUTS.iter().all(|name| folder.join(name).is_file());
    outputs_are_there && std::fs::read_to_string(folder.join(FILE)).is_ok_and(|written| written == stamp)
}

/// Says that a build into `folder` has ended with this stamp.
pub(crate) fn write(folder: &Path, stamp: &str) -> Result<()> {
    let path = folder.join(FILE);
    std::fs::write(&path, stamp).with_context(|| format!("writing {}", path.display()))
}

fn identity(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} bytes, {} ns", metadata.len(), modified.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_has_another_identity() {
        let path = std::env::temp_dir().join(format!("quayside-stamp-{}", std::process::id()));
        assert_eq!(identity(&path), None);
        std::fs::write(&path, "one").unwrap();
        let first = identity(&path);
        std::fs::write(&path, "three").unwrap();
        assert!(first.is_some() && first != identity(&path));
        std::fs::remove_file(path).unwrap();
    }
}
