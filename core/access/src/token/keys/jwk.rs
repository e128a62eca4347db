//! A public key as a JWK set spells it (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2), and what is made of it.
//!
//! Which algorithm a key is for, it says itself: by its type and curve, and where it is an RSA key by its `alg`. A key whose `alg` does not
//! go with its type, or whose `use` or `key_ops` is not to verify, is for something else and is left out.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::public_key::{PublicKey, RsaKey, RsaScheme};
use crate::token::Algorithm;

/// The coordinates of a point on P-256 and on P-384, and a key for Ed25519.
const P256_BYTES: usize = 32;
const P384_BYTES: usize = 48;
const ED25519_BYTES: usize = 32;

/// What a point begins with whose coordinates both follow (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// 8,192 bits: nobody signs tokens with more, and whoever verifies pays for them.
const MAX_MODULUS_BYTES: usize = 1024;

/// Public exponents are 65,537, and have been 3. What does not fit in four bytes is made to be slow.
const MAX_EXPONENT_BYTES: usize = 4;

/// A set of keys (RFC 7517, section 5). Each is read by itself: one that is not understood is to be ignored, and says nothing of the others.
#[derive(Deserialize)]
pub(super) struct Jwks {
    keys: Vec<Value>,
}

impl Jwks {
    /// The keys, each as far as it can be read.
    pub(super) fn keys(&self) -> impl Iterator<Item = Option<Jwk>> {
        self.keys.iter().map(|key| Jwk::deserialize(key).ok())
    }
}

/// One of its keys: as much of it as is read.
#[derive(Deserialize)]
pub(super) struct Jwk {
    pub(super) kid: Option<String>,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Jwk {
    /// `None` where the key is not one that can sign tokens here. An RSA key of any size is one: that it is too small is said when a
    /// token asks for it.
    pub(super) fn public(&self) -> Option<PublicKey> {
        if self.usage.as_ref().is_some_and(|usage| usage != "sig")
            || self.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|one| one == "verify"))
        {
            return None;
        }
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => PublicKey::Es256(self.point(P256_BYTES)?),
            ("EC", Some("P-384")) => PublicKey::Es384(self.point(P384_BYTES)?),
            ("OKP", Some("Ed25519")) => PublicKey::EdDsa(exactly(self.x.as_ref(), ED25519_BYTES)?),
            ("RSA", _) => PublicKey::Rsa(self.rsa()?),
            _ => return None,
        };
        self.alg.as_ref().is_none_or(|alg| Algorithm::by_name(alg) == Some(key.algorithm())).then_some(key)
    }

    fn point(&self, coordinate_bytes: usize) -> Option<Vec<u8>> {
        let (x, y) = (exactly(self.x.as_ref(), coordinate_bytes)?, exactly(self.y.as_ref(), coordinate_bytes)?);
        Some([vec![UNCOMPRESSED], x, y].concat())
    }

    /// Where nothing is said it is RS256: what there was before keys could say more, and what those publish who say nothing.
    fn rsa(&self) -> Option<RsaKey> {
        let scheme = match &self.alg {
            None => RsaScheme::Rs256,
            Some(alg) => RsaScheme::by_algorithm(Algorithm::by_name(alg)?)?,
        };
        let (modulus, exponent) = (number(self.n.as_ref())?, number(self.e.as_ref())?);
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        // With an exponent of 1 a signature is whatever it is to be.
        let is_sound = is_odd(&modulus) && is_odd(&exponent) && exponent != [1];
        let fits = modulus.len() <= MAX_MODULUS_BYTES && exponent.len() <= MAX_EXPONENT_BYTES;
        (is_sound && fits).then_some(RsaKey { scheme, modulus, exponent })
    }
}

fn exactly(text: Option<&String>, bytes: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok().filter(|decoded| decoded.len() == bytes)
}

/// A number without the zeros that some write in front of it (RFC 7518, section 2, `Base64urlUInt`).
fn number(text: Option<&String>) -> Option<Vec<u8>> {
    let decoded = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let zeros = decoded.iter().take_while(|byte| **byte == 0).count();
    Some(decoded[zeros..].to_vec())
}
