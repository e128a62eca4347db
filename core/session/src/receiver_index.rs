//! Which of an upload's receivers one is, as its outbox says it.

use serde::{Deserialize, Serialize};

/// A receiver of an upload's events: the origin, or the n-th of those that hear beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiverIndex(u8);

impl ReceiverIndex {
    /// The origin.
    pub const ORIGIN: Self = Self(0);

    /// The n-th beside the origin, from 1.
    pub(crate) fn nth(n: u8) -> Self {
        Self(n)
    }

    /// From 1; 0 for the origin.
    pub(crate) fn number(self) -> usize {
        self.0.into()
    }

    /// Whether it is the origin.
    pub fn is_origin(&self) -> bool {
        *self == Self::ORIGIN
    }
}
