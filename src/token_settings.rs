//! The settings that say whose tokens are taken: the deployment's own issuer, one setting for each thing that is to be known of it, and the
//! list of further ones. What each is, stands in `upload_access::token`.

use upload_access::{
    cors::AllowedOrigins,
    token::{ClaimName, Issuer, Issuers, KeySet, Rules, UploadPolicy, further, is_safe_url},
};
use worker::Env;

use crate::bindings;
use crate::setting::{Complaint, Complaints, missing, secret, text};

/// Which tokens are good, and where a request has one.
#[derive(Clone)]
pub(crate) struct TokenSettings {
    /// Whose.
    pub(crate) issuers: Issuers,
    /// `TOKEN_HEADER`, in small letters; none where it is empty.
    pub(crate) header: Option<String>,
    /// `CORS_ORIGINS`: whose pages may have a browser send what stands in that header.
    pub(crate) origins: AllowedOrigins,
}

/// Reads them; what is wrong, `wrong` hears.
pub(crate) fn read(env: &Env, wrong: &mut Complaints) -> Option<TokenSettings> {
    let own = own(env, wrong);
    let further = wrong.hear(further_issuers(env));
    let header = wrong.hear(header(env));
    let (own, further) = (own?, further?);
    let own = Some(own).filter(|own| !own.keys.is_empty() || own.jwks_url.is_some());
    if own.is_none() && further.is_empty() {
        let hint = "is not set, and neither is TOKEN_PUBLIC_KEYS, TOKEN_JWKS_URL or TOKEN_ISSUERS: nobody could upload. Run `wrangler \
                    secret put TOKEN_SECRETS` and give it `<kid>:<at least 32 random characters>`; locally it is in .dev.vars, which \
                    `npx quayside dev-vars` writes, or in a clone `cargo xtask setup`";
        return wrong.hear(Err(missing("TOKEN_SECRETS", hint)));
    }
    // What is wrong with the list itself is heard where it is read for every page.
    let origins = text(env, "CORS_ORIGINS").ok().and_then(|list| AllowedOrigins::parse(&list).ok()).unwrap_or_default();
    let issuers = Issuers::new(own, further);
    for bucket in issuers.default_buckets() {
        wrong.hear(bindings::bucket_is_bound(bucket, env));
    }
    Some(TokenSettings { issuers, header: header?, origins })
}

fn own(env: &Env, wrong: &mut Complaints) -> Option<Issuer> {
    let iss = wrong.hear(text(env, "TOKEN_ISSUER"));
    let audience = wrong.hear(audience(env));
    let audience_claim = wrong.hear(claim(env, "AUDIENCE_CLAIM"));
    let secrets = wrong.hear(secrets(env));
    let public_keys = wrong.hear(public_keys(env));
    let jwks_url = wrong.hear(jwks_url(env));
    let owner = wrong.hear(owner(env));
    let tenant = wrong.hear(tenant(env));
    let policy = wrong.hear(claim(env, "POLICY_CLAIM"));
    let default_policy = wrong.hear(default_policy(env));
    let rules = wrong.hear(rules(env));
    Some(Issuer {
        name: None,
        iss: Some(iss?).filter(|iss| !iss.is_empty()),
        audience: audience?,
        audience_claim: audience_claim?,
        keys: secrets?.and(public_keys?),
        jwks_url: jwks_url?,
        owner: owner?,
        owner_prefix: String::new(),
        reserved: Vec::new(),
        tenant: tenant?,
        policy: policy?,
        default_policy: default_policy?,
        rules: rules?,
        makes_admins: false,
    })
}

fn further_issuers(env: &Env) -> Result<Vec<Issuer>, Complaint> {
    const NAME: &str = "TOKEN_ISSUERS";
    further(&text(env, NAME)?).map_err(|complaint| missing(NAME, &complaint))
}

/// Tokens are never taken from what a browser sends to every site by itself.
fn header(env: &Env) -> Result<Option<String>, Complaint> {
    const NAME: &str = "TOKEN_HEADER";
    let name = text(env, NAME)?.to_ascii_lowercase();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name || name == "cookie" {
        return Err(missing(NAME, "is not the name of a header, like Cf-Access-Jwt-Assertion"));
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

fn audience(env: &Env) -> Result<String, Complaint> {
    const NAME: &str = "TOKEN_AUDIENCE";
    Some(text(env, NAME)?).filter(|audience| !audience.is_empty()).ok_or_else(|| missing(NAME, "is empty"))
}

fn secrets(env: &Env) -> Result<KeySet, Complaint> {
    const NAME: &str = "TOKEN_SECRETS";
    let secrets = secret(env, NAME)?.unwrap_or_default();
    KeySet::of_secrets(&secrets).map_err(|complaint| missing(NAME, complaint))
}

fn public_keys(env: &Env) -> Result<KeySet, Complaint> {
    const NAME: &str = "TOKEN_PUBLIC_KEYS";
    parsed(env, NAME, KeySet::of_jwks_setting)
}

fn jwks_url(env: &Env) -> Result<Option<String>, Complaint> {
    const NAME: &str = "TOKEN_JWKS_URL";
    let url = text(env, NAME)?;
    if !url.is_empty() && !is_safe_url(&url) {
        return Err(missing(NAME, "does not begin with https://"));
    }
    Ok(Some(url).filter(|url| !url.is_empty()))
}

fn claim(env: &Env, name: &str) -> Result<ClaimName, Complaint> {
    ClaimName::parse(&text(env, name)?).map_err(|complaint| missing(name, complaint))
}

fn owner(env: &Env) -> Result<Vec<ClaimName>, Complaint> {
    const NAME: &str = "OWNER_CLAIM";
    ClaimName::list(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn tenant(env: &Env) -> Result<Option<ClaimName>, Complaint> {
    const NAME: &str = "TENANT_CLAIM";
    if text(env, NAME)?.is_empty() { Ok(None) } else { claim(env, NAME).map(Some) }
}

fn default_policy(env: &Env) -> Result<UploadPolicy, Complaint> {
    const NAME: &str = "DEFAULT_POLICY";
    parsed(env, NAME, UploadPolicy::parse)
}

fn rules(env: &Env) -> Result<Rules, Complaint> {
    const NAME: &str = "TOKEN_RULES";
    parsed(env, NAME, Rules::parse)
}

/// A setting that is read by `parse`, or the default where it is empty.
fn parsed<T: Default>(env: &Env, name: &str, parse: fn(&str) -> Result<T, &'static str>) -> Result<T, Complaint> {
    let setting = text(env, name)?;
    if setting.is_empty() { Ok(T::default()) } else { parse(&setting).map_err(|complaint| missing(name, complaint)) }
}
