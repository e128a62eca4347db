//! What one owner has open and has stored: the words of the owner's ledger. What an owner may use is `quota`'s, how long something is
//! remembered `retention`'s, both with the session's rules.
//!
//! The ledger says whether another upload may be opened, and remembers two things for a while: which creation belongs to
//! which `Idempotency-Key`, and which verified bytes are stored already. It never crosses owners. An entry is given back by
//! the upload's ending; where that message is lost for good, by the latest end that the upload can have, which the ledger knows.
//!
//! It also has a row for each file that its owner's uploads have left, until that is deleted, taken or forgotten: its name and its length,
//! which change no more. How an upload stands, its own object knows, and nobody else: whoever lists asks the objects.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    integrity::{Crc64Nvme, Sha256Digest},
    units::{ByteCount, UnixMs, UploadId},
};

/// What an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// An upload.
    File,
    /// A piece that others are put together from. It is no upload that anybody lists.
    Partial,
}

/// What an entry is found by: newer ones come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryName {
    /// When the upload was created.
    pub created_at: UnixMs,
    /// The upload.
    pub upload_id: UploadId,
}

/// An open upload, as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which upload.
    pub name: EntryName,
    /// What it is.
    pub kind: EntryKind,
    /// What it is charged with: its declared length, or what has arrived of it.
    pub bytes: ByteCount,
    /// When the ledger takes the entry out by itself.
    pub drop_at: UnixMs,
}

/// Whether an upload is among the finished ones of its owner, as far as whoever says so knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It has left a file.
    Finished {
        /// What its client called it.
        file_name: String,
        /// How long it is.
        bytes: ByteCount,
    },
    /// There is no file, or not any more, or nobody remembers it.
    Gone,
}

/// Which uploads are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listed {
    /// Those that have not ended.
    #[default]
    Open,
    /// Those whose file is there.
    Completed,
    /// Both.
    All,
}

/// Which page of which uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListQuery {
    /// It begins behind this entry.
    pub after: Option<EntryName>,
    /// Which.
    #[serde(default)]
    pub listed: Listed,
    /// What their names begin with.
    #[serde(default)]
    pub prefix: String,
}

/// A page of what is listed, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The entries.
    pub entries: Vec<EntryName>,
    /// Where the next page goes on, if there is one.
    pub next: Option<EntryName>,
}

/// What an owner uses, and may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerUsage {
    /// Uploads open now.
    pub open_uploads: Used,
    /// Their bytes: declared, or arrived where the length is to be declared later.
    pub open_bytes: Used,
    /// Bytes counted today (UTC). None where they are not bounded: then nobody counts them.
    pub bytes_today: Option<Used>,
    /// Bytes of the files that are stored.
    #[serde(default)]
    pub stored_bytes: Used,
    /// How many files these are.
    #[serde(default)]
    pub stored_objects: u64,
}

/// So much, of so much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// What is used.
    pub used: u64,
    /// What may be; none where there is no bound.
    pub limit: Option<u64>,
    /// With more than this an upload is created with a warning; none where nobody is warned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_limit: Option<u64>,
}

/// The client's own name for a creation, so that repeating it creates nothing new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The `Idempotency-Key`.
    pub key: String,
    /// The SHA-256 of what was asked under it: another question under the same key is a mistake.
    pub request: Sha256Digest,
}

/// What the keys begin with that no client has said. None can: a header is ASCII.
const IMPLIED: &str = "§";

impl Idempotency {
    /// For a request that stands for itself: whoever repeats it asks for the same.
    pub fn implied(request: Sha256Digest) -> Self {
        Self { key: format!("{IMPLIED}{request}"), request }
    }

    /// The same request once more, where what came of it before is gone and nothing keeps the client to it. `None` where it
    /// has said a key itself: what was created under that stays what it is.
    #[must_use]
    pub fn anew(&self) -> Option<Self> {
        self.key.starts_with(IMPLIED).then(|| Self { key: format!("{}+", self.key), request: self.request })
    }
}

/// A stored object whose SHA-256 has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredObject {
    /// The SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// The upload that brought it.
    pub upload_id: UploadId,
    /// Where it is in the bucket.
    pub key: String,
    /// Its ETag.
    pub etag: String,
    /// The CRC of its bytes.
    pub crc64nvme: Crc64Nvme,
    /// How long it is.
    pub file_size: ByteCount,
}

/// What the ledger says to a creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Go ahead: there is an entry of this name. It is another than was asked for where an earlier creation under the same
    /// `Idempotency-Key` died before its upload was there.
    Opened(EntryName),
    /// The same, and with it so much is stored, or is to be, that the owner is warned.
    OpenedBeyond(EntryName, Used),
    /// The same creation has been asked before: this is its upload.
    Repeated(UploadId),
    /// These bytes are stored already, if the object is still there.
    Known(StoredObject),
    /// The link has opened this upload before.
    LinkUsed(EntryName),
    /// The link was taken back.
    LinkRevoked,
}

impl EntryName {
    /// What [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (created_at, upload_id) = text.split_once('.')?;
        let created_at = UnixMs(created_at.parse().ok().filter(|ms| *ms <= ByteCount::MAX.get())?);
        Some(Self { created_at, upload_id: UploadId::parse(upload_id)? })
    }
}

/// As a client holds it, to ask for the next page.
impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.0, self.upload_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_is_read_back_as_it_was_written() {
        let upload_id = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        let name = EntryName { created_at: UnixMs(1_795_251_600_123), upload_id };
        assert_eq!(name.to_string(), "1795251600123.067e6162-3b6f-4ae2-a171-2470b63dff00");
        assert_eq!(EntryName::parse(&name.to_string()), Some(name));
        for bad in ["", ".", "1", "1.", "-1.067e6162-3b6f-4ae2-a171-2470b63dff00", "99999999999999999.x", "1.x"] {
            assert_eq!(EntryName::parse(bad), None, "{bad}");
        }
    }
}
