//! R2 puts the object together, and it is looked whether it is what was counted.
//!
//! May be begun any number of times: where R2 says that it failed, the object may be there all the same (the answer was lost, or an
//! earlier call succeeded and died before it was stored), so it is looked for before anything else is said.

use crate::{
    alarm::messages::{CountedPart, Effect, Input, Log},
    session::{Session, StateChange},
    storage_fault::StorageFault,
};
use upload_types::{
    integrity::Crc64Nvme,
    units::{ByteCount, UnixMs},
};

/// How far it is: what has been asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Assembling {
    /// The counted parts.
    Parts,
    /// The object, of parts that together have this CRC.
    Object(Crc64Nvme),
    /// The same, by looking for it: R2 has said that it failed.
    Looking { crc64nvme: Crc64Nvme, fault: StorageFault, error: String },
    /// What it begins with.
    FirstBytes { etag: String, bytes: ByteCount, crc64nvme: Crc64Nvme },
}

/// What follows.
pub(super) enum Step {
    Asks(Assembling, Effect),
    Ends(Box<StateChange>, Option<Log>),
}

impl Assembling {
    pub(super) fn begin() -> Step {
        Step::Asks(Self::Parts, Effect::ReadParts)
    }

    pub(super) fn next(self, now: UnixMs, session: &Session, input: Input) -> Step {
        match (self, input) {
            (Self::Parts, Input::Parts(parts)) => complete(now, session, parts),
            (Self::Object(crc64nvme) | Self::Looking { crc64nvme, .. }, Input::Object { etag, bytes }) => {
                check_size(now, session, etag, bytes, crc64nvme)
            }
            (Self::Object(crc64nvme), Input::Failed { fault, error }) => {
                let key = session.object_key();
                Step::Asks(Self::Looking { crc64nvme, fault, error }, Effect::Look { key })
            }
            (Self::Looking { fault: StorageFault::Damaged | StorageFault::Misfit, error, .. }, Input::NoObject)
                if session.is_direct() =>
            {
                // R2 alone knows whether the parts are what was recorded, since whoever has a URL may have used it again: so what it
                // refuses here can be mended.
                Step::Ends(Box::new(session.reopened_directly(now, &error)), None)
            }
            (Self::Looking { fault, error, .. }, Input::NoObject) => refused(now, session, fault, error),
            (Self::Looking { fault, error, .. }, Input::Failed { error: looking, .. }) => {
                // R2 did not do it, and does not say whether it has. Only where it would not let us in, it certainly has not.
                let fault = if fault == StorageFault::Refused { fault } else { StorageFault::Retry };
                refused(now, session, fault, format!("{error}; looking for the object: {looking}"))
            }
            (Self::FirstBytes { etag, bytes, crc64nvme }, Input::FirstBytes(first)) => {
                check_first_bytes(now, session, etag, bytes, crc64nvme, &first)
            }
            (_, Input::Failed { error, .. }) => refused(now, session, StorageFault::Retry, error),
            (_, _) => refused(now, session, StorageFault::Retry, "an answer to no question".to_owned()),
        }
    }
}

fn refused(now: UnixMs, session: &Session, fault: StorageFault, error: String) -> Step {
    Step::Ends(Box::new(session.assembly_refused(now, fault, &error)), Some(Log::AssemblyPostponed(error)))
}

fn complete(now: UnixMs, session: &Session, parts: Vec<CountedPart>) -> Step {
    // Of parts that the client stored itself nobody here knows the CRC; the object is read back.
    let crc64nvme = Crc64Nvme::of_parts(parts.iter().map(|part| (part.crc64nvme, part.bytes)));
    if !session.is_direct() {
        if let Some(reason) = session.is_not_worth_assembling(now, crc64nvme) {
            return Step::Ends(Box::new(session.unassembled(now, reason)), None);
        }
        if let Some(part) = parts.first().filter(|_| session.is_single_object()) {
            // It has been an object from the start. Only what it is must still be looked at.
            let bytes = session.plan().file_bytes;
            return look_at(now, session, part.etag.clone(), bytes, crc64nvme);
        }
    }
    // Of a repair a key of its own: the damaged object is never taken for the one that is being made.
    let key = session.object_key();
    let asked = match session.multipart_id() {
        Some(id) if !parts.is_empty() || session.is_direct() => {
            Effect::Complete { key, multipart_id: id.to_owned(), parts }
        }
        // A file that turned out empty has an unfinished multipart upload too; R2 drops it after 7 days.
        Some(_) | None => Effect::PutEmpty { key },
    };
    Step::Asks(Assembling::Object(crc64nvme), asked)
}

/// The size must be what the session counted; of a direct upload the session judges it later. The ETag is taken as it is.
fn check_size(now: UnixMs, session: &Session, etag: String, found: u64, crc64nvme: Crc64Nvme) -> Step {
    let counted = session.plan().file_bytes;
    match ByteCount::new(found) {
        None => {
            let reason = "Storage has an object of more than 2^53 bytes.".to_owned();
            Step::Ends(Box::new(session.unassembled(now, reason)), None)
        }
        Some(bytes) if !session.is_direct() && bytes != counted => {
            let reason = format!("Storage has {bytes} bytes of {counted}.");
            Step::Ends(Box::new(session.unassembled(now, reason)), None)
        }
        Some(bytes) => look_at(now, session, etag, bytes, crc64nvme),
    }
}

/// The first bytes must be those of what the file may be: one read of a few kilobytes, and only where there is a list of that.
fn look_at(now: UnixMs, session: &Session, etag: String, bytes: ByteCount, crc64nvme: Crc64Nvme) -> Step {
    // Of a damaged object, they may be what is wrong with it. They are looked at when it is repaired.
    let is_known_damaged = !session.is_direct() && session.is_known_damaged(crc64nvme);
    if session.spec().types.is_none() || is_known_damaged {
        return assembled(now, session, etag, bytes, crc64nvme);
    }
    if bytes.is_zero() {
        return check_first_bytes(now, session, etag, bytes, crc64nvme, &[]);
    }
    let key = session.object_key();
    Step::Asks(Assembling::FirstBytes { etag, bytes, crc64nvme }, Effect::ReadFirstBytes { key })
}

fn check_first_bytes(
    now: UnixMs,
    session: &Session,
    etag: String,
    bytes: ByteCount,
    crc64nvme: Crc64Nvme,
    first: &[u8],
) -> Step {
    let declared = session.spec().file.content_type.as_deref().unwrap_or_default();
    let is_allowed = session.spec().types.as_ref().map_or(Ok(()), |types| types.check_first_bytes(declared, first));
    match is_allowed {
        Ok(()) => assembled(now, session, etag, bytes, crc64nvme),
        Err(reason) => Step::Ends(Box::new(session.unassembled(now, reason)), None),
    }
}

fn assembled(now: UnixMs, session: &Session, etag: String, bytes: ByteCount, crc64nvme: Crc64Nvme) -> Step {
    let change = if session.is_direct() {
        session.assembled_directly(now, etag, bytes)
    } else {
        session.assembled(now, etag, crc64nvme)
    };
    Step::Ends(Box::new(change), None)
}
