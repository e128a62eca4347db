//! A live upload: a recording that is still being made. Its length is not known, and what has arrived of it can be read at once.

use serde::{Deserialize, Serialize};

/// The longest silence that can be asked for, in seconds: a day.
pub const MAX_END_AFTER_SECONDS: u64 = 86_400;

/// What makes an upload a live one, fixed when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Live {
    /// After so long without a byte it ends by itself, and what is there is the recording, in milliseconds. Zero: when any other upload
    /// would expire.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub end_after_ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_unsaid(ms: &u64) -> bool {
    *ms == 0
}
