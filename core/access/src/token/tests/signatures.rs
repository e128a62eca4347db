//! A real key and a real token for each algorithm: `signatures.json` has what Node's `crypto` has made of fresh keys, whose private halves
//! nobody has kept. Here `ring` stands for the platform's `WebCrypto`.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::*;

const ALGORITHMS: [&str; 7] = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"];

/// Since `RS256` is what an RSA key is for that does not say it.
const SILENT: &str = "RS256-silent";

fn recorded() -> Value {
    serde_json::from_str(include_str!("signatures.json")).unwrap()
}

fn recorded_token(recorded: &Value, kid: &str) -> String {
    recorded["tokens"][kid].as_str().unwrap().to_owned()
}

fn published(recorded: &Value) -> KeySet {
    KeySet::of_jwks(&recorded["jwks"].to_string()).unwrap()
}

fn is_right(key: &PublicKey, token: &Unverified<'_>) -> bool {
    let (signed, signature) = (token.signed.as_bytes(), &token.signature);
    match key {
        PublicKey::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature),
        PublicKey::Es384(point) => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, signature),
        PublicKey::EdDsa(raw) => UnparsedPublicKey::new(&ED25519, raw).verify(signed, signature),
        PublicKey::Rsa(RsaKey { scheme, modulus: n, exponent: e }) => {
            let parameters = match scheme {
                RsaScheme::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                RsaScheme::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                RsaScheme::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                RsaScheme::Ps256 => &RSA_PSS_2048_8192_SHA256,
            };
            RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature)
        }
    }
    .is_ok()
}

/// Whose it is, by a key of this set.
fn owner(text: &str, keys: &KeySet) -> Result<String, TokenFault> {
    let token = Unverified::parse(text)?;
    let Key::Public(key) = keys.find(&token)? else { panic!("a secret in a public set") };
    let is_right = is_right(key, &token);
    Ok(token.verified_by_platform(is_right)?.claims(&own(), NOW)?.owner)
}

#[test]
fn each_algorithm_is_believed_and_nothing_that_was_changed() {
    let recorded = recorded();
    let keys = published(&recorded);
    for kid in ALGORITHMS.into_iter().chain([SILENT]) {
        let text = recorded_token(&recorded, kid);
        assert_eq!(owner(&text, &keys).as_deref(), Ok("alice"), "{kid}");
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let mallory = encode(&with(json!({ "sub": "mallory" })));
        assert_eq!(owner(&format!("{header}.{mallory}.{signature}"), &keys), Err(TokenFault::Signature), "{kid}");
        assert_eq!(owner(&format!("{signed}."), &keys), Err(TokenFault::Signature), "{kid}");
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let cut = URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1]);
        assert_eq!(owner(&format!("{signed}.{cut}"), &keys), Err(TokenFault::Signature), "{kid}");
    }
}

#[test]
fn no_signature_is_believed_under_another_algorithm_or_by_another_key() {
    let recorded = recorded();
    let keys = published(&recorded);
    for kid in ALGORITHMS {
        let text = recorded_token(&recorded, kid);
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (_, payload) = signed.split_once('.').unwrap();
        for alg in ALGORITHMS.into_iter().chain(["HS256"]) {
            for key in ALGORITHMS {
                if alg == kid && key == kid {
                    continue;
                }
                let header = encode(&json!({ "alg": alg, "kid": key }));
                let fault = owner(&format!("{header}.{payload}.{signature}"), &keys).unwrap_err();
                let expected = if alg == key { TokenFault::Signature } else { TokenFault::UnknownKey };
                assert_eq!(fault, expected, "signed by {kid}, said to be {alg} by {key}");
            }
        }
    }
}

#[test]
fn hmac_with_a_public_key_finds_no_key() {
    let recorded = recorded();
    let keys = published(&recorded);
    for jwk in recorded["jwks"]["keys"].as_array().unwrap() {
        for known in ["n", "x"].iter().filter_map(|field| jwk[field].as_str()) {
            let header = json!({ "alg": "HS256", "kid": jwk["kid"] });
            assert_eq!(owner(&signed(&header, &good(), known), &keys), Err(TokenFault::UnknownKey));
        }
    }
}

#[test]
fn a_key_in_the_tokens_own_header_is_not_looked_at() {
    let recorded = recorded();
    let own_key = &recorded["jwks"]["keys"][0];
    let text = recorded_token(&recorded, "RS256");
    let (_, rest) = text.split_once('.').unwrap();
    let header = json!({ "alg": "RS256", "kid": "x", "jwk": own_key, "jku": "https://evil.example", "x5u": "https://evil.example" });
    assert_eq!(owner(&format!("{}.{rest}", encode(&header)), &published(&recorded)), Err(TokenFault::UnknownKey));
}

#[test]
fn an_rsa_key_below_2048_bits_is_refused_by_its_size_whatever_it_has_signed() {
    let recorded = recorded();
    let keys = published(&recorded);
    for kid in ["small-1024", "small-2040"] {
        assert_eq!(owner(&recorded_token(&recorded, kid), &keys), Err(TokenFault::SmallKey), "{kid}");
    }
}

#[test]
fn a_key_that_cannot_be_read_is_ignored_among_published_ones_and_a_mistake_in_a_setting() {
    let recorded = recorded();
    let rsa = &recorded["jwks"]["keys"][0];
    let text = recorded_token(&recorded, "RS256");
    let changed = |field: &str, value: Value| {
        let mut key = rsa.clone();
        key[field] = value;
        key
    };
    let mut without_type = rsa.clone();
    without_type.as_object_mut().unwrap().remove("kty");
    for odd in [
        json!(1),
        json!(null),
        json!({}),
        without_type,
        changed("kty", json!(["RSA"])),
        changed("kid", json!(7)),
        changed("key_ops", json!("verify")),
        changed("use", json!(["sig"])),
    ] {
        let alone = json!({ "keys": [odd] }).to_string();
        assert_eq!(owner(&text, &KeySet::of_jwks(&alone).unwrap()), Err(TokenFault::UnknownKey), "{odd:.40}");
        for keys in [json!([odd, rsa]), json!([rsa, odd])] {
            let set = json!({ "keys": keys }).to_string();
            assert_eq!(owner(&text, &KeySet::of_jwks(&set).unwrap()).as_deref(), Ok("alice"), "{odd:.40}");
            assert_eq!(KeySet::of_jwks_setting(&set), Err("has a key that cannot be read"), "{odd:.40}");
        }
    }
    let set = recorded["jwks"].to_string();
    assert_eq!(KeySet::of_jwks_setting(&set), KeySet::of_jwks(&set), "where each can be read it is the same");
}

#[test]
fn keys_that_are_for_something_else_are_no_keys_of_ours() {
    let recorded = recorded();
    let rsa = &recorded["jwks"]["keys"][0];
    let text = recorded_token(&recorded, "RS256");
    for (field, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("PS256")),
        ("alg", json!("ES256")),
        ("alg", json!("HS256")),
        ("kty", json!("oct")),
        ("e", json!("AQ")),
        ("e", json!("AA")),
        ("e", json!("AgI")),
        ("e", json!("AQABAAAB")),
        ("e", json!("")),
        ("n", json!("")),
        ("n", json!("Ag")),
        ("n", json!("_".repeat(2000))),
        ("n", json!(null)),
    ] {
        let mut key = rsa.clone();
        key[field] = value.clone();
        let keys = KeySet::of_jwks(&json!({ "keys": [key] }).to_string()).unwrap();
        assert_eq!(owner(&text, &keys), Err(TokenFault::UnknownKey), "{field} {value:.20}");
    }
    for (kid, alg) in
        [("ES256", "ES384"), ("ES256", "ECDH-ES"), ("ES384", "ES256"), ("EdDSA", "ES256"), ("EdDSA", "HS256")]
    {
        let mut set = recorded["jwks"].clone();
        for key in set["keys"].as_array_mut().unwrap().iter_mut().filter(|key| key["kid"] == kid) {
            key["alg"] = json!(alg);
        }
        let keys = KeySet::of_jwks(&set.to_string()).unwrap();
        assert_eq!(owner(&recorded_token(&recorded, kid), &keys), Err(TokenFault::UnknownKey), "{kid} for {alg}");
    }
    let mut zeros = rsa.clone();
    zeros["key_ops"] = json!(["verify"]);
    zeros["e"] = json!("AAEAAQ");
    let keys = KeySet::of_jwks(&json!({ "keys": [zeros] }).to_string()).unwrap();
    assert_eq!(owner(&text, &keys).as_deref(), Ok("alice"), "zeros in front of a number are none of it");
}
