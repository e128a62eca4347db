//! The commands of an owner's ledger.

use serde::{Deserialize, Serialize};
use upload_session::quota::Quota;
use upload_types::{
    integrity::Sha256Digest,
    ledger::{Admission, Entry, EntryName, Idempotency, ListQuery, Listing, OwnerUsage, Page, StoredObject},
    units::{ByteCount, UnixMs, UploadId},
    upload_link::{LinkId, LinkUse},
};

use super::{ObjectClient, commands, connect};
use crate::platform::error::Result;
use worker::WebSocket;

/// Opens a socket on which the ledger names each upload that it admits from now on, as an [`EntryName`]. It ends when its owner is told
/// too much at once, or the ledger is restarted.
pub async fn watch(ledgers: &ObjectClient, owner: &str) -> Result<WebSocket> {
    connect(ledgers, owner).await
}

/// May this upload be opened? If so, it is in the ledger from then on.
#[derive(Serialize, Deserialize)]
pub struct Admit {
    /// The entry that would be made.
    pub entry: Entry,
    /// The SHA-256 that its file will have, where its length is known as well.
    pub sha256: Option<Sha256Digest>,
    /// The client's own name for its creation.
    pub idempotency: Option<Idempotency>,
    /// What the owner may use.
    pub quota: Quota,
    /// Partial uploads that count as part of this upload from now on, and no longer for themselves.
    pub takes_over: Vec<EntryName>,
    /// The upload that is remembered for the same creation, and that was asked for and is not there.
    pub instead_of: Option<UploadId>,
    /// The upload that is remembered for the same creation, and that has ended: what it counted is still here until its object says so, and
    /// its key is free.
    #[serde(default)]
    pub ended: Option<UploadId>,
    /// The link that opens it, where one does.
    #[serde(default)]
    pub link: Option<LinkUse>,
    /// Whose ledger it is, so that the register can be told. Empty from an older build.
    #[serde(default)]
    pub owner: String,
}

/// Which upload was created for this request, if it is still known?
#[derive(Serialize, Deserialize)]
pub struct LookupIdempotencyKey(pub Idempotency);

/// An upload of unknown length grows: may it have so many bytes? Refused, nothing has changed.
#[derive(Serialize, Deserialize)]
pub struct Charge {
    /// The upload.
    pub name: EntryName,
    /// How many it would be charged with in all.
    pub bytes: ByteCount,
    /// What the owner may use.
    pub quota: Quota,
}

/// The upload has ended, or its object is gone, or it was never created. Said again as long as it is not acknowledged.
#[derive(Serialize, Deserialize)]
pub struct CloseUpload {
    /// The upload.
    pub name: EntryName,
    /// How many bytes it had in the end, where that was not known when it was created.
    pub bytes: Option<ByteCount>,
    /// The SHA-256 that was declared of its file: by this its object may be remembered, and is forgotten.
    pub sha256: Option<Sha256Digest>,
    /// The object that it left, if it did and its SHA-256 is known.
    pub object: Option<StoredObject>,
    /// What its client called the file that it has left: it is listed among the finished ones from now on.
    #[serde(default)]
    pub file_name: Option<String>,
    /// How long that is.
    #[serde(default)]
    pub file_bytes: Option<ByteCount>,
    /// It is not among them, or not any more.
    #[serde(default)]
    pub is_gone: bool,
}

impl CloseUpload {
    /// The upload counts no longer as open, and that is all that is known. `bytes`: how many it had in the end, as above.
    pub fn entry(name: EntryName, bytes: Option<ByteCount>) -> Self {
        Self { name, bytes, sha256: None, object: None, file_name: None, file_bytes: None, is_gone: false }
    }

    /// The same, and it is listed so.
    #[must_use]
    pub fn listed(self, listing: Listing) -> Self {
        match listing {
            Listing::Gone => Self { is_gone: true, ..self },
            Listing::Finished { file_name, bytes } => {
                Self { file_name: Some(file_name), file_bytes: Some(bytes), ..self }
            }
        }
    }
}

/// The object with this SHA-256 is not where the ledger says.
#[derive(Serialize, Deserialize)]
pub struct ForgetObject {
    /// The SHA-256.
    pub sha256: Sha256Digest,
}

/// What is listed, as far as the ledger knows: a page of it. Some of it may have ended or gone just now, or was never created; the uploads
/// themselves know.
#[derive(Serialize, Deserialize)]
pub struct ListUploads(pub ListQuery);

/// What the owner uses, beside what it may use.
#[derive(Serialize, Deserialize)]
pub struct ReadUsage(pub Quota);

/// What has become of this link?
#[derive(Serialize, Deserialize)]
pub struct FindLink(pub LinkId);

/// The upload that this link has opened was never created. Said only while it is sure.
#[derive(Serialize, Deserialize)]
pub struct ReleaseLink {
    /// Which link.
    pub id: LinkId,
    /// Which upload.
    pub upload: UploadId,
}

/// This link opens no upload from now on. Says which it has opened before.
#[derive(Serialize, Deserialize)]
pub struct RevokeLink {
    /// Which link.
    pub id: LinkId,
    /// When every link ends that there may be: until then it is remembered.
    pub until: UnixMs,
}

commands! {
    /// Every command of an owner's ledger.
    LedgerCommand:
    Admit => "admit" -> Admission;
    LookupIdempotencyKey => "recall" -> Option<UploadId>;
    Charge => "charge" -> ();
    CloseUpload => "settle" -> ();
    ForgetObject => "forget-object" -> ();
    ListUploads => "list-open" -> Page;
    ReadUsage => "read-usage" -> OwnerUsage;
    FindLink => "find-link" -> Option<Admission>;
    ReleaseLink => "release-link" -> ();
    RevokeLink => "revoke-link" -> Option<UploadId>;
}
