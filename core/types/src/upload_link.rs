//! A link that takes one file: whoever has it may upload that, by any protocol, without a token of their own. An owner makes it and can take
//! it back.
//!
//! What it allows stands in it, signed. Whether it is used up, the owner's ledger knows, by its id: a link that nobody has come with is
//! written nowhere.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    media_types::MediaTypes,
    units::{ByteCount, UnixMs, UploadId},
};

/// The longest that a link may be asked to be good, in seconds: 7 days.
pub const MAX_UPLOAD_LINK_SECONDS: u64 = 7 * 86_400;

/// The longest address of a link, in bytes, behind scheme, host and `BASE_PATH`: 4 KiB. Proxies and mail programs take no longer ones.
pub const MAX_UPLOAD_LINK_BYTES: usize = 4 * 1024;

/// What the token in every link begins with, so that a leaked one can be searched for.
pub const UPLOAD_LINK_PREFIX: &str = "qul_";

/// What a link is known by: 122 random bits, spelled as an upload's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkId(UploadId);

impl LinkId {
    /// Of 16 random bytes.
    pub fn from_random_bytes(random: [u8; 16]) -> Self {
        Self(UploadId::from_random_bytes(random))
    }

    /// The one canonical spelling.
    pub fn parse(text: &str) -> Option<Self> {
        UploadId::parse(text).map(Self)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A link that is wanted. What is left out is as its owner's token has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadLinkRequest {
    /// How long it is to be good, in seconds, from 1 to [`MAX_UPLOAD_LINK_SECONDS`]; none where that is left to the deployment.
    pub expires_in_seconds: Option<u64>,
    /// The largest file.
    pub max_bytes: Option<ByteCount>,
    /// What the file may be.
    pub types: Option<MediaTypes>,
    /// What the origin is told with the file.
    pub metadata: BTreeMap<String, String>,
}

/// By which link an upload came, as the origin is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Which link.
    pub id: LinkId,
    /// What whoever made it has said. That is an owner, and not the application: so it stands apart from what the token says.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// An upload is to be opened by a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkUse {
    /// Which link.
    pub id: LinkId,
    /// When the link ends: until then it is remembered what became of it.
    pub until: UnixMs,
    /// The upload that the link has opened before, and that has left no file and never will.
    pub instead_of: Option<UploadId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_id_has_one_spelling_everywhere() {
        let id = LinkId::from_random_bytes([0xab; 16]);
        assert_eq!(LinkId::parse(&id.to_string()), Some(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert_eq!(LinkId::parse("x"), None);
    }
}
