//! The command line of `cargo xtask`: which commands and options there are, and what each calls.
//!
//! Everything a person runs in this repository goes through here, so that one list of commands is all there is to know.
//! Works on Linux and macOS.

mod architecture;
mod bench;
mod browsers;
mod bundle;
mod cargo_build;
mod check;
mod children;
mod circles;
mod demo;
mod deploy;
mod deploy_rules;
mod deploy_settings;
mod dev;
mod dev_vars;
mod file_lock;
mod fuzz;
mod link_page;
mod links;
mod npm;
mod output;
mod page;
mod ports;
mod project;
mod quay_release;
mod release;
mod rustup;
mod settings_page;
mod settings_read;
mod setup;
mod simulate;
mod sources;
mod stack;
mod stamp;
mod supervisor;
mod test;
mod test_counts;
mod worker_build;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::project::Project;

/// Everything a person runs in this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Install what the build needs: pinned, cached, nothing outside this folder but the wasm target
    Setup,
    /// The Worker, optimised, into build/, and the demo page into build-page/ (wrangler calls this)
    Build,
    /// The Worker with the demo page, and the example origin, until Ctrl-C
    Dev(dev::Options),
    /// One upload from end to end, cut and resumed on the way
    Demo {
        /// The file [default: 100 MiB of random bytes]
        file: Option<PathBuf>,
    },
    /// Formatting, lints, types, architecture
    Check,
    /// Everything: check, host tests, and tests of the running Worker, in real browsers too
    Test(test::Options),
    /// Made-up input for every parser
    Fuzz(fuzz::Options),
    /// Whole lives of uploads, one seed each: every failure replays
    Simulate(simulate::Options),
    /// Many uploads at once with disconnects, faults and kills; then every byte is compared
    Torture(test::Torture),
    /// Throughput, processor time, memory and cost, beside the bare platform; half an hour
    Bench(bench::Options),
    /// Check what can be checked without an account, say what is missing, and deploy
    Deploy(deploy::Options),
    /// The packages that are published, with checksums and bills of materials, into target/packages/
    Release,
    /// Ask the platform what no simulator can answer
    Probe(bench::Probe),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_some_and(|first| first == supervisor::COMMAND) {
        return supervisor::run(arguments);
    }
    let task = Task::parse();
    match run(task) {
        Ok(code) => code,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let project = Project::find()?;
    match task {
        Task::Setup => setup::command(&project).map(|()| ExitCode::SUCCESS),
        Task::Build => worker_build::command(&project).map(|()| ExitCode::SUCCESS),
        Task::Dev(options) => dev::command(&project, &options),
        Task::Demo { file } => demo::command(&project, file),
        Task::Check => check::command(&project),
        Task::Test(options) => Ok(test::command(&project, &options)),
        Task::Fuzz(options) => fuzz::command(&project, &options),
        Task::Simulate(options) => simulate::command(&project, &options),
        Task::Torture(options) => test::torture(&project, &options),
        Task::Bench(options) => bench::command(&project, &options),
        Task::Deploy(options) => deploy::command(&project, &options),
        Task::Release => release::command(&project).map(|()| ExitCode::SUCCESS),
        Task::Probe(options) => bench::probe(&project, &options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Task, clap::Error> {
        Task::try_parse_from([&["xtask"][..], arguments].concat())
    }

    #[test]
    fn dev_takes_its_ports_and_state_and_runs_open_on_this_machine_unless_told_otherwise() {
        let Ok(Task::Dev(options)) = parsed(&["dev", "--port", "9000", "--origin-port=9001", "--state", "/x"]) else {
            panic!("not dev");
        };
        assert_eq!((options.port, options.origin_port, options.state), (9000, 9001, Some("/x".into())));
        assert_eq!((options.ip, options.auth), (ports::THIS_MACHINE, stack::Auth::Open));
        assert!(parsed(&["dev", "--auth", "token", "--ip", "0.0.0.0"]).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            &["publish"][..],
            &["deploy", "production"],
            &["build", "--fast"],
            &["demo", "a", "b"],
            &["dev", "--port", "eighty"],
            &["dev", "--auth", "closed"],
            &["--port", "1"],
            &[],
        ] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
