//! The setting `TOKEN_ISSUERS`: a JSON list of issuers beside the deployment's own. What an entry leaves out has the default that the
//! deployment's own settings have, and not their value: what is right for one issuer is not for another.

use serde::Deserialize;
use serde_json::Value;
use upload_types::json;

use super::{ClaimName, Issuer, KeySet, Rules, UploadPolicy};

/// More providers than anybody signs in with.
const MAX_ISSUERS: usize = 16;

/// It stands before owners, which have 255 bytes.
const MAX_NAME_BYTES: usize = 32;

/// One entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    issuer: String,
    audience: String,
    jwks_url: String,
    audience_claim: Option<String>,
    owner_claim: Option<String>,
    owner_prefix: Option<String>,
    tenant_claim: Option<String>,
    policy_claim: Option<String>,
    default_policy: Option<Value>,
    rules: Option<Value>,
    #[serde(default)]
    admin: bool,
}

/// The issuers that the setting lists, or what is wrong with it, with the entry and the field that it is wrong in. Empty: none.
pub fn further(setting: &str) -> Result<Vec<Issuer>, String> {
    if setting.is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<Value> = json::from_str(setting).map_err(|_| "is not a JSON list, `[{\"name\": …}]`")?;
    if entries.len() > MAX_ISSUERS {
        return Err(format!("has more than {MAX_ISSUERS} issuers"));
    }
    let mut issuers: Vec<Issuer> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        // Not the same as a field that is left out: whatever wrote it meant something.
        if let Some(field) = null_field(&entry) {
            return Err(format!("entry {index}: {field} is null: give it a value, or leave it out"));
        }
        let entry: Entry = read(&entry).map_err(|complaint| format!("entry {index}: {complaint}"))?;
        let name = entry.name.clone();
        if issuers.iter().any(|known| known.name.as_ref() == Some(&name)) {
            return Err(format!("entry {index}: name is that of another"));
        }
        issuers.push(issuer(entry).map_err(|(field, complaint)| format!("entry {index}: {field} {complaint}"))?);
    }
    Ok(issuers)
}

/// Where in its own text something is wrong says nothing of the setting.
fn read(entry: &Value) -> Result<Entry, String> {
    let complaint = |error: serde_json::Error| error.to_string().split(" at line ").next().map(str::to_owned);
    json::from_str(&entry.to_string()).map_err(|error| complaint(error).unwrap_or_default())
}

fn null_field(entry: &Value) -> Option<&str> {
    entry.as_object()?.iter().find(|(_, value)| value.is_null()).map(|(field, _)| field.as_str())
}

/// Whether keys may be fetched from there. Whoever can change the answer on its way can mint tokens.
pub fn is_safe_url(url: &str) -> bool {
    is_at(url, &["https://", "http://127.0.0.1:"])
}

/// Whether the address begins with one of these, and with nobody's name: of `http://127.0.0.1:1@evil.example` the host stands behind the `@`.
pub fn is_at(url: &str, beginnings: &[&str]) -> bool {
    let rest = beginnings.iter().find_map(|beginning| url.strip_prefix(beginning));
    let authority = rest.and_then(|rest| rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next());
    authority.is_some_and(|authority| !authority.contains('@'))
}

type Complaint = (&'static str, &'static str);

fn issuer(entry: Entry) -> Result<Issuer, Complaint> {
    let is_name = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_plain)
    };
    if !is_name(&entry.name) {
        return Err(("name", "is not up to 32 small letters, digits and hyphens"));
    }
    if entry.issuer.is_empty() {
        return Err(("issuer", "is empty: it is the iss of its tokens"));
    }
    if entry.audience.is_empty() {
        return Err(("audience", "is empty"));
    }
    if !is_safe_url(&entry.jwks_url) {
        return Err(("jwksUrl", "does not begin with https://"));
    }
    let owner_prefix = entry.owner_prefix.unwrap_or_else(|| format!("{}:", entry.name));
    if !owner_prefix.is_empty() && !owner_prefix.strip_suffix(':').is_some_and(is_name) {
        return Err(("ownerPrefix", "is neither empty nor small letters, digits and hyphens with a colon behind them"));
    }
    let usual = Issuer::plain(&entry.audience, KeySet::default());
    let claim = |field, given: Option<String>| {
        given.map(|name| ClaimName::parse(&name).map_err(|complaint| (field, complaint))).transpose()
    };
    let owner = entry.owner_claim.map(|names| ClaimName::list(&names)).transpose();
    let default_policy = entry.default_policy.as_ref().map(UploadPolicy::of_setting).transpose();
    let rules = entry.rules.as_ref().map(Rules::of).transpose();
    Ok(Issuer {
        name: Some(entry.name),
        iss: Some(entry.issuer),
        jwks_url: Some(entry.jwks_url),
        owner_prefix,
        audience_claim: claim("audienceClaim", entry.audience_claim)?.unwrap_or(usual.audience_claim),
        owner: owner.map_err(|complaint| ("ownerClaim", complaint))?.unwrap_or(usual.owner),
        tenant: claim("tenantClaim", entry.tenant_claim)?,
        policy: claim("policyClaim", entry.policy_claim)?.unwrap_or(usual.policy),
        default_policy: default_policy.map_err(|complaint| ("defaultPolicy", complaint))?.unwrap_or_default(),
        rules: rules.map_err(|complaint| ("rules", complaint))?.unwrap_or_default(),
        makes_admins: entry.admin,
        audience: usual.audience,
        keys: usual.keys,
        reserved: usual.reserved,
    })
}
