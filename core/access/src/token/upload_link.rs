//! The token in a link that takes one file: whose the file will be, what it may be, and until when the link takes it.
//!
//! `qul_`, what it says as JSON in base64url, a dot, and the HMAC-SHA-256 of two lines in base64url: `upload-link`, and what stands between the
//! prefix and the dot. The first line keeps it apart from everything else that is signed with the same secret. All of it may stand in a path
//! as it is.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Secret, UploadPolicy};
use upload_types::{
    bucket::BucketName,
    json,
    live::LivePermit,
    media_types::MediaTypes,
    object_key::KeyTemplate,
    units::{ByteCount, UnixMs},
    upload_link::{LinkId, UPLOAD_LINK_PREFIX as PREFIX},
};

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadLink {
    /// What it is known by.
    pub id: LinkId,
    /// Whose the file will be.
    pub owner: String,
    /// Until when it takes a file.
    pub until: UnixMs,
    /// What the file may be.
    pub permit: UploadPolicy,
    /// What whoever made it has said. What their token says is in the permit.
    pub metadata: BTreeMap<String, String>,
}

/// The same as it is spelled: with short names, since an address is passed on by hand.
#[derive(Serialize, Deserialize)]
struct Spelled {
    i: LinkId,
    o: String,
    e: UnixMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<ByteCount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<MediaTypes>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    m: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    k: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<LivePermit>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    h: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    w: BTreeMap<String, String>,
}

/// Makes the token of this link.
pub fn mint(secret: &Secret, link: UploadLink) -> Option<String> {
    let UploadLink { id, owner, until, permit, metadata: w } = link;
    // What a link never allows is named here, too, so that whoever adds a field decides.
    let UploadPolicy {
        max_bytes,
        types,
        metadata,
        key_prefix,
        key,
        bucket,
        live,
        hold,
        delete: _,
        public: _,
        ttl_ms: _,
    } = permit;
    let spelled = Spelled {
        i: id,
        o: owner,
        e: until,
        b: max_bytes,
        t: types,
        m: metadata,
        k: key_prefix,
        y: key.map(|key| key.as_str().to_owned()),
        u: bucket.map(|bucket| bucket.as_str().to_owned()),
        l: live,
        h: hold,
        w,
    };
    let said = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&spelled).ok()?);
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &said)?.finalize().into_bytes());
    Some(format!("{PREFIX}{said}.{signature}"))
}

/// Whether this text could be the token of a link, and is to be checked as one.
pub fn is_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// What the token says, if it was made with one of these secrets; also where its time is over. Compared in constant time.
pub fn read(text: &str, secrets: &[Secret]) -> Option<UploadLink> {
    let (said, signature) = text.strip_prefix(PREFIX)?.split_once('.')?;
    let given = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let is_by = |secret: &Secret| mac(secret, said).is_some_and(|mac| mac.verify_slice(&given).is_ok());
    if !secrets.iter().any(is_by) {
        return None;
    }
    let Spelled { i, o, e, b, t, m, k, y, u, l, h, w } = json::from_slice(&URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
    let key = y.map(|template| KeyTemplate::parse(&template)).transpose().ok()?;
    let bucket = match u {
        Some(name) => Some(BucketName::parse(&name)?),
        None => None,
    };
    let permit = UploadPolicy {
        max_bytes: b,
        types: t,
        metadata: m,
        key_prefix: k,
        key,
        bucket,
        live: l,
        hold: h,
        ..UploadPolicy::default()
    };
    Some(UploadLink { id: i, owner: o, until: e, permit, metadata: w })
}

fn mac(secret: &Secret, said: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    mac.update(b"upload-link\n");
    mac.update(said.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use upload_types::live::Live;

    fn secret(text: &str) -> Secret {
        Secret::new(text.repeat(32)).unwrap()
    }

    fn link() -> UploadLink {
        let permit = UploadPolicy {
            max_bytes: Some(100.into()),
            types: Some(MediaTypes::parse(["image/*"]).unwrap()),
            metadata: [("album".to_owned(), "ü 7".to_owned())].into(),
            key_prefix: "a/".to_owned(),
            bucket: BucketName::parse("eu"),
            live: Some(LivePermit::Every(Live { end_after_ms: 60_000, ..Live::default() })),
            hold: true,
            ..UploadPolicy::default()
        };
        let metadata = [("case".to_owned(), "4711".to_owned())].into();
        let owner = "alice/ä".to_owned();
        UploadLink { id: LinkId::from_random_bytes([1; 16]), owner, until: UnixMs(5), permit, metadata }
    }

    #[test]
    fn it_says_what_it_was_made_for_and_stands_in_a_path_as_it_is() {
        for made in [link(), UploadLink { permit: UploadPolicy::default(), ..link() }] {
            let token = mint(&secret("a"), made.clone()).unwrap();
            assert!(is_one(&token));
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token}");
            assert_eq!(read(&token, &[secret("b"), secret("a")]), Some(made), "while the old secret is still there");
            assert_eq!(read(&token, &[secret("b")]), None, "and not after it");
        }
    }

    #[test]
    fn what_a_link_never_allows_is_not_in_it() {
        let wide = UploadPolicy { delete: true, ttl_ms: Some(1), ..UploadPolicy::default() };
        let token = mint(&secret("a"), UploadLink { permit: wide, ..link() }).unwrap();
        assert_eq!(read(&token, &[secret("a")]).unwrap().permit, UploadPolicy::default());
    }

    #[test]
    fn nothing_in_it_can_be_changed() {
        let token = mint(&secret("a"), link()).unwrap();
        let (said, signature) = token[PREFIX.len()..].split_once('.').unwrap();
        let other = mint(&secret("a"), UploadLink { owner: "bob".to_owned(), ..link() }).unwrap();
        let (other_said, _) = other[PREFIX.len()..].split_once('.').unwrap();
        for wrong in [
            String::new(),
            PREFIX.to_owned(),
            format!("{PREFIX}."),
            format!("{PREFIX}{said}"),
            format!("{PREFIX}{said}."),
            format!("{PREFIX}{other_said}.{signature}"),
            format!("{PREFIX}{said}.{}", &signature[..42]),
            format!("qut_{said}.{signature}"),
            format!("{said}.{signature}"),
            format!("{token}A"),
            format!("{token}."),
        ] {
            assert_eq!(read(&wrong, &[secret("a")]), None, "{wrong}");
        }
    }
}
