//! The data directory: who may use it, and the name of everything in it.
//!
//! ```text
//! <data dir>/lock                  held while a process uses the directory
//! <data dir>/origin.db             the records
//! <data dir>/objects/<id>.part     a download that has not been checked; worthless
//! <data dir>/objects/<id>.growing  what has come of a recording that goes on, from its front
//! <data dir>/objects/<id>          an object whose size and digests were right, entirely on disk
//! ```
//! Paths of objects are made here and from an [`UploadId`] only, so nothing that a client chose can become one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::event::UploadId;

/// The directory, held by this process alone until it ends, however it ends.
pub(crate) struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates what is missing and takes the lock, which makes "one download at a time" hold between processes too.
    pub(crate) fn open(root: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(root.join("objects")).with_context(|| format!("cannot create {}", root.display()))?;
        let lock = File::create(root.join("lock")).with_context(|| format!("cannot write in {}", root.display()))?;
        match lock.try_lock() {
            Ok(()) => {
                // What the directory holds is synced file by file; this makes the names `objects` and `lock` last too.
                File::open(&root)?.sync_all()?;
                Ok(Self { root, _lock: lock })
            }
            Err(TryLockError::WouldBlock) => bail!("{} is in use by another origin", root.display()),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", root.display())),
        }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite database.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("origin.db")
    }

    /// The directory in which parts become objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Where an upload's bytes gather.
    pub(crate) fn part(&self, id: UploadId) -> PathBuf {
        self.objects().join(format!("{id}.part"))
    }

    /// Where a recording's bytes are while it goes on.
    pub(crate) fn growing(&self, id: UploadId) -> PathBuf {
        self.objects().join(format!("{id}.growing"))
    }

    /// Where an upload's bytes stay.
    pub(crate) fn object(&self, id: UploadId) -> PathBuf {
        self.objects().join(id.to_string())
    }
}
