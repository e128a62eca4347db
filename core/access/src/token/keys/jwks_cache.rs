//! What an isolate remembers of a JWK set that it has fetched: when it is asked for again, who waits for the answer, and when to
//! go on without.
//!
//! * There is one request for the set at a time. Whoever needs its answer waits for that one.
//! * A set is good for five minutes. After that it is asked for again behind the requests: they go on with the old one, for up to
//!   a day, so a place that publishes keys and does not answer delays nobody whose key is known.
//! * A `kid` that is not in the set may be a new key. Its request waits for an answer, but such keys have the set asked for at most
//!   every half minute: made-up kids cost nobody a request each, and delay only themselves.

use crate::token::KeySet;
use upload_types::units::UnixMs;

/// How long an answer is taken as it is.
const FRESH_MS: u64 = 5 * 60_000;

/// How long it is taken where no newer one can be had.
const STALE_MS: u64 = 24 * 60 * 60_000;

/// Between two requests for the set while there is one: for the sake of an unknown key, or because it is old.
const PAUSE_MS: u64 = 30_000;

/// Between two requests while there is none, and nobody can be let in.
const PAUSE_WITHOUT_KEYS_MS: u64 = 5_000;

/// How long a request for the set may last, in milliseconds; whoever sends it ends it then.
pub const FETCH_TIMEOUT_MS: u64 = 5_000;

/// After so long nobody believes any more that a request will be answered: who sent it has gone, and it went along.
const FLIGHT_MS: u64 = FETCH_TIMEOUT_MS + 1_000;

/// What is known of the key that a token asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// It is in the set.
    Known,
    /// It is not, or there is no set.
    Unknown,
}

/// A set, and the requests for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwksCache {
    set: Option<(KeySet, UnixMs)>,
    /// When the newest request began.
    asked_at: Option<UnixMs>,
    /// Whether it has been answered.
    is_answered: bool,
}

impl JwksCache {
    /// The keys that may be used now, if there are any.
    pub fn keys(&self, now: UnixMs) -> Option<&KeySet> {
        self.set.as_ref().filter(|(_, fetched_at)| now.ms_since(*fetched_at) < STALE_MS).map(|(keys, _)| keys)
    }

    /// Whether to ask for the set now.
    pub fn is_due(&self, now: UnixMs, sought: Sought) -> bool {
        if self.is_in_flight(now) {
            return false;
        }
        let is_old = self.set.as_ref().is_none_or(|(_, fetched_at)| now.ms_since(*fetched_at) >= FRESH_MS);
        let pause_ms = if self.keys(now).is_some() { PAUSE_MS } else { PAUSE_WITHOUT_KEYS_MS };
        let has_paused = self.asked_at.is_none_or(|at| now.ms_since(at) >= pause_ms);
        has_paused && (is_old || sought == Sought::Unknown)
    }

    /// Whether an answer is still to come.
    pub fn is_in_flight(&self, now: UnixMs) -> bool {
        !self.is_answered && self.asked_at.is_some_and(|at| now.ms_since(at) < FLIGHT_MS)
    }

    /// Whether the newest request brought no set: a key that is not known may still be one of ours.
    pub fn has_failed(&self) -> bool {
        self.asked_at.is_some() && self.set.as_ref().map(|(_, fetched_at)| *fetched_at) < self.asked_at
    }

    /// It is asked for.
    pub fn asked(&mut self, now: UnixMs) {
        self.asked_at = Some(now);
        self.is_answered = false;
    }

    /// It was answered with this; `None`: not with a set.
    pub fn answered(&mut self, now: UnixMs, keys: Option<KeySet>) {
        self.is_answered = true;
        if let Some(keys) = keys {
            self.set = Some((keys, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;

    const SET: Option<KeySet> = Some(KeySet::none());

    fn fetched_at_start() -> JwksCache {
        let mut cache = JwksCache::default();
        cache.asked(UnixMs(0));
        cache.answered(UnixMs(0), SET);
        cache
    }

    #[test]
    fn a_set_is_asked_for_when_it_is_old_or_lacks_a_key_but_not_at_every_request() {
        let empty = JwksCache::default();
        assert!(empty.is_due(UnixMs(0), Sought::Unknown) && empty.keys(UnixMs(0)).is_none());
        let cache = fetched_at_start();
        for (at, sought, is_due) in [
            (1, Sought::Known, false),
            (29_999, Sought::Unknown, false),
            (30_000, Sought::Unknown, true),
            (5 * MINUTE - 1, Sought::Known, false),
            (5 * MINUTE, Sought::Known, true),
        ] {
            assert_eq!(cache.is_due(UnixMs(at), sought), is_due, "{at}");
        }
    }

    #[test]
    fn there_is_one_request_at_a_time_and_its_answer_ends_it() {
        let mut cache = JwksCache::default();
        cache.asked(UnixMs(1_000));
        assert!(cache.is_in_flight(UnixMs(1_500)));
        for sought in [Sought::Known, Sought::Unknown] {
            assert!(!cache.is_due(UnixMs(1_500), sought), "whoever comes now waits for the one that is under way");
        }
        cache.answered(UnixMs(2_000), SET);
        assert!(!cache.is_in_flight(UnixMs(2_000)) && !cache.has_failed());
    }

    #[test]
    fn a_request_that_nobody_ends_is_not_waited_for_without_end() {
        let mut cache = JwksCache::default();
        cache.asked(UnixMs(0));
        assert!(cache.is_in_flight(UnixMs(FLIGHT_MS - 1)) && !cache.is_in_flight(UnixMs(FLIGHT_MS)));
        assert!(cache.is_due(UnixMs(FLIGHT_MS), Sought::Unknown), "whoever sent it has gone");
    }

    #[test]
    fn an_old_set_goes_on_where_no_new_one_can_be_had_but_not_for_ever() {
        let mut cache = fetched_at_start();
        cache.asked(UnixMs(5 * MINUTE));
        assert!(cache.keys(UnixMs(5 * MINUTE + 1)).is_some(), "with a request under way that may hang");
        cache.answered(UnixMs(5 * MINUTE + 5_000), None);
        let at = |ms| UnixMs(5 * MINUTE + ms);
        assert!(cache.keys(at(5_000)).is_some() && cache.has_failed());
        assert!(!cache.is_due(at(29_999), Sought::Known) && !cache.is_due(at(29_999), Sought::Unknown));
        assert!(cache.is_due(at(30_000), Sought::Known));
        assert!(cache.keys(UnixMs(24 * HOUR - 1)).is_some());
        assert!(cache.keys(UnixMs(24 * HOUR)).is_none());
    }

    #[test]
    fn without_any_keys_it_is_asked_again_soon() {
        let mut cache = JwksCache::default();
        cache.asked(UnixMs(0));
        cache.answered(UnixMs(100), None);
        assert!(cache.has_failed());
        assert!(!cache.is_due(UnixMs(4_999), Sought::Unknown) && cache.is_due(UnixMs(5_000), Sought::Unknown));
    }

    #[test]
    fn unknown_keys_wait_for_one_request_in_half_a_minute_whatever_comes_of_it() {
        let mut cache = fetched_at_start();
        cache.asked(UnixMs(MINUTE));
        cache.answered(UnixMs(MINUTE + 5_000), None);
        for ms in [5_000, 10_000, 29_999] {
            assert!(!cache.is_due(UnixMs(MINUTE + ms), Sought::Unknown), "{ms}");
        }
        assert!(cache.is_due(UnixMs(MINUTE + 30_000), Sought::Unknown));
    }
}
