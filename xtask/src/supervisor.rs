//! The supervisor: a second copy of this program that runs one command in a process group of its own, and ends that whole
//! group when the first copy asks for it or is gone.
//!
//! The first copy holds the writing end of a pipe that is the supervisor's standard input. When that pipe closes, the group
//! gets SIGTERM and, after a grace period, SIGKILL. The operating system closes the pipe when the first copy ends for
//! any reason, SIGKILL included, on every Unix; so nothing outlives it. The supervisor stands in a group of its own too, so
//! that Ctrl-C at the terminal reaches the first copy alone, which then decides. When the command ends by itself, what
//! is left of its group is ended as well, and the supervisor exits with the command's code. Only a SIGKILL to the supervisor
//! itself can leave something behind.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, test_kill_process_group};

/// The first argument that makes this program a supervisor. Not for people.
pub(crate) const COMMAND: &str = "__keep";

/// How long a group may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait for the operating system to clear away what SIGKILL ended.
const AFTER_KILL: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// What a shell says for "could not be run".
const COULD_NOT_RUN: u8 = 127;

/// `command`, run by a supervisor. Its standard input has to be a pipe, kept open for as long as the command shall live.
pub(crate) fn kept(command: &Command) -> Command {
    let mut supervisor = Command::new(own_program());
    supervisor.arg(COMMAND).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => supervisor.env(name, value),
            None => supervisor.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        supervisor.current_dir(folder);
    }
    supervisor.stdin(Stdio::piped()).process_group(0);
    supervisor
}

/// On Linux the program that runs, even when a build has put another file in its place meanwhile.
fn own_program() -> OsString {
    if cfg!(target_os = "linux") {
        return "/proc/self/exe".into();
    }
    std::env::current_exe().map_or_else(|_| "xtask".into(), Into::into)
}

enum Event {
    /// The command has ended, with this code.
    Ended(u8),
    /// Whoever asked for the command does not want it any more, or is gone.
    EndIt,
}

/// Runs the command named by the remaining arguments, as promised above.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = arguments.next() else { return ExitCode::from(COULD_NOT_RUN) };
    adopt_orphans();
    let command = match Command::new(&program).args(arguments).stdin(Stdio::null()).process_group(0).spawn() {
        Ok(child) => Pid::from_child(&child),
        Err(error) => {
            eprintln!("{} could not be started: {error}", program.display());
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let (events, inbox) = mpsc::channel();
    let ended = events.clone();
    thread::spawn(move || reap_all(command, |code| drop(ended.send(Event::Ended(code)))));
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        events.send(Event::EndIt)
    });
    let event = inbox.recv();
    end_group(command);
    match event {
        Ok(Event::Ended(code)) => ExitCode::from(code),
        Ok(Event::EndIt) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Makes this process the parent of every descendant that loses its own. It clears them away at once when they end;
/// the parent of last resort may be slow at that, or in a container not do it at all, and a group is not empty before.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Waits for every child until there is none; calls `on_code` when `command` is the one that has ended.
fn reap_all(command: Pid, on_code: impl Fn(u8)) {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((process, status))) if process == command => on_code(code(status)),
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The command's own code; 128 and the signal's number when a signal ended it, as shells have it.
fn code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn end_group(group: Pid) {
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, AFTER_KILL)] {
        if kill_process_group(group, signal).is_err() || is_empty_within(group, patience) {
            return;
        }
    }
}

fn is_empty_within(group: Pid, patience: Duration) -> bool {
    let started = Instant::now();
    while test_kill_process_group(group).is_ok() {
        if started.elapsed() > patience {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
    true
}
