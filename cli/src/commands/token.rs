//! `quay token`: an upload token, signed with a key that the deployment knows. For development and operators: in production the
//! application mints them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use serde_json::{Value, json};
use sha2::Sha256;
use upload_access::token::keys::MIN_SECRET_BYTES;

use crate::args::{Scope, SigningAlgorithm, Token};
use crate::failure::{Failure, Result};
use crate::results::print;
use crate::values::LivePermit;

pub(crate) fn run(token: &Token) -> Result<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|_| Failure::usage("This machine's clock is before 1970, so no token can be dated."))?;
    print(mint(token, &signer_of(token)?, now.as_secs())?);
    Ok(0)
}

/// What signs.
enum Signer {
    Hs256 { kid: String, secret: String },
    Es256 { kid: Option<String>, pair: Box<EcdsaKeyPair> },
    EdDsa { kid: Option<String>, pair: Box<Ed25519KeyPair> },
}

impl Signer {
    fn header(&self) -> Value {
        let (alg, kid) = match self {
            Self::Hs256 { kid, .. } => ("HS256", Some(kid)),
            Self::Es256 { kid, .. } => ("ES256", kid.as_ref()),
            Self::EdDsa { kid, .. } => ("EdDSA", kid.as_ref()),
        };
        let mut header = json!({ "alg": alg, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        header
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Hs256 { secret, .. } => {
                let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
                let mut mac = mac.map_err(|_| Failure::usage("The secret cannot be used."))?;
                mac.update(text);
                Ok(mac.finalize().into_bytes().to_vec())
            }
            Self::Es256 { pair, .. } => {
                let signature = pair.sign(&SystemRandom::new(), text);
                Ok(signature.map_err(|_| Failure::resumable("There is no randomness to sign with."))?.as_ref().to_vec())
            }
            Self::EdDsa { pair, .. } => Ok(pair.sign(text).as_ref().to_vec()),
        }
    }
}

fn signer_of(token: &Token) -> Result<Signer> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{} cannot be read: {error}.", path.display())))
    };
    if token.algorithm == SigningAlgorithm::Hs256 {
        let text = match &token.key_file {
            Some(path) => read(path)?,
            None => token.secrets.clone().unwrap_or_default(),
        };
        return shared_secret(&text);
    }
    let Some(path) = &token.key_file else {
        return Err(Failure::usage("Give --key-file: ES256 and EdDSA sign with a private key, PKCS #8 in PEM."));
    };
    let key = pkcs8(&read(path)?)
        .ok_or_else(|| Failure::usage(format!("{} holds no `BEGIN PRIVATE KEY` (PKCS #8 in PEM).", path.display())))?;
    let wrong = |error| Failure::usage(format!("{} is no key for this algorithm: {error}.", path.display()));
    let kid = token.kid.clone();
    if token.algorithm == SigningAlgorithm::Es256 {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &SystemRandom::new());
        return Ok(Signer::Es256 { kid, pair: Box::new(pair.map_err(wrong)?) });
    }
    // Most tools leave the public half out.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).map_err(wrong)?;
    Ok(Signer::EdDsa { kid, pair: Box::new(pair) })
}

/// `kid:secret`, the first of several, also as a line of `.dev.vars` has it.
fn shared_secret(text: &str) -> Result<Signer> {
    let setting = text.lines().find_map(|line| line.trim().strip_prefix("TOKEN_SECRETS=")).unwrap_or(text);
    let first = setting.trim().trim_matches('"').split([' ', ',', '\n', '\t']).find(|entry| !entry.is_empty());
    let (kid, shared) = first
        .and_then(|first| first.split_once(':'))
        .ok_or_else(|| Failure::usage("The secret is not of the form `kid:secret`, as TOKEN_SECRETS has it."))?;
    if shared.len() < MIN_SECRET_BYTES {
        return Err(Failure::usage(format!("The secret has fewer than {MIN_SECRET_BYTES} characters.")));
    }
    Ok(Signer::Hs256 { kid: kid.to_owned(), secret: shared.to_owned() })
}

fn pkcs8(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

fn mint(token: &Token, signer: &Signer, now_unix_seconds: u64) -> Result<String> {
    let mut terms = json!({});
    let mut say = |name: &str, value: Value| terms[name] = value;
    if let Some(bytes) = token.max_bytes {
        say("maxBytes", json!(bytes));
    }
    if !token.types.is_empty() {
        say("types", json!(token.types));
    }
    if let Some(prefix) = &token.key_prefix {
        say("keyPrefix", json!(prefix));
    }
    if let Some(template) = &token.object_key {
        say("objectKey", json!(template));
    }
    if let Some(bucket) = &token.bucket {
        say("bucket", json!(bucket));
    }
    if !token.metadata.is_empty() {
        say("metadata", token.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Value>());
    }
    if token.hold {
        say("hold", json!(true));
    }
    if token.public {
        say("public", json!(true));
    }
    if let Some(live) = token.live {
        say(
            "live",
            match live {
                LivePermit::Every(is_live) => json!(is_live),
                LivePermit::Until(silence) => json!({ "endAfterSeconds": silence.as_secs() }),
            },
        );
    }
    if token.delete {
        say("delete", json!(true));
    }
    if let Some(Scope::Admin) = token.scope {
        say("scope", json!("admin"));
    }
    let exp = now_unix_seconds.saturating_add(token.expires_in.as_secs());
    let claims = json!({ "sub": token.sub, "aud": token.audience, "exp": exp, "quayside": terms });
    let encoded = [signer.header(), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = encoded.join(".");
    let signature = URL_SAFE_NO_PAD.encode(signer.sign(text.as_bytes())?);
    Ok(format!("{text}.{signature}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;
    use ring::signature::{ED25519, KeyPair, UnparsedPublicKey};
    use upload_access::token::{Issuer, KeySet, Secret, Unverified};
    use upload_types::bucket::BucketName;
    use upload_types::live::{Live, LivePermit as LivePermitted};
    use upload_types::units::UnixMs;

    use super::*;
    use crate::args::{Cli, Command};

    fn asked(more: &[&str]) -> Token {
        let cli = Cli::parse_from(["quay", "token", "--sub", "alice", "--secrets", "x"].iter().chain(more));
        let Command::Token(token) = cli.command else { panic!("no token") };
        token
    }

    #[test]
    fn what_is_said_of_live_uploads_is_what_the_server_understands() {
        let signer = shared_secret(&format!("k:{}", "s".repeat(32))).unwrap();
        for (said, expected) in [
            ("false", LivePermitted::Refused),
            ("true", LivePermitted::Every(Live::default())),
            ("2m", LivePermitted::Every(Live { end_after_ms: 120_000, ..Live::default() })),
        ] {
            let minted = mint(&asked(&["--live", said]), &signer, 1_000).unwrap();
            let genuine =
                Unverified::parse(&minted).unwrap().signed_with(&Secret::new("s".repeat(32)).unwrap()).unwrap();
            let claims = genuine.claims(&Issuer::plain("quayside", KeySet::none()), UnixMs(1_000_000)).unwrap();
            assert_eq!(claims.permit.live, Some(expected), "{said}");
        }
        for said in ["", "yes", "0s", "25h"] {
            let words = ["quay", "token", "--sub", "alice", "--secrets", "x", "--live", said];
            assert!(Cli::try_parse_from(words).is_err(), "{said}");
        }
    }

    #[test]
    fn whoever_runs_the_service_has_a_token_of_that_alone() {
        let minted =
            mint(&asked(&["--scope", "admin"]), &shared_secret(&format!("k:{}", "s".repeat(32))).unwrap(), 1_000)
                .unwrap();
        let genuine = Unverified::parse(&minted).unwrap().signed_with(&Secret::new("s".repeat(32)).unwrap()).unwrap();
        assert!(genuine.claims(&Issuer::plain("quayside", KeySet::none()), UnixMs(1_000_000)).unwrap().is_admin);
        for beside in [&["--hold"][..], &["--max-bytes", "1M"], &["--live", "false"], &["--type", "image/*"]] {
            let words = ["quay", "token", "--sub", "ops", "--secrets", "x", "--scope", "admin"];
            assert!(Cli::try_parse_from(words.iter().chain(beside)).is_err(), "{beside:?}");
        }
    }

    #[test]
    fn what_is_minted_is_what_the_server_believes() {
        let secret = "s".repeat(32);
        let token = asked(&[
            "--max-bytes",
            "1M",
            "--type",
            "image/*",
            "--metadata",
            "album=2026",
            "--delete",
            "--bucket",
            "eu",
        ]);
        let minted =
            mint(&token, &shared_secret(&format!("TOKEN_SECRETS=\"k:{secret} old:x\"")).unwrap(), 1_000).unwrap();
        let unverified = Unverified::parse(&minted).unwrap();
        assert_eq!(unverified.kid.as_deref(), Some("k"));
        let genuine = unverified.signed_with(&Secret::new(secret).unwrap()).unwrap();
        let claims = genuine.claims(&Issuer::plain("quayside", KeySet::none()), UnixMs(1_000_000)).unwrap();
        assert_eq!(claims.owner, "alice");
        assert_eq!(claims.permit.max_bytes.map(u64::from), Some(1024 * 1024));
        assert!(claims.permit.delete && claims.permit.metadata["album"] == "2026");
        assert_eq!((claims.permit.live, claims.permit.bucket.as_ref().map(BucketName::as_str)), (None, Some("eu")));
        assert_eq!(token.expires_in, Duration::from_hours(1));
    }

    #[test]
    fn a_private_key_signs_and_its_public_half_believes_it() {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        let minted = mint(&asked(&[]), &Signer::EdDsa { kid: None, pair: Box::new(pair) }, 1_000).unwrap();
        let (signed, signature) = minted.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn a_key_that_is_none_is_refused_in_words() {
        for wrong in ["", "no colon", "k:short"] {
            assert!(shared_secret(wrong).is_err(), "{wrong}");
        }
        assert_eq!(pkcs8("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"), None);
        assert_eq!(pkcs8("-----BEGIN PRIVATE KEY-----\nAA\nAA\n-----END PRIVATE KEY-----"), Some(vec![0; 3]));
    }
}
