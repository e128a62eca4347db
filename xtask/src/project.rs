//! Where things are in this repository, and the environment that every tool is run in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::file_lock::FileLock;

/// The repository, by its root folder.
#[derive(Clone)]
pub(crate) struct Project {
    root: PathBuf,
}

impl Project {
    /// The repository in which `cargo xtask` was called, as cargo says; called by itself, the one around the current folder. Not the one
    /// that this program was built in: that may have been copied or moved since, with what was built.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::current_dir().context("finding the current folder")?;
        Self::around(&std::env::var_os("CARGO_MANIFEST_DIR").map_or(here, PathBuf::from))
    }

    /// The clone that a path is in.
    pub(crate) fn around(from: &Path) -> Result<Self> {
        let is_root =
            |folder: &&Path| folder.join("wrangler.toml").is_file() && folder.join("xtask/Cargo.toml").is_file();
        let root = from.ancestors().find(is_root);
        let root = root.with_context(|| format!("{} is in no clone of Quayside", from.display()))?.to_path_buf();
        Ok(Self { root })
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root folder.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A program of an npm package.
    pub(crate) fn node_bin(&self, name: &str) -> PathBuf {
        self.path("node_modules/.bin").join(name)
    }

    /// The right to set up and build here, which one process has at a time.
    pub(crate) fn lock(&self) -> Result<FileLock> {
        FileLock::take(&self.path("target/.xtask.lock"), "build")
    }

    /// A command run in the root folder, that finds the programs of npm packages, Node among them, before any other.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.bare_command(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.path("node_modules/.bin")).chain(std::env::split_paths(&path));
        if let Ok(joined) = std::env::join_paths(folders) {
            command.env("PATH", joined);
        }
        command
    }

    /// A TypeScript file of this repository, run by the Node that npm has installed.
    pub(crate) fn node_script(&self, relative: &str) -> Command {
        let mut command = self.command(self.node_bin("node"));
        command.args(["--disable-warning=ExperimentalWarning", relative]);
        command
    }

    /// A command run in the root folder, with what `cargo run` told this program about its own package taken away:
    /// build scripts that watch those variables would compile again what nothing changed in.
    pub(crate) fn bare_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_clone_is_a_clone_of_its_own() {
        let copy = std::env::temp_dir().join(format!("a copy of quayside {}", std::process::id()));
        std::fs::create_dir_all(copy.join("xtask/src")).unwrap();
        assert!(Project::around(&copy.join("xtask")).is_err(), "it is in no clone");
        for file in ["wrangler.toml", "xtask/Cargo.toml"] {
            std::fs::write(copy.join(file), "").unwrap();
        }
        assert_eq!(Project::around(&copy.join("xtask/src")).unwrap().root(), copy);
        std::fs::remove_dir_all(copy).unwrap();
    }
}
