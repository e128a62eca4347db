//! The Worker under `wrangler dev` and the example origin, running together: how each is started, and when both answer.
//!
//! Each runs in a process group of its own behind a [keeper](crate::keeper); ending the stack ends both groups whole.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::children::Background;
use crate::project::Project;
use crate::{dev_vars, page, say};

/// Only for giving up: on a slow machine the first start of workerd takes most of a minute.
const READY_WITHIN: Duration = Duration::from_mins(3);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// No upload has this id, so a Worker that runs answers 404.
const NO_UPLOAD: &str = "/upload/00000000-0000-4000-8000-000000000000/status";

/// Where the stack listens, what it keeps, and where its output goes.
pub(crate) struct Options {
    /// The Worker's port.
    pub(crate) port: u16,
    /// The origin's port.
    pub(crate) origin_port: u16,
    /// What both keep between starts.
    pub(crate) state: PathBuf,
    /// What becomes of their output.
    pub(crate) output: Output,
    /// Who may upload.
    pub(crate) auth: Auth,
}

/// The setting `AUTH` of the Worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Anybody on this machine.
    Open,
    /// Whoever has a token, as in production.
    Token,
}

impl FromStr for Auth {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "open" => Ok(Self::Open),
            "token" => Ok(Self::Token),
            other => bail!("--auth {other} is neither `open` nor `token`"),
        }
    }
}

/// What becomes of the output of the stack's programs.
pub(crate) enum Output {
    /// Printed, each line after the name of its program.
    Printed,
    /// Written to `<program>.log` in the state folder.
    Logged,
}

/// What the owner of a stack is told while it runs.
pub(crate) enum Event {
    /// One of the programs has ended by itself.
    Ended(&'static str, ExitStatus),
    /// Somebody pressed Ctrl-C.
    Stop,
}

/// Both programs, running.
pub(crate) struct Stack {
    programs: Vec<Background>,
}

/// Where both programs answer.
pub(crate) struct Urls {
    /// The Worker.
    pub(crate) worker: String,
    /// The origin.
    pub(crate) origin: String,
}

impl Stack {
    /// Starts both. `origin` is the path of the built program.
    pub(crate) fn start(project: &Project, origin: &Path, options: &Options, events: &Sender<Event>) -> Result<Self> {
        std::fs::create_dir_all(&options.state).with_context(|| format!("creating {}", options.state.display()))?;
        let mut programs = Vec::new();
        for (name, command) in
            [("worker", worker_command(project, options)?), ("origin", origin_command(project, origin, options)?)]
        {
            let events = events.clone();
            let on_exit = move |status| drop(events.send(Event::Ended(name, status)));
            programs.push(match options.output {
                Output::Printed => {
                    Background::start(&command, move |line| say::line(format_args!("{name} | {line}")), on_exit)?
                }
                Output::Logged => Background::start(&command, line_logger(&log_path(&options.state, name))?, on_exit)?,
            });
        }
        Ok(Self { programs })
    }

    /// Ends both, and returns when they are gone.
    pub(crate) fn end(mut self) {
        self.programs.iter_mut().for_each(Background::ask_to_end);
        self.programs.into_iter().for_each(Background::end);
    }
}

impl Urls {
    /// Where a stack with these options answers.
    pub(crate) fn of(options: &Options) -> Self {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        Self { worker: url(options.port), origin: url(options.origin_port) }
    }

    /// Returns `None` when both answer, or the event that came before that.
    pub(crate) fn wait_until_ready(&self, events: &Receiver<Event>) -> Result<Option<Event>> {
        let started = Instant::now();
        let worker = format!("{}{NO_UPLOAD}", self.worker);
        let origin = format!("{}/healthz", self.origin);
        loop {
            if let Ok(event) = events.recv_timeout(POLL_INTERVAL) {
                return Ok(Some(event));
            }
            // Whoever has no token is not told that there is no such upload.
            let waited_for = [(&worker, &[404, 401][..]), (&origin, &[200])];
            let waiting_for = waited_for.into_iter().find(|(url, statuses)| !answers(url, statuses));
            match waiting_for {
                None => return Ok(None),
                Some((url, statuses)) if started.elapsed() > READY_WITHIN => {
                    bail!("{url} did not answer {statuses:?} within {}", say::duration(READY_WITHIN));
                }
                Some(_) => {}
            }
        }
    }
}

/// Where the output of a logged program is.
pub(crate) fn log_path(state: &Path, name: &str) -> PathBuf {
    state.join(format!("{name}.log"))
}

fn line_logger(path: &Path) -> Result<impl Fn(&str) + Clone + Send + 'static> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let file = Arc::new(Mutex::new(file));
    Ok(move |line: &str| {
        if let Ok(mut file) = file.lock() {
            let _ = writeln!(file, "{line}");
        }
    })
}

fn worker_command(project: &Project, options: &Options) -> Result<Command> {
    let Options { port, origin_port, state, auth, .. } = options;
    let page = page::place(project, state, &Urls::of(options).origin)?;
    let auth = match auth {
        Auth::Open => "open",
        Auth::Token => "token",
    };
    let mut command = project.command(project.node_bin("wrangler"));
    command
        .args(["dev", "--ip", "127.0.0.1", "--port", &port.to_string(), "--inspector-port", "0"])
        .arg("--persist-to")
        .arg(state.join("worker"))
        .args(["--var", &format!("ORIGIN_WEBHOOK_URL:http://127.0.0.1:{origin_port}/webhooks/quayside")])
        .args(["--var", &format!("AUTH:{auth}")])
        .args(["--var", &format!("PUBLIC_URL:http://127.0.0.1:{port}")])
        .arg("--assets")
        .arg(page)
        // The direct door leads to R2's simulator, with the keys that wrangler.toml gives it.
        .args(["--var", &format!("R2_S3_ENDPOINT:http://127.0.0.1:{port}/cdn-cgi/local/r2/s3")])
        .args(["--var", "R2_ACCESS_KEY_ID:local-access-key", "--var", "R2_SECRET_ACCESS_KEY:local-secret-key"])
        .arg("--show-interactive-dev-session=false")
        // Two stacks must not see each other, and nobody is to be asked or told about anything.
        .env("WRANGLER_REGISTRY_PATH", state.join("wrangler-registry"))
        .env("WRANGLER_LOG_PATH", state.join("wrangler-logs"))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_SEND_ERROR_REPORTS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    Ok(command)
}

fn origin_command(project: &Project, origin: &Path, options: &Options) -> Result<Command> {
    let mut command = project.command(origin);
    command
        .env("ORIGIN_LISTEN", format!("127.0.0.1:{}", options.origin_port))
        .env("ORIGIN_SHOW_TO", Urls::of(options).worker)
        .env("ORIGIN_DATA_DIR", options.state.join("origin"))
        .env("WEBHOOK_SECRET", dev_vars::read(project, "WEBHOOK_SECRET")?);
    Ok(command)
}

fn answers(url: &str, statuses: &[u16]) -> bool {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(5)));
    config.build().new_agent().get(url).call().is_ok_and(|response| statuses.contains(&response.status().as_u16()))
}
