//! Compiling packages of this repository, and finding what came out of it, wherever cargo puts it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::children::{self, Stream};
use crate::output::{self, Step};
use crate::project::Project;
use crate::rustup::WASM_TARGET;

/// `worker` wants it so: with it, wasm-bindgen's macros use the futures of `js-sys`.
pub(crate) const WASM_BINDGEN_USE_JS_SYS: (&str, &str) = ("WASM_BINDGEN_USE_JS_SYS", "1");

/// Where no compiler is named, one called `musl-gcc` is looked for, which few have.
const MUSL_COMPILER: (&str, &str) = ("CC_x86_64_unknown_linux_musl", "cc");

/// The path of the program of `package`, which is named like it. One package at a time: cargo chooses the features of what packages share by
/// all that it is asked for at once, and would compile it again for another choice.
pub(crate) fn program(project: &Project, package: &str) -> Result<PathBuf> {
    artifact(&build(project, &["--package", package, "--bins"], &format!("compiling {package}"))?, package)
}

/// The same for another target, as it is released. What is C of it is compiled by this machine's compiler: it needs no headers.
pub(crate) fn program_for(project: &Project, package: &str, target: &str) -> Result<PathBuf> {
    let arguments = ["--package", package, "--bins", "--profile", "cli", "--target", target];
    artifact(&build(project, &arguments, &format!("compiling {package} for {target}"))?, package)
}

/// The path of `package`, compiled to optimised wasm, with further arguments for cargo.
pub(crate) fn wasm(project: &Project, package: &str, further: &[&str], title: &str) -> Result<PathBuf> {
    let arguments = [&["--package", package, "--lib", "--release", "--target", WASM_TARGET], further].concat();
    artifact(&build(project, &arguments, title)?, package)
}

fn build(project: &Project, arguments: &[&str], title: &str) -> Result<String> {
    let mut command = project.command("cargo");
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .env(WASM_BINDGEN_USE_JS_SYS.0, WASM_BINDGEN_USE_JS_SYS.1)
        .env(MUSL_COMPILER.0, MUSL_COMPILER.1);
    // Named only once there is something to compile: most times there is nothing.
    let mut step: Option<Step> = None;
    let mut diagnostics = String::new();
    let finished =
        children::run_capturing(&command, |stream, line| match (stream, line.trim_start().split_once(' ')) {
            (Stream::Error, Some(("Compiling", name))) => step.get_or_insert_with(|| Step::begin(title)).detail(name),
            (Stream::Error, Some((word, _))) if STATUS.contains(&word) => {}
            (Stream::Error, _) => diagnostics.extend([line, "\n"]),
            _ => {}
        })?;
    let succeeded = finished.status.success();
    let compiled = step.map(|step| step.end(succeeded)).is_some();
    if !succeeded {
        bail!("{title} failed:\n{}", diagnostics.trim_end());
    }
    // Cargo repeats old warnings each time; once is enough.
    if compiled && !diagnostics.trim().is_empty() {
        output::line(diagnostics.trim_end());
    }
    Ok(finished.out)
}

/// Cargo's own progress, as against what the compiler has to say.
const STATUS: [&str; 8] =
    ["Finished", "Blocking", "Updating", "Downloading", "Downloaded", "Locking", "Adding", "Fresh"];

/// The program or wasm file in cargo's messages for the target named like `package`.
fn artifact(messages: &str, package: &str) -> Result<PathBuf> {
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours =
        parsed.filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == package);
    let files = ours.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut paths = files.filter_map(|file| file.as_str().map(PathBuf::from));
    // A program has no extension; a library's `.rlib` and `.rmeta` are of no use here.
    let path = paths.find(|path| path.extension().is_none_or(|extension| extension == "wasm"));
    path.with_context(|| format!("cargo built {package} but named no file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","target":{"name":"core"},"filenames":["/t/libcore.rlib"]}
{"reason":"compiler-artifact","target":{"name":"quayside"},"filenames":["/t/quayside.wasm"]}
{"reason":"compiler-artifact","target":{"name":"origin"},"filenames":["/t/liborigin.rlib"]}
{"reason":"compiler-artifact","target":{"name":"origin"},"filenames":["/t/origin"]}
{"reason":"build-finished","success":true}"#;

    #[test]
    fn programs_and_wasm_are_found_by_name() {
        assert_eq!(artifact(MESSAGES, "origin").unwrap(), PathBuf::from("/t/origin"));
        assert_eq!(artifact(MESSAGES, "quayside").unwrap(), PathBuf::from("/t/quayside.wasm"));
        assert!(artifact(MESSAGES, "core").is_err(), "a library alone is nothing to run");
    }
}
