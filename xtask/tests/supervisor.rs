//! What the supervisor promises, shown with real processes: nothing it keeps outlives the one who asked for it.

// The exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Only for giving up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A supervisor of `script`, and the first line that the script prints.
fn keep(script: &str) -> (Child, String, BufReader<ChildStdout>) {
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["__keep", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(supervisor.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    (supervisor, line.trim().to_owned(), output)
}

/// The code of a supervisor whose command ends by itself. `wait` alone would close the pipe, and so ask for the end.
fn code(mut supervisor: Child) -> Option<i32> {
    let _pipe = supervisor.stdin.take();
    supervisor.wait().unwrap().code()
}

fn process(id: &str) -> Pid {
    Pid::from_raw(id.parse().unwrap()).unwrap()
}

fn wait_until_gone(process: Pid) {
    let started = Instant::now();
    while test_kill_process(process).is_ok() {
        assert!(started.elapsed() < PATIENCE, "{process:?} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_grandchild_ends_when_the_pipe_closes() {
    let (mut supervisor, id, _output) = keep("sleep 1000 & echo $!; wait");
    let grandchild = process(&id);
    assert!(test_kill_process(grandchild).is_ok());
    drop(supervisor.stdin.take());
    wait_until_gone(grandchild);
    assert!(supervisor.wait().unwrap().success());
}

#[test]
fn whoever_ignores_sigterm_is_killed() {
    let (mut supervisor, id, _output) = keep("trap '' TERM; echo $$; while :; do sleep 1; done");
    drop(supervisor.stdin.take());
    wait_until_gone(process(&id));
    assert!(supervisor.wait().unwrap().success());
}

#[test]
fn what_the_command_leaves_behind_ends_with_it_and_its_code_is_kept() {
    let (supervisor, id, _output) = keep("sleep 1000 & echo $!; exit 7");
    assert_eq!(code(supervisor), Some(7));
    wait_until_gone(process(&id));
}

#[test]
fn a_signal_that_ends_the_command_is_told_as_shells_do() {
    let (supervisor, id, _output) = keep("echo $$; exec sleep 1000");
    kill_process(process(&id), Signal::KILL).unwrap();
    assert_eq!(code(supervisor), Some(128 + 9));
}

#[test]
fn a_program_that_is_not_there_is_told_as_shells_do() {
    let supervisor = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["__keep", "/no/such/program"]).output().unwrap();
    assert_eq!(supervisor.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&supervisor.stderr).contains("/no/such/program"));
}
