//! A live upload: a recording that is still being made. Its length is not known, and what has arrived of it can be read at once.

use serde::{Deserialize, Serialize};

use crate::{
    api_error::ApiError,
    units::{ByteCount, MIB},
};

/// The fields, as clients, tokens and applications spell them.
pub const END_AFTER: &str = "endAfterSeconds";
/// See there.
pub const TELL_EVERY: &str = "tellEveryBytes";

/// The longest silence that can be asked for, in seconds: a day.
pub const MAX_END_AFTER_SECONDS: u64 = 86_400;

/// The least new bytes of which receivers are told on the way: 8 MiB. Each event costs a delivery, some $0.000005 of queue, object and rows; at
/// this distance a day of 5 Mbit/s is 6,400 of them, three cents, and as many requests to the receiver.
pub const MIN_TELL_EVERY_BYTES: u64 = 8 * MIB;

/// What makes an upload a live one, fixed when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Live {
    /// After so long without a byte it ends by itself, and what is there is the recording, in milliseconds. Zero: when any other upload
    /// would expire.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub end_after_ms: u64,
    /// Each time that so many new bytes are there its receivers are told on the way. Zero: they are not.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub tell_every_bytes: ByteCount,
}

impl Live {
    /// One that so many seconds of silence end, and whose receivers are told of each so many bytes. A number that is not said is zero.
    ///
    /// # Errors
    /// A number that is out of bounds, as 400 `bad-request`.
    pub fn new(end_after_seconds: Option<u64>, tell_every_bytes: Option<u64>) -> Result<Self, ApiError> {
        let end_after_seconds = within(END_AFTER, end_after_seconds, 1, MAX_END_AFTER_SECONDS)?;
        let tell_every_bytes = within(TELL_EVERY, tell_every_bytes, MIN_TELL_EVERY_BYTES, ByteCount::MAX.get())?;
        let tell_every_bytes = ByteCount::new(tell_every_bytes).unwrap_or_default();
        Ok(Self { end_after_ms: end_after_seconds * 1000, tell_every_bytes })
    }

    /// The same by word of whoever permits it, too: the shorter silence of both ends it. How often receivers are told its client says, if it does.
    #[must_use]
    fn held_to(self, permitted: Self) -> Self {
        let end_after_ms = [self.end_after_ms, permitted.end_after_ms].into_iter().filter(|ms| *ms > 0).min();
        let tell_every_bytes =
            if self.tell_every_bytes.is_zero() { permitted.tell_every_bytes } else { self.tell_every_bytes };
        Self { end_after_ms: end_after_ms.unwrap_or(0), tell_every_bytes }
    }
}

/// The number, where it is said; zero where it is not.
fn within(name: &'static str, said: Option<u64>, least: u64, most: u64) -> Result<u64, ApiError> {
    if said.is_some_and(|number| !(least..=most).contains(&number)) {
        return Err(ApiError::bad_request(name, format!("is not a whole number from {least} to {most}")));
    }
    Ok(said.unwrap_or(0))
}

/// What a creation says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It is no live upload, whoever says so: it has a length, a digest or another order, or is a field of a form.
    Never,
    /// It may be one, and its client does not say that it is.
    Unsaid,
    /// Its client says that it is one.
    Asked(Live),
}

/// What whoever permits an upload says of it: a token, a setting or the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LivePermit {
    /// None is live.
    Refused,
    /// Each that may be is live, and this is the least that holds for it.
    Every(Live),
}

impl LivePermit {
    /// Held to both. Who refuses it has the last word.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Every(here), Self::Every(other)) => Self::Every(other.held_to(here)),
            _ => Self::Refused,
        }
    }
}

impl Liveness {
    /// Whether the upload is a live one, and how.
    ///
    /// # Errors
    /// 403 `not-permitted`, where its client says so, and it is not permitted.
    pub fn permitted(self, permit: Option<LivePermit>) -> Result<Option<Live>, ApiError> {
        match (self, permit) {
            (Self::Never, _) | (Self::Unsaid, None | Some(LivePermit::Refused)) => Ok(None),
            (Self::Asked(live), None) | (Self::Unsaid, Some(LivePermit::Every(live))) => Ok(Some(live)),
            (Self::Asked(live), Some(LivePermit::Every(permitted))) => Ok(Some(live.held_to(permitted))),
            (Self::Asked(_), Some(LivePermit::Refused)) => {
                Err(ApiError::NotPermitted { detail: "It is for no live uploads.".to_owned() })
            }
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_unsaid(ms: &u64) -> bool {
    *ms == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_nothing(bytes: &ByteCount) -> bool {
    bytes.is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(end_after_ms: u64, tell_every_bytes: u32) -> Live {
        Live { end_after_ms, tell_every_bytes: tell_every_bytes.into() }
    }

    #[test]
    fn whoever_permits_it_may_refuse_it_have_it_or_hold_it_to_a_silence() {
        let (asked, every) = (Liveness::Asked, LivePermit::Every);
        let plain = Live::default();
        for (said, permit, expected) in [
            (Liveness::Never, Some(every(plain)), Ok(None)),
            (Liveness::Never, Some(LivePermit::Refused), Ok(None)),
            (Liveness::Unsaid, None, Ok(None)),
            (Liveness::Unsaid, Some(LivePermit::Refused), Ok(None)),
            (Liveness::Unsaid, Some(every(live(60, 9))), Ok(Some(live(60, 9)))),
            (asked(live(60, 9)), None, Ok(Some(live(60, 9)))),
            (asked(plain), Some(every(live(60, 9))), Ok(Some(live(60, 9)))),
            (asked(live(30, 7)), Some(every(live(60, 9))), Ok(Some(live(30, 7)))),
            (asked(live(90, 0)), Some(every(live(60, 0))), Ok(Some(live(60, 0)))),
            (asked(plain), Some(LivePermit::Refused), Err("not-permitted")),
        ] {
            assert_eq!(said.permitted(permit).map_err(|refusal| refusal.code()), expected, "{said:?} {permit:?}");
        }
    }

    #[test]
    fn two_permits_are_held_to_the_narrower() {
        let every = LivePermit::Every;
        assert_eq!(every(live(60, 9)).and(every(live(0, 0))), every(live(60, 9)));
        assert_eq!(every(live(60, 9)).and(every(live(90, 8))), every(live(60, 8)), "the application's word comes last");
        assert_eq!(every(live(60, 9)).and(LivePermit::Refused), LivePermit::Refused);
        assert_eq!(LivePermit::Refused.and(every(live(60, 9))), LivePermit::Refused);
    }
}
