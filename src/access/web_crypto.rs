//! Signatures by public key, checked by the platform's own `WebCrypto`: constant in time, fast, and nothing of it in the wasm.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use durable_objects::platform::error::{Error, Result};
use js_sys::{Array, Object, Reflect, Uint8Array};
use upload_access::token::{PublicKey, RsaKey, RsaScheme};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto};

/// Whether this is the signature of these bytes by this key. A key that is none (no point of its curve) signs nothing.
pub(super) async fn verify(key: &PublicKey, signature: &[u8], signed: &[u8]) -> Result<bool> {
    let subtle = subtle()?;
    let algorithm = algorithm(key)?;
    let usages = Array::of1(&"verify".into());
    let (format, data): (_, Object) = match key {
        PublicKey::Es256(raw) | PublicKey::Es384(raw) | PublicKey::EdDsa(raw) => {
            ("raw", Uint8Array::from(raw.as_slice()).into())
        }
        PublicKey::Rsa(key) => ("jwk", jwk(key)?),
    };
    let imported = subtle.import_key_with_object(format, &data, &algorithm, false, &usages).map_err(Error::from)?;
    let Ok(key) = JsFuture::from(imported).await else { return Ok(false) };
    let (signature, signed) = (Uint8Array::from(signature), Uint8Array::from(signed));
    let verified = subtle
        .verify_with_object_and_js_u8_array_and_js_u8_array(
            &algorithm,
            key.unchecked_ref::<CryptoKey>(),
            &signature,
            &signed,
        )
        .map_err(Error::from)?;
    Ok(JsFuture::from(verified).await.is_ok_and(|answer| answer == JsValue::TRUE))
}

/// What the key is for, to import it and to verify with it. Of ECDSA the signature is R and S one after the other (RFC 7518, section 3.4;
/// RFC 8037, section 3.1), which is how `WebCrypto` wants it; of PSS the salt is as long as the digest (RFC 7518, section 3.5).
fn algorithm(key: &PublicKey) -> Result<Object> {
    const PSS_SALT_BYTES: u32 = 32;
    match key {
        PublicKey::Es256(_) => object(&[("name", "ECDSA"), ("namedCurve", "P-256"), ("hash", "SHA-256")]),
        PublicKey::Es384(_) => object(&[("name", "ECDSA"), ("namedCurve", "P-384"), ("hash", "SHA-384")]),
        PublicKey::EdDsa(_) => object(&[("name", "Ed25519")]),
        PublicKey::Rsa(RsaKey { scheme, .. }) => {
            let (name, hash) = match scheme {
                RsaScheme::Rs256 => ("RSASSA-PKCS1-v1_5", "SHA-256"),
                RsaScheme::Rs384 => ("RSASSA-PKCS1-v1_5", "SHA-384"),
                RsaScheme::Rs512 => ("RSASSA-PKCS1-v1_5", "SHA-512"),
                RsaScheme::Ps256 => ("RSA-PSS", "SHA-256"),
            };
            let algorithm = object(&[("name", name), ("hash", hash)])?;
            Reflect::set(&algorithm, &"saltLength".into(), &PSS_SALT_BYTES.into())?;
            Ok(algorithm)
        }
    }
}

/// RSA keys have no raw form.
fn jwk(key: &RsaKey) -> Result<Object> {
    let [modulus, exponent] = [&key.modulus, &key.exponent].map(|number| URL_SAFE_NO_PAD.encode(number));
    object(&[("kty", "RSA"), ("n", &modulus), ("e", &exponent)])
}

fn subtle() -> Result<SubtleCrypto> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    Ok(Reflect::get(&crypto, &"subtle".into())?.unchecked_into())
}

fn object(fields: &[(&str, &str)]) -> Result<Object> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &(*name).into(), &(*value).into())?;
    }
    Ok(object)
}
