//! What a token says: whose uploads these are, until when, for whom, and what may be uploaded.
//!
//! | claim | meaning | |
//! |---|---|---|
//! | `sub` | the owner of what is created | required, up to 255 bytes |
//! | `exp` | not after, in seconds since the epoch | required |
//! | `nbf` | not before | |
//! | `aud` | must name, or be, the deployment's `TOKEN_AUDIENCE` | required |
//! | `quayside` | an object: `maxBytes`, `types`, `metadata`, `keyPrefix`, `delete`, `upload` | |
//!
//! A field of `quayside` that is not known is refused: it could be a restriction that somebody relies on.

use serde_json::Value;

use crate::token::{Genuine, LEEWAY_SECONDS, TokenFault, UploadPolicy, upload_policy::Terms};
use upload_types::units::{UnixMs, UploadId};

/// Owners name Durable Objects, and stand in events and lists.
const MAX_OWNER_BYTES: usize = 255;

/// A token that is for us, and valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whose uploads these are.
    pub owner: String,
    /// What may be created.
    pub permit: UploadPolicy,
    /// The only upload that the token is for, where it is for one. It must be the owner's: the upload's object compares both.
    pub upload: Option<UploadId>,
}

impl Genuine {
    /// What the token says, if it is for this audience and valid now. [`TokenFault::Expired`] is said last, of a token with
    /// which nothing else is wrong.
    pub fn claims(&self, audience: &str, now: UnixMs) -> Result<Claims, TokenFault> {
        let Value::Object(said) = &self.0 else {
            return Err(TokenFault::Malformed("its payload is not a JSON object"));
        };
        let is_for_us = match said.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => return Err(TokenFault::Claim("aud", "is missing")),
        };
        if !is_for_us || audience.is_empty() {
            return Err(TokenFault::Audience);
        }
        let owner = match said.get("sub") {
            Some(Value::String(owner)) => owner.clone(),
            _ => return Err(TokenFault::Claim("sub", "is missing")),
        };
        if owner.is_empty() || owner.len() > MAX_OWNER_BYTES || owner.chars().any(char::is_control) {
            return Err(TokenFault::Claim("sub", "is empty, longer than 255 bytes, or has control characters"));
        }
        let terms = match said.get("quayside") {
            None => Terms::default(),
            Some(terms) => serde_json::from_value::<Terms>(terms.clone())
                .map_err(|_| TokenFault::Claim("quayside", "has an unknown field, or one that is not of its type"))?,
        };
        let upload = terms.upload;
        let permit = UploadPolicy::try_from(terms).map_err(|complaint| TokenFault::Claim("quayside", complaint))?;
        let seconds = now.unix_seconds();
        if let Some(not_before) = said.get("nbf") {
            let not_before = instant(not_before).ok_or(TokenFault::Claim("nbf", "is not a number of seconds"))?;
            if seconds.saturating_add(LEEWAY_SECONDS) < not_before {
                return Err(TokenFault::NotYet);
            }
        }
        let expires = said.get("exp").ok_or(TokenFault::Claim("exp", "is missing"))?;
        let expires = instant(expires).ok_or(TokenFault::Claim("exp", "is not a number of seconds"))?;
        let claims = Claims { owner, permit, upload };
        if seconds >= expires.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenFault::Expired(Box::new(claims)));
        }
        Ok(claims)
    }
}

/// A `NumericDate` (RFC 7519, section 2): seconds since the epoch, of which parts are cut off.
fn instant(value: &Value) -> Option<u64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative, and a cast of a float saturates
    let whole = |seconds: f64| (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}
