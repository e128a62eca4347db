//! Whose tokens are taken: the deployment's own issuer, which the settings `TOKEN_…` describe, and further ones, which `TOKEN_ISSUERS` lists,
//! each with its keys, its audience, and its word for owner, tenant and policy.
//!
//! A token is checked as its `iss` says, and by nothing that another issuer has: not with its keys, nor under its rules. Where two entries
//! have one `iss`, for two audiences or two rules of one provider, the first is meant that admits the token. Choosing believes nothing: what
//! is chosen checks everything again, once the signature is right.

use upload_types::bucket::BucketName;

use serde_json::{Map, Value};

use super::{ClaimName, KeySet, Rules, TokenFault, Unverified, UploadPolicy};

/// Whose tokens are taken, how they are known, and what their claims mean here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What `TOKEN_ISSUERS` calls it; nothing where it is the deployment's own.
    pub name: Option<String>,
    /// What `iss` must be. Nothing: it is not looked at, and whoever is not named elsewhere is meant.
    pub iss: Option<String>,
    /// What the token must be for.
    pub audience: String,
    /// The claim that says what it is for.
    pub audience_claim: ClaimName,
    /// The keys that the settings have.
    pub keys: KeySet,
    /// Where further ones are published.
    pub jwks_url: Option<String>,
    /// The claims of which the first that is there says whose the uploads are.
    pub owner: Vec<ClaimName>,
    /// What stands before that, so that two issuers never have an owner in common: nothing, or a name and a colon.
    pub owner_prefix: String,
    /// What owners of other issuers begin with, and owners of this one must not.
    pub reserved: Vec<String>,
    /// The claim that says which tenant the owner belongs to, where there are tenants.
    pub tenant: Option<ClaimName>,
    /// The claim that says what may be uploaded.
    pub policy: ClaimName,
    /// What may be uploaded where no claim says it.
    pub default_policy: UploadPolicy,
    /// What else must hold.
    pub rules: Rules,
    /// Whether its tokens can make somebody an admin whatever they are signed with.
    pub makes_admins: bool,
}

impl Issuer {
    /// The deployment's own with these keys, where no more is said of it: the usual claims mean what they usually mean.
    pub fn plain(audience: &str, keys: KeySet) -> Self {
        Self {
            name: None,
            iss: None,
            audience: audience.to_owned(),
            audience_claim: ClaimName::known("aud"),
            keys,
            jwks_url: None,
            owner: vec![ClaimName::known("sub")],
            owner_prefix: String::new(),
            reserved: Vec::new(),
            tenant: None,
            policy: ClaimName::known("quayside"),
            default_policy: UploadPolicy::default(),
            rules: Rules::default(),
            makes_admins: false,
        }
    }

    /// Whether a token that says this is this issuer's, for us, and within the rules. The payload need not be believed yet.
    pub(super) fn admits(&self, said: &Map<String, Value>) -> Result<(), TokenFault> {
        if self.iss.as_deref().is_some_and(|iss| iss_of(said) != Some(iss)) {
            return Err(TokenFault::Issuer);
        }
        let name = self.audience_claim.as_str();
        let is_for_us = match self.audience_claim.of(said) {
            Some(Value::String(one)) => *one == self.audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(self.audience.as_str())),
            _ => return Err(TokenFault::claim(name, "is missing")),
        };
        if !is_for_us || self.audience.is_empty() {
            return Err(TokenFault::Audience);
        }
        self.rules.check(said)
    }

    /// A fault of one of its tokens, and which setting helps against it.
    pub fn told(&self, fault: &TokenFault) -> String {
        let (own, field, why) = match fault {
            TokenFault::UnknownKey => ("TOKEN_JWKS_URL, TOKEN_PUBLIC_KEYS or TOKEN_SECRETS", "jwksUrl", "has its keys"),
            TokenFault::Audience => ("TOKEN_AUDIENCE", "audience", "is what it must be for"),
            TokenFault::Rule(_) => ("TOKEN_RULES", "rules", "has them"),
            TokenFault::Claim(claim, _) if *claim == self.audience_claim.as_str() => {
                ("AUDIENCE_CLAIM", "audienceClaim", "names the claim that says what a token is for")
            }
            TokenFault::Claim(claim, _) if self.owner.iter().any(|name| claim == name.as_str()) => {
                ("OWNER_CLAIM", "ownerClaim", "names the claim that says whose it is")
            }
            TokenFault::Claim(claim, _) if self.tenant.as_ref().is_some_and(|name| claim == name.as_str()) => {
                ("TENANT_CLAIM", "tenantClaim", "names the claim that says which tenant it is of")
            }
            _ => return fault.to_string(),
        };
        let setting = match &self.name {
            None => own.to_owned(),
            Some(name) => format!("{field} of the issuer {name} in TOKEN_ISSUERS"),
        };
        format!("{fault} The setting {setting} {why}.")
    }
}

/// The issuers of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuers(Vec<Issuer>);

impl Issuers {
    /// The deployment's own, where it has one, and those of `TOKEN_ISSUERS`. Which owners are reserved for others is seen to here.
    pub fn new(own: Option<Issuer>, further: Vec<Issuer>) -> Self {
        let mut issuers: Vec<_> = own.into_iter().chain(further).collect();
        let prefixes: Vec<_> =
            issuers.iter().map(|issuer| issuer.owner_prefix.clone()).filter(|prefix| !prefix.is_empty()).collect();
        for issuer in issuers.iter_mut().filter(|issuer| issuer.owner_prefix.is_empty()) {
            issuer.reserved.clone_from(&prefixes);
        }
        Self(issuers)
    }

    /// The buckets that are named for tokens which say nothing of it themselves.
    pub fn default_buckets(&self) -> impl Iterator<Item = &BucketName> {
        self.0.iter().filter_map(|issuer| issuer.default_policy.bucket.as_ref())
    }

    /// Whose this token says it is. Nothing of it is believed: only that issuer's keys can make it genuine.
    pub fn of(&self, token: &Unverified<'_>) -> Result<&Issuer, TokenFault> {
        let Value::Object(said) = &token.payload else {
            return Err(TokenFault::Malformed("its payload is not a JSON object"));
        };
        let iss = iss_of(said);
        let named = |issuer: &&Issuer| issuer.iss.is_some() && issuer.iss.as_deref() == iss;
        let is_named = self.0.iter().any(|issuer| named(&issuer));
        let may_be = |issuer: &&Issuer| if is_named { named(issuer) } else { issuer.iss.is_none() };
        let mut candidates = self.0.iter().filter(may_be);
        let first = candidates.next().ok_or(TokenFault::Issuer)?;
        let admitting = std::iter::once(first).chain(candidates).find(|issuer| issuer.admits(said).is_ok());
        Ok(admitting.unwrap_or(first))
    }
}

fn iss_of(said: &Map<String, Value>) -> Option<&str> {
    said.get("iss").and_then(Value::as_str)
}
