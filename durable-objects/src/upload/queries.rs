//! What an upload's object answers to the Worker beside the session's own rules: the object for a download, the event for a
//! delivery. Each looks at the session and decides; none stores.

use upload_session::{
    event::{Delivery, EventKind, Verdict},
    session::{Decision, Session, Slice, StateChange, Wanted},
};
use upload_types::{
    admin::AdminView,
    api_error::ApiError,
    units::UnixMs,
    upload::{ObjectFacts, Snapshot},
};

use crate::{
    rpc::{
        delivery::{BeginDelivery, EndDelivery, EventFacts},
        upload::{FoundObject, SliceHashed, WantedPartials},
    },
    upload::history::HistoryRecorder,
};

pub(crate) fn find_object(session: &Session, found: Result<ObjectFacts, ApiError>) -> Decision<FoundObject> {
    let answer = found.map(|object| {
        let completed_at = session.ended_at().unwrap_or(session.spec().created_at);
        FoundObject {
            object,
            completed_at,
            snapshot: session.snapshot(),
            forgotten_at: session.forgotten_at(),
            is_about_to_be_taken: session.is_about_to_be_taken(),
        }
    });
    Decision { answer, change: StateChange::none() }
}

/// How it stands, whatever has become of it, and all that is known beside that.
pub(crate) fn show_to_admin(session: &Session, history: &HistoryRecorder) -> Decision<AdminView> {
    let owner = session.spec().owner.clone();
    // Whom the application tells, also of what came by a link: whoever came by it does not see this.
    let (key, receivers, reason) = (session.object_key(), session.receiver_statuses(), session.reason());
    let snapshot = Snapshot { receivers, reason, quota_warning: session.spec().quota_warning, ..session.snapshot() };
    let shown = history.show();
    let answer = shown.answer.map(|history| AdminView { owner, key, snapshot, history });
    Decision { answer, change: StateChange::none() }
}

pub(crate) fn begin_delivery(session: &Session, now: UnixMs, command: &BeginDelivery) -> Decision<Option<EventFacts>> {
    let Decision { answer, change } =
        session.begin_delivery(now, &command.receiver, &command.event_id, command.attempt_ms, command.link_ms);
    let facts = |delivery: Delivery| EventFacts {
        event_id: command.event_id.clone(),
        kind: delivery.kind,
        occurred_at: delivery.occurred_at,
        ended_at: session.ended_at().filter(|_| delivery.kind != EventKind::Created),
        new_bytes: delivery.new_bytes,
        owner: session.spec().owner.clone(),
        key: session.object_key(),
        attached: session.spec().attached.clone(),
        link: session.spec().link.clone(),
        public_url: session.spec().public_url.clone(),
        snapshot: Snapshot { quota_warning: session.spec().quota_warning, ..session.snapshot() },
        object: session.object_facts().filter(|_| has_object(delivery.kind)),
        // Of what is held, only the scanner has one.
        link_until: delivery
            .link_until
            .filter(|_| delivery.kind.has_link() || matches!(delivery.kind, EventKind::Held | EventKind::Progressed)),
        duplicate_of: session.spec().duplicate_of,
        attempt: delivery.attempts,
    };
    Decision { answer: answer.map(|begun| begun.map(facts)), change }
}

/// Whether what is told is about an object that is there, or was.
fn has_object(kind: EventKind) -> bool {
    kind.has_link() || matches!(kind, EventKind::Held | EventKind::Released | EventKind::Rejected | EventKind::Deleted)
}

pub(crate) fn end_delivery(session: &Session, now: UnixMs, command: &EndDelivery) -> Decision<Verdict> {
    session.delivery_ended(now, &command.receiver, &command.event_id, &command.outcome)
}

pub(crate) fn wanted_partials(session: &Session, now: UnixMs, _: &WantedPartials) -> Decision<Option<Wanted>> {
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
