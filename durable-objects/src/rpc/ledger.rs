//! The commands of an owner's ledger.

use serde::{Deserialize, Serialize};
use upload_core::{
    integrity::Sha256Digest,
    ledger::{Admission, Fingerprint, Idempotency, OpenUpload, Quota},
    units::UploadId,
};

use super::commands;

/// May this upload be opened? If so, it is in the ledger from then on.
#[derive(Serialize, Deserialize)]
pub struct Admit {
    /// The upload that would be.
    pub upload: OpenUpload,
    /// The SHA-256 that its file will have.
    pub sha256: Option<Sha256Digest>,
    /// The client's own name for its creation.
    pub idempotency: Option<Idempotency>,
    /// What the owner may use.
    pub quota: Quota,
}

/// Which upload was created for this request, if it is still known?
#[derive(Serialize, Deserialize)]
pub struct Recall(pub Idempotency);

/// The upload has ended, or its object is gone. Said again as long as it is not acknowledged.
#[derive(Serialize, Deserialize)]
pub struct Settle {
    /// The upload.
    pub upload_id: UploadId,
    /// The object that it left, if it did and its SHA-256 is known.
    pub object: Option<Fingerprint>,
}

/// The object with this SHA-256 is not where the ledger says.
#[derive(Serialize, Deserialize)]
pub struct ForgetObject {
    /// The SHA-256.
    pub sha256: Sha256Digest,
}

/// What is open.
#[derive(Serialize, Deserialize)]
pub struct ListOpen;

commands! {
    Admit => "admit" -> Admission;
    Recall => "recall" -> Option<UploadId>;
    Settle => "settle" -> ();
    ForgetObject => "forget-object" -> ();
    ListOpen => "list-open" -> Vec<OpenUpload>;
}
