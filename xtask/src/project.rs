//! Where things are in this repository, and the environment that every tool is run in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

/// The repository, by its root folder.
pub(crate) struct Project {
    root: PathBuf,
}

impl Project {
    /// The repository that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf();
        ensure!(
            root.join("Cargo.toml").is_file(),
            "{} is gone; build xtask again with `cargo xtask` in the repository",
            root.display()
        );
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

    /// A program that `setup` installs with cargo. Always below the root, also when `CARGO_TARGET_DIR` is elsewhere.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.tools_dir().join("bin").join(name)
    }

    /// Where `setup` installs programs with cargo.
    pub(crate) fn tools_dir(&self) -> PathBuf {
        self.path("target/tools")
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
