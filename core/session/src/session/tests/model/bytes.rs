//! Bytes that say where they belong.
//!
//! The model counts in units of 60 KiB, so that a rest of two units fits a row and one of three does not. Each unit of
//! the file carries its own position; garbage carries none. So bytes that are doubled, left out, swapped or brought by
//! the wrong writer never equal the file.

use upload_types::{integrity::Crc64Nvme, units::ByteCount};

use crate::session::tests::model::bounds::RIGHT;

/// One unit.
const UNIT_BYTES: u32 = 60 * 1024;

/// What a unit of garbage carries.
const GARBAGE: u128 = 0xf;

/// What a unit carries that a client has sent wrong.
const WRONG: u128 = 0xe;

/// The most units that can be told apart.
const MOST_UNITS: u32 = u128::BITS / 4;

/// A run of units: four bits each, the first in the lowest; the position in the file from 1, or [`GARBAGE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bytes(u128);

impl Bytes {
    /// The file from one unit to another.
    pub(crate) fn of_file(from: u8, to: u8) -> Self {
        (from..to).fold(Self::default(), |bytes, at| bytes.then(Self(u128::from(at) + 1)))
    }

    /// As many units of garbage.
    pub(crate) fn garbage(units: u8) -> Self {
        (0..units).fold(Self::default(), |bytes, _| bytes.then(Self(GARBAGE)))
    }

    /// The same with its first unit as a client sends it that reads its file wrong.
    pub(crate) fn wrong(self) -> Self {
        Self(self.0 & !0xf | WRONG)
    }

    /// So many units of it, from this one on.
    pub(crate) fn part(self, from: u8, units: u8) -> Self {
        let shifted = self.0.checked_shr(4 * u32::from(from)).unwrap_or(0);
        Self(shifted & ((1 << (4 * u32::from(units))) - 1))
    }

    /// Their CRC, as far as it matters: whether it is that of the file's.
    pub(crate) fn crc64nvme(self) -> Crc64Nvme {
        let is_wrong = (0..self.units()).any(|at| self.part(at, 1).0 == WRONG);
        Crc64Nvme(RIGHT.0 + u64::from(is_wrong))
    }

    /// Whether these are the others, or what a client has sent for them.
    pub(crate) fn is_sent_for(self, others: Self) -> bool {
        let is_one = |at| [others.part(at, 1).0, WRONG].contains(&self.part(at, 1).0);
        self.units() == others.units() && (0..self.units()).all(is_one)
    }

    /// How many units.
    pub(crate) fn units(self) -> u8 {
        u8::try_from((u128::BITS - self.0.leading_zeros()).div_ceil(4)).unwrap_or(u8::MAX)
    }

    /// These, and others behind them. What would be too long to be told apart is cut off; the file is far shorter.
    pub(crate) fn then(self, next: Self) -> Self {
        let shift = 4 * u32::from(self.units());
        if shift >= 4 * MOST_UNITS { self } else { Self(self.0 | next.0 << shift) }
    }

    /// What R2 calls them.
    pub(crate) fn etag(self) -> String {
        format!("{:x}", self.0)
    }
}

/// So many units as the rules count them.
pub(crate) fn bytes(units: u8) -> ByteCount {
    ByteCount::from(u32::from(units) * UNIT_BYTES)
}

/// So many bytes in units.
pub(crate) fn units(bytes: ByteCount) -> u8 {
    u8::try_from(bytes.get() / u64::from(UNIT_BYTES)).unwrap_or(u8::MAX)
}
