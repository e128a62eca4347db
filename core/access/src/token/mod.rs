//! Upload tokens: who says that somebody may upload, and what.
//!
//! A token is a JWT (RFC 7519) in its compact form (RFC 7515), minted by the application and presented as
//! `Authorization: Bearer`. A token goes through three types, and none can be skipped:
//!
//! 1. [`Unverified`]: text that has the form of a token. Nothing in it is believed.
//! 2. [`Genuine`]: its signature is that of a key of ours. HMAC is computed here; for a public key the platform does it.
//! 3. [`Claims`]: it is for us, and now.
//!
//! Which algorithm a signature is checked with is the *key's*, never the token's word: a token whose header says otherwise
//! finds no key. So `none` is not refused by a list of bad names, but by not being the algorithm of any key.
//!
//! * [`keys`]: the keys, their spelling in the settings, and the one that a token asks for.
//! * [`jwks_cache`]: what is remembered of keys that are fetched.
//! * [`claims`]: what a token says.
//! * [`permit`]: what its holder may create.
//! * [`upload_token`]: the token of one upload, which lives as long as the upload.

mod upload_policy;

pub mod claims;
pub mod jwks_cache;
pub mod keys;
#[cfg(test)]
mod tests;
pub mod upload_token;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

pub use claims::Claims;
pub use keys::{Key, KeySet, PublicKey, Secret};
pub use upload_policy::UploadPolicy;

/// A longer token is refused unread. Headers have 128 KB in all on the platform, and most have far less elsewhere.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the clocks of the application and of the edge may be apart, in seconds.
pub const LEEWAY_SECONDS: u64 = 30;

/// How a token can be signed (RFC 7518, section 3.1; RFC 8037). There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256, by a secret that the application shares.
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    fn by_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// Why a token is not good. Told to whoever presents it; it never quotes the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It has not the form of a token.
    Malformed(&'static str),
    /// It is signed in a way that is not taken here.
    Algorithm,
    /// No key here has its `kid` and algorithm. It may be a new one.
    UnknownKey,
    /// The signature is not that of its key.
    Signature,
    /// It is for somebody else.
    Audience,
    /// It is not valid yet.
    NotYet,
    /// It was valid once, and said this.
    Expired(Box<Claims>),
    /// A claim is missing, or is not what it must be.
    Claim(&'static str, &'static str),
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(complaint) => write!(f, "The token is malformed: {complaint}."),
            Self::Algorithm => write!(f, "The token must be signed with HS256, ES256 or EdDSA."),
            Self::UnknownKey => write!(f, "No key of this deployment has the token's kid and algorithm."),
            Self::Signature => write!(f, "The token's signature is not valid."),
            Self::Audience => write!(f, "The token is for another audience."),
            Self::NotYet => write!(f, "The token is not valid yet."),
            Self::Expired(_) => write!(f, "The token has expired."),
            Self::Claim(claim, complaint) => write!(f, "The token's claim {claim} {complaint}."),
        }
    }
}

/// Text that has the form of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified<'a> {
    /// How it says it is signed.
    pub algorithm: Algorithm,
    /// Which key it says it is signed with.
    pub kid: Option<String>,
    /// What is signed: the first two of the three pieces.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    payload: Value,
}

/// A token that was signed by one of our keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genuine(Value);

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515, section 4.1.11). None is.
    crit: Option<Value>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart. Believes nothing.
    pub fn parse(text: &'a str) -> Result<Self, TokenFault> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenFault::Malformed("it is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFault::Malformed("it has not three pieces"))?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed("it has not three pieces"))?;
        let header: Header = serde_json::from_slice(&decode(header)?)
            .map_err(|_| TokenFault::Malformed("its header is not a JSON object with `alg`"))?;
        if header.crit.is_some() {
            return Err(TokenFault::Malformed("its header has `crit`"));
        }
        let payload =
            serde_json::from_slice(&decode(payload)?).map_err(|_| TokenFault::Malformed("its payload is not JSON"))?;
        let algorithm = Algorithm::by_name(&header.alg).ok_or(TokenFault::Algorithm)?;
        Ok(Self { algorithm, kid: header.kid, signed, signature: decode(signature)?, payload })
    }

    /// Believes the token if it was signed with this secret. Compared in constant time.
    pub fn signed_with(self, secret: &Secret) -> Result<Genuine, TokenFault> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).map_err(|_| TokenFault::Signature)?;
        mac.update(self.signed.as_bytes());
        mac.verify_slice(&self.signature).map_err(|_| TokenFault::Signature)?;
        Ok(Genuine(self.payload))
    }

    /// Believes the token if the platform, asked to verify the signature with the key that [`KeySet::find`] gave, said that
    /// it is right.
    pub fn verified_by_platform(self, is_right: bool) -> Result<Genuine, TokenFault> {
        if is_right { Ok(Genuine(self.payload)) } else { Err(TokenFault::Signature) }
    }
}

fn decode(piece: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(piece).map_err(|_| TokenFault::Malformed("a piece is not base64url"))
}
