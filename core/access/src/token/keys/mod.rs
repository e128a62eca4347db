//! The keys that tokens are signed with, as the settings say them, and the one that a token asks for by its `kid`.
//!
//! Rotation: put the new key beside the old one, mint with the new one, and take the old one away when the last token that
//! it has signed has expired.
//!
//! * [`public_key`]: keys that anybody may know. [`jwk`]: how they are spelled.
//! * [`jwks_cache`]: what is remembered of keys that are fetched.

mod jwk;
pub mod jwks_cache;
mod public_key;

use std::fmt;
use upload_types::json;

use crate::token::{Algorithm, TokenFault, Unverified};
use jwk::{Jwk, Jwks};
pub use public_key::{PublicKey, RsaKey, RsaScheme};

/// RFC 7518, section 3.2: a key for HS256 has at least 256 bits.
pub const MIN_SECRET_BYTES: usize = 32;

/// More keys than anybody rotates through. A set that has more is not a set of ours.
const MAX_KEYS: usize = 32;

/// A secret that the application shares. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// At least [`MIN_SECRET_BYTES`] long.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        Some(bytes.into()).filter(|bytes| bytes.len() >= MIN_SECRET_BYTES).map(Self)
    }

    /// A key for events, which Standard Webhooks wants to have 24 to 64 bytes.
    pub fn of_webhooks(bytes: Vec<u8>) -> Option<Self> {
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// What it is, to be handed to an HMAC and to nothing else.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A key that tokens are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// For HS256.
    Secret(Secret),
    /// For everything else.
    Public(PublicKey),
}

impl Key {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::Hs256,
            Self::Public(key) => key.algorithm(),
        }
    }

    fn is_too_small(&self) -> bool {
        matches!(self, Self::Public(key) if key.is_too_small())
    }
}

/// Keys, each with the name that tokens call it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<(Option<String>, Key)>);

impl KeySet {
    /// No keys.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Secrets as a setting spells them: `kid:secret`, several with spaces or commas between them. The secret's own
    /// characters are the key, at least 32 of them; none is a space, a comma or a colon.
    pub fn of_secrets(text: &str) -> Result<Self, &'static str> {
        let mut keys = Vec::new();
        for entry in text.split([',', ' ', '\t', '\n', '\r']).filter(|entry| !entry.is_empty()) {
            let (kid, secret) = entry.split_once(':').ok_or("has an entry that is not `kid:secret`")?;
            if kid.is_empty() || secret.contains(':') {
                return Err("has an entry that is not `kid:secret`");
            }
            if keys.iter().any(|(known, _)| known == &Some(kid.to_owned())) {
                return Err("has a kid twice");
            }
            let secret = Secret::new(secret).ok_or("has a secret that is shorter than 32 characters")?;
            keys.push((Some(kid.to_owned()), Key::Secret(secret)));
        }
        Self::bounded(keys)
    }

    /// A JWK set that somebody publishes (RFC 7517, section 5). Public keys for the algorithms that are taken are kept; others are for
    /// somebody else, and one that cannot be read is ignored. Secret keys are never taken from here: a set is public.
    pub fn of_jwks(json: &str) -> Result<Self, &'static str> {
        Self::of_keys(parsed(json)?.keys().flatten())
    }

    /// The same as a setting has it. Whoever has written it wants each of its keys: one that cannot be read is a mistake.
    pub fn of_jwks_setting(json: &str) -> Result<Self, &'static str> {
        let keys: Option<Vec<Jwk>> = parsed(json)?.keys().collect();
        Self::of_keys(keys.ok_or("has a key that cannot be read")?.into_iter())
    }

    fn of_keys(keys: impl Iterator<Item = Jwk>) -> Result<Self, &'static str> {
        Self::bounded(keys.filter_map(|key| Some((key.kid.clone(), Key::Public(key.public()?)))).collect())
    }

    /// These keys and those.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that a token asks for: of its algorithm, under its `kid`. A token without a `kid` is taken where there is one
    /// key of its algorithm, and no question which. One that is too small is never handed out.
    pub fn find(&self, token: &Unverified<'_>) -> Result<&Key, TokenFault> {
        let mut fitting = self
            .0
            .iter()
            .filter(|(kid, key)| key.algorithm() == token.algorithm && (token.kid.is_none() || *kid == token.kid));
        match (fitting.next(), fitting.next()) {
            (Some((_, key)), None) if key.is_too_small() => Err(TokenFault::SmallKey),
            (Some((_, key)), None) => Ok(key),
            _ => Err(TokenFault::UnknownKey),
        }
    }

    fn bounded(keys: Vec<(Option<String>, Key)>) -> Result<Self, &'static str> {
        if keys.len() > MAX_KEYS { Err("has more than 32 keys") } else { Ok(Self(keys)) }
    }
}

fn parsed(json: &str) -> Result<Jwks, &'static str> {
    json::from_str(json).map_err(|_| "is not a JWK set, `{\"keys\": […]}`")
}
