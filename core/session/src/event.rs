//! What the origin and other receivers are told: one event when an upload ends, or when there is nothing to send since its bytes are stored
//! already, and another when a client deletes what was completed; one when it is created, to whom that matters; and of a live upload that has
//! asked for it some on the way. Each is sent to each receiver until that one has acknowledged it. Where the origin itself has the object deleted, by its answer to an event, nobody is told.
//!
//! The event's id is made of the upload's, so it can never change and is the same for every receiver, and one that records ids sees every
//! repetition as one. `Delivery` is the outbox entry, of one event to one receiver: it lives from the moment of which it tells until the
//! acknowledgement, in the same row store and the same transaction as the fact itself.

use serde::{Deserialize, Serialize};

use crate::{held_verdict::HeldVerdict, receiver_index::ReceiverIndex};
pub use crate::{new_bytes::NewBytes, retry_policy::RetryPolicy};
use upload_types::{
    api_error::ApiError,
    units::{ByteCount, UnixMs, UploadId},
    upload::DeliveryState,
};

/// So much of what a receiver did wrong is kept, in characters.
const MAX_ERROR_CHARACTERS: usize = 120;

/// The shortest time between two redeliveries of one event: 10 s.
const REDELIVERY_PACE_MS: u64 = 10_000;

/// How an attempt at delivering went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryOutcome {
    /// The receiver has it.
    Acknowledged {
        /// And wants the object deleted. Only the origin may.
        discard: bool,
        /// What it has to say to the client, as JSON. Only the origin has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        /// What is to become of the held upload that it was told of. Only the origin and the scanner have a say in that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdict: Option<HeldVerdict>,
    },
    /// The receiver did not take it.
    Refused {
        /// How patient to be.
        policy: RetryPolicy,
        /// The pause that it asked for.
        asked_seconds: Option<u32>,
        /// What was wrong, in words for its operator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// What happened to an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// It has been created. Only for receivers that have asked for it.
    Created,
    /// More of a live upload is there, and can be read.
    Progressed,
    /// The object is whole, and every declared digest has been verified.
    Completed,
    /// It cannot become whole.
    Failed,
    /// Its time was over before it was.
    Expired,
    /// Its client cancelled it.
    Aborted,
    /// It was complete, and a client has deleted it.
    Deleted,
    /// Its bytes were stored already, as those of another upload: nothing was sent.
    Duplicate,
    /// It is whole, and held until somebody has looked at it.
    Held,
    /// It was held, and is handed out now. Only for receivers that have asked for it: that it is complete is told behind it.
    Released,
    /// It was held, and has been deleted by word of whoever looked at it.
    Rejected,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Created,
        Self::Progressed,
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Aborted,
        Self::Deleted,
        Self::Duplicate,
        Self::Held,
        Self::Released,
        Self::Rejected,
    ];

    /// The `type` of the webhook.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "upload.created",
            Self::Progressed => "upload.progressed",
            Self::Completed => "upload.completed",
            Self::Failed => "upload.failed",
            Self::Expired => "upload.expired",
            Self::Aborted => "upload.aborted",
            Self::Deleted => "upload.deleted",
            Self::Duplicate => "upload.duplicate",
            Self::Held => "upload.held",
            Self::Released => "upload.released",
            Self::Rejected => "upload.rejected",
        }
    }

    /// Whether there is an object, and a link to it goes along.
    pub fn has_link(self) -> bool {
        matches!(self, Self::Completed | Self::Duplicate)
    }

    /// Whether it is told without being asked for: to the origin, and to a receiver that lists no kinds.
    pub fn is_told_unasked(self) -> bool {
        !matches!(self, Self::Created | Self::Progressed | Self::Held | Self::Released)
    }

    /// The id of this event of this upload: always the same. No `.`, which separates the signed fields of a webhook.
    pub fn id(self, upload: UploadId) -> String {
        format!("evt_{}_{}", upload.simple(), &self.name()["upload.".len()..])
    }
}

/// A delivery among those of an upload: which event, to whom. There is at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// To whom.
    pub receiver: ReceiverIndex,
    /// What happened.
    pub kind: EventKind,
    /// Of what is told on the way: from which byte on. Zero of all others.
    pub from: ByteCount,
}

impl DeliveryId {
    /// The event's id, the same for every receiver that is told the same.
    pub fn event_id(self, upload: UploadId) -> String {
        let id = self.kind.id(upload);
        if self.kind == EventKind::Progressed { format!("{id}_{}", self.from) } else { id }
    }
}

/// To the origin.
impl From<EventKind> for DeliveryId {
    fn from(kind: EventKind) -> Self {
        (ReceiverIndex::ORIGIN, kind).into()
    }
}

impl From<(ReceiverIndex, EventKind)> for DeliveryId {
    fn from((receiver, kind): (ReceiverIndex, EventKind)) -> Self {
        Self { receiver, kind, from: ByteCount::ZERO }
    }
}

/// An entry of an upload's outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Who is told.
    #[serde(default, skip_serializing_if = "ReceiverIndex::is_origin")]
    pub receiver: ReceiverIndex,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: UnixMs,
    /// How far the telling is.
    pub state: DeliveryState,
    /// How many attempts have begun since it was (last) asked for.
    pub attempts: u32,
    /// When the event is handed to the queue (again). Every expected attempt moves this beyond itself, so a queue that
    /// works is never given a second copy, and one that lost the message is.
    pub next_send_at: UnixMs,
    /// When the attempt that is under way is over at the latest: one at telling of this, or of what was withdrawn for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_until: Option<UnixMs>,
    /// Until when the last link that was handed out with it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_until: Option<UnixMs>,
    /// When an operator wanted it sent again, for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redelivered_at: Option<UnixMs>,
    /// What the origin had to say to the client when it acknowledged, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Whether the origin wants the object deleted, as it has acknowledged. That waits until every receiver has heard of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discard: bool,
    /// What was wrong with the last attempt, where the receiver is not the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What is new, where it is told on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_bytes: Option<NewBytes>,
}

/// What becomes of an attempt that the receiver did not acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// Try again after this pause.
    RetryAfter {
        /// In seconds.
        delay_seconds: u32,
    },
    /// That was the last one.
    GiveUp,
    /// Somebody else's attempt has settled it already.
    Settled,
}

impl Delivery {
    /// Something has happened that this receiver shall hear of.
    pub fn new(id: impl Into<DeliveryId>, now: UnixMs) -> Self {
        let DeliveryId { receiver, kind, .. } = id.into();
        Self {
            receiver,
            kind,
            occurred_at: now,
            state: DeliveryState::Queued,
            attempts: 0,
            next_send_at: now,
            attempt_until: None,
            link_until: None,
            redelivered_at: None,
            result: None,
            discard: false,
            last_error: None,
            new_bytes: None,
        }
    }

    /// Which of the upload's it is.
    pub fn id(&self) -> DeliveryId {
        let from = self.new_bytes.map_or(ByteCount::ZERO, |new| new.from);
        DeliveryId { receiver: self.receiver, kind: self.kind, from }
    }

    /// Whether the object of an upload that is there is told of, and has not been yet: until then it must not go.
    pub fn needs_object(&self) -> bool {
        self.kind.has_link() && self.state == DeliveryState::Queued
    }

    /// The event has been handed to the queue; unless an attempt begins, hand it over again after `resend_ms`. An attempt may have begun
    /// before the queue said so, and even have ended: then its times stay.
    #[must_use]
    pub fn sent(&self, now: UnixMs, resend_ms: u64) -> Self {
        let next_send_at = self.next_send_at.max(now.plus_ms(resend_ms));
        Self { next_send_at, attempt_until: self.attempt_until.filter(|until| *until > now), ..self.clone() }
    }

    /// An attempt begins that lasts at most `attempt_ms`, and hands out a link that is good until then, if it hands out one.
    #[must_use]
    pub fn begun(&self, now: UnixMs, attempt_ms: u64, resend_ms: u64, link_until: Option<UnixMs>) -> Self {
        Self {
            attempts: self.attempts.saturating_add(1),
            next_send_at: now.plus_ms(attempt_ms.saturating_add(resend_ms)),
            attempt_until: Some(now.plus_ms(attempt_ms)),
            link_until: self.link_until.max(link_until),
            ..self.clone()
        }
    }

    /// The receiver has acknowledged, and may have had something to say to the client. Told again, it may have nothing more to say.
    #[must_use]
    pub fn acknowledged(&self, result: Option<&String>) -> Self {
        let result = result.or(self.result.as_ref()).cloned();
        let state = DeliveryState::Delivered;
        Self { state, attempt_until: None, result, discard: false, last_error: None, ..self.clone() }
    }

    /// What was wrong with an attempt that has ended, where that is kept.
    #[must_use]
    pub fn with_error(self, error: Option<&str>) -> Self {
        if self.receiver.is_origin() || self.state == DeliveryState::Delivered {
            return self;
        }
        let last_error = error.map(|error| error.chars().take(MAX_ERROR_CHARACTERS).collect());
        Self { last_error, ..self }
    }

    /// The receiver has not acknowledged; it may have asked for a pause.
    #[must_use]
    pub fn refused(
        &self,
        now: UnixMs,
        policy: RetryPolicy,
        asked_seconds: Option<u32>,
        resend_ms: u64,
    ) -> (Self, Verdict) {
        let ended = Self { attempt_until: None, ..self.clone() };
        match self.state {
            DeliveryState::Queued if self.attempts < policy.max_attempts => {
                let delay_seconds = policy.delay_seconds(self.attempts, asked_seconds);
                let next_send_at = now.plus_ms(u64::from(delay_seconds) * 1000 + resend_ms);
                (Self { next_send_at, ..ended }, Verdict::RetryAfter { delay_seconds })
            }
            DeliveryState::Queued => (Self { state: DeliveryState::Failed, ..ended }, Verdict::GiveUp),
            DeliveryState::Delivered | DeliveryState::Failed => (ended, Verdict::Settled),
        }
    }

    /// An operator wants it sent again, with all its attempts anew: not while it is on its way, and not over and over.
    pub fn again(&self, now: UnixMs) -> Result<Self, ApiError> {
        let since_ms = self.redelivered_at.map_or(REDELIVERY_PACE_MS, |at| now.ms_since(at));
        if since_ms < REDELIVERY_PACE_MS {
            let retry_after_ms = REDELIVERY_PACE_MS - since_ms;
            let retry_after_seconds = u32::try_from(retry_after_ms.div_ceil(1000)).unwrap_or(u32::MAX);
            return Err(ApiError::RedeliveredRecently { retry_after_seconds });
        }
        if self.state == DeliveryState::Queued {
            return Err(ApiError::NothingToRedeliver);
        }
        let redelivered_at = Some(now);
        Ok(Self { state: DeliveryState::Queued, attempts: 0, next_send_at: now, redelivered_at, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { first_delay_seconds: 5, max_attempts: 30 };

    #[test]
    fn the_pause_doubles_up_to_an_hour() {
        let delays: Vec<_> = [1, 2, 3, 9, 10, 11, 30, u32::MAX].map(|n| POLICY.delay_seconds(n, None)).into();
        assert_eq!(delays, [5, 10, 20, 1280, 2560, 3600, 3600, 3600]);
        assert_eq!(POLICY.delay_seconds(1, Some(17)), 17, "an origin that asks for a pause gets it");
        assert_eq!(POLICY.delay_seconds(1, Some(2)), 5, "but not a shorter one");
        let total_hours: u32 = (1..30).map(|n| POLICY.delay_seconds(n, None)).sum::<u32>() / 3600;
        assert_eq!(total_hours, 20, "wrangler.toml speaks of about 21 hours, the calls themselves included");
    }

    #[test]
    fn the_last_attempt_gives_up_and_can_be_asked_for_again() {
        let policy = RetryPolicy { first_delay_seconds: 1, max_attempts: 2 };
        let first = Delivery::new(EventKind::Completed, UnixMs(0)).begun(UnixMs(0), 1000, 1000, None);
        let (second, verdict) = first.refused(UnixMs(10), policy, None, 1000);
        assert_eq!(verdict, Verdict::RetryAfter { delay_seconds: 1 });
        assert_eq!(second.next_send_at, UnixMs(10 + 1000 + 1000));
        assert_eq!(second.again(UnixMs(20)), Err(ApiError::NothingToRedeliver), "it is on its way");
        let (failed, verdict) = second.begun(UnixMs(1010), 1000, 1000, None).refused(UnixMs(1020), policy, None, 1000);
        assert_eq!((failed.state, verdict), (DeliveryState::Failed, Verdict::GiveUp));
        let again = failed.again(UnixMs(9000)).unwrap();
        assert_eq!((again.state, again.attempts, again.next_send_at), (DeliveryState::Queued, 0, UnixMs(9000)));
        let taken = again.begun(UnixMs(9_100), 1000, 1000, None).acknowledged(None);
        let too_soon = ApiError::RedeliveredRecently { retry_after_seconds: 9 };
        assert_eq!(taken.again(UnixMs(10_500)), Err(too_soon), "nobody has it sent over and over");
        assert!(taken.again(UnixMs(19_000)).is_ok());
    }

    #[test]
    fn the_last_link_is_remembered_across_attempts() {
        let first = Delivery::new(EventKind::Completed, UnixMs(0)).begun(UnixMs(0), 1, 1, Some(UnixMs(700)));
        let second =
            first.acknowledged(None).again(UnixMs(50_000)).unwrap().begun(UnixMs(50_001), 1, 1, Some(UnixMs(600)));
        assert_eq!(second.link_until, Some(UnixMs(700)));
        assert_eq!(second.begun(UnixMs(2), 1, 1, Some(UnixMs(800))).link_until, Some(UnixMs(800)));
    }

    #[test]
    fn a_late_failure_does_not_undo_an_acknowledgement() {
        let done = Delivery::new(EventKind::Completed, UnixMs(0)).begun(UnixMs(0), 1, 1, None).acknowledged(None);
        let (after, verdict) = done.refused(UnixMs(5), POLICY, None, 1);
        assert_eq!((after.state, verdict), (DeliveryState::Delivered, Verdict::Settled));
    }

    #[test]
    fn an_event_id_is_made_of_the_upload_and_its_ending() {
        let upload = UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap();
        // Receivers have stored this. Changing it would have them take old events for new ones.
        assert_eq!(EventKind::Completed.id(upload), "evt_067e61623b6f4ae2a1712470b63dff00_completed");
        assert_eq!(EventKind::Deleted.id(upload), "evt_067e61623b6f4ae2a1712470b63dff00_deleted");
        assert_eq!(EventKind::Duplicate.id(upload), "evt_067e61623b6f4ae2a1712470b63dff00_duplicate");
        assert_eq!(EventKind::Created.id(upload), "evt_067e61623b6f4ae2a1712470b63dff00_created");
    }

    #[test]
    fn what_the_origin_has_said_stays_until_it_says_something_else() {
        let first = Delivery::new(EventKind::Completed, UnixMs(0)).acknowledged(Some(&"7".to_owned()));
        let again = first.again(UnixMs(50_000)).unwrap();
        assert_eq!(again.acknowledged(None).result.as_deref(), Some("7"));
        assert_eq!(again.acknowledged(Some(&"8".to_owned())).result.as_deref(), Some("8"));
    }
}
