//! The token of one upload: whoever holds it may do with that upload what its owner may, for as long as the upload lives, and
//! nothing else. It is handed out once, to whoever created the upload.
//!
//! `qut_` and the HMAC-SHA-256, in base64url, of two lines: `upload-token` and the upload's id. The first line keeps it apart
//! from everything else that is signed with the same secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Secret;
use upload_types::units::UploadId;

/// What every one begins with, so that a leaked one can be searched for.
const PREFIX: &str = "qut_";

/// Makes the token of this upload.
pub fn mint(secret: &Secret, upload: UploadId) -> Option<String> {
    Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(mac(secret, upload)?.finalize().into_bytes())))
}

/// Whether this text could be the token of some upload, and is to be checked as one.
pub fn is_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether this is the token of this upload, made with one of these secrets. Compared in constant time.
pub fn is_of(text: &str, secrets: &[Secret], upload: UploadId) -> bool {
    let Some(Ok(given)) = text.strip_prefix(PREFIX).map(|encoded| URL_SAFE_NO_PAD.decode(encoded)) else {
        return false;
    };
    secrets.iter().any(|secret| mac(secret, upload).is_some_and(|mac| mac.verify_slice(&given).is_ok()))
}

fn mac(secret: &Secret, upload: UploadId) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    mac.update(format!("upload-token\n{upload}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.repeat(32)).unwrap()
    }

    #[test]
    fn it_opens_one_upload_and_no_other() {
        let (one, other) = (UploadId::from_random_bytes([1; 16]), UploadId::from_random_bytes([2; 16]));
        let (old, new) = (secret("a"), secret("b"));
        let token = mint(&old, one).unwrap();
        assert!(is_one(&token) && token.len() == 47);
        assert!(is_of(&token, &[new.clone(), old.clone()], one), "while the old secret is still there");
        assert!(!is_of(&token, &[new], one), "and not after it");
        assert!(!is_of(&token, std::slice::from_ref(&old), other));
        for wrong in ["", "qut_", &token[..46], &token[4..], &format!("{token}A"), &token.replace("qut_", "qux_")] {
            assert!(!is_of(wrong, std::slice::from_ref(&old), one), "{wrong}");
        }
    }
}
