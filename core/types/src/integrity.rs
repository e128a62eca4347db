//! Digests: of one chunk, declared by its sender, and of the whole file, carried along from part to part.
//!
//! A chunk's digest is computed by the platform while the chunk streams by. The file's CRC-64/NVME is combined from those of
//! its parts (the CRC is linear, so no byte is read twice). The file's SHA-256, kept only where it was declared, is a
//! hasher whose state is saved with every part.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{
    Digest as _, Sha256,
    digest::common::hazmat::{SerializableState, SerializedState},
};

use crate::units::ByteCount;

/// A digest algorithm that the platform computes natively (`crypto.DigestStream`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// MD5, against accidents only.
    Md5,
    /// SHA-1, against accidents only.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// CRC-32, the one of zip and gzip.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64nvme,
}

impl Algorithm {
    /// Every algorithm: its own name, its name in the HTTP digest registry (RFC 9530), the platform's, its length in bytes.
    const TABLE: [(Self, &str, Option<&str>, &str, usize); 8] = [
        (Self::Md5, "md5", Some("md5"), "MD5", 16),
        (Self::Sha1, "sha1", Some("sha"), "SHA-1", 20),
        (Self::Sha256, "sha256", Some("sha-256"), "SHA-256", 32),
        (Self::Sha384, "sha384", None, "SHA-384", 48),
        (Self::Sha512, "sha512", Some("sha-512"), "SHA-512", 64),
        (Self::Crc32, "crc32", None, "crc32", 4),
        (Self::Crc32c, "crc32c", Some("crc32c"), "crc32c", 4),
        (Self::Crc64nvme, "crc64nvme", None, "crc64nvme", 8),
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.iter().map(|row| row.0)
    }

    /// Its name in our own headers and those of tus: `sha256`, `crc32c`, …
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// By its name in our own headers and those of tus.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// By its name in `Content-Digest` (<https://www.iana.org/assignments/http-digest-hash-alg/>).
    pub fn by_http_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.2 == Some(name)).map(|row| row.0)
    }

    /// The name under which `crypto.DigestStream` knows it.
    pub fn platform_name(self) -> &'static str {
        self.row().3
    }

    /// How long its digests are.
    pub fn digest_bytes(self) -> usize {
        self.row().4
    }

    /// The digest of no bytes, in hexadecimal.
    fn of_nothing(self) -> &'static str {
        match self {
            Self::Md5 => "d41d8cd98f00b204e9800998ecf8427e",
            Self::Sha1 => "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            Self::Sha256 => "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            Self::Sha384 => {
                "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
            }
            Self::Sha512 => {
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
            }
            Self::Crc32 | Self::Crc32c => "00000000",
            Self::Crc64nvme => "0000000000000000",
        }
    }

    fn row(self) -> &'static (Self, &'static str, Option<&'static str>, &'static str, usize) {
        // Every variant has its row (a test counts them), so the fallback is never taken.
        Self::TABLE.iter().find(|row| row.0 == self).unwrap_or(&Self::TABLE[2])
    }
}

/// What the sender of a chunk says its digest is. Written as `sha256:<base64>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChunkDigest {
    /// Computed how.
    pub algorithm: Algorithm,
    /// As many bytes as the algorithm has.
    pub value: Vec<u8>,
}

impl ChunkDigest {
    /// A digest written in hexadecimal or in base64; `None` where it is neither or has the wrong length.
    pub fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let right_length = |value: &Vec<u8>| value.len() == algorithm.digest_bytes();
        let value = hex::decode(text).ok().filter(right_length);
        let value = value.or_else(|| STANDARD.decode(text).ok().filter(right_length))?;
        Some(Self { algorithm, value })
    }

    /// The SHA-256 that it is, if it is one.
    pub fn sha256(self) -> Option<Sha256Digest> {
        (self.algorithm == Algorithm::Sha256).then(|| self.value.try_into().ok().map(Sha256Digest))?
    }

    /// Whether it is that of no bytes at all.
    pub fn is_of_nothing(&self) -> bool {
        hex::encode(&self.value) == self.algorithm.of_nothing()
    }
}

impl From<ChunkDigest> for String {
    fn from(digest: ChunkDigest) -> Self {
        format!("{}:{}", digest.algorithm.name(), STANDARD.encode(&digest.value))
    }
}

impl TryFrom<String> for ChunkDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (name, value) = text.split_once(':').ok_or("a digest without its algorithm")?;
        let algorithm = Algorithm::by_name(name).ok_or("a digest of an unknown algorithm")?;
        Self::parse(algorithm, value).ok_or("a digest of another length")
    }
}

/// The SHA-256 of a file, shown in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ChunkDigest::parse(Algorithm::Sha256, &text)
            .and_then(ChunkDigest::sha256)
            .ok_or("not a SHA-256 in hexadecimal or base64")
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A CRC-64/NVME, shown in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crc64Nvme(pub u64);

impl Crc64Nvme {
    /// From its 8 bytes, most significant first.
    pub fn from_digest(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(u64::from_be_bytes(bytes)))
    }

    /// The CRC of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes))
    }

    /// The CRC of a file whose parts, in order, have these CRCs and lengths.
    pub fn of_parts(parts: impl IntoIterator<Item = (Self, ByteCount)>) -> Self {
        parts.into_iter().fold(Self::default(), |so_far, (part, bytes)| so_far.followed_by(part, bytes))
    }

    /// The CRC of what this is the CRC of, followed by `next_bytes` bytes whose CRC is `next`.
    #[must_use]
    pub fn followed_by(self, next: Self, next_bytes: ByteCount) -> Self {
        Self(crc_fast::checksum_combine(crc_fast::CrcAlgorithm::Crc64Nvme, self.0, next.0, next_bytes.get()))
    }
}

impl TryFrom<String> for Crc64Nvme {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ChunkDigest::parse(Algorithm::Crc64nvme, &text)
            .and_then(|digest| Self::from_digest(&digest.value))
            .ok_or("not a CRC-64/NVME in hexadecimal or base64")
    }
}

impl From<Crc64Nvme> for String {
    fn from(crc: Crc64Nvme) -> Self {
        crc.to_string()
    }
}

impl fmt::Display for Crc64Nvme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A CRC-64/NVME of bytes that come in pieces.
///
/// The platform's own (`DigestStream`) takes 2.5 s of processor time per GiB, and this in wasm a tenth of that.
#[derive(Default)]
pub struct RunningCrc64(crc64::Running);

impl RunningCrc64 {
    /// More bytes: so many, which `fill` writes where it is told.
    pub fn update_with(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        self.0.update_with(length, fill);
    }

    /// The CRC of all of them.
    pub fn finish(self) -> Crc64Nvme {
        Crc64Nvme(self.0.finish())
    }
}

/// The state of a SHA-256 between two parts: what has been hashed so far, in about a hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha256State(#[serde(with = "hex::serde")] Vec<u8>);

impl Sha256State {
    /// The digest of everything hashed so far; `None` where the saved state is not one.
    pub fn digest(&self) -> Option<Sha256Digest> {
        RunningSha256::resume(Some(self)).map(|running| Sha256Digest(running.0.finalize().into()))
    }
}

/// Of a saved state, where it says how many blocks have been hashed, little-endian: behind eight words of four bytes. The hasher
/// believes any number there, and adds it up to a length in bits that may not exist.
const SHA256_BLOCK_COUNT: std::ops::Range<usize> = 32..40;

/// FIPS 180-4, figure 1.
const SHA256_BLOCK_BYTES: u64 = 64;

/// A SHA-256 that can be put down and taken up again.
pub struct RunningSha256(Sha256);

impl RunningSha256 {
    /// Takes up where `state` was saved, or begins; `None` where the saved state is not one.
    pub fn resume(state: Option<&Sha256State>) -> Option<Self> {
        let Some(state) = state else { return Some(Self(Sha256::new())) };
        let blocks = state.0.get(SHA256_BLOCK_COUNT).and_then(|count| count.try_into().ok()).map(u64::from_le_bytes)?;
        ByteCount::new(blocks.checked_mul(SHA256_BLOCK_BYTES)?)?;
        let state = SerializedState::<Sha256>::try_from(state.0.as_slice()).ok()?;
        Sha256::deserialize(&state).ok().map(Self)
    }

    /// Hashes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The state to go on from.
    pub fn save(&self) -> Sha256State {
        Sha256State(self.0.serialize().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_one_row() {
        for (algorithm, name, http_name, _, bytes) in Algorithm::TABLE {
            assert_eq!(Algorithm::by_name(name), Some(algorithm));
            assert_eq!(algorithm.name(), name);
            assert_eq!(http_name.and_then(Algorithm::by_http_name).unwrap_or(algorithm), algorithm);
            assert_eq!(algorithm.digest_bytes(), bytes);
        }
        assert_eq!(Algorithm::by_name("sha3"), None);
    }

    #[test]
    fn the_digest_of_nothing_is_known_of_every_algorithm() {
        for algorithm in Algorithm::all() {
            let digest = ChunkDigest::parse(algorithm, algorithm.of_nothing()).unwrap();
            assert!(digest.is_of_nothing(), "{algorithm:?}");
            let mut other = digest;
            other.value[0] ^= 1;
            assert!(!other.is_of_nothing(), "{algorithm:?}");
        }
        assert_eq!(Algorithm::Sha256.of_nothing(), Sha256Digest::of(b"").to_string());
        assert_eq!(Algorithm::Crc64nvme.of_nothing(), Crc64Nvme::of(b"").to_string());
    }

    #[test]
    fn a_digest_is_hexadecimal_or_base64_of_the_right_length() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let parsed = ChunkDigest::parse(Algorithm::Sha256, hex).unwrap();
        assert_eq!(ChunkDigest::parse(Algorithm::Sha256, base64), Some(parsed));
        for wrong in ["", "e3b0", "not hex", &hex[2..], &base64[4..]] {
            assert_eq!(ChunkDigest::parse(Algorithm::Sha256, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn crcs_of_parts_combine_into_that_of_the_whole() {
        // The check value of CRC-64/NVME, as the platform's DigestStream gives it.
        assert_eq!(Crc64Nvme::of(b"123456789").to_string(), "ae8b14860a799888");
        let (head, tail) = b"123456789".split_at(4);
        let whole = Crc64Nvme::of(head).followed_by(Crc64Nvme::of(tail), 5.into());
        assert_eq!(whole, Crc64Nvme::of(b"123456789"));
        let from_nothing = Crc64Nvme::default().followed_by(Crc64Nvme::of(b"123456789"), 9.into());
        assert_eq!(from_nothing, Crc64Nvme::of(b"123456789"), "the CRC of no bytes is the neutral one");
    }

    #[test]
    fn a_crc_comes_in_pieces() {
        let mut running = RunningCrc64::default();
        for piece in [b"1234".as_slice(), b"56789"] {
            running.update_with(piece.len(), |room| room.copy_from_slice(piece));
        }
        assert_eq!(running.finish(), Crc64Nvme::of(b"123456789"));
    }

    #[test]
    fn a_sha256_survives_being_put_down() {
        let mut first = RunningSha256::resume(None).unwrap();
        first.update(b"abc");
        let json = serde_json::to_string(&first.save()).unwrap();
        let mut second = RunningSha256::resume(Some(&serde_json::from_str(&json).unwrap())).unwrap();
        second.update(b"def");
        assert_eq!(
            second.save().digest().unwrap().to_string(),
            "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
        );
        assert!(RunningSha256::resume(Some(&Sha256State(vec![1, 2, 3]))).is_none());
    }

    #[test]
    fn a_sha256_of_more_bytes_than_there_are_is_none() {
        let mut running = RunningSha256::resume(None).unwrap();
        running.update(&[7; 3 * 64]);
        let Sha256State(mut saved) = running.save();
        assert_eq!(saved[SHA256_BLOCK_COUNT], 3_u64.to_le_bytes());
        saved[SHA256_BLOCK_COUNT].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        assert_eq!(Sha256State(saved).digest(), None);
    }
}
