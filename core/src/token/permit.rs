//! What the holder of a token may create, and what is attached to it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    media_types::MediaTypes,
    units::{ByteCount, UploadId},
};

/// All names and values of the attached metadata together: a token has at most 8 KiB, and is sent with every request.
const MAX_METADATA_BYTES: usize = 4 * 1024;

/// R2's keys have up to 1,024 bytes; the rest is ours.
const MAX_KEY_PREFIX_BYTES: usize = 512;

/// What may be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// The largest file.
    pub max_bytes: Option<ByteCount>,
    /// What files may be; anything where there is no list.
    pub types: Option<MediaTypes>,
    /// What the origin is told besides, by word of the application.
    pub metadata: BTreeMap<String, String>,
    /// What stands before the upload's id in the object's key: empty, or ends with a slash.
    pub key_prefix: String,
}

/// The claim `quayside`, as a token spells it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Terms {
    pub(super) upload: Option<UploadId>,
    max_bytes: Option<ByteCount>,
    types: Option<Vec<String>>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    key_prefix: String,
}

impl TryFrom<Terms> for Permit {
    type Error = &'static str;

    fn try_from(terms: Terms) -> Result<Self, Self::Error> {
        let metadata_bytes: usize = terms.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata_bytes > MAX_METADATA_BYTES {
            return Err("has more than 4 KiB of metadata");
        }
        let prefix = &terms.key_prefix;
        let is_segment = |segment: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
        };
        let segments = prefix.strip_suffix('/').map(|inner| inner.split('/').all(is_segment));
        if !prefix.is_empty() && segments != Some(true) || prefix.len() > MAX_KEY_PREFIX_BYTES {
            return Err("has a keyPrefix that is not `folder/…/` of letters, digits and `-_.=`");
        }
        let types = terms.types.map(|types| MediaTypes::parse(types.iter().map(String::as_str))).transpose()?;
        Ok(Self { max_bytes: terms.max_bytes, types, metadata: terms.metadata, key_prefix: terms.key_prefix })
    }
}
