//! The two programs that turn compiled wasm into a Worker, installed with cargo into `target/tools`: `worker-build`, and
//! `wasm-bindgen` in exactly the version of the library (the two exchange a format that changes with every version).
//!
//! An installed program is asked for its version each time, so nothing else has to be remembered.
//!
//! They are compiled without optimising, but for the packages that work through the wasm: on two cores that takes 2 minutes
//! instead of 5, and a build with them is not slower.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::cargo_lock;
use crate::children;
use crate::project::Project;
use crate::say::Step;

const WORKER_BUILD_VERSION: &str = "0.8.7";
/// Where there is no spinner, a line is printed each time so many more crates have been compiled.
const CRATES_PER_MILESTONE: usize = 50;

/// A program to be installed.
pub(crate) struct Tool {
    package: &'static str,
    binary: &'static str,
    /// The exact version.
    pub(crate) version: String,
    extra_arguments: &'static [&'static str],
    /// The packages it consists of that are worth optimising.
    optimised: &'static [&'static str],
}

/// Both programs, in the versions that this repository needs now.
pub(crate) fn needed(project: &Project) -> Result<[Tool; 2]> {
    Ok([
        Tool {
            package: "worker-build",
            binary: "worker-build",
            version: WORKER_BUILD_VERSION.to_owned(),
            extra_arguments: &[],
            optimised: &[],
        },
        Tool {
            package: "wasm-bindgen-cli",
            binary: "wasm-bindgen",
            version: cargo_lock::locked_version(project, "wasm-bindgen")?,
            // TLS is for its test runner, which is not used here.
            extra_arguments: &["--no-default-features"],
            optimised: &["walrus", "wasmparser", "wasm-encoder", "id-arena", "wasm-bindgen-cli-support"],
        },
    ])
}

/// Installs what is missing or of another version.
pub(crate) fn ensure_installed(project: &Project) -> Result<bool> {
    let missing: Vec<Tool> = needed(project)?.into_iter().filter(|tool| !is_installed(project, tool)).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    // Shared, so that what both depend on is compiled once; kept when interrupted, so that the next run goes on there.
    let build_dir = project.tools_dir().join("build");
    for tool in &missing {
        install(project, tool, &build_dir)?;
    }
    let _ = std::fs::remove_dir_all(build_dir);
    Ok(true)
}

fn is_installed(project: &Project, tool: &Tool) -> bool {
    let output = Command::new(project.tool(tool.binary)).arg("--version").output();
    output.is_ok_and(|output| says_version(&String::from_utf8_lossy(&output.stdout), &tool.version))
}

/// `0.8.7` (worker-build), `wasm-bindgen 0.2.130`, `wasm-bindgen 0.2.130 (4b1f2a6)`.
fn says_version(answer: &str, version: &str) -> bool {
    answer.split_whitespace().any(|word| word == version)
}

fn install(project: &Project, tool: &Tool, build_dir: &Path) -> Result<()> {
    let step = Step::begin(format!("installing {} {}", tool.package, tool.version));
    let mut command = project.bare_command("cargo");
    command
        .args([
            "install",
            tool.package,
            "--version",
            &tool.version,
            "--bin",
            tool.binary,
            "--force",
            "--debug",
            "--root",
        ])
        .arg(project.tools_dir())
        .args(tool.extra_arguments)
        .env("CARGO_TARGET_DIR", build_dir)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    for package in tool.optimised {
        command.args(["--config", &format!("profile.dev.package.{package}.opt-level=2")]);
    }
    let mut compiled = 0;
    let finished = children::run_capturing(&command, |_, line| {
        if let Some(name) = line.trim().strip_prefix("Compiling ") {
            compiled += 1;
            step.detail(&format!("{compiled} crates compiled, now {name}"));
            if compiled % CRATES_PER_MILESTONE == 0 {
                step.milestone(format_args!("{compiled} crates compiled"));
            }
        } else {
            step.detail(line);
        }
    })?;
    if !finished.status.success() {
        step.failed("");
        bail!("cargo could not install {}:\n{}\n{}", tool.package, finished.both.trim_end(), advice(&finished.both));
    }
    ensure!(
        is_installed(project, tool),
        "{} was installed but does not say that it is version {}; remove {} and try again",
        project.tool(tool.binary).display(),
        tool.version,
        project.tools_dir().display()
    );
    step.done(format_args!("{compiled} crates"));
    Ok(())
}

/// What to do about the failures that a new machine is likely to meet.
fn advice(output: &str) -> &'static str {
    if output.contains("openssl-sys") {
        "worker-build links OpenSSL. Install its headers: `apt install pkg-config libssl-dev`, `dnf install openssl-devel`."
    } else if output.contains("linker `cc` not found") {
        "A C compiler is missing: `apt install build-essential`, `dnf install gcc`, `xcode-select --install`."
    } else {
        "Try again: what was compiled is kept."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_whole_word() {
        assert!(says_version("0.8.7\n", "0.8.7"));
        assert!(says_version("wasm-bindgen 0.2.130 (4b1f2a6)\n", "0.2.130"));
        assert!(!says_version("wasm-bindgen 0.2.130\n", "0.2.13"));
        assert!(!says_version("", "0.8.7"));
    }

    #[test]
    fn missing_headers_are_recognised() {
        assert!(advice("error: failed to run custom build command for `openssl-sys v0.9.1`").contains("libssl-dev"));
    }
}
