//! Signatures by public key, checked by the platform's own `WebCrypto`: constant in time, fast, and nothing of it in the wasm.

use durable_objects::platform::error::{Error, Result};
use js_sys::{Array, Object, Reflect, Uint8Array};
use upload_access::token::PublicKey;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto};

/// Whether this is the signature of these bytes by this key. A key that is no point of its curve signs nothing.
pub(super) async fn verify(key: &PublicKey, signature: &[u8], signed: &[u8]) -> Result<bool> {
    let subtle = subtle()?;
    // RFC 7518, section 3.4: the signature is R and S, 32 bytes each, which is how `WebCrypto` wants it. RFC 8037, section 3.1.
    let (raw, algorithm) = match key {
        PublicKey::Es256(point) => (point, object(&[("name", "ECDSA"), ("namedCurve", "P-256"), ("hash", "SHA-256")])?),
        PublicKey::EdDsa(bytes) => (bytes, object(&[("name", "Ed25519")])?),
    };
    let usages = Array::of1(&"verify".into());
    let raw = Uint8Array::from(raw.as_slice());
    let imported = subtle.import_key_with_object("raw", &raw, &algorithm, false, &usages).map_err(Error::from)?;
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
