//! Keys that anybody may know, each for one algorithm, in the form in which the platform takes it.

use crate::token::Algorithm;

/// RFC 7518, sections 3.3 and 3.5: a key for RSA has at least 2,048 bits.
const MIN_RSA_BITS: usize = 2048;

/// A key that anybody may know, in the form in which the platform takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// A point on P-256, uncompressed (SEC 1, section 2.3.3): 65 bytes.
    Es256(Vec<u8>),
    /// A point on P-384, uncompressed: 97 bytes.
    Es384(Vec<u8>),
    /// An Ed25519 key: 32 bytes.
    EdDsa(Vec<u8>),
    /// An RSA key.
    Rsa(RsaKey),
}

/// A key for RSA: two numbers, their largest byte first, and the one way in which it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaKey {
    /// How it signs.
    pub scheme: RsaScheme,
    /// `n`, without zeros in front.
    pub modulus: Vec<u8>,
    /// `e`, odd, at least 3.
    pub exponent: Vec<u8>,
}

impl RsaKey {
    fn bits(&self) -> usize {
        let unused = self.modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        self.modulus.len() * 8 - unused
    }
}

/// How an RSA key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaScheme {
    /// PKCS #1 1.5 with SHA-256.
    Rs256,
    /// PKCS #1 1.5 with SHA-384.
    Rs384,
    /// PKCS #1 1.5 with SHA-512.
    Rs512,
    /// PSS with SHA-256, and a salt of as many bytes.
    Ps256,
}

impl RsaScheme {
    pub(super) fn by_algorithm(algorithm: Algorithm) -> Option<Self> {
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256].into_iter().find(|one| one.algorithm() == algorithm)
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::Rs256,
            Self::Rs384 => Algorithm::Rs384,
            Self::Rs512 => Algorithm::Rs512,
            Self::Ps256 => Algorithm::Ps256,
        }
    }
}

impl PublicKey {
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Es384(_) => Algorithm::Es384,
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Rsa(key) => key.scheme.algorithm(),
        }
    }

    /// Whether what it has signed could be somebody else's.
    pub(super) fn is_too_small(&self) -> bool {
        matches!(self, Self::Rsa(key) if key.bits() < MIN_RSA_BITS)
    }
}
