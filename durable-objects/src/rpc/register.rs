//! The commands of the register: what is known of all owners together. It is the ledger of a name that no owner can have, so it needs no
//! class and no binding of its own.
//!
//! Nothing waits for the register that could go on without it: an owner's ledger tells it behind its answers, and of the switch each Worker
//! remembers what it read last.

use serde::{Deserialize, Serialize};
use upload_types::{admin::Noted, ledger::EntryName, switch::Switch, units::UploadId};

use super::commands;

/// What its object is called. Owners have no control characters (`core/access/src/token/claims.rs`), so none is called so.
pub const REGISTER: &str = "\nregister";

/// This owner has created an upload. Said again until it is acknowledged.
#[derive(Serialize, Deserialize)]
pub struct NoteOwner(pub String);

/// Which owners are there, by name, behind this one? A page of them, and one more where there are more.
#[derive(Serialize, Deserialize)]
pub struct ListOwners(pub Option<String>);

/// The telling of an upload's event is about to be given up. Said before it is, so that none is ever missing here; whether it was, the
/// upload itself knows.
#[derive(Serialize, Deserialize)]
pub struct NoteFailedDelivery(pub Noted);

/// Which of these are known, by id, behind this one? A page of them, and one more where there are more.
#[derive(Serialize, Deserialize)]
pub struct ListFailedDeliveries(pub Option<UploadId>);

/// These are not so any more, as long as nothing newer is known of them. Answers how many are left in all.
#[derive(Serialize, Deserialize)]
pub struct DropFailedDeliveries(pub Vec<Noted>);

/// What is held.
#[derive(Serialize, Deserialize)]
pub enum Held {
    /// This upload is. Said by its object until it is acknowledged.
    Note(Noted),
    /// These are not any more, and never will be again. Said by each one's object likewise, and by whoever has looked.
    Drop(Vec<Noted>),
    /// Which are known, oldest first, behind this one? Answered with a page of them, and one more where there are more.
    List(Option<EntryName>),
}

/// How is the switch set?
#[derive(Serialize, Deserialize)]
pub struct ReadSwitch;

/// Set it so. Of two at once the later one counts; each is answered with what it has set. The register gives the version.
#[derive(Serialize, Deserialize)]
pub struct SetSwitch(pub Switch);

commands! {
    /// Every command of the register.
    RegisterCommand:
    NoteOwner => "note-owner" -> ();
    ListOwners => "list-owners" -> Vec<String>;
    NoteFailedDelivery => "note-failed-delivery" -> ();
    ListFailedDeliveries => "list-failed-deliveries" -> Vec<Noted>;
    DropFailedDeliveries => "drop-failed-deliveries" -> u64;
    Held => "held" -> Vec<Noted>;
    ReadSwitch => "read-switch" -> Switch;
    SetSwitch => "set-switch" -> Switch;
}
