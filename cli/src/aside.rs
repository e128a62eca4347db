//! Work that takes long, or waits for a disk or a pipe, away from the one thread that looks after all connections, and after Ctrl-C.

use crate::failure::{Failure, Result};

/// Does it. Given up, it goes on by itself, and nobody waits for it.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::resumable(format!("What was begun has failed: {error}.")))?
}
