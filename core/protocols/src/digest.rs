//! Digests in HTTP (RFC 9530): of one request's content, of the whole file, and what is answered of it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Head, byte_sequences};
use upload_types::{
    api_error::ApiError,
    integrity::{Algorithm, ChunkDigest, Crc64Nvme, Sha256Digest},
};

/// The key of a CRC-64/NVME. The registry of RFC 9530 does not have it; clients that want it know it.
const CRC64NVME: &str = "crc64nvme";

/// The digest of a request's content, if it says one that can be computed: the strongest. Others may be ignored (RFC 9530,
/// section 2), but one that is malformed is refused: its sender relies on it.
pub(super) fn of_content(head: &Head) -> Result<Option<ChunkDigest>, ApiError> {
    let digests = read(head, "content-digest", "Content-Digest")?;
    Ok(strongest(digests))
}

/// The one that says most.
pub(super) fn strongest(digests: Vec<ChunkDigest>) -> Option<ChunkDigest> {
    let weakness = |digest: &ChunkDigest| match digest.algorithm {
        Algorithm::Sha512 => 0,
        Algorithm::Sha256 => 1,
        _ => 2,
    };
    digests.into_iter().min_by_key(weakness)
}

/// Those of a whole file that can be carried from request to request.
pub(super) fn carried(digests: &[ChunkDigest]) -> (Option<Sha256Digest>, Option<Crc64Nvme>) {
    let value = |algorithm| digests.iter().find(|digest| digest.algorithm == algorithm).map(|digest| &*digest.value);
    let sha256 = value(Algorithm::Sha256).and_then(|value| value.try_into().ok()).map(Sha256Digest);
    (sha256, value(Algorithm::Crc64nvme).and_then(Crc64Nvme::from_digest))
}

/// The digests that the whole file must have, of the algorithms that can be carried from request to request.
pub(super) fn of_file(head: &Head) -> Result<(Option<Sha256Digest>, Option<Crc64Nvme>), ApiError> {
    read(head, "repr-digest", "Repr-Digest").map(|digests| carried(&digests))
}

/// What is said of the bytes of a file that comes whole in one content: there `Content-Digest` and `Repr-Digest` are of the same bytes, and
/// so is `Digest` (RFC 3230), which was there before them.
pub(super) fn of_whole(head: &Head) -> Result<Vec<ChunkDigest>, ApiError> {
    let mut digests = read(head, "content-digest", "Content-Digest")?;
    let more = [read(head, "repr-digest", "Repr-Digest")?, instance_digest(head)?].concat();
    for digest in more {
        match digests.iter().find(|known| known.algorithm == digest.algorithm) {
            None => digests.push(digest),
            Some(known) if known.value == digest.value => {}
            Some(_) => {
                return Err(ApiError::bad_request("Repr-Digest", "contradicts another digest of the same bytes"));
            }
        }
    }
    Ok(digests)
}

/// `Digest: SHA-256=<base64>, MD5=<base64>` (RFC 3230).
fn instance_digest(head: &Head) -> Result<Vec<ChunkDigest>, ApiError> {
    const FIELD: &str = "Digest";
    let mut digests = Vec::new();
    for instance in head.present("digest").unwrap_or("").split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let (name, value) = instance
            .split_once('=')
            .ok_or_else(|| ApiError::bad_request(FIELD, "is not of the form `SHA-256=<base64>`"))?;
        if let Some(algorithm) = Algorithm::by_http_name(&name.to_ascii_lowercase()) {
            let digest = ChunkDigest::parse(algorithm, value);
            let bytes = algorithm.digest_bytes();
            digests.push(
                digest
                    .ok_or_else(|| ApiError::bad_request(FIELD, format!("has a {name} that is not {bytes} bytes")))?,
            );
        }
    }
    Ok(digests)
}

/// `Repr-Digest` of a file that is there: all that is known of it, so that whatever of it was wanted (`Want-Repr-Digest`) is
/// among it.
pub fn answer(sha256: Option<Sha256Digest>, crc64nvme: Crc64Nvme) -> String {
    let crc = format!("{CRC64NVME}=:{}:", STANDARD.encode(crc64nvme.0.to_be_bytes()));
    sha256.map_or(crc.clone(), |sha256| format!("sha-256=:{}:, {crc}", STANDARD.encode(sha256.0)))
}

fn read(head: &Head, header: &str, field: &str) -> Result<Vec<ChunkDigest>, ApiError> {
    if !head.headers.contains_key(header) {
        return Ok(Vec::new());
    }
    let dictionary = head
        .header(header)
        .and_then(byte_sequences::read)
        .ok_or_else(|| ApiError::bad_request(field, "is not a structured dictionary like `sha-256=:<base64>:`"))?;
    let mut digests = Vec::new();
    for (name, value) in dictionary {
        let known = Algorithm::by_http_name(name);
        let Some(algorithm) = known.or_else(|| (name == CRC64NVME).then_some(Algorithm::Crc64nvme)) else {
            continue;
        };
        let value = value.filter(|value| value.len() == algorithm.digest_bytes()).ok_or_else(|| {
            ApiError::bad_request(field, format!("has a {name} that is not {} bytes", algorithm.digest_bytes()))
        })?;
        digests.push(ChunkDigest { algorithm, value });
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn head(name: &'static str, value: &str) -> Head {
        let headers = crate::Headers::of([(name, value)]);
        Head { method: Method::POST, path: "/files".to_owned(), query: String::new(), headers }
    }

    const SHA256: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

    #[test]
    fn the_strongest_known_digest_of_content_counts() {
        for (value, expected) in [
            (SHA256.to_owned(), Some(Algorithm::Sha256)),
            (format!("md5=:1B2M2Y8AsgTpgAmY7PhCfg==:, {SHA256}"), Some(Algorithm::Sha256)),
            (format!("future=:AAAA:, {SHA256}"), Some(Algorithm::Sha256)),
            ("future=:AAAA:".to_owned(), None),
            ("crc64nvme=:AAAAAAAAAAA=:".to_owned(), Some(Algorithm::Crc64nvme)),
        ] {
            let digest = of_content(&head("content-digest", &value)).unwrap();
            assert_eq!(digest.map(|digest| digest.algorithm), expected, "{value}");
        }
    }

    #[test]
    fn a_malformed_digest_is_refused() {
        for value in
            ["sha-256=", "sha-256", "sha-256=47DEQ", "sha-256=:AAAA:", "sha-256=(:AAAA:)", "sha-256=12", ":AAAA:"]
        {
            let of_content = of_content(&head("content-digest", value)).unwrap_err();
            assert!(matches!(of_content, ApiError::BadRequest { field, .. } if field == "Content-Digest"), "{value}");
            let of_file = of_file(&head("repr-digest", value)).unwrap_err();
            assert!(matches!(of_file, ApiError::BadRequest { field, .. } if field == "Repr-Digest"), "{value}");
        }
    }

    #[test]
    fn what_is_answered_can_be_declared() {
        let (sha256, crc64nvme) = (Sha256Digest::of(b"abc"), Crc64Nvme::of(b"abc"));
        let answered = answer(Some(sha256), crc64nvme);
        assert_eq!(of_file(&head("repr-digest", &answered)), Ok((Some(sha256), Some(crc64nvme))));
        assert_eq!(answer(None, Crc64Nvme(1)), "crc64nvme=:AAAAAAAAAAE=:");
    }
}
