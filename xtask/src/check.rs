//! `cargo xtask check`: formatting, lints, types and architecture; the fast part of `test`.
//!
//! Each check has a name, runs whatever the others did, and shows its output only when it fails.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::cargo_build::WASM_BINDGEN_USE_JS_SYS;
use crate::output::{self, Step};
use crate::project::Project;
use crate::rustup::WASM_TARGET;
use crate::sources::Source;
use crate::test_counts::TestCounts;
use crate::{architecture, children, circles, links, settings_page, setup, sources};

/// Runs it; says how many passed.
pub(crate) fn command(project: &Project) -> Result<ExitCode> {
    setup::for_check(project)?;
    let counted = run(project);
    output::line(counted);
    Ok(if counted.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every check, counted as one each.
pub(crate) fn run(project: &Project) -> TestCounts {
    let mut counted = TestCounts::default();
    for (name, command) in commands(project) {
        counted += one(name, |step| succeeds(&command, step));
    }
    for (name, rule) in SOURCE_RULES {
        counted += one(name, |_| none(&rule(&sources::read_all(project)?)));
    }
    for (name, rule) in PAPER_RULES {
        counted += one(name, |_| none(&rule(project)?));
    }
    for (name, rule, arguments) in TREE_RULES {
        counted += one(name, |step| none(&rule(&dependency_tree(project, arguments, step)?)));
    }
    counted
}

fn one(name: &str, check: impl FnOnce(&Step) -> Result<()>) -> TestCounts {
    let step = Step::begin(name);
    let checked = check(&step);
    step.end(checked.is_ok());
    if let Err(error) = &checked {
        output::line(format_args!("{error:#}"));
    }
    TestCounts::one(checked.is_ok())
}

fn commands(project: &Project) -> Vec<(&'static str, Command)> {
    let with = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = project.command(program);
        command.args(arguments);
        command
    };
    let cargo = |arguments: &[&str]| with("cargo".as_ref(), arguments);
    let deny = ["--", "-D", "warnings"];
    let on_host = [&["clippy", "--workspace", "--all-targets"][..], &deny].concat();
    let worker = ["-p", "quayside", "-p", "durable-objects", "--target", WASM_TARGET];
    let on_wasm = [&["clippy"][..], &worker, &deny].concat();
    let mut clippy_wasm = cargo(&on_wasm);
    clippy_wasm.env(WASM_BINDGEN_USE_JS_SYS.0, WASM_BINDGEN_USE_JS_SYS.1);
    vec![
        ("rustfmt", cargo(&["fmt", "--all", "--check"])),
        ("clippy, for the host", cargo(&on_host)),
        ("clippy, for wasm", clippy_wasm),
        ("biome", with(&project.node_bin("biome"), &["ci", "--colors=off"])),
        ("tsc", with(&project.node_bin("tsc"), &["--noEmit"])),
    ]
}

type SourceRule = fn(&[Source]) -> Vec<String>;
type PaperRule = fn(&Project) -> Result<Vec<String>>;
type TreeRule = fn(&str) -> Vec<String>;

const SOURCE_RULES: [(&str, SourceRule); 4] = [
    ("the core has no effects", architecture::core_has_no_effects),
    ("SQL stays in its place", architecture::sql_stays_in_its_place),
    ("no circle of imports", circles::in_any_package),
    ("files are small", architecture::files_are_small),
];

const PAPER_RULES: [(&str, PaperRule); 2] = [
    ("links in the documentation lead somewhere", |project| links::broken(project.root())),
    ("the documentation has every setting", settings_page::differences),
];

const TREE_RULES: [(&str, TreeRule, &[&str]); 3] = [
    (
        "the core depends on nothing impure, on the host",
        architecture::core_depends_on_nothing_impure,
        &["-p", "upload-access", "-p", "upload-protocols", "-p", "upload-s3", "-p", "upload-session"],
    ),
    (
        "the core depends on nothing impure, on wasm",
        architecture::core_depends_on_nothing_impure,
        &[
            "-p",
            "upload-access",
            "-p",
            "upload-protocols",
            "-p",
            "upload-s3",
            "-p",
            "upload-session",
            "--target",
            WASM_TARGET,
        ],
    ),
    (
        "durable-objects does not know the Worker",
        architecture::objects_do_not_know_the_worker,
        &["-p", "durable-objects", "--target", WASM_TARGET],
    ),
];

fn dependency_tree(project: &Project, arguments: &[&str], step: &Step) -> Result<String> {
    let mut command = project.command("cargo");
    command.args(["tree", "--edges", "normal", "--prefix", "none"]).args(arguments);
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        bail!("{}", finished.both.trim_end());
    }
    Ok(finished.out)
}

fn succeeds(command: &Command, step: &Step) -> Result<()> {
    let finished = children::run_capturing(command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        bail!("{}", finished.both.trim_end());
    }
    Ok(())
}

fn none(violations: &[String]) -> Result<()> {
    if violations.is_empty() { Ok(()) } else { bail!("{}", violations.join("\n")) }
}
