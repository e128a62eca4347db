//! Compiling a package of this repository, and finding what came out of it, wherever cargo puts it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::children::{self, Stream};
use crate::project::Project;
use crate::say::{self, Step};

/// worker-build compiles with this set; without it the same sources would give another wasm.
pub(crate) const WASM_BINDGEN_USE_JS_SYS: (&str, &str) = ("WASM_BINDGEN_USE_JS_SYS", "1");

/// The path of the built program of `package`.
pub(crate) fn program(project: &Project, package: &str) -> Result<PathBuf> {
    build(project, package, &["--bin", package], &format!("compiling {package}"))
}

/// The path of `package`, compiled to optimised wasm, with further arguments for cargo.
pub(crate) fn wasm(project: &Project, package: &str, further: &[&str], title: &str) -> Result<PathBuf> {
    let arguments = [&["--lib", "--release", "--target", crate::rustup::WASM_TARGET], further].concat();
    build(project, package, &arguments, title)
}

fn build(project: &Project, package: &str, arguments: &[&str], title: &str) -> Result<PathBuf> {
    let mut command = project.command("cargo");
    command
        .args(["build", "--message-format=json-render-diagnostics", "--package", package])
        .args(arguments)
        .env(WASM_BINDGEN_USE_JS_SYS.0, WASM_BINDGEN_USE_JS_SYS.1);
    // Named only once there is something to compile: most times there is nothing.
    let mut step: Option<Step> = None;
    let mut diagnostics = String::new();
    let finished = children::run_capturing(&command, |stream, line| match (stream, compiling(line)) {
        (Stream::Error, Some(name)) => step.get_or_insert_with(|| Step::begin(title)).detail(name),
        (Stream::Error, None) if !is_status(line) => {
            diagnostics.push_str(line);
            diagnostics.push('\n');
        }
        _ => {}
    })?;
    if !finished.status.success() {
        if let Some(step) = step {
            step.failed("");
        }
        bail!("{title} failed:\n{}", diagnostics.trim_end());
    }
    if let Some(step) = step {
        step.done("");
        // Cargo repeats old warnings each time; once is enough.
        if !diagnostics.trim().is_empty() {
            say::line(diagnostics.trim_end());
        }
    }
    artifact(&finished.out, package).with_context(|| format!("cargo built {package} but named no file"))
}

/// What cargo says it is compiling right now.
fn compiling(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("Compiling ")
}

/// Cargo's own progress, as against what the compiler has to say.
fn is_status(line: &str) -> bool {
    let words =
        ["Compiling", "Finished", "Blocking", "Updating", "Downloading", "Downloaded", "Locking", "Adding", "Fresh"];
    line.trim_start().split(' ').next().is_some_and(|first| words.contains(&first))
}

/// The program or wasm file in cargo's messages for the target named like `package`.
fn artifact(messages: &str, package: &str) -> Option<PathBuf> {
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours =
        parsed.filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == package);
    let files = ours.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut paths = files.filter_map(|file| file.as_str().map(PathBuf::from));
    // A program has no extension; a library's `.rlib` and `.rmeta` are of no use here.
    paths.find(|path| path.extension().is_none_or(|extension| extension == "wasm"))
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
        assert_eq!(artifact(MESSAGES, "origin"), Some("/t/origin".into()));
        assert_eq!(artifact(MESSAGES, "quayside"), Some("/t/quayside.wasm".into()));
    }

    #[test]
    fn a_library_alone_is_nothing_to_run() {
        assert_eq!(artifact(MESSAGES, "core"), None);
    }

    #[test]
    fn status_lines_are_told_from_diagnostics() {
        assert_eq!(compiling("   Compiling serde v1.0.1"), Some("serde v1.0.1"));
        assert!(is_status("    Finished `dev` profile"));
        assert!(!is_status("warning: unused variable: `x`"));
    }
}
