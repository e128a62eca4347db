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
//! Whose key it may be, its `iss` says: keys of one issuer never vouch for what another says ([`Issuers::of`]).
//!
//! * [`issuers`]: whose tokens are taken, each with its keys, its audience and its word for things.
//! * [`keys`]: the keys, their spelling in the settings, what is remembered of those that are fetched, and the one that a token asks for.
//! * [`claim_name`], [`rules`]: where in a token something stands, and what must stand there.
//! * [`claims`]: what a token says.
//! * [`fault`]: why a token is not good.
//! * [`upload_policy`]: what its holder may create.
//! * [`upload_token`]: the token of one upload, which lives as long as the upload.
//! * [`upload_link`]: the token in a link that takes one file.

mod claim_name;
mod fault;
mod issuer_list;
mod rules;
mod upload_policy;

pub mod claims;
pub mod issuers;
pub mod keys;
#[cfg(test)]
mod tests;
pub mod upload_link;
pub mod upload_token;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use upload_types::json;

pub use claim_name::ClaimName;
pub use claims::Claims;
pub use fault::TokenFault;
pub use issuer_list::{further, is_at, is_safe_url};
pub use issuers::{Issuer, Issuers};
pub use keys::{Key, KeySet, PublicKey, RsaKey, RsaScheme, Secret};
pub use rules::Rules;
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
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSA by PKCS #1 1.5 with SHA-256.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// RSA by PSS with SHA-256.
    Ps256,
}

impl Algorithm {
    fn by_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            "RS384" => Some(Self::Rs384),
            "RS512" => Some(Self::Rs512),
            "PS256" => Some(Self::Ps256),
            _ => None,
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
pub struct Genuine(Value, SignedWith);

/// What kind of key a token was signed with: not all that a token says counts with either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignedWith {
    /// A secret that the deployment's own settings have.
    Secret,
    /// A key whose public half they have, or that is published where they say.
    PrivateKey,
}

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
        let header: Header = json::from_slice(&decode(header)?)
            .map_err(|_| TokenFault::Malformed("its header is not a JSON object with `alg`"))?;
        if header.crit.is_some() {
            return Err(TokenFault::Malformed("its header has `crit`"));
        }
        let payload =
            json::from_slice(&decode(payload)?).map_err(|_| TokenFault::Malformed("its payload is not JSON"))?;
        let algorithm = Algorithm::by_name(&header.alg).ok_or(TokenFault::Algorithm)?;
        Ok(Self { algorithm, kid: header.kid, signed, signature: decode(signature)?, payload })
    }

    /// Believes the token if it was signed with this secret. Compared in constant time.
    pub fn signed_with(self, secret: &Secret) -> Result<Genuine, TokenFault> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).map_err(|_| TokenFault::Signature)?;
        mac.update(self.signed.as_bytes());
        mac.verify_slice(&self.signature).map_err(|_| TokenFault::Signature)?;
        Ok(Genuine(self.payload, SignedWith::Secret))
    }

    /// Believes the token if the platform, asked to verify the signature with the key that [`KeySet::find`] gave, said that
    /// it is right.
    pub fn verified_by_platform(self, is_right: bool) -> Result<Genuine, TokenFault> {
        if is_right { Ok(Genuine(self.payload, SignedWith::PrivateKey)) } else { Err(TokenFault::Signature) }
    }
}

fn decode(piece: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(piece).map_err(|_| TokenFault::Malformed("a piece is not base64url"))
}
