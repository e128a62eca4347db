//! The Worker under `wrangler dev` and the example origin, running together until Ctrl-C, or until one of them ends.
//!
//! Each runs in a process group of its own behind a [supervisor](crate::supervisor); ending the stack ends the groups whole.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::children::Background;
use crate::output::{self, Step};
use crate::project::Project;
use crate::{dev_vars, page, ports};

/// Only for giving up: on a slow machine the first start of workerd takes most of a minute.
const READY_WITHIN: Duration = Duration::from_mins(3);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// No upload has this id, so a Worker that runs answers 404, and 401 to whoever has no token.
const NO_UPLOAD: &str = "/upload/00000000-0000-4000-8000-000000000000/status";

/// Where the stack listens, what it keeps, and where its output goes.
pub(crate) struct Options {
    /// The address that both listen on.
    pub(crate) ip: IpAddr,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// Anybody on this machine.
    Open,
    /// Whoever has a token, as in production.
    Token,
}

/// What becomes of the output of the stack's programs.
pub(crate) enum Output {
    /// Printed, each line after the name of its program, once both answer; what they say before that only where they never do.
    Printed,
    /// Written to `<program>.log` in the state folder.
    Logged,
}

/// Where both programs answer.
pub(crate) struct Urls {
    /// The Worker.
    pub(crate) worker: String,
    /// The origin.
    pub(crate) origin: String,
}

enum Event {
    /// One of the programs has ended by itself.
    Ended(&'static str, ExitStatus),
    /// Somebody pressed Ctrl-C.
    Stop,
}

/// Starts both, and when they answer, what `then` gives, if anything: with that everything ends, and so does its success. `origin` is the
/// path of the built program; `stopped` is how Ctrl-C ends it.
pub(crate) fn run(
    project: &Project,
    origin: &Path,
    options: &Options,
    stopped: ExitCode,
    then: impl FnOnce(&Urls) -> Option<Command>,
) -> Result<ExitCode> {
    std::fs::create_dir_all(&options.state).with_context(|| format!("creating {}", options.state.display()))?;
    let (events, inbox) = mpsc::channel();
    on_stop(events.clone())?;
    let urls = Urls::of(options);
    let mut programs = Vec::new();
    let held_back = HeldBack::default();
    let outcome = (|| -> Result<(Event, bool)> {
        programs.push(start("worker", &worker_command(project, options)?, options, &held_back, &events)?);
        programs.push(start("origin", &origin_command(project, origin, options)?, options, &held_back, &events)?);
        if let Some(event) = urls.wait_until_ready(&inbox)? {
            return Ok((event, false));
        }
        held_back.drop_all();
        let last = then(&urls);
        let has_last = last.is_some();
        if let Some(last) = last {
            programs.push(Background::start(&last, |line| output::line(line), ended("demo", &events))?);
        }
        Ok((inbox.recv().context("waiting for the Worker and the origin")?, has_last))
    })();
    held_back.print_all();
    programs.iter_mut().for_each(Background::ask_to_end);
    programs.into_iter().for_each(Background::end);
    match outcome? {
        (Event::Ended(_, status), true) if status.success() => Ok(ExitCode::SUCCESS),
        (Event::Stop, _) => {
            output::line("ended");
            Ok(stopped)
        }
        (Event::Ended(name, status), _) => {
            output::line(format_args!("the {name} ended by itself ({status}), so everything was ended"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// SIGINT, SIGTERM and SIGHUP end the stack instead of this program. A second one ends this program at once; supervisors then still end what
/// they keep.
fn on_stop(events: Sender<Event>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for Ctrl-C")?;
    thread::spawn(move || {
        let mut arrivals = signals.forever();
        if arrivals.next().is_some() {
            let _ = events.send(Event::Stop);
        }
        if arrivals.next().is_some() {
            std::process::exit(130);
        }
    });
    Ok(())
}

fn ended(name: &'static str, events: &Sender<Event>) -> impl FnOnce(ExitStatus) + Send + use<> {
    let events = events.clone();
    move |status| drop(events.send(Event::Ended(name, status)))
}

/// What programs have said while they start; `None` from when it is of no interest any more.
#[derive(Clone)]
struct HeldBack(Arc<Mutex<Option<Vec<String>>>>);

impl Default for HeldBack {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl HeldBack {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, line: String) {
        match &mut *self.lock() {
            Some(lines) => lines.push(line),
            None => output::line(line),
        }
    }

    fn drop_all(&self) {
        *self.lock() = None;
    }

    fn print_all(&self) {
        self.lock().take().into_iter().flatten().for_each(output::line);
    }
}

fn start(
    name: &'static str,
    command: &Command,
    options: &Options,
    held_back: &HeldBack,
    events: &Sender<Event>,
) -> Result<Background> {
    let on_exit = ended(name, events);
    match options.output {
        Output::Printed => {
            let held_back = held_back.clone();
            Background::start(command, move |line| held_back.line(format!("{name} | {line}")), on_exit)
        }
        Output::Logged => {
            let path = log_path(&options.state, name);
            let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
            let file = Arc::new(Mutex::new(file));
            let log = move |line: &str| drop(file.lock().map(|mut file| writeln!(file, "{line}")));
            Background::start(command, log, on_exit)
        }
    }
}

impl Urls {
    /// Where a stack with these options answers: on the address itself, or where that stands for all of the machine's, on the first.
    fn of(options: &Options) -> Self {
        let ip = if options.ip.is_unspecified() { ports::THIS_MACHINE } else { options.ip };
        let url = |port: u16| format!("http://{}", SocketAddr::new(ip, port));
        Self { worker: url(options.port), origin: url(options.origin_port) }
    }

    /// Returns `None` when both answer, or the event that came before that.
    fn wait_until_ready(&self, events: &Receiver<Event>) -> Result<Option<Event>> {
        let step = Step::begin("starting the Worker and the origin");
        let started = Instant::now();
        loop {
            if let Ok(event) = events.recv_timeout(POLL_INTERVAL) {
                return Ok(Some(event));
            }
            let waited_for = [(&self.worker, NO_UPLOAD, &[404, 401][..]), (&self.origin, "/healthz", &[200])];
            let waiting_for = waited_for
                .into_iter()
                .find(|(url, path, statuses)| !status(url, path).is_some_and(|status| statuses.contains(&status)));
            match waiting_for {
                None => {
                    step.end(true);
                    return Ok(None);
                }
                Some((url, path, statuses)) if started.elapsed() > READY_WITHIN => {
                    step.end(false);
                    bail!("{url}{path} did not answer {statuses:?} within {}", output::duration(READY_WITHIN));
                }
                Some(_) => {}
            }
        }
    }
}

/// The status of the answer to a GET, where there is one.
fn status(url: &str, path: &str) -> Option<u16> {
    let host = url.strip_prefix("http://")?;
    let within = Some(Duration::from_secs(5));
    let mut connection = TcpStream::connect(host).ok()?;
    connection.set_read_timeout(within).ok()?;
    connection
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes())
        .ok()?;
    // `HTTP/1.1 404`
    let mut head = [0; 12];
    connection.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.split(' ').nth(1)?.parse().ok()
}

/// Where the output of a logged program is.
pub(crate) fn log_path(state: &Path, name: &str) -> PathBuf {
    state.join(format!("{name}.log"))
}

fn worker_command(project: &Project, options: &Options) -> Result<Command> {
    let Options { ip, port, state, auth, .. } = options;
    let urls = Urls::of(options);
    let page = page::place(project, state, &urls.origin)?;
    let auth = match auth {
        Auth::Open => "open",
        Auth::Token => "token",
    };
    let vars = [
        format!("ORIGIN_WEBHOOK_URL:{}/webhooks/quayside", urls.origin),
        format!("AUTH:{auth}"),
        format!("PUBLIC_URL:{}", urls.worker),
        // The direct door leads to R2's simulator, with the keys that wrangler.toml gives it.
        format!("R2_S3_ENDPOINT:{}/cdn-cgi/local/r2/s3", urls.worker),
        "R2_ACCESS_KEY_ID:local-access-key".to_owned(),
        "R2_SECRET_ACCESS_KEY:local-secret-key".to_owned(),
    ];
    let mut command = project.command(project.node_bin("wrangler"));
    command
        .args(["dev", "--ip", &ip.to_string(), "--port", &port.to_string(), "--inspector-port", "0"])
        .arg("--persist-to")
        .arg(state.join("worker"))
        .args(vars.iter().flat_map(|var| ["--var", var]))
        .arg("--assets")
        .arg(page)
        .arg("--show-interactive-dev-session=false")
        // Two stacks must not see each other, and nobody is to be asked or told about anything.
        .env("WRANGLER_REGISTRY_PATH", state.join("wrangler-registry"))
        .env("WRANGLER_LOG_PATH", state.join("wrangler-logs"))
        // Where wrangler keeps who is signed in, which is nobody here; the home may be read-only.
        .env("XDG_CONFIG_HOME", state.join("wrangler-config"))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_SEND_ERROR_REPORTS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    Ok(command)
}

fn origin_command(project: &Project, origin: &Path, options: &Options) -> Result<Command> {
    let mut command = project.command(origin);
    command
        .env("ORIGIN_LISTEN", SocketAddr::new(options.ip, options.origin_port).to_string())
        .env("ORIGIN_SHOW_TO", Urls::of(options).worker)
        .env("ORIGIN_DATA_DIR", options.state.join("origin"))
        .env("WEBHOOK_SECRET", dev_vars::read(project, "WEBHOOK_SECRET")?);
    Ok(command)
}
