//! Download URLs: whoever holds one may read one object until it expires, and nothing else.
//!
//! The signature is an HMAC-SHA-256, in hexadecimal, over three lines: `GET`, the path, and the expiry in seconds since the
//! epoch. HEAD counts as GET.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use upload_core::{
    operation::Download,
    refusal::Refusal,
    units::{UnixMs, UploadId},
};

/// Makes a URL that is valid until `expires`.
pub(crate) fn sign(secret: &str, public_url: &str, upload: UploadId, expires_unix_seconds: u64) -> Option<String> {
    let path = path(upload);
    let signature = hex::encode(mac(secret, &path, expires_unix_seconds)?.finalize().into_bytes());
    Some(format!("{public_url}{path}?expires={expires_unix_seconds}&signature={signature}"))
}

/// Whether a request's URL was made by [`sign`] and has not expired. Compared in constant time.
pub(crate) fn verify(secret: &str, download: &Download, now: UnixMs) -> Result<(), Refusal> {
    let signature = hex::decode(&download.signature).map_err(|_| Refusal::BadSignature)?;
    let expected = mac(secret, &path(download.id), download.expires_unix_seconds).ok_or(Refusal::BadSignature)?;
    expected.verify_slice(&signature).map_err(|_| Refusal::BadSignature)?;
    if now.unix_seconds() >= download.expires_unix_seconds { Err(Refusal::BadSignature) } else { Ok(()) }
}

fn path(upload: UploadId) -> String {
    format!("/upload/{upload}/content")
}

fn mac(secret: &str, path: &str, expires_unix_seconds: u64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("GET\n{path}\n{expires_unix_seconds}").as_bytes());
    Some(mac)
}
