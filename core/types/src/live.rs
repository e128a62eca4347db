//! A live upload: a recording that is still being made. Its length is not known, and what has arrived of it can be read at once.

use serde::{Deserialize, Serialize};

use crate::units::{ByteCount, MIB};

/// The longest silence that can be asked for, in seconds: a day.
pub const MAX_END_AFTER_SECONDS: u64 = 86_400;

/// The least new bytes of which receivers are told on the way: 8 MiB. Each event costs a delivery, some $0.000005 of queue, object and rows; at
/// this distance a day of 5 Mbit/s is 6,400 of them, three cents, and as many requests to the receiver.
pub const MIN_TELL_EVERY_BYTES: u64 = 8 * MIB;

/// What makes an upload a live one, fixed when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Live {
    /// After so long without a byte it ends by itself, and what is there is the recording, in milliseconds. Zero: when any other upload
    /// would expire.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub end_after_ms: u64,
    /// Each time that so many new bytes are there its receivers are told on the way. Zero: they are not.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub tell_every_bytes: ByteCount,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_unsaid(ms: &u64) -> bool {
    *ms == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_nothing(bytes: &ByteCount) -> bool {
    bytes.is_zero()
}
