//! Download URLs: whoever holds one may read one object until it expires, and nothing else.
//!
//! The signature is an HMAC-SHA-256, in hexadecimal, over three lines: `GET`, the path below `BASE_PATH`, and the expiry in seconds
//! since the epoch. HEAD counts as GET. So a link is good wherever the service is reached, and for its one object only.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use upload_access::token::Secret;
use upload_types::{
    api_error::ApiError,
    operation::Download,
    units::{UnixMs, UploadId},
};

/// Makes a URL that is valid until `expires`. `base_url` is scheme, host and `BASE_PATH`.
pub(crate) fn sign(secret: &Secret, base_url: &str, upload: UploadId, expires_unix_seconds: u64) -> Option<String> {
    let path = path(upload);
    let signature = hex::encode(mac(secret, &path, expires_unix_seconds)?.finalize().into_bytes());
    Some(format!("{base_url}{path}?expires={expires_unix_seconds}&signature={signature}"))
}

/// Whether a request's URL was made by [`sign`] with one of these secrets and has not expired. Compared in constant time.
pub(crate) fn verify(secrets: &[Secret], download: &Download, now: UnixMs) -> Result<(), ApiError> {
    let signature = hex::decode(&download.signature).map_err(|_| ApiError::BadSignature)?;
    let path = path(download.id);
    let is_by = |secret: &Secret| {
        let expected = mac(secret, &path, download.expires_unix_seconds);
        expected.is_some_and(|expected| expected.verify_slice(&signature).is_ok())
    };
    if !secrets.iter().any(is_by) {
        return Err(ApiError::BadSignature);
    }
    if now.unix_seconds() >= download.expires_unix_seconds { Err(ApiError::BadSignature) } else { Ok(()) }
}

fn path(upload: UploadId) -> String {
    format!("/upload/{upload}/content")
}

fn mac(secret: &Secret, path: &str, expires_unix_seconds: u64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    mac.update(format!("GET\n{path}\n{expires_unix_seconds}").as_bytes());
    Some(mac)
}
