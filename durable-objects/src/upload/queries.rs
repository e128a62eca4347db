//! What an upload's object answers to the Worker beside the session's own rules: the object for a download, the event for a
//! delivery. Each looks at the session and decides; none stores.

use upload_session::{
    event::{EventKind, Verdict},
    session::{Decision, Session, Slice, StateChange, Wanted},
};
use upload_types::{api_error::ApiError, ledger::StoredObject, units::UnixMs, upload::Purpose};

use crate::rpc::upload::{BeginDelivery, EndDelivery, EventFacts, FoundObject, SliceHashed, WantedPartials};

/// The object that the upload has left, where its SHA-256 is known and its bytes can be had.
pub(crate) fn fingerprint(session: &Session) -> Option<StoredObject> {
    let object = session.stored_object()?;
    Some(StoredObject {
        sha256: object.sha256?,
        upload_id: session.spec.id,
        key: object.key,
        etag: object.etag,
        crc64nvme: object.crc64nvme,
        file_size: session.plan().file_bytes,
    })
}

/// A piece is served to nobody: it takes room for as long as an upload may be put together from it, and is no file.
pub(crate) fn find_object(session: &Session) -> Decision<FoundObject> {
    let answer = match session.stored_object() {
        Some(_) if session.spec.purpose == Purpose::Partial => Err(ApiError::PartialNotServed),
        Some(object) => {
            let completed_at = session.progress.ended_at.unwrap_or(session.spec.created_at);
            Ok(FoundObject { object, completed_at, snapshot: session.snapshot() })
        }
        None => Err(session.no_object()),
    };
    Decision { answer, change: StateChange::none() }
}

pub(crate) fn begin_delivery(session: &Session, now: UnixMs, command: &BeginDelivery) -> Decision<Option<EventFacts>> {
    let begun = session.outbox.with_id(session.spec.id, &command.event_id).and_then(|event| {
        let change = session.delivery_begun(now, event, command.attempt_ms, command.link_ms)?;
        let delivery = change.outbox.as_ref()?.find(event)?.clone();
        Some((delivery, change))
    });
    let Some((delivery, change)) = begun else { return pass(None) };
    let facts = EventFacts {
        event_id: command.event_id.clone(),
        kind: delivery.kind,
        occurred_at: delivery.occurred_at,
        ended_at: session.progress.ended_at.unwrap_or(delivery.occurred_at),
        owner: session.spec.owner.clone(),
        key: session.object_key(),
        attached: session.spec.attached.clone(),
        public_url: session.spec.public_url.clone(),
        snapshot: session.snapshot(),
        object: session.object_facts().filter(|_| matches!(delivery.kind, EventKind::Completed | EventKind::Deleted)),
        link_until: delivery.link_until.filter(|_| delivery.kind == EventKind::Completed),
        attempt: delivery.attempts,
    };
    Decision { answer: Ok(Some(facts)), change }
}

pub(crate) fn end_delivery(session: &Session, now: UnixMs, command: &EndDelivery) -> Decision<Verdict> {
    session.delivery_ended(now, &command.event_id, &command.outcome)
}

pub(crate) fn wanted_pieces(session: &Session, now: UnixMs, _: &WantedPartials) -> Decision<Option<Wanted>> {
    pass(session.wanted(now))
}

pub(crate) fn next_slice(session: &Session) -> Decision<Option<Slice>> {
    pass(session.next_slice())
}

pub(crate) fn slice_hashed(session: &Session, now: UnixMs, SliceHashed(hashed): &SliceHashed) -> Decision<bool> {
    let change = session.hashed(now, hashed);
    Decision { answer: Ok(!change.is_none()), change }
}

fn pass<T>(answer: T) -> Decision<T> {
    Decision { answer: Ok(answer), change: StateChange::none() }
}
