//! The commands of an upload's object about a file that does not have its declared digest: what is kept of it is shown, its client says
//! what it sends again, and whoever copies the rest takes its turn.

use serde::{Deserialize, Serialize};
use upload_types::{plan::Limits, repair::SentAgain};

/// Which parts it has.
#[derive(Serialize, Deserialize)]
pub struct ShowManifest;

/// These bytes of it are sent again.
#[derive(Serialize, Deserialize)]
pub struct RepairUpload {
    /// Which.
    pub sent_again: Vec<SentAgain>,
    /// What chunks may be like.
    pub limits: Limits,
}

/// The next chunk is to be copied. `None`: there is none, or it is not the asker's turn.
#[derive(Serialize, Deserialize)]
pub struct BeginCopy {
    /// The attempt at the chunk that the asker has copied before, in this turn.
    pub after: Option<u64>,
}
