//! Quantities that cannot be mixed up: byte counts, instants, and the identifier of an upload.
//!
//! Byte counts and milliseconds cross JavaScript numbers on their way to SQLite, so both stay below 2^53, the largest
//! range in which every integer is exact there.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// 2^53 - 1, JavaScript's `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// 1 MiB in bytes.
pub const MIB: u64 = 1024 * 1024;

/// A number of bytes, or an offset counted in bytes, from 0 to 2^53 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct ByteCount(u64);

impl ByteCount {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// The most that there can be.
    pub const MAX: Self = Self(MAX_SAFE_INTEGER);

    /// `None` above 2^53 - 1.
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes <= MAX_SAFE_INTEGER { Some(Self(bytes)) } else { None }
    }

    /// The count as a plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// `None` where the sum is above 2^53 - 1.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        // Both are below 2^53, so the sum fits 64 bits.
        Self::new(self.0 + other.0)
    }

    /// What is left after taking `other` away; zero where `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether there is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u64> for ByteCount {
    type Error = &'static str;

    fn try_from(bytes: u64) -> Result<Self, Self::Error> {
        Self::new(bytes).ok_or("a byte count above 2^53 - 1")
    }
}

impl From<ByteCount> for u64 {
    fn from(count: ByteCount) -> Self {
        count.0
    }
}

impl From<u32> for ByteCount {
    fn from(bytes: u32) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The instant this much later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here; zero where `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// The identifier of an upload: a version 4 UUID, so 122 random bits that nobody guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(Uuid);

impl UploadId {
    /// Makes an identifier of 16 random bytes (RFC 9562, section 5.4).
    pub fn from_random_bytes(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid())
    }

    /// Accepts the one canonical spelling, 36 lower-case characters with hyphens: two spellings would be two objects.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        (id.hyphenated().to_string() == text).then_some(Self(id))
    }

    /// The identifier without hyphens, for places where `-` and `.` mean something else.
    pub fn simple(self) -> String {
        self.0.simple().to_string()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_count_stays_below_two_to_the_fifty_third() {
        assert!(ByteCount::new((1 << 53) - 1).is_some());
        assert!(ByteCount::new(1 << 53).is_none());
        let largest = ByteCount::new((1 << 53) - 1).unwrap();
        assert_eq!(largest.checked_add(1.into()), None);
        assert!(serde_json::from_str::<ByteCount>("9007199254740992").is_err());
    }

    #[test]
    fn an_upload_id_has_one_spelling() {
        let id = UploadId::from_random_bytes([0xab; 16]);
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
        assert_eq!(UploadId::parse(&id.to_string().to_uppercase()), None);
        assert_eq!(UploadId::parse(&id.simple()), None);
        assert_eq!(UploadId::parse("../../etc/passwd"), None);
    }
}
