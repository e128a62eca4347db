//! Being told to stop: by Ctrl-C, or by whoever runs this. systemd, a container and a runner whose job is cancelled send SIGTERM.

#[cfg(unix)]
use crate::failure::Failure;
use crate::failure::Result;

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

/// What tells it: elsewhere there is Ctrl-C alone.
#[cfg(not(unix))]
pub(crate) struct Interrupts;

#[cfg(not(unix))]
impl Interrupts {
    #[allow(clippy::unnecessary_wraps, reason = "as on the other platforms")]
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self)
    }

    /// Returns when it is told to stop, once more each time.
    pub(crate) async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
