//! The program under test, as a process of its own with a data directory of its own.

use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;

use reqwest::Response;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Duration, sleep, timeout};

use super::event::Delivery;
use super::{GIVE_UP, SECRET, http_client};

/// A running origin. Killed when dropped.
pub(crate) struct Origin {
    url: String,
    client: reqwest::Client,
    child: Child,
    log: watch::Receiver<Vec<String>>,
    /// Outlives the process when the next one shall find it.
    pub(crate) directory: Arc<TempDir>,
}

impl Origin {
    /// With a fresh data directory and these settings besides.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_on(Arc::new(TempDir::new().unwrap()), settings).await
    }

    /// On a data directory that may have been used before.
    pub(crate) async fn start_on(directory: Arc<TempDir>, settings: &[(&str, &str)]) -> Self {
        let mut command = command(&directory, settings);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (lines, mut log) = watch::channel(Vec::new());
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = stdout.next_line().await {
                lines.send_modify(|log| log.push(line));
            }
        });
        let started = timeout(GIVE_UP, log.wait_for(|log| !log.is_empty())).await.expect("the origin does not start");
        let first: Value = serde_json::from_str(&started.expect("the origin ended")[0]).unwrap();
        let url = format!("http://{}", first["address"].as_str().unwrap());
        Self { url, client: http_client(), child, log, directory }
    }

    /// Sends a delivery, returns the answer.
    pub(crate) async fn deliver(&self, delivery: Delivery) -> Response {
        self.delivering(delivery).await.unwrap()
    }

    /// A delivery to be awaited elsewhere; fails when the origin dies meanwhile.
    pub(crate) fn delivering(&self, delivery: Delivery) -> impl Future<Output = reqwest::Result<Response>> + use<> {
        self.client
            .post(format!("{}/webhooks/quayside", self.url))
            .header("webhook-id", delivery.id)
            .header("webhook-timestamp", delivery.timestamp)
            .header("webhook-signature", delivery.signature)
            .header("content-type", "application/json")
            .body(delivery.body)
            .send()
    }

    /// A `GET`, whatever it answers.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    /// A `GET` that answers JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.error_for_status().unwrap().json().await.unwrap()
    }

    /// Asks until the JSON at `path` is as wanted, and returns it.
    pub(crate) async fn json_once(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let value = self.json(path).await;
                if wanted(&value) {
                    return value;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(GIVE_UP, asking).await.unwrap_or_else(|_| panic!("{path} never became as wanted"))
    }

    /// Where an upload's bytes stay, or gather (`.part`).
    pub(crate) fn object(&self, name: &str) -> PathBuf {
        self.directory.path().join("objects").join(name)
    }

    /// Every file below `objects`, by name.
    pub(crate) fn objects(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join("objects")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// SIGKILL: whatever is going on ends between two instructions.
    pub(crate) async fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().await.unwrap();
        Arc::clone(&self.directory)
    }

    /// SIGTERM, not waited for.
    pub(crate) fn terminate(&self) {
        let pid = i32::try_from(self.child.id().expect("ended already")).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    }

    /// Waits for the end of the process; returns how it ended and all it logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = timeout(GIVE_UP, self.child.wait()).await.expect("the origin does not end").unwrap();
        // The sender goes when stdout has been read to its end.
        let _ = self.log.wait_for(|_| false).await;
        let log = self.log.borrow().clone();
        (status, log)
    }
}

/// Runs an origin that is expected to end by itself, and returns what it said.
pub(crate) async fn run_to_its_end(directory: &TempDir, settings: &[(&str, &str)]) -> Output {
    timeout(GIVE_UP, command(directory, settings).output()).await.expect("the origin did not end").unwrap()
}

fn command(directory: &TempDir, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_origin"));
    command
        .env_clear()
        .env("ORIGIN_LISTEN", "127.0.0.1:0")
        .env("ORIGIN_DATA_DIR", directory.path())
        .env("WEBHOOK_SECRET", SECRET)
        .envs(settings.iter().copied())
        .kill_on_drop(true);
    command
}
