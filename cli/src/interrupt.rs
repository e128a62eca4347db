//! Being told to stop: by Ctrl-C, or by whoever runs this. systemd, a container and a runner whose job is cancelled send SIGTERM.

use crate::failure::{Failure, Result};

/// What tells it. From when this is made on, nothing of it ends the process by itself.
#[cfg(unix)]
pub(crate) struct Interrupts {
    ctrl_c: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    pub(crate) fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed =
            |error: std::io::Error| Failure::resumable(format!("This machine does not say when to stop: {error}."));
        let ctrl_c = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(Self { ctrl_c, terminate })
    }

    /// Returns when it is told to stop, once more each time.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What tells it: on Windows there is Ctrl-C alone.
#[cfg(windows)]
pub(crate) struct Interrupts(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Interrupts {
    pub(crate) fn listen() -> Result<Self> {
        let failed =
            |error: std::io::Error| Failure::resumable(format!("This machine does not say when to stop: {error}."));
        tokio::signal::windows::ctrl_c().map(Self).map_err(failed)
    }

    /// Returns when it is told to stop, once more each time.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}
