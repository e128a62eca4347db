//! What protocols and sessions both know of a chunk: the bytes of one request.

use serde::{Deserialize, Serialize};

/// How the sender of a chunk says where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// By the offset that it believes to be accepted. Where that is another, it is told so.
    #[default]
    ByOffset,
    /// By the range of the file that it is. It may repeat what counts already, since an answer was lost.
    ByRange,
    /// Not at all, so it begins at 0.
    Implied,
}

/// What is done with a chunk of which the front counts already, and the rest does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It is told where to go on.
    Refused,
    /// What counts is passed over, and the rest is stored: its sender begins such a chunk nowhere else.
    PassedOver,
    /// Nothing of it is taken for known, since what counts may be of another file. It counts as a whole or not at all, and where all of it
    /// counts already it is compared. If it differs, or cannot be compared, it is refused, and the upload ends: it may be two files in one.
    Compared,
}

/// When an upload is complete whose bytes are all there, as the sender of its last chunk has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completion {
    /// At once.
    #[default]
    WhenWhole,
    /// When its client says so, which it may do without any bytes.
    WhenTold,
}

impl Completion {
    /// Whether it is what is meant where nobody says anything.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
