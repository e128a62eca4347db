//! Running other programs, each behind a [supervisor](crate::supervisor), so that nothing is left behind however this one ends.
//!
//! Short questions (`rustc --version`) need no supervisor and do not come here.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use crate::supervisor;

/// Which of its two outputs a line came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// A program that runs beside this one until [`Background::end`].
pub(crate) struct Background {
    lifeline: Option<ChildStdin>,
    waiter: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts it. `on_line` gets each line of both outputs; `on_exit` is called once, after it has ended.
    pub(crate) fn start(
        command: &Command,
        on_line: impl Fn(&str) + Clone + Send + 'static,
        on_exit: impl FnOnce(ExitStatus) + Send + 'static,
    ) -> Result<Self> {
        let mut child = spawn(supervisor::kept(command).stdout(Stdio::piped()).stderr(Stdio::piped()), command)?;
        let lifeline = child.stdin.take();
        for pipe in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)].into_iter().flatten() {
            let on_line = on_line.clone();
            thread::spawn(move || each_line(pipe, |line| on_line(line)));
        }
        let waiter = thread::spawn(move || {
            if let Ok(status) = child.wait() {
                on_exit(status);
            }
        });
        Ok(Self { lifeline, waiter: Some(waiter) })
    }

    /// Asks its whole process group to end, without waiting for it.
    pub(crate) fn ask_to_end(&mut self) {
        self.lifeline = None;
    }

    /// Ends its whole process group, and returns when it is gone.
    pub(crate) fn end(mut self) {
        self.ask_to_end();
        if let Some(waiter) = self.waiter.take() {
            let _ = waiter.join();
        }
    }
}

/// Runs it to its end with our own outputs.
pub(crate) fn run(command: &Command) -> Result<ExitStatus> {
    let mut child = spawn(&mut supervisor::kept(command), command)?;
    // `wait` would close the lifeline at once.
    let lifeline = child.stdin.take();
    let status = child.wait();
    drop(lifeline);
    status.with_context(|| format!("waiting for {command:?}"))
}

/// The same; whether it succeeded is how we end.
pub(crate) fn run_to_code(command: &Command) -> Result<ExitCode> {
    Ok(if run(command)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a program did that ran to its end.
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Everything it wrote to standard output.
    pub(crate) out: String,
    /// Everything it wrote, in the order in which it came.
    pub(crate) both: String,
}

/// Runs it to its end, keeping what it writes; `on_line` sees each line as it comes.
pub(crate) fn run_capturing(command: &Command, mut on_line: impl FnMut(Stream, &str)) -> Result<Finished> {
    let mut child = spawn(supervisor::kept(command).stdout(Stdio::piped()).stderr(Stdio::piped()), command)?;
    let lifeline = child.stdin.take();
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), Stream::Out, sender.clone());
    forward(child.stderr.take(), Stream::Error, sender);
    let (mut out, mut both) = (String::new(), String::new());
    for (stream, line) in lines {
        on_line(stream, &line);
        for text in (stream == Stream::Out).then_some(&mut out).into_iter().chain([&mut both]) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait();
    drop(lifeline);
    Ok(Finished { status: status.with_context(|| format!("waiting for {command:?}"))?, out, both })
}

fn forward(pipe: Option<impl Read + Send + 'static>, stream: Stream, lines: Sender<(Stream, String)>) {
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            each_line(pipe, |line| {
                let _ = lines.send((stream, line.to_owned()));
            });
        });
    }
}

fn spawn(supervisor: &mut Command, command: &Command) -> Result<Child> {
    supervisor.spawn().with_context(|| format!("starting {}", command.get_program().display()))
}

fn boxed(pipe: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(pipe)
}

/// Reads to the end; bytes that are not UTF-8 become replacement characters.
fn each_line(pipe: impl Read, mut on_line: impl FnMut(&str)) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_without_their_ends_and_survive_bad_bytes() {
        let mut seen = Vec::new();
        each_line(&b"one\r\ntwo \xff\n\nlast"[..], |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two \u{fffd}", "", "last"]);
    }
}
