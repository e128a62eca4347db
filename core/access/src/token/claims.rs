//! What a token says: whose uploads these are, until when, for whom, and what may be uploaded. In which claims, its issuer's settings say;
//! these are the names where they say nothing:
//!
//! | claim | meaning | |
//! |---|---|---|
//! | `iss` | who made it | required where the issuer has a name to compare it with |
//! | `sub` | the owner of what is created | required, up to 255 bytes |
//! | `exp` | not after, in seconds since the epoch | required |
//! | `nbf` | not before | |
//! | `aud` | must name, or be, the issuer's audience | required |
//! | `quayside` | an object: `maxBytes`, `types`, `metadata`, `keyPrefix`, `objectKey`, `delete`, `upload`; or `scope` | the issuer's default in its place |
//!
//! A field of `quayside` that is not known is refused: it could be a restriction that somebody relies on.
//!
//! Owners of two issuers are never the same by accident: `<prefix of the issuer><tenant>/<owner>`, with what of it the issuer has.

use serde_json::{Map, Value};

use crate::token::{
    ClaimName, Genuine, Issuer, LEEWAY_SECONDS, SignedWith, TokenFault, UploadPolicy, upload_policy::Said,
};
use upload_types::{
    object_key::is_segment,
    units::{UnixMs, UploadId},
};

/// Owners name Durable Objects, and stand in events and lists.
const MAX_OWNER_BYTES: usize = 255;

/// A secret of `TOKEN_SECRETS` only the application has. Whose word a public key is, and who may write claims there, nobody knows here: so an
/// identity provider makes no admins unless its entry says so.
const NO_ADMIN: &str = "has `scope: admin`, which counts in a token that is signed with a secret of TOKEN_SECRETS, or whose issuer has \
                        `admin: true` in TOKEN_ISSUERS";

/// A tenant is a folder in keys, which have room for more.
const MAX_TENANT_BYTES: usize = 128;

/// A token that is for us, and valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whose uploads these are.
    pub owner: String,
    /// What may be created.
    pub permit: UploadPolicy,
    /// The only upload that the token is for, where it is for one. It must be the owner's: the upload's object compares both.
    pub upload: Option<UploadId>,
    /// Whether its holder runs the service: then `owner` says who that is, and has no uploads.
    pub is_admin: bool,
}

impl Genuine {
    /// What the token says, if it is this issuer's, for us, within the rules, and valid now. [`TokenFault::Expired`] is said last, of a
    /// token with which nothing else is wrong.
    pub fn claims(&self, issuer: &Issuer, now: UnixMs) -> Result<Claims, TokenFault> {
        let Value::Object(said) = &self.0 else {
            return Err(TokenFault::Malformed("its payload is not a JSON object"));
        };
        issuer.admits(said)?;
        let fault = |complaint| TokenFault::claim(issuer.policy.as_str(), complaint);
        let Said { policy: permit, upload, is_admin } = match issuer.policy.of(said) {
            None => Said { policy: issuer.default_policy.clone(), upload: None, is_admin: false },
            Some(terms) => UploadPolicy::of_claim(terms).map_err(fault)?,
        };
        if is_admin && !(issuer.makes_admins || self.1 == SignedWith::Secret) {
            return Err(fault(NO_ADMIN));
        }
        // Whoever runs the service is of no tenant.
        let tenant = if is_admin { None } else { tenant(said, issuer)? };
        let owner = owner(said, issuer, tenant)?;
        let permit = match tenant {
            Some(tenant) => permit.below(tenant),
            None => permit,
        };
        let seconds = now.unix_seconds();
        if let Some(not_before) = said.get("nbf") {
            let not_before = instant(not_before).ok_or(TokenFault::claim("nbf", "is not a number of seconds"))?;
            if seconds.saturating_add(LEEWAY_SECONDS) < not_before {
                return Err(TokenFault::NotYet);
            }
        }
        let expires = said.get("exp").ok_or(TokenFault::claim("exp", "is missing"))?;
        let expires = instant(expires).ok_or(TokenFault::claim("exp", "is not a number of seconds"))?;
        let claims = Claims { owner, permit, upload, is_admin };
        if seconds >= expires.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenFault::Expired(Box::new(claims)));
        }
        Ok(claims)
    }
}

/// The owner, as this deployment calls them.
fn owner(said: &Map<String, Value>, issuer: &Issuer, tenant: Option<&str>) -> Result<String, TokenFault> {
    // Some write an empty text where they have nothing to say.
    let is_there = |name: &&ClaimName| name.of(said).is_some_and(|value| value.as_str() != Some(""));
    let first = issuer.owner.first().map_or("sub", ClaimName::as_str);
    let name = issuer.owner.iter().find(is_there).ok_or(TokenFault::claim(first, "is missing or empty"))?;
    let fault = |complaint| TokenFault::claim(name.as_str(), complaint);
    let owner = name.of(said).and_then(Value::as_str).ok_or(fault("is not a text"))?;
    let folder = tenant.map(|tenant| format!("{tenant}/")).unwrap_or_default();
    let whole = format!("{}{folder}{owner}", issuer.owner_prefix);
    if whole.len() > MAX_OWNER_BYTES || whole.chars().any(char::is_control) {
        return Err(fault("is longer than 255 bytes with what stands before it, or has control characters"));
    }
    if issuer.reserved.iter().any(|prefix| whole.starts_with(prefix.as_str())) {
        return Err(fault("begins like the owners of another issuer"));
    }
    Ok(whole)
}

/// Where the issuer has tenants, every token has one: else an owner without could be called like one with.
fn tenant<'a>(said: &'a Map<String, Value>, issuer: &Issuer) -> Result<Option<&'a str>, TokenFault> {
    let Some(name) = &issuer.tenant else { return Ok(None) };
    let value = name.of(said).ok_or(TokenFault::claim(name.as_str(), "is missing"))?;
    let is_good = |tenant: &&str| is_segment(tenant) && tenant.len() <= MAX_TENANT_BYTES;
    let complaint = "is not up to 128 letters, digits and `-_.=`, which a tenant is";
    value.as_str().filter(is_good).map(Some).ok_or(TokenFault::claim(name.as_str(), complaint))
}

/// A `NumericDate` (RFC 7519, section 2): seconds since the epoch, of which parts are cut off.
fn instant(value: &Value) -> Option<u64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative, and a cast of a float saturates
    let whole = |seconds: f64| (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}
