//! AWS Signature Version 4 in the query: whoever has the URL may send that one request until it expires, with any body, or with
//! one of exactly the signed length (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use upload_types::{
    http_date::{Calendar, calendar},
    units::{ByteCount, UnixMs},
};

/// R2 has one region under this name (<https://developers.cloudflare.com/r2/api/s3/api/>).
const REGION: &str = "auto";

/// What stands for itself in a query, and in a path beside `/`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Where a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: String,
    /// With its port, where that is not the scheme's own.
    host: String,
    /// Up to the bucket, with a slash at its end.
    path: String,
}

/// An access key.
#[derive(Clone)]
pub struct Keys {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// A request about an object.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'static str,
    /// The object's key.
    pub key: &'a str,
    /// The query's own parameters, in any order.
    pub query: Vec<(&'static str, String)>,
    /// The length that the body must have, where that is signed.
    pub content_length: Option<ByteCount>,
}

impl Endpoint {
    /// The bucket of this name at an `http` or `https` URL; `None` where it is none, or has more than a host and a path.
    pub fn new(url: &str, bucket: &str) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?.to_owned();
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        if bucket.is_empty() || bucket.contains('/') || uri.query().is_some() {
            return None;
        }
        let own_port = if scheme == "http" { 80 } else { 443 };
        let host = match authority.port_u16().filter(|port| *port != own_port) {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        let bucket = utf8_percent_encode(bucket, IN_PATH);
        let path = format!("{}/{bucket}/", uri.path().trim_end_matches('/'));
        Some(Self { scheme, host: host.to_ascii_lowercase(), path })
    }

    /// The URL of a request that may be sent from `now` on, for so many seconds (at most 604,800).
    pub fn sign(&self, request: &Request<'_>, keys: &Keys, now: UnixMs, valid_seconds: u64) -> Option<String> {
        let Calendar { year, month, day, hour, minute, second } = calendar(now)?;
        let time = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
        let date = time.get(..8)?;
        let scope = format!("{date}/{REGION}/s3/aws4_request");
        let (headers, signed_headers) = match request.content_length {
            Some(bytes) => (format!("content-length:{bytes}\nhost:{}\n", self.host), "content-length;host"),
            None => (format!("host:{}\n", self.host), "host"),
        };
        let query = canonical_query(request.query.iter().map(|(name, value)| (*name, value.as_str())).chain([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &format!("{}/{scope}", keys.id)),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &valid_seconds.to_string()),
            ("X-Amz-SignedHeaders", signed_headers),
        ]));
        let path = format!("{}{}", self.path, utf8_percent_encode(request.key, IN_PATH));
        let canonical = [request.method, &path, &query, &headers, signed_headers, "UNSIGNED-PAYLOAD"].join("\n");
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let mut key = hmac(format!("AWS4{}", keys.secret).as_bytes(), date)?;
        for step in [REGION, "s3", "aws4_request"] {
            key = hmac(&key, step)?;
        }
        let signature = hex::encode(hmac(&key, &to_sign)?);
        Some(format!("{}://{}{path}?{query}&X-Amz-Signature={signature}", self.scheme, self.host))
    }
}

fn canonical_query<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = |text| utf8_percent_encode(text, UNRESERVED).to_string();
    let mut pairs = BTreeMap::new();
    for (name, value) in parameters {
        pairs.insert(encoded(name), encoded(value));
    }
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn hmac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_endpoint_is_none() {
        const R2: &str = "https://0123456789abcdef.r2.cloudflarestorage.com";
        for (url, bucket) in [
            ("", "b"),
            ("r2", "b"),
            ("ftp://r2", "b"),
            ("https://", "b"),
            ("https://u:p@r2", "b"),
            ("https://r2?a=b", "b"),
            (R2, ""),
            (R2, "a/b"),
        ] {
            assert_eq!(Endpoint::new(url, bucket), None, "{url} {bucket}");
        }
        assert!(Endpoint::new(R2, "b").is_some());
    }
}
