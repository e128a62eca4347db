//! `cargo xtask test`: all set-up and every check and test there is, the running Worker's too.
//!
//! Every stage runs that still can, whatever the others did. The last line is always `N passed, M failed`: each check,
//! host test and test of the running Worker counts as one, and so does a stage that could not run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::output::Step;
use crate::project::Project;
use crate::test_counts::TestCounts;
use crate::{browsers, bundle, cargo_build, check, children, fuzz, output, setup, worker_build};

/// How long made-up input is given to every parser: a minute of one processor. `cargo xtask fuzz` goes on longer.
const FUZZ_SECONDS: u32 = 60;

const REPORT: &str = "target/running-worker-tests.tap";
/// What does not end by itself within so long never will: it is ended and counts as failed, and the others get their turn. Many times
/// what the longest file takes.
const FILE_TIMEOUT_MS: u32 = 15 * 60 * 1000;

/// How `test` runs.
#[derive(Args)]
pub(crate) struct Options {
    /// The SDK in every bundler, test runner and compiler, not only in a few: some ten minutes more
    #[arg(long)]
    pub(crate) toolchains: bool,
}

/// Runs it.
pub(crate) fn command(project: &Project, options: &Options) -> ExitCode {
    let mut total = TestCounts::default();
    let started = Instant::now();
    let is_set_up = stage("set-up", &mut total, || setup::for_test(project).map(|_| TestCounts::default())).is_some();
    if is_set_up {
        stage("checks", &mut total, || Ok(check::run(project)));
    }
    stage("host tests", &mut total, || host_tests(project));
    if is_set_up {
        let programs = stage_with("build", &mut total, || {
            worker_build::build(project)?;
            worker_build::build_with_faults(project)?;
            let mut counted = TestCounts::default();
            for release in [bundle::release_is_plain(project), bundle::release_is_small(project)] {
                if let Err(error) = &release {
                    output::failure(error);
                }
                counted += TestCounts::one(release.is_ok());
            }
            Ok((counted, Programs::build(project)?))
        });
        if let Some(programs) = programs {
            stage("tests of the running Worker", &mut total, || running_worker_tests(project, &programs, options));
        }
    }
    output::line(format_args!("everything took {}", output::duration(started.elapsed())));
    output::line(total);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The path of the example origin's program.
fn origin(project: &Project) -> Result<PathBuf> {
    cargo_build::program(project, worker_build::ORIGIN)
}

/// What the tests of the running Worker start besides it.
struct Programs {
    origin: PathBuf,
    quay: PathBuf,
}

impl Programs {
    fn build(project: &Project) -> Result<Self> {
        Ok(Self { origin: origin(project)?, quay: cargo_build::program(project, worker_build::QUAY)? })
    }
}

/// How `torture` runs: many uploads at once through a Worker that is made to fail, killed and restarted, with clients that are cut off
/// and take each other over. What is random comes from the seed.
#[derive(Args)]
pub(crate) struct Torture {
    /// How many uploads
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) uploads: u32,
    /// Where everything random comes from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}

/// `cargo xtask torture`: the run is `tests/torture/`. Its last line is `zero differences`, or how many there are.
pub(crate) fn torture(project: &Project, options: &Torture) -> Result<ExitCode> {
    worker_build::build_with_faults(project)?;
    let mut command = project.node_script("tests/torture/main.ts");
    command
        .args(["--uploads", &options.uploads.to_string(), "--seed", &options.seed.to_string()])
        .env("QUAYSIDE_ORIGIN_BIN", origin(project)?);
    children::run_to_code(&command)
}

fn stage(name: &str, total: &mut TestCounts, work: impl FnOnce() -> Result<TestCounts>) -> Option<()> {
    stage_with(name, total, || work().map(|counted| (counted, ())))
}

/// Announces a stage, adds up what it counted, and says how long it took. `None` when it could not run.
fn stage_with<T>(name: &str, total: &mut TestCounts, work: impl FnOnce() -> Result<(TestCounts, T)>) -> Option<T> {
    output::line(format_args!("\n== {name}"));
    let started = Instant::now();
    let (counted, result) = match work() {
        Ok((counted, result)) => (counted, Some(result)),
        Err(error) => {
            output::failure(&error);
            (TestCounts::one(false), None)
        }
    };
    *total += counted;
    let counts = if counted == TestCounts::default() { "done".to_owned() } else { counted.to_string() };
    output::line(format_args!("== {name}: {counts} ({})", output::duration(started.elapsed())));
    result
}

fn host_tests(project: &Project) -> Result<TestCounts> {
    let mut command = project.command("cargo");
    // The package that is a Worker and nothing else cannot run here. Of the objects, what asks nothing of the platform can.
    command.args(["test", "--workspace", "--exclude", "quayside", "--no-fail-fast"]);
    command.env(fuzz::SECONDS, FUZZ_SECONDS.to_string());
    let step = Step::begin("cargo test");
    let finished = children::run_capturing(&command, |_, line| {
        step.detail(line);
        if is_worth_showing(line) {
            output::line(line);
        }
    })?;
    step.end(finished.status.success());
    Ok(TestCounts::of_cargo_test(&finished.out).or_failed(finished.status.success()))
}

/// One line per test and per crate compiled is too much; what went wrong never is.
fn is_worth_showing(line: &str) -> bool {
    let is_passed_test = line.starts_with("test ") && line.ends_with(" ... ok");
    let is_compiling =
        ["Compiling ", "Downloaded ", "Downloading "].iter().any(|word| line.trim_start().starts_with(word));
    !(is_passed_test || is_compiling || line.trim().is_empty() || line.starts_with("running "))
}

fn running_worker_tests(project: &Project, programs: &Programs, options: &Options) -> Result<TestCounts> {
    let mut files = Vec::new();
    find_tests(&project.path("tests"), &mut files)?;
    ensure!(!files.is_empty(), "there is no *.test.ts below tests/");
    files.sort();
    let report = project.path(REPORT);
    let _ = std::fs::remove_file(&report);
    let mut command = project.command(project.node_bin("node"));
    command
        .args(["--test", "--disable-warning=ExperimentalWarning", "--test-concurrency=2"])
        .arg(format!("--test-timeout={FILE_TIMEOUT_MS}"))
        .args(["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap"])
        .arg(format!("--test-reporter-destination={}", report.display()))
        .args(files)
        .env("QUAYSIDE_ORIGIN_BIN", &programs.origin)
        .env("QUAYSIDE_QUAY_BIN", &programs.quay);
    for engine in browsers::all() {
        match engine.find() {
            Some(path) => drop(command.env(engine.variable, path)),
            None => engine.say_what_is_missing(),
        }
    }
    if options.toolchains {
        command.env("QUAYSIDE_TOOLCHAINS", "all");
    }
    let status = children::run(&command)?;
    let text = std::fs::read_to_string(&report).with_context(|| format!("reading {}", report.display()))?;
    let counted = TestCounts::of_node_tap(&text).context("node --test ended without a summary")?;
    for engine in &browsers::ENGINES {
        let journeys = TestCounts::of_tests_called(&text, engine.name);
        output::line(format_args!("journeys in {}: {journeys}", engine.name));
    }
    Ok(counted.or_failed(status.success()))
}

fn find_tests(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_tests(&path, files)?;
        } else if path.to_string_lossy().ends_with(".test.ts") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_shown_and_passes_are_not() {
        for shown in ["test a::b ... FAILED", "test result: ok. 3 passed; 0 failed", "thread panicked", "error: x"] {
            assert!(is_worth_showing(shown), "{shown}");
        }
        for hidden in ["test a::b ... ok", "   Compiling serde v1.0.0", "running 3 tests", ""] {
            assert!(!is_worth_showing(hidden), "{hidden}");
        }
    }
}
