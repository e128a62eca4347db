//! What is told on the way of a live upload: a range of its bytes.

use serde::{Deserialize, Serialize};
use upload_types::units::ByteCount;

/// What of a live upload is new to a receiver. As it is told first, it is told until it is acknowledged, whatever has come since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewBytes {
    /// Where they begin: up to here the receiver has acknowledged.
    pub from: ByteCount,
    /// Where they end.
    pub to: ByteCount,
}
