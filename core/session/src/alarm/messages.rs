//! What a ringing alarm asks its driver to do, and what the driver says came of it.

use crate::{
    event::DeliveryId,
    session::{Job, StateChange},
    storage_fault::StorageFault,
};
use upload_types::{
    integrity::Crc64Nvme,
    units::{ByteCount, UploadId},
};

/// What the driver does next. Each but the last is answered with one [`Input`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Counts what a duty costs that begins now. Answered with [`Input::Done`].
    Charge(Job),
    /// Stores this, in one transaction, before anything else comes in. Answered with [`Input::Done`].
    Store {
        /// What changes.
        change: Box<StateChange>,
        /// What is to be logged.
        log: Option<Log>,
    },
    /// Reads the counted parts. Answered with [`Input::Parts`].
    ReadParts,
    /// Has R2 put the object together from these parts. Answered with [`Input::Object`].
    Complete {
        /// Under this key.
        key: String,
        /// R2's id of the multipart upload.
        multipart_id: String,
        /// The parts, in the order of their numbers.
        parts: Vec<CountedPart>,
    },
    /// Puts an object without bytes. Answered with [`Input::Object`].
    PutEmpty {
        /// Under this key.
        key: String,
    },
    /// Looks whether an object is there. Answered with [`Input::Object`] or [`Input::NoObject`].
    Look {
        /// Under this key.
        key: String,
    },
    /// Reads the first bytes of an object. Answered with [`Input::FirstBytes`].
    ReadFirstBytes {
        /// Its key.
        key: String,
    },
    /// Has R2 let go of something, as far as it is there. Answered with [`Input::Done`].
    Delete(Deletion),
    /// Hands a queue what somebody else is to do. Answered with [`Input::Done`].
    Enqueue(Message),
    /// Tells the owner's ledger how the upload stands, and the register of what is or was held. Answered with [`Input::Done`].
    CloseInLedger,
    /// Has the owner's ledger leave the upload out of what it lists: it is about to be forgotten. Answered with [`Input::Done`].
    Unlist,
    /// Forgets everything. Answered with [`Input::Done`], without a session.
    Purge,
    /// Sets the alarm to the next duty. It is over.
    Rest,
}

/// What R2 is to let go of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// All objects whose keys begin so, whoever wrote them.
    Below {
        /// The beginning, which nobody else's keys have.
        prefix: String,
    },
    /// What attempts of this upload have put ([`is_put`](crate::session::is_put)).
    Puts {
        /// The upload's own key.
        key: String,
        /// The upload.
        upload: UploadId,
        /// The one that counts.
        except: String,
    },
    /// These objects.
    Objects(Vec<String>),
    /// An unfinished multipart upload.
    Multipart {
        /// Under this key.
        key: String,
        /// R2's id of it.
        multipart_id: String,
    },
}

/// What somebody else is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Tell a receiver of an event.
    Tell(DeliveryId),
    /// Copy the next batch of a concatenation.
    CopyNext,
    /// Copy chunks from the damaged object.
    Copy,
    /// Put the tail of a live upload into its last part.
    StoreLastPart,
    /// Read the next slice of the object back.
    Verify,
}

/// What is to be logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Log {
    /// R2 did not put the object together, in these words.
    AssemblyPostponed(String),
    /// A duty failed, in these words.
    DutyFailed(Job, String),
}

/// What completion needs of a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CountedPart {
    /// Its number.
    pub number: u16,
    /// Its ETag, as R2 returned it.
    pub etag: String,
    /// Its CRC.
    pub crc64nvme: Crc64Nvme,
    /// Its length.
    pub bytes: ByteCount,
}

/// What came of an [`Effect`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The alarm rings.
    Rings,
    /// It is done.
    Done,
    /// The counted parts, in the order of their numbers.
    Parts(Vec<CountedPart>),
    /// The object is there.
    Object {
        /// Its ETag.
        etag: String,
        /// How long R2 says that it is.
        bytes: u64,
    },
    /// It is not there.
    NoObject,
    /// The first bytes of the object.
    FirstBytes(Vec<u8>),
    /// It was not done, as far as is known.
    Failed {
        /// What that means, where R2 says so.
        fault: StorageFault,
        /// In these words.
        error: String,
    },
}
