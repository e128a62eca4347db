//! Tokens that are good, and everything near them that is not.
//!
//! * `signatures`: a real key and a real token for each algorithm.
//! * `issuers`: whose tokens are taken, what their claims mean, and that no issuer vouches for another's.

mod issuers;
mod signatures;

use serde_json::json;

use super::*;
use upload_types::units::{ByteCount, UnixMs, UploadId};

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const SECONDS: u64 = 1_800_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";
const AUDIENCE: &str = "quayside";

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(header: &Value, payload: &Value, secret: &str) -> String {
    let text = format!("{}.{}", encode(header), encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn good() -> Value {
    json!({ "sub": "alice", "aud": AUDIENCE, "exp": SECONDS + 3600 })
}

fn with(changes: Value) -> Value {
    let mut claims = good();
    let (Some(claims_map), Value::Object(changes)) = (claims.as_object_mut(), changes) else { unreachable!() };
    for (name, value) in changes {
        if value.is_null() {
            claims_map.remove(&name)
        } else {
            claims_map.insert(name, value)
        };
    }
    claims
}

fn mint(payload: &Value) -> String {
    signed(&json!({ "alg": "HS256", "kid": "new" }), payload, SECRET)
}

fn keys() -> KeySet {
    let public = r#"{"keys":[
        {"kty":"EC","crv":"P-256","kid":"ec","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty":"RSA","kid":"rsa","n":"AQAB","e":"AQAB"}, {"kty":"oct","kid":"oct","k":"c2VjcmV0"},
        {"kty":"EC","crv":"P-256","kid":"enc","use":"enc","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"OKP","crv":"Ed25519","kid":"short","x":"11qYAYKxCrfVS_7T"}]}"#;
    KeySet::of_secrets(&format!("new:{SECRET}, old:{OTHER}")).unwrap().and(KeySet::of_jwks(public).unwrap())
}

fn genuine(token: &str) -> Result<Genuine, TokenFault> {
    let token = Unverified::parse(token)?;
    match keys().find(&token)?.clone() {
        Key::Secret(secret) => token.signed_with(&secret),
        Key::Public(_) => panic!("a public key for HS256"),
    }
}

fn own() -> Issuer {
    Issuer::plain(AUDIENCE, keys())
}

fn claims(token: &str) -> Result<Claims, TokenFault> {
    genuine(token)?.claims(&own(), NOW)
}

#[test]
fn a_good_token_says_who_and_what() {
    let upload = UploadId::from_random_bytes([7; 16]);
    let token = mint(&with(json!({ "nbf": SECONDS, "iat": SECONDS, "aud": ["x", AUDIENCE], "quayside": {
        "maxBytes": 5000, "types": ["image/*"], "metadata": {"album": "7"}, "keyPrefix": "customers/42/", "upload": upload,
    } })));
    let claims = claims(&token).unwrap();
    assert_eq!((claims.owner.as_str(), claims.upload), ("alice", Some(upload)));
    assert_eq!(claims.permit.max_bytes, ByteCount::new(5000));
    assert_eq!(claims.permit.key_prefix, "customers/42/");
    assert_eq!(claims.permit.metadata["album"], "7");
    assert!(claims.permit.types.unwrap().allow("image/png"));
}

#[test]
fn it_may_say_no_more_than_it_must() {
    assert_eq!(claims(&mint(&good())).unwrap().permit, UploadPolicy::default());
}

#[test]
fn a_token_makes_an_admin_where_the_claim_that_only_the_application_writes_says_so() {
    let ops = claims(&mint(&with(json!({ "sub": "ops", "quayside": { "scope": "admin" } })))).unwrap();
    assert!(ops.is_admin && ops.owner == "ops" && ops.upload.is_none());
    for elsewhere in [
        json!({ "scope": "admin" }),
        json!({ "scope": "openid admin", "admin": true, "role": "admin" }),
        json!({ "quayside": {} }),
        json!({ "quayside": { "scope": null } }),
        json!({ "quayside": { "metadata": { "scope": "admin" } } }),
    ] {
        assert!(!claims(&mint(&with(elsewhere.clone()))).unwrap().is_admin, "{elsewhere}");
    }
    let with_tenants = Issuer { tenant: Some(ClaimName::known("org")), ..own() };
    let token = mint(&with(json!({ "quayside": { "scope": "admin" } })));
    assert!(genuine(&token).unwrap().claims(&with_tenants, NOW).unwrap().is_admin, "of no tenant");
}

#[test]
fn a_public_key_makes_no_admin_of_anybody_unless_its_issuer_is_trusted_with_that() {
    let text = mint(&with(json!({ "quayside": { "scope": "admin" } })));
    let by_public_key = Unverified::parse(&text).unwrap().verified_by_platform(true).unwrap();
    let fault = by_public_key.claims(&own(), NOW).unwrap_err().to_string();
    assert!(fault.contains("TOKEN_SECRETS"), "{fault}");
    let trusted = Issuer { makes_admins: true, ..own() };
    assert!(by_public_key.claims(&trusted, NOW).unwrap().is_admin);
}

#[test]
fn clocks_may_be_a_little_apart() {
    for (changes, expected) in [
        (json!({ "exp": SECONDS - 29 }), None),
        (json!({ "exp": SECONDS - 30 }), Some(TokenFault::Expired(Box::new(claims(&mint(&good())).unwrap())))),
        (json!({ "exp": 1_800_000_000.5 }), None),
        (json!({ "nbf": SECONDS + 30 }), None),
        (json!({ "nbf": SECONDS + 31 }), Some(TokenFault::NotYet)),
    ] {
        assert_eq!(claims(&mint(&with(changes.clone()))).err(), expected, "{changes}");
    }
}

#[test]
fn what_a_token_says_wrong_is_named() {
    let long = "x".repeat(256);
    for (changes, expected) in [
        (json!({ "exp": null }), "exp"),
        (json!({ "exp": "tomorrow" }), "exp"),
        (json!({ "exp": -1 }), "exp"),
        (json!({ "nbf": "now" }), "nbf"),
        (json!({ "aud": null }), "aud"),
        (json!({ "aud": 7 }), "aud"),
        (json!({ "aud": "quaysides" }), "audience"),
        (json!({ "aud": [] }), "audience"),
        (json!({ "aud": [["quayside"]] }), "audience"),
        (json!({ "sub": null }), "sub"),
        (json!({ "sub": 7 }), "sub"),
        (json!({ "sub": "" }), "sub"),
        (json!({ "sub": "a\nb" }), "sub"),
        (json!({ "sub": long }), "sub"),
        (json!({ "quayside": [] }), "quayside"),
        (json!({ "quayside": { "maxbytes": 5 } }), "quayside"),
        (json!({ "quayside": { "maxBytes": "5" } }), "quayside"),
        (json!({ "quayside": { "types": [] } }), "quayside"),
        (json!({ "quayside": { "types": ["*"] } }), "quayside"),
        (json!({ "quayside": { "metadata": { "a": 1 } } }), "quayside"),
        (json!({ "quayside": { "metadata": { "a": "x".repeat(4096) } } }), "quayside"),
        (json!({ "quayside": { "keyPrefix": "a" } }), "quayside"),
        (json!({ "quayside": { "keyPrefix": "/" } }), "quayside"),
        (json!({ "quayside": { "keyPrefix": "a//" } }), "quayside"),
        (json!({ "quayside": { "keyPrefix": "../" } }), "quayside"),
        (json!({ "quayside": { "keyPrefix": "a/../b/" } }), "quayside"),
        (json!({ "quayside": { "keyPrefix": "a b/" } }), "quayside"),
        (json!({ "quayside": { "upload": "x" } }), "quayside"),
        (json!({ "quayside": { "scope": "Admin" } }), "quayside"),
        (json!({ "quayside": { "scope": "admin upload" } }), "quayside"),
        (json!({ "quayside": { "scope": ["admin"] } }), "quayside"),
        (json!({ "quayside": { "scope": true } }), "quayside"),
        (json!({ "quayside": { "scope": "admin", "maxBytes": 5 } }), "scope: admin"),
        (json!({ "quayside": { "scope": "admin", "upload": UploadId::from_random_bytes([7; 16]) } }), "scope: admin"),
    ] {
        let fault = claims(&mint(&with(changes.clone()))).unwrap_err().to_string();
        assert!(fault.contains(expected), "{fault}: {:.60}", changes.to_string());
    }
    for payload in [json!([]), json!("alice"), json!(null)] {
        assert!(matches!(claims(&mint(&payload)), Err(TokenFault::Malformed(_))), "{payload}");
    }
    let nobody = Issuer { audience: String::new(), ..own() };
    assert_eq!(genuine(&mint(&with(json!({ "aud": "" })))).unwrap().claims(&nobody, NOW), Err(TokenFault::Audience));
}

#[test]
fn an_expired_token_is_only_called_so_where_nothing_else_is_wrong() {
    let expired = json!({ "exp": SECONDS - 60, "aud": "other" });
    assert_eq!(claims(&mint(&with(expired))), Err(TokenFault::Audience));
}

#[test]
fn a_signature_is_that_of_its_own_key() {
    let payload = good();
    let header = |kid: &str| json!({ "alg": "HS256", "kid": kid });
    assert!(claims(&signed(&header("old"), &payload, OTHER)).is_ok(), "the second key is good as well");
    assert_eq!(claims(&signed(&header("new"), &payload, OTHER)), Err(TokenFault::Signature));
    assert_eq!(claims(&signed(&header("gone"), &payload, SECRET)), Err(TokenFault::UnknownKey));
    // Two secrets could have been meant.
    assert_eq!(claims(&signed(&json!({ "alg": "HS256" }), &payload, SECRET)), Err(TokenFault::UnknownKey));
    let token = mint(&payload);
    let (text, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(claims(&format!("{text}.")), Err(TokenFault::Signature));
    assert_eq!(claims(&format!("{text}.{}", &signature[..40])), Err(TokenFault::Signature));
    let (head, _) = text.split_once('.').unwrap();
    let other = encode(&with(json!({ "sub": "bob" })));
    assert_eq!(claims(&format!("{head}.{other}.{signature}")), Err(TokenFault::Signature));
}

#[test]
fn the_algorithm_is_the_keys() {
    let payload = good();
    for alg in ["none", "None", "NONE", "", "HS384", "HS512", "hs256", "rs256", "ES512", "ES256K", "PS384", "RSA-OAEP"]
    {
        let unsigned = format!("{}.{}.", encode(&json!({ "alg": alg, "kid": "new" })), encode(&payload));
        assert_eq!(claims(&unsigned), Err(TokenFault::Algorithm), "{alg}");
    }
    // HMAC with what everybody knows, the public key: the classic confusion.
    for (kid, alg) in
        [("ec", "HS256"), ("ed", "HS256"), ("new", "ES256"), ("new", "EdDSA"), ("ec", "EdDSA"), ("ed", "ES256")]
    {
        let header = json!({ "alg": alg, "kid": kid });
        let confused = signed(&header, &payload, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        let token = Unverified::parse(&confused).unwrap();
        assert_eq!(keys().find(&token), Err(TokenFault::UnknownKey), "{header}");
    }
    for kid in ["rsa", "oct", "enc", "short"] {
        for alg in ["HS256", "ES256", "EdDSA", "ES384", "PS256"] {
            let text = signed(&json!({ "alg": alg, "kid": kid }), &payload, "secret");
            assert_eq!(keys().find(&Unverified::parse(&text).unwrap()), Err(TokenFault::UnknownKey), "{kid} {alg}");
        }
    }
    let text = signed(&json!({ "alg": "ES256", "kid": "ec" }), &payload, SECRET);
    let token = Unverified::parse(&text).unwrap();
    assert!(
        matches!(keys().find(&token), Ok(Key::Public(PublicKey::Es256(point))) if point.len() == 65 && point[0] == 4)
    );
    assert_eq!(token.clone().verified_by_platform(false), Err(TokenFault::Signature));
    assert!(token.verified_by_platform(true).unwrap().claims(&own(), NOW).is_ok());
}

#[test]
fn text_that_is_no_token() {
    let token = mint(&good());
    let crit = signed(&json!({ "alg": "HS256", "kid": "new", "crit": ["exp"] }), &good(), SECRET);
    let deep = format!("{}.{}.x", encode(&json!({ "alg": "HS256" })), URL_SAFE_NO_PAD.encode("[".repeat(5000)));
    for text in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "null.null.",
        &token[1..],
        &token.replace('.', ""),
        &format!("{token}="),
        &format!("{token}.x"),
        &format!("{token}\n"),
        &"x".repeat(MAX_TOKEN_BYTES + 1),
        &crit,
        &deep,
    ] {
        assert!(matches!(claims(text), Err(TokenFault::Malformed(_))), "{text:.80}: {:?}", claims(text));
    }
}

#[test]
fn settings_that_are_no_keys_are_refused() {
    for text in ["x", ":", &format!(":{SECRET}"), "k:short", &format!("k:{SECRET}:x"), &format!("k:{SECRET},k:{OTHER}")]
    {
        assert!(KeySet::of_secrets(text).is_err(), "{text}");
    }
    assert!(KeySet::of_secrets("").unwrap().is_empty());
    assert!(!KeySet::of_secrets(&format!("a:{SECRET}\n b:{OTHER},")).unwrap().is_empty());
    for json in ["", "{}", "[]", r#"{"keys":{}}"#] {
        assert!(KeySet::of_jwks(json).is_err(), "{json}");
        assert!(KeySet::of_jwks_setting(json).is_err(), "{json}");
    }
    let many: Vec<_> = (0..33).map(|kid| format!("{kid}:{SECRET}")).collect();
    assert!(KeySet::of_secrets(&many.join(" ")).is_err());
    assert!(!format!("{:?}", keys()).contains(SECRET), "a secret is not shown");
}
