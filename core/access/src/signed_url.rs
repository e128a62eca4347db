//! Download URLs: whoever holds one may read one object until it expires, and nothing else.
//!
//! The signature is an HMAC-SHA-256, in hexadecimal, over three lines: `GET`, the path below `BASE_PATH`, and the expiry in seconds
//! since the epoch. HEAD counts as GET. So a link is good wherever the service is reached, and for its one object only. Where the URL says
//! as what the object is handed out, that stands behind the expiry, escaped as [`sign_as`] does it: so a link is good however whoever
//! passes it on has escaped it, and as what it was handed out only.

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use crate::token::Secret;
use upload_types::{
    api_error::ApiError,
    link::{Disposition, Download, Presentation},
    units::{UnixMs, UploadId},
};

/// What stands for itself in a query (RFC 3986, section 2.3): letters, digits, and these.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Makes a URL that is valid until `expires`. `base_url` is scheme, host and `BASE_PATH`.
pub fn sign_as(
    secret: &Secret,
    base_url: &str,
    upload: UploadId,
    expires_unix_seconds: u64,
    presentation: &Presentation,
) -> Option<String> {
    let (path, presented) = (path(upload), query(presentation));
    let signature = hex::encode(mac(secret, &path, expires_unix_seconds, &presented)?.finalize().into_bytes());
    Some(format!("{base_url}{path}{}", signed_query(expires_unix_seconds, &presented, &signature)))
}

/// What stood behind the address of whoever came with this link: with it the same may be read that they may read, and nothing else.
pub fn query_of(download: &Download) -> String {
    signed_query(download.expires_unix_seconds, &query(&download.presentation), &download.signature)
}

fn signed_query(expires_unix_seconds: u64, presented: &str, signature: &str) -> String {
    format!("?expires={expires_unix_seconds}{presented}&signature={signature}")
}

/// Whether a request's URL was made by [`sign_as`] with one of these secrets and has not expired. Compared in constant time.
pub fn verify(secrets: &[Secret], download: &Download, now: UnixMs) -> Result<(), ApiError> {
    let signature = hex::decode(&download.signature).map_err(|_| ApiError::BadSignature)?;
    let (path, presented) = (path(download.id), query(&download.presentation));
    let is_by = |secret: &Secret| {
        let expected = mac(secret, &path, download.expires_unix_seconds, &presented);
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

/// What the URL says of the presentation; nothing where the object is saved under its own name.
fn query(presentation: &Presentation) -> String {
    let inline = if presentation.disposition == Disposition::Inline { "&disposition=inline" } else { "" };
    let scan = if presentation.for_scanner { "&for=scanner" } else { "" };
    match &presentation.file_name {
        None => format!("{inline}{scan}"),
        Some(name) => format!("{inline}{scan}&fileName={}", utf8_percent_encode(name, UNRESERVED)),
    }
}

fn mac(secret: &Secret, path: &str, expires_unix_seconds: u64, presented: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    mac.update(format!("GET\n{path}\n{expires_unix_seconds}{presented}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use upload_types::{link::Served, preconditions::Conditions};

    const EXPIRES: u64 = 2_000_000_000;
    const NOW: UnixMs = UnixMs((EXPIRES - 1) * 1000);

    fn secret(text: &str) -> Secret {
        Secret::new(text.repeat(32)).unwrap()
    }

    fn upload() -> UploadId {
        UploadId::from_random_bytes([1; 16])
    }

    fn presented(disposition: Disposition, file_name: Option<&str>) -> Presentation {
        Presentation { disposition, file_name: file_name.map(str::to_owned), for_scanner: false }
    }

    /// Somebody comes with a link that was made for this presentation.
    fn download(presentation: &Presentation) -> Download {
        let signed = sign_as(&secret("a"), "", upload(), EXPIRES, presentation).unwrap();
        Download {
            id: upload(),
            expires_unix_seconds: EXPIRES,
            signature: signed.split_once("&signature=").unwrap().1.to_owned(),
            presentation: presentation.clone(),
            head_only: false,
            conditions: Conditions::default(),
            served: Served::Bytes,
        }
    }

    #[test]
    fn links_that_are_out_there_stay_good() {
        let link = "https://a.example/upload/01010101-0101-4101-8101-010101010101/content?expires=2000000000&signature=\
                    0eb266bf06db98d6bea3f749830ec893db5b5eff12b7fe7ae40548e7a317f981";
        let made = sign_as(&secret("a"), "https://a.example", upload(), EXPIRES, &Presentation::default());
        assert_eq!(made.as_deref(), Some(link));
    }

    #[test]
    fn a_link_says_what_it_hands_out() {
        let signed = |presentation| sign_as(&secret("a"), "", upload(), EXPIRES, &presentation).unwrap();
        let inline = signed(presented(Disposition::Inline, Some("a b&c=ü/?#\".png")));
        assert!(
            inline.contains("?expires=2000000000&disposition=inline&fileName=a%20b%26c%3D%C3%BC%2F%3F%23%22.png&sig")
        );
        assert!(!signed(Presentation::default()).contains("fileName"));
    }

    #[test]
    fn a_link_is_good_until_it_expires_and_as_long_as_its_secret_is_there() {
        for presentation in [Presentation::default(), presented(Disposition::Inline, Some("a"))] {
            let link = download(&presentation);
            assert_eq!(verify(&[secret("b"), secret("a")], &link, NOW), Ok(()));
            assert_eq!(verify(&[secret("b")], &link, NOW), Err(ApiError::BadSignature));
            let end = UnixMs(EXPIRES * 1000);
            assert_eq!(verify(&[secret("a")], &link, end), Err(ApiError::BadSignature));
        }
    }

    #[test]
    fn nothing_in_it_can_be_changed() {
        let every = [
            presented(Disposition::Attachment, None),
            presented(Disposition::Inline, None),
            presented(Disposition::Attachment, Some("a")),
            presented(Disposition::Attachment, Some("")),
            presented(Disposition::Attachment, Some("inline")),
            presented(Disposition::Inline, Some("a")),
            presented(Disposition::Inline, Some("a&fileName=a")),
            presented(Disposition::Attachment, Some("a&disposition=inline")),
            presented(Disposition::Attachment, Some("a&for=scanner")),
            Presentation { for_scanner: true, ..Presentation::default() },
            Presentation { for_scanner: true, ..presented(Disposition::Attachment, Some("a")) },
        ];
        for made in &every {
            for said in &every {
                let link = Download { presentation: said.clone(), ..download(made) };
                assert_eq!(verify(&[secret("a")], &link, NOW).is_ok(), made == said, "{made:?} {said:?}");
            }
            let link = download(made);
            let later = Download { expires_unix_seconds: EXPIRES + 1, ..link.clone() };
            let other = Download { id: UploadId::from_random_bytes([2; 16]), ..link.clone() };
            let short = Download { signature: link.signature[..62].to_owned(), ..link };
            for changed in [later, other, short] {
                assert_eq!(verify(&[secret("a")], &changed, NOW), Err(ApiError::BadSignature), "{changed:?}");
            }
        }
    }
}
