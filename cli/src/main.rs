//! `quay`: the command line of Quayside. It speaks the JSON API of a deployment, as any other client does.
//!
//! * [`args`]: the command line, with its [`examples`]. [`config`]: endpoint, token, folders. [`commands`]: what is done.
//! * [`api`]: the calls. [`upload`]: the life of one upload. [`download`]: the way back. [`state`]: what is kept between two runs.
//! * [`walk`]: which files are meant. [`manifest`]: what came of each. [`progress`]: what is said meanwhile. [`failure`]: what is said at the end.
//! * [`aside`]: what would hold up everything else. [`interrupt`]: being told to stop. [`results`]: what goes to stdout, by way of an [`outlet`]. [`tell`]: what goes to stderr.

#![forbid(unsafe_code)]
// It panics where nobody listens: `tell` does not.
#![deny(clippy::print_stderr)]

mod api;
mod args;
mod aside;
mod commands;
mod config;
mod download;
mod examples;
mod failure;
mod interrupt;
mod manifest;
mod outlet;
mod progress;
mod results;
mod state;
mod tell;
mod throttle;
mod upload;
mod values;
mod walk;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::{Failure, Result};
use interrupt::Interrupts;
use tell::tell;

/// As a shell has it of a command that was stopped by Ctrl-C; SIGTERM means the same here.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_json = cli.global.json;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli));
            // A read of standard input may never end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::resumable(format!("This machine lets nothing run: {error}."))),
    };
    let code = result.unwrap_or_else(|failure| {
        if is_json {
            tell(format_args!("{}", serde_json::json!({ "event": "error", "message": failure.message })));
        } else {
            tell(format_args!("quay: {failure}"));
        }
        failure.kind.exit_code()
    });
    ExitCode::from(results::exit_code(code))
}

async fn run(cli: Cli) -> Result<u8> {
    let stops_with_its_input = matches!(&cli.command, Command::Put(put) if put.live);
    let mut interrupts = Interrupts::listen()?;
    let mut work = std::pin::pin!(async {
        let result = work(cli).await;
        results::are_written().await;
        result
    });
    tokio::select! {
        code = &mut work => return code,
        () = interrupts.next() => {}
    }
    if !stops_with_its_input {
        results::are_written_soon().await;
        tell(format_args!("\nquay: stopped. The same command goes on where it was."));
        return Ok(INTERRUPTED);
    }
    // Whoever writes into the pipe has got the signal, too, and ends it: that is the end of the file.
    tell(format_args!("\nquay: what the input still says is sent, until it ends. Ctrl-C again stops at once."));
    tokio::select! {
        code = &mut work => code,
        () = interrupts.next() => {
            tell(format_args!("\nquay: stopped. What was sent so far is no whole file, and nobody goes on with it: after a day of silence the server takes it for the recording."));
            Ok(INTERRUPTED)
        }
    }
}

async fn work(cli: Cli) -> Result<u8> {
    let Cli { global, command } = cli;
    match command {
        Command::Put(put) => commands::put::run(&global, put).await,
        Command::Get(get) => commands::get::run(&global, get).await,
        Command::Ls => commands::uploads::list(&global).await,
        Command::Usage => commands::uploads::usage(&global).await,
        Command::Invite(invite) => commands::invite::run(&global, &invite).await,
        Command::Link(link) => commands::uploads::link(&global, &link).await,
        Command::Status(uploads) => commands::uploads::status(&global, &uploads).await,
        Command::Watch(one) => commands::watch::run(&global, &one).await,
        Command::Rm(uploads) => commands::uploads::remove(&global, &uploads).await,
        Command::Log(one) => commands::uploads::log(&global, &one).await,
        Command::Token(token) => commands::token::run(&token),
        Command::Login(login) => commands::login::run(&global, &login).await,
        Command::Doctor(doctor) => commands::doctor::run(&global, &doctor).await,
        Command::Completions { shell } => Ok(commands::shell::completions(shell)),
        Command::Man { folder } => commands::shell::man(&folder),
    }
}
