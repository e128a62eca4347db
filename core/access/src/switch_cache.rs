//! What a Worker remembers of the kill switch: what it read last, when it reads again, and who waits for that.
//!
//! | what is remembered | then |
//! |---|---|
//! | was read within 5 s | nobody asks |
//! | was read within 10 s | it is read again, behind the requests |
//! | is older, or there is nothing | it is read again; what would change something, or would be refused, waits for it, half a second at most |
//!
//! Where the register does not answer, the last mode that is known stays, and where none is, everything is taken: a register that is away must
//! not take the service with it. Then nobody waits for ten seconds, and it is asked once in five.

use upload_types::{switch::Switch, units::UnixMs};

/// So long nobody asks.
const FRESH_MS: u64 = 5_000;

/// So long nobody waits.
const KNOWN_MS: u64 = 10_000;

/// A question that has no answer after this long is asked anew: longer than the object client tries, 6.35 s.
const LONGEST_READ_MS: u64 = 10_000;

/// So long a request that changes something waits at most.
pub const LONGEST_WAIT_MS: u64 = 500;

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub struct SwitchCache {
    switch: Switch,
    /// When that was read.
    read_at: Option<UnixMs>,
    /// When it was asked for, while there is no answer.
    asked_at: Option<UnixMs>,
    /// When a question had no answer, or none in time, the last time; none since the last answer.
    unheard_at: Option<UnixMs>,
}

impl SwitchCache {
    /// How the switch is set, as far as is known.
    pub fn known(&self) -> &Switch {
        &self.switch
    }

    /// Whether it is to be read now.
    pub fn is_due(&self, now: UnixMs) -> bool {
        let has_failed = self.unheard_at.is_some_and(|at| now.ms_since(at) <= FRESH_MS);
        !self.is_in_flight(now) && !has_failed && self.age_ms(now).is_none_or(|age_ms| age_ms > FRESH_MS)
    }

    /// It has been asked for.
    pub fn asked(&mut self, now: UnixMs) {
        self.asked_at = Some(now);
    }

    /// Whether what would change something waits.
    pub fn is_awaited(&self, now: UnixMs) -> bool {
        let is_old = self.age_ms(now).is_none_or(|age_ms| age_ms > KNOWN_MS);
        let is_unheard = self.unheard_at.is_some_and(|at| now.ms_since(at) <= KNOWN_MS);
        is_old && !is_unheard && self.is_in_flight(now)
    }

    /// Somebody has waited long enough.
    pub fn waited_in_vain(&mut self, now: UnixMs) {
        if self.is_awaited(now) {
            self.unheard_at = Some(now);
        }
    }

    /// It was answered, or not. An answer that is older than what is known meanwhile says nothing.
    pub fn answered(&mut self, now: UnixMs, answer: Option<Switch>) {
        self.asked_at = None;
        self.unheard_at = answer.is_none().then_some(now);
        if let Some(switch) = answer {
            self.read_at = Some(now);
            if switch.version >= self.switch.version {
                self.switch = switch;
            }
        }
    }

    fn age_ms(&self, now: UnixMs) -> Option<u64> {
        self.read_at.map(|at| now.ms_since(at))
    }

    fn is_in_flight(&self, now: UnixMs) -> bool {
        self.asked_at.is_some_and(|at| now.ms_since(at) < LONGEST_READ_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use upload_types::switch::SwitchMode;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn set(mode: SwitchMode, version: u64) -> Switch {
        Switch { mode, version, ..Switch::default() }
    }

    fn read(mode: SwitchMode) -> SwitchCache {
        let mut cache = SwitchCache::default();
        cache.asked(NOW);
        cache.answered(NOW, Some(set(mode, 3)));
        cache
    }

    #[test]
    fn it_is_read_behind_the_requests_while_it_is_known() {
        let mut cache = read(SwitchMode::Closed);
        assert!(!cache.is_due(NOW.plus_ms(5_000)));
        assert!(cache.is_due(NOW.plus_ms(5_001)) && !cache.is_awaited(NOW.plus_ms(5_001)), "nobody has asked yet");
        cache.asked(NOW.plus_ms(5_001));
        assert!(!cache.is_due(NOW.plus_ms(5_002)), "once at a time");
        assert!(!cache.is_awaited(NOW.plus_ms(10_000)) && cache.is_awaited(NOW.plus_ms(10_001)));
        assert!(cache.is_due(NOW.plus_ms(15_001)), "an answer that never came is not waited for");
        cache.answered(NOW.plus_ms(10_100), Some(set(SwitchMode::Open, 4)));
        assert_eq!(cache.known().mode, SwitchMode::Open);
        assert!(!cache.is_awaited(NOW.plus_ms(10_101)) && !cache.is_due(NOW.plus_ms(15_100)));
    }

    #[test]
    fn whoever_comes_first_waits_and_where_nobody_answers_everything_is_taken() {
        let mut cache = SwitchCache::default();
        assert!(cache.is_due(NOW) && !cache.is_awaited(NOW));
        cache.asked(NOW);
        assert!(cache.is_awaited(NOW));
        cache.waited_in_vain(NOW);
        assert!(!cache.is_awaited(NOW), "and nobody after them");
        assert_eq!(cache.known(), &Switch::default());
        cache.answered(NOW, None);
        assert!(!cache.is_due(NOW.plus_ms(5_000)), "a register that is overloaded is not asked with each request");
        assert!(cache.is_due(NOW.plus_ms(5_001)));
        cache.asked(NOW.plus_ms(5_001));
        assert!(!cache.is_awaited(NOW.plus_ms(10_000)));
        assert!(cache.is_awaited(NOW.plus_ms(10_001)), "it may have come back");
    }

    #[test]
    fn a_register_that_is_away_leaves_what_was_known() {
        let mut cache = read(SwitchMode::ReadOnly);
        cache.asked(NOW.plus_ms(60_000));
        cache.answered(NOW.plus_ms(61_000), None);
        assert_eq!(cache.known().mode, SwitchMode::ReadOnly);
        assert!(cache.is_due(NOW.plus_ms(66_001)));
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let mut cache = read(SwitchMode::Closed);
        cache.answered(NOW, Some(set(SwitchMode::Open, 2)));
        assert_eq!(cache.known().mode, SwitchMode::Closed);
    }
}
