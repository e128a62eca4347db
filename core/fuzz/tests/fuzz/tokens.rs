//! Tokens and keys. The tokens in the corpus are signed with a secret that is known here; nothing made of them is genuine, but
//! for what they were themselves.

use upload_access::token::{Issuers, KeySet, Rules, Secret, Unverified, UploadPolicy, further, upload_token};
use upload_types::{
    caller::Caller,
    units::{UnixMs, UploadId},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Two issuers: one whose claims are where they usually are, and one who has them elsewhere.
const ISSUERS: &str = r#"[
    {"name": "plain", "issuer": "https://plain.example", "audience": "quayside", "jwksUrl": "https://plain.example/jwks"},
    {"name": "mapped", "issuer": "https://mapped.example", "audience": "quayside", "jwksUrl": "https://mapped.example/jwks",
     "audienceClaim": "azp", "ownerClaim": "email, sub", "tenantClaim": "o.id", "policyClaim": "terms", "rules": {"scope": "upload"}}
]"#;

/// The payloads that were signed for the corpus, as they stand in the tokens.
const SIGNED: &str = include_str!("signed.txt");

pub(crate) fn tokens(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let id = UploadId::from_random_bytes([9; 16]);
    assert!(!upload_token::is_of(text, &[Secret::new(SECRET).unwrap()], id));
    let Ok(token) = Unverified::parse(text) else { return };
    let keys = KeySet::of_secrets(&format!("k:{SECRET}")).unwrap();
    let _ = keys.find(&token);
    // What it says is read only by who believes it: believed here, to see that reading breaks nothing.
    let issuers = Issuers::new(None, further(ISSUERS).unwrap());
    if let Ok(issuer) = issuers.of(&token)
        && let Ok(genuine) = token.clone().verified_by_platform(true)
        && let Ok(claims) = genuine.claims(issuer, UnixMs(1_800_000_000_000))
    {
        assert!(claims.owner.starts_with(&issuer.owner_prefix) && claims.owner.len() <= 255);
        assert!(!issuer.owner_prefix.is_empty() && claims.owner.len() > issuer.owner_prefix.len());
        let prefix = claims.permit.key_prefix;
        assert!(
            prefix.is_empty() || prefix.ends_with('/') && !prefix.starts_with('/') && !prefix.contains(".."),
            "{prefix}"
        );
    }
    let signed = token.signed.to_owned();
    if token.signed_with(&Secret::new(SECRET).unwrap()).is_ok() {
        assert!(SIGNED.lines().any(|line| line == signed), "believed what nobody signed: {signed}");
    }
}

pub(crate) fn key_sets(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = KeySet::of_secrets(&text);
    let published = KeySet::of_jwks(&text);
    if let Ok(own) = KeySet::of_jwks_setting(&text) {
        assert_eq!(published, Ok(own), "where each key can be read it is the same");
    }
}

/// `TOKEN_ISSUERS`, and what of it stands in settings of its own.
pub(crate) fn issuer_lists(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = Rules::parse(&text);
    let _ = UploadPolicy::parse(&text);
    for issuer in further(&text).unwrap_or_default() {
        assert!(issuer.iss.is_some_and(|iss| !iss.is_empty()) && !issuer.audience.is_empty());
        assert!(!issuer.owner.is_empty() && issuer.jwks_url.is_some_and(|url| url.starts_with("http")));
        assert!(issuer.owner_prefix.is_empty() || issuer.owner_prefix.ends_with(':'));
    }
}

/// Who asks an object, as it stands in a header.
pub(crate) fn callers(input: &[u8]) {
    if let Some(caller) = Caller::from_header(&String::from_utf8_lossy(input)) {
        assert_eq!(Caller::from_header(&caller.to_header()), Some(caller));
    }
}
