//! One at a time, across processes: a lock on a file, that the operating system releases when its holder ends, however
//! it ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

use crate::output;

/// Holds the lock until dropped.
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, waiting for the one who has it; says so when there is something to wait for.
    pub(crate) fn take(path: &Path, what: &str) -> Result<Self> {
        let context = || format!("locking {}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(context)?;
        }
        let file = File::options().create(true).append(true).open(path).with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                output::line(format_args!("waiting for another {what} to end"));
                file.lock().with_context(context)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let path = std::env::temp_dir().join(format!("quayside-lock-{}", std::process::id()));
        let first = FileLock::take(&path, "test").unwrap();
        let (sender, receiver) = mpsc::channel();
        let second_path = path.clone();
        let second = std::thread::spawn(move || {
            let _lock = FileLock::take(&second_path, "test").unwrap();
            sender.send(()).unwrap();
        });
        assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err());
        drop(first);
        receiver.recv_timeout(Duration::from_mins(1)).unwrap();
        second.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }
}
