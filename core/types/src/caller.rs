//! Who asks an upload's object for something, and whether it is theirs to ask.
//!
//! The Worker finds out who a request comes from; the object, which alone knows whose the upload is, compares. To somebody who
//! has no business with an upload, it is not there.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{json, units::UploadId};

/// The SHA-256 of a token: enough to know it again, and of no use to anybody else.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(#[serde(with = "hex::serde")] [u8; 32]);

impl TokenHash {
    /// The hash of this token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// In constant time.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Caller {
    /// The Worker itself, on behalf of an object or of a signed URL.
    System,
    /// Somebody whose uploads are these.
    Owner(String),
    /// Somebody with a token that was good once. An upload that was created with it is still theirs: its chunks may take
    /// longer than the token lives.
    Creator(TokenHash),
    /// Somebody with the token of one upload.
    Holder {
        /// The upload.
        upload: UploadId,
        /// Whose the application says that it is. None of a token that this service has made for the upload itself, which is
        /// good whoever it belongs to.
        owner: Option<String>,
    },
}

/// Whose an upload is. Fixed when it is created.
#[derive(Clone, Copy, Debug)]
pub struct Ownership<'a> {
    /// The upload.
    pub upload: UploadId,
    /// Its owner.
    pub owner: &'a str,
    /// The token that it was created with, where there was one.
    pub created_with: Option<TokenHash>,
}

impl Caller {
    /// As it travels in a header: JSON in base64url, since owners may have any characters.
    pub fn to_header(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_string(self).unwrap_or_default())
    }

    /// What [`Caller::to_header`] made; nobody where it is anything else.
    pub fn from_header(text: &str) -> Option<Self> {
        json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// Whether this upload is theirs to ask about.
    pub fn may_use(&self, upload: Ownership<'_>) -> bool {
        match self {
            Self::System => true,
            Self::Owner(owner) => owner == upload.owner,
            Self::Creator(token) => upload.created_with == Some(*token),
            // An application that mints for its own users may name an upload of somebody else's: both must be right.
            Self::Holder { upload: id, owner } => {
                *id == upload.upload && owner.as_deref().is_none_or(|owner| owner == upload.owner)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_its_owners_and_whoever_holds_a_token_of_it() {
        let (id, other) = (UploadId::from_random_bytes([1; 16]), UploadId::from_random_bytes([2; 16]));
        let token = TokenHash::of("a.b.c");
        let upload = Ownership { upload: id, owner: "alice", created_with: Some(token) };
        let without_token = Ownership { created_with: None, ..upload };
        for (caller, may) in [
            (Caller::System, true),
            (Caller::Owner("alice".to_owned()), true),
            (Caller::Owner("Alice".to_owned()), false),
            (Caller::Owner(String::new()), false),
            (Caller::Creator(token), true),
            (Caller::Creator(TokenHash::of("a.b.d")), false),
            (Caller::Holder { upload: id, owner: None }, true),
            (Caller::Holder { upload: other, owner: None }, false),
            (Caller::Holder { upload: id, owner: Some("alice".to_owned()) }, true),
            (Caller::Holder { upload: other, owner: Some("alice".to_owned()) }, false),
            (Caller::Holder { upload: id, owner: Some("mallory".to_owned()) }, false),
        ] {
            assert_eq!(caller.may_use(upload), may, "{caller:?}");
        }
        assert!(!Caller::Creator(token).may_use(without_token));
    }

    #[test]
    fn on_the_way_and_at_rest_it_is_spelled_so() {
        let id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        for (caller, json) in [
            (Caller::System, r#""system""#),
            (Caller::Owner("ä\n".to_owned()), r#"{"owner":"ä\n"}"#),
            (
                Caller::Holder { upload: id, owner: Some("alice".to_owned()) },
                r#"{"holder":{"upload":"067e6162-3b6f-4ae2-a171-2470b63dff00","owner":"alice"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&caller).unwrap(), json);
            assert_eq!(serde_json::from_str::<Caller>(json).unwrap(), caller);
            assert_eq!(Caller::from_header(&caller.to_header()), Some(caller));
        }
        // Stored with uploads: another spelling would lock their creators out.
        let hash = serde_json::to_string(&TokenHash::of("a.b.c")).unwrap();
        assert_eq!(hash, r#""845e30448809e2bc8958eb025bfc795235d13b077a53d0c3abbd2385170dc9b8""#);
    }
}
