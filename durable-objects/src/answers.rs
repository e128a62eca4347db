//! What an upload's object answers to the Worker beside the session's own rules: the object for a download, the event for a
//! delivery. Each looks at the session and decides; none stores.

use upload_core::{
    event::Verdict,
    ledger::Fingerprint,
    session::{Change, Decision, Session, Slice, Wanted},
    units::UnixMs,
};

use crate::rpc::upload::{
    BeginDelivery, DeliveryOutcome, EndDelivery, EventFacts, FoundObject, SliceHashed, WantedPieces,
};

/// The object that the upload left, where its SHA-256 is known.
pub(crate) fn fingerprint(session: &Session) -> Option<Fingerprint> {
    let object = session.object()?;
    Some(Fingerprint {
        sha256: object.sha256?,
        upload_id: session.birth.id,
        key: object.key,
        etag: object.etag,
        crc64nvme: object.crc64nvme,
        file_size: session.plan().file_bytes,
    })
}

pub(crate) fn find_object(session: &Session) -> Decision<FoundObject> {
    let answer = match session.object() {
        Some(object) => {
            let completed_at = session.progress.ended_at.unwrap_or(session.birth.created_at);
            Ok(FoundObject { object, completed_at, snapshot: session.snapshot() })
        }
        None => Err(session.no_object()),
    };
    Decision { answer, change: Change::none() }
}

pub(crate) fn begin_delivery(session: &Session, now: UnixMs, command: &BeginDelivery) -> Decision<Option<EventFacts>> {
    let this_event =
        session.delivery.as_ref().filter(|delivery| delivery.kind.id(session.birth.id) == command.event_id);
    let begun = this_event.and_then(|delivery| Some((delivery, session.delivery_begun(now, command.attempt_ms)?)));
    let Some((delivery, change)) = begun else { return pass(None) };
    let facts = EventFacts {
        event_id: command.event_id.clone(),
        kind: delivery.kind,
        occurred_at: delivery.occurred_at,
        owner: session.birth.owner.clone(),
        key: session.object_key(),
        attached: session.birth.attached.clone(),
        public_url: session.birth.public_url.clone(),
        snapshot: session.snapshot(),
        attempt: delivery.attempts + 1,
    };
    Decision { answer: Ok(Some(facts)), change }
}

pub(crate) fn end_delivery(session: &Session, now: UnixMs, command: &EndDelivery) -> Decision<Verdict> {
    match command.outcome {
        DeliveryOutcome::Acknowledged { discard } => {
            Decision { answer: Ok(Verdict::Settled), change: session.delivered(now, discard) }
        }
        DeliveryOutcome::Refused { policy, asked_seconds } => {
            let (verdict, change) = session.undelivered(now, policy, asked_seconds);
            Decision { answer: Ok(verdict), change }
        }
    }
}

pub(crate) fn wanted_pieces(session: &Session, now: UnixMs, _: &WantedPieces) -> Decision<Option<Wanted>> {
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
    Decision { answer: Ok(answer), change: Change::none() }
}
