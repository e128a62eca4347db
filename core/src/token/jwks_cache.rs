//! What an isolate remembers of a JWK set that it has fetched: when to ask for it again, and when to go on without.
//!
//! A set is good for five minutes. A `kid` that is not in it may be a new key, so the set is asked for once more, at most every
//! half minute: made-up kids cost nobody a request each. Where it cannot be had, the old one goes on for a day.

use super::KeySet;
use crate::units::UnixMs;

/// How long an answer is taken as it is.
const FRESH_MS: u64 = 5 * 60_000;

/// How long it is taken where no newer one can be had.
const STALE_MS: u64 = 24 * 60 * 60_000;

/// Between two requests for the sake of an unknown key.
const UNKNOWN_KEY_PAUSE_MS: u64 = 30_000;

/// After a request that failed.
const FAILURE_PAUSE_MS: u64 = 5_000;

/// A set, and the requests for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwksCache {
    set: Option<(KeySet, UnixMs)>,
    last_failure: Option<UnixMs>,
}

impl JwksCache {
    /// The keys that may be used now, if there are any.
    pub fn keys(&self, now: UnixMs) -> Option<&KeySet> {
        self.set.as_ref().filter(|(_, fetched_at)| now.ms_since(*fetched_at) < STALE_MS).map(|(keys, _)| keys)
    }

    /// Whether the set is to be asked for before a token is looked at, or once more because its key is unknown.
    pub fn is_due(&self, now: UnixMs, is_key_unknown: bool) -> bool {
        if self.last_failure.is_some_and(|at| now.ms_since(at) < FAILURE_PAUSE_MS) {
            return false;
        }
        let pause_ms = if is_key_unknown { UNKNOWN_KEY_PAUSE_MS } else { FRESH_MS };
        self.set.as_ref().is_none_or(|(_, fetched_at)| now.ms_since(*fetched_at) >= pause_ms)
    }

    /// It was answered with this; `None`: not with a set.
    pub fn answered(&mut self, now: UnixMs, keys: Option<KeySet>) {
        match keys {
            Some(keys) => *self = Self { set: Some((keys, now)), last_failure: None },
            None => self.last_failure = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    const SET: Option<KeySet> = Some(KeySet::none());

    #[test]
    fn a_set_is_asked_for_when_it_is_old_or_lacks_a_key_but_not_at_every_request() {
        let mut cache = JwksCache::default();
        assert!(cache.is_due(UnixMs(0), false) && cache.keys(UnixMs(0)).is_none());
        cache.answered(UnixMs(0), SET);
        for (at, is_key_unknown, is_due) in [
            (1, false, false),
            (29_999, true, false),
            (30_000, true, true),
            (5 * MINUTE - 1, false, false),
            (5 * MINUTE, false, true),
        ] {
            assert_eq!(cache.is_due(UnixMs(at), is_key_unknown), is_due, "{at}");
        }
    }

    #[test]
    fn an_old_set_goes_on_where_no_new_one_can_be_had_but_not_for_ever() {
        let mut cache = JwksCache::default();
        cache.answered(UnixMs(0), SET);
        cache.answered(UnixMs(5 * MINUTE), None);
        assert!(cache.keys(UnixMs(5 * MINUTE)).is_some());
        assert!(!cache.is_due(UnixMs(5 * MINUTE + 4_999), true), "a failure is not asked about again at once");
        assert!(cache.is_due(UnixMs(5 * MINUTE + 5_000), false));
        assert!(cache.keys(UnixMs(24 * 60 * MINUTE)).is_none());
    }
}
