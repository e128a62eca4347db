//! What the demo plays in: a stack on free ports, with its state in a folder of its own; both gone afterwards, however
//! the demo ends short of SIGKILL (which leaves the folder alone behind).

use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::stack::{self, Auth, Event, Output, Stack, Urls};
use crate::{ports, say, signals};

/// How much of each program's output is shown after a failure.
const LOG_LINES: usize = 20;
/// What shells say of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// The folder, and the stack once it is started.
pub(crate) struct Scene {
    folder: PathBuf,
    stack: Arc<Mutex<Option<Stack>>>,
    stopped: Arc<AtomicBool>,
}

impl Scene {
    /// Creates the folder; from here on Ctrl-C cleans up.
    pub(crate) fn open() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("quayside-demo-{}", process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let scene = Self { folder, stack: Arc::default(), stopped: Arc::default() };
        let (folder, stack, stopped) = (scene.folder.clone(), Arc::clone(&scene.stack), Arc::clone(&scene.stopped));
        signals::on_stop(move || {
            stopped.store(true, Ordering::SeqCst);
            clean_up(&mut lock(&stack), &folder);
            process::exit(INTERRUPTED);
        })?;
        Ok(scene)
    }

    /// Where the demo may put what it needs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the stack, and returns when it answers.
    pub(crate) fn start(&self, project: &Project, origin: &Path) -> Result<Urls> {
        let (port, origin_port) = ports::two_free()?;
        let options =
            stack::Options { port, origin_port, state: self.state(), output: Output::Logged, auth: Auth::Open };
        let urls = Urls::of(&options);
        let step = say::Step::begin("starting the Worker and the origin");
        let (sender, events) = mpsc::channel();
        *lock(&self.stack) = Some(Stack::start(project, origin, &options, &sender)?);
        match urls.wait_until_ready(&events)? {
            None => step.done(format_args!("{} and {}", urls.worker, urls.origin)),
            Some(Event::Ended(name, status)) => bail!("the {name} ended by itself ({status})"),
            Some(Event::Stop) => bail!("stopped"),
        }
        Ok(urls)
    }

    /// Ends the stack and removes the folder; first shows what the programs said last when the demo has failed.
    pub(crate) fn close(self, failed: bool) {
        if self.stopped.load(Ordering::SeqCst) {
            // Ctrl-C is what failed it: the other thread cleans up, and ends this program.
            loop {
                thread::park();
            }
        }
        if failed {
            self.show_logs();
        }
        clean_up(&mut lock(&self.stack), &self.folder);
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn show_logs(&self) {
        for name in ["worker", "origin"] {
            let log = std::fs::read_to_string(stack::log_path(&self.state(), name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
                say::line(format_args!("{name} | {line}"));
            }
        }
    }
}

fn lock(stack: &Mutex<Option<Stack>>) -> MutexGuard<'_, Option<Stack>> {
    stack.lock().unwrap_or_else(PoisonError::into_inner)
}

fn clean_up(stack: &mut Option<Stack>, folder: &Path) {
    if let Some(stack) = stack.take() {
        stack.end();
    }
    let _ = std::fs::remove_dir_all(folder);
}
