//! `Upload-Checksum: sha1 <base64>`: the digest of one request's body.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use upload_types::{
    api_error::ApiError,
    integrity::{Algorithm, ChunkDigest},
};

const FIELD: &str = "Upload-Checksum";

/// The value of `Tus-Checksum-Algorithm`: all that the platform computes.
pub(super) fn algorithms() -> String {
    let names: Vec<_> = Algorithm::all().map(Algorithm::name).collect();
    names.join(",")
}

/// Understands the header.
pub(super) fn parse(text: &str) -> Result<ChunkDigest, ApiError> {
    let (name, value) = text
        .split_once(' ')
        .ok_or_else(|| ApiError::bad_request(FIELD, "is not an algorithm, a space, and a checksum in base64"))?;
    let algorithm = Algorithm::by_name(name)
        .ok_or_else(|| ApiError::bad_request(FIELD, format!("names no algorithm of {}", algorithms())))?;
    let value = STANDARD.decode(value).ok().filter(|value| value.len() == algorithm.digest_bytes());
    let value = value.ok_or_else(|| {
        ApiError::bad_request(FIELD, format!("is not base64 of the {} bytes of a {name}", algorithm.digest_bytes()))
    })?;
    Ok(ChunkDigest { algorithm, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_hello_world() {
        for (text, algorithm, first, bytes) in [
            ("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", Algorithm::Sha1, 0x2a, 20),
            ("md5 XrY7u+Ae7tCTyyK7j1rNww==", Algorithm::Md5, 0x5e, 16),
            ("sha256 uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=", Algorithm::Sha256, 0xb9, 32),
            ("crc32 DUoRhQ==", Algorithm::Crc32, 0x0d, 4),
            ("crc32c yZRlaQ==", Algorithm::Crc32c, 0xc9, 4),
        ] {
            let digest = parse(text).unwrap();
            assert_eq!((digest.algorithm, digest.value[0], digest.value.len()), (algorithm, first, bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_checksum() {
        for text in [
            "",
            "sha1",
            "sha1 ",
            "sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
            "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
            "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0",
            "sha1 2aae6c35c94fcfb415dbe95f408b9ce91ee846ed",
            "sha1 XrY7u+Ae7tCTyyK7j1rNww==",
            "sha1 !!!!",
            "whirlpool Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
            "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=, sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        ] {
            match parse(text) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, FIELD),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn sha1_which_every_server_must_know_is_among_the_algorithms() {
        assert_eq!(algorithms(), "md5,sha1,sha256,sha384,sha512,crc32,crc32c,crc64nvme");
    }
}
