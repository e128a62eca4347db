//! The command line of `cargo xtask`: which commands and options there are, and what each calls.
//!
//! Everything a person runs in this repository goes through here, so that one list of commands is all there is to know.
//! Works on Linux and macOS.

mod architecture;
mod bench;
mod build_stamp;
mod cargo_build;
mod cargo_lock;
mod check;
mod children;
mod chromium;
mod circles;
mod demo;
mod demo_client;
mod demo_file;
mod demo_progress;
mod demo_scene;
mod deploy;
mod deploy_rules;
mod dev;
mod dev_vars;
mod file_lock;
mod fuzz;
mod keeper;
mod links;
mod npm;
mod page;
mod ports;
mod probe;
mod project;
mod rust_tools;
mod rustup;
mod say;
mod settings_page;
mod setup;
mod signals;
mod sources;
mod stack;
mod tally;
mod test;
mod torture;
mod worker_build;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::ValueExt;

use crate::project::Project;

const USAGE: &str = "\
Usage: cargo xtask <command>

  setup                     install what the build needs: pinned, cached, nothing outside this folder but the wasm target
  build                     the Worker, optimised, into build/, and the demo page into build-page/ (wrangler calls this)
  dev [--port 8787] [--origin-port 8788] [--state .state] [--auth open|token]
                            the Worker with the demo page, and the example origin, until Ctrl-C
  demo [FILE]               one upload from end to end, cut and resumed on the way (default: 100 MiB of random bytes)
  check                     formatting, lints, types, architecture
  test                      everything: check, host tests, and tests of the running Worker, in a real browser too
  fuzz [--seconds 600]      made-up input for every parser
  torture [--uploads 200] [--seed 1]
                            many uploads at once with disconnects, faults and kills; then every byte is compared
  bench [--quick] [--only TEXT] [--rounds N]
                            throughput, processor time, memory and cost, beside the bare platform; half an hour
  deploy --env NAME [--dry-run]
                            checks what can be checked without an account, says what is missing, and deploys
  probe [--remote]          asks the platform what no simulator can answer; --remote: on the account wrangler is logged in to
";

enum Task {
    Help,
    Setup,
    Build,
    Dev(dev::Options),
    Demo(Option<PathBuf>),
    Check,
    Test,
    Fuzz(fuzz::Options),
    Torture(torture::Options),
    Bench(bench::Options),
    Deploy(deploy::Options),
    Probe(probe::Where),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_some_and(|first| first == keeper::COMMAND) {
        return keeper::run(arguments);
    }
    match parse(lexopt::Parser::from_env()).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            say::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    if let Task::Help = task {
        say::line(USAGE.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let project = Project::find()?;
    match task {
        Task::Help | Task::Setup => setup::command(&project).map(|()| ExitCode::SUCCESS),
        Task::Build => worker_build::command(&project).map(|()| ExitCode::SUCCESS),
        Task::Dev(options) => dev::command(&project, &options),
        Task::Demo(file) => demo::command(&project, file),
        Task::Check => check::command(&project),
        Task::Test => Ok(test::command(&project)),
        Task::Fuzz(options) => fuzz::command(&project, &options),
        Task::Torture(options) => torture::command(&project, &options),
        Task::Bench(options) => bench::command(&project, &options),
        Task::Deploy(options) => deploy::command(&project, &options),
        Task::Probe(place) => probe::command(&project, place),
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Task> {
    use lexopt::prelude::{Long, Short, Value};
    let mut task = match parser.next()? {
        None | Some(Short('h') | Long("help")) => Task::Help,
        Some(Value(name)) => match name.string()?.as_str() {
            "help" => Task::Help,
            "setup" => Task::Setup,
            "build" => Task::Build,
            "dev" => Task::Dev(dev::Options::default()),
            "demo" => Task::Demo(None),
            "check" => Task::Check,
            "test" => Task::Test,
            "fuzz" => Task::Fuzz(fuzz::Options::default()),
            "torture" => Task::Torture(torture::Options::default()),
            "bench" => Task::Bench(bench::Options::default()),
            "deploy" => Task::Deploy(deploy::Options::default()),
            "probe" => Task::Probe(probe::Where::Simulator),
            other => bail!("there is no command {other}\n\n{USAGE}"),
        },
        Some(other) => return Err(other.unexpected().into()),
    };
    while let Some(argument) = parser.next()? {
        match (&mut task, argument) {
            (_, Short('h') | Long("help")) => return Ok(Task::Help),
            (Task::Dev(options), Long("port")) => options.port = parser.value()?.parse()?,
            (Task::Dev(options), Long("origin-port")) => options.origin_port = parser.value()?.parse()?,
            (Task::Dev(options), Long("auth")) => options.auth = parser.value()?.string()?.parse()?,
            (Task::Dev(options), Long("state")) => options.state = Some(parser.value()?.into()),
            (Task::Fuzz(options), Long("seconds")) => options.seconds = parser.value()?.parse()?,
            (Task::Torture(options), Long("uploads")) => options.uploads = parser.value()?.parse()?,
            (Task::Torture(options), Long("seed")) => options.seed = parser.value()?.parse()?,
            (Task::Bench(options), Long("quick")) => options.quick = true,
            (Task::Bench(options), Long("only")) => options.only = parser.value()?.string()?,
            (Task::Bench(options), Long("rounds")) => options.rounds = Some(parser.value()?.parse()?),
            (Task::Deploy(options), Long("env")) => options.env = Some(parser.value()?.string()?),
            (Task::Deploy(options), Long("dry-run")) => options.dry_run = true,
            (Task::Probe(place), Long("remote")) => *place = probe::Where::Cloudflare,
            (Task::Demo(file @ None), Value(path)) => *file = Some(path.into()),
            (_, other) => return Err(other.unexpected().into()),
        }
    }
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Task> {
        parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn dev_takes_its_ports_and_state() {
        let Ok(Task::Dev(options)) = parsed(&["dev", "--port", "9000", "--origin-port=9001", "--state", "/x"]) else {
            panic!("not dev");
        };
        assert_eq!((options.port, options.origin_port, options.state), (9000, 9001, Some("/x".into())));
    }

    #[test]
    fn dev_runs_open_unless_told_otherwise() {
        for (arguments, auth) in [(&["dev"][..], stack::Auth::Open), (&["dev", "--auth", "token"], stack::Auth::Token)]
        {
            assert!(matches!(parsed(arguments), Ok(Task::Dev(options)) if options.auth == auth), "{arguments:?}");
        }
        assert!(parsed(&["dev", "--auth", "closed"]).is_err());
    }

    #[test]
    fn demo_takes_at_most_one_file() {
        assert!(matches!(parsed(&["demo"]), Ok(Task::Demo(None))));
        assert!(matches!(parsed(&["demo", "a"]), Ok(Task::Demo(Some(_)))));
        assert!(parsed(&["demo", "a", "b"]).is_err());
    }

    #[test]
    fn fuzz_takes_its_time() {
        for (arguments, seconds) in [(&["fuzz"][..], 600), (&["fuzz", "--seconds", "9"], 9)] {
            assert!(
                matches!(parsed(arguments), Ok(Task::Fuzz(options)) if options.seconds == seconds),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn torture_takes_its_size_and_seed() {
        let Ok(Task::Torture(options)) = parsed(&["torture", "--uploads", "30", "--seed=7"]) else {
            panic!("not torture");
        };
        assert_eq!((options.uploads, options.seed), (30, 7));
    }

    #[test]
    fn bench_takes_what_to_measure() {
        let Ok(Task::Bench(options)) = parsed(&["bench", "--quick", "--only", "tus", "--rounds", "7"]) else {
            panic!("not bench");
        };
        assert_eq!((options.quick, options.only.as_str(), options.rounds), (true, "tus", Some(7)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            &["publish"][..],
            &["deploy", "production"],
            &["build", "--fast"],
            &["dev", "--port", "eighty"],
            &["--port", "1"],
        ] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
