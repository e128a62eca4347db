//! The command line, as it is released: one program for any Linux on x86-64, linked statically, and the npm package that carries it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::worker_build::QUAY;
use crate::{cargo_build, rustup};

/// The packages of npm: what people install, and the program for the one platform that is built here.
pub(crate) const NPM_PACKAGES: [&str; 2] = ["packages/quay-linux-x64", "packages/quay"];
/// Where the first of them takes it from.
const PACKED: &str = "packages/quay-linux-x64/dist";
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds the program, puts it where npm packs it, and says where it is.
pub(crate) fn build(project: &Project) -> Result<PathBuf> {
    rustup::ensure_target(project, TARGET)?;
    let program = cargo_build::program_for(project, QUAY, TARGET)?;
    let folder = project.path(PACKED);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let packed = folder.join(QUAY);
    std::fs::copy(&program, &packed).with_context(|| format!("copying {}", program.display()))?;
    Ok(packed)
}

/// What it is called among what is released.
pub(crate) fn file_name(version: &str) -> String {
    format!("{QUAY}-{version}-{TARGET}")
}
