//! The kill switch: what the whole service takes just now, by word of whoever runs it. It is stored in the register
//! (`durable-objects/src/ledger/register`), and holds without a deployment.
//!
//! | mode | creations | other changes | reading | whoever runs it |
//! |---|---|---|---|---|
//! | `open` | yes | yes | yes | yes |
//! | `no-creations` | 503 | yes | yes | yes |
//! | `read-only` | 503 | 503 | yes | yes |
//! | `closed` | 503 | 503 | 503 | yes |
//!
//! Nothing is ended by it, and nothing is lost: what is refused is to be tried again. What began before it was set is finished, and what has
//! been promised goes on: events are told, and uploads expire when they said.

use serde::{Deserialize, Serialize};

use crate::{api_error::ApiError, units::UnixMs};

/// When it is not known how long it will last, clients come again after half a minute: soon enough for somebody who waits, and of a thousand
/// clients 33 a second.
const RETRY_SECONDS: u64 = 30;

/// However long it lasts, clients look once a minute: it may be over earlier, and some give up where they are to wait for longer.
const LONGEST_RETRY_SECONDS: u64 = 60;

/// A reason is a sentence or two, in characters.
pub const MAX_REASON_CHARACTERS: usize = 500;

/// So long at most it is set for, where it ends by itself: thirty days, in seconds.
pub const MAX_SWITCH_SECONDS: u64 = 30 * 86_400;

/// What is taken. Each takes less than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchMode {
    /// Everything.
    #[default]
    Open,
    /// No new uploads.
    NoCreations,
    /// Only what changes nothing.
    ReadOnly,
    /// Nothing but what whoever runs the service asks.
    Closed,
}

impl SwitchMode {
    /// As it is spelled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NoCreations => "no-creations",
            Self::ReadOnly => "read-only",
            Self::Closed => "closed",
        }
    }

    /// The one that is spelled so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::NoCreations, Self::ReadOnly, Self::Closed].into_iter().find(|mode| mode.name() == text)
    }
}

/// What a request does to uploads ([`crate::effect`] says which does what).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It begins one.
    Creates,
    /// It changes or ends one, or may begin one: which, is known later.
    Changes,
    /// It leaves all as they are.
    Reads,
}

impl Effect {
    /// The first mode that refuses it.
    fn refused_from(self) -> SwitchMode {
        match self {
            Self::Creates => SwitchMode::NoCreations,
            Self::Changes => SwitchMode::ReadOnly,
            Self::Reads => SwitchMode::Closed,
        }
    }
}

/// How it is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchRequest {
    /// What is to be taken.
    pub mode: SwitchMode,
    /// What clients are told.
    pub reason: Option<String>,
    /// After how many seconds all is taken again; none where somebody will say so.
    pub expires_in_seconds: Option<u64>,
}

/// How it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Switch {
    /// What is taken, until it expires.
    pub mode: SwitchMode,
    /// What clients are told.
    pub reason: Option<String>,
    /// When all is taken again.
    pub expires_at: Option<UnixMs>,
    /// When it was set; zero where it never was.
    pub changed_at: UnixMs,
    /// By whom: the `sub` of the token.
    pub changed_by: String,
    /// How often it has been set: by this a newer reading is known from an older one.
    pub version: u64,
}

impl Switch {
    /// What is taken now.
    pub fn mode_at(&self, now: UnixMs) -> SwitchMode {
        if self.expires_at.is_some_and(|at| at <= now) { SwitchMode::Open } else { self.mode }
    }

    /// Refuses what is not taken now.
    pub fn check(&self, effect: Effect, now: UnixMs) -> Result<(), ApiError> {
        let mode = self.mode_at(now);
        if mode < effect.refused_from() {
            return Ok(());
        }
        let left_seconds = self.expires_at.map(|at| at.ms_since(now).div_ceil(1_000));
        let seconds = left_seconds.map_or(RETRY_SECONDS, |left| left.clamp(1, LONGEST_RETRY_SECONDS));
        let detail = self.reason.clone().unwrap_or_else(|| usual_reason(mode).to_owned());
        let retry_after_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Err(ApiError::Paused { mode: mode.name().to_owned(), detail, retry_after_seconds })
    }
}

fn usual_reason(mode: SwitchMode) -> &'static str {
    match mode {
        SwitchMode::Open | SwitchMode::NoCreations => {
            "No new uploads are taken for a while. Those that have begun go on."
        }
        SwitchMode::ReadOnly => "Uploads are not changed for a while. Nothing of them is lost: go on later.",
        SwitchMode::Closed => "The service is closed for a while. Nothing is lost: go on later.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn set(mode: SwitchMode) -> Switch {
        Switch { mode, ..Switch::default() }
    }

    fn refused(switch: &Switch, effect: Effect) -> Option<(String, u32)> {
        match switch.check(effect, NOW) {
            Ok(()) => None,
            Err(ApiError::Paused { mode, retry_after_seconds, .. }) => Some((mode, retry_after_seconds)),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_mode_takes_less_than_the_one_before() {
        let all = [Effect::Creates, Effect::Changes, Effect::Reads];
        for (mode, refusals) in
            [(SwitchMode::Open, 0), (SwitchMode::NoCreations, 1), (SwitchMode::ReadOnly, 2), (SwitchMode::Closed, 3)]
        {
            let refused: Vec<_> = all.iter().map(|effect| refused(&set(mode), *effect).is_some()).collect();
            let expected: Vec<_> = (0..3).map(|number| number < refusals).collect();
            assert_eq!(refused, expected, "{}", mode.name());
            assert_eq!(SwitchMode::parse(mode.name()), Some(mode));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{}\"", mode.name()));
        }
        assert_eq!(SwitchMode::parse("Closed"), None);
    }

    #[test]
    fn it_ends_by_itself_and_says_when() {
        let until = |at: u64| Switch { expires_at: Some(UnixMs(at)), ..set(SwitchMode::Closed) };
        for (at, expected) in [
            (NOW.0 - 1, None),
            (NOW.0, None),
            (NOW.0 + 1, Some(1)),
            (NOW.0 + 1_001, Some(2)),
            (NOW.0 + 86_400_000, Some(60)),
        ] {
            assert_eq!(refused(&until(at), Effect::Reads).map(|(_, seconds)| seconds), expected, "{at}");
        }
        assert_eq!(refused(&set(SwitchMode::Closed), Effect::Reads), Some(("closed".to_owned(), 30)));
    }

    #[test]
    fn clients_are_told_the_reason_that_was_given_or_the_usual_one() {
        let told = |switch: &Switch| switch.check(Effect::Creates, NOW).unwrap_err().to_string();
        let reason = Some("We move to another bucket.".to_owned());
        assert!(told(&Switch { reason, ..set(SwitchMode::ReadOnly) }).contains("another bucket"));
        assert!(told(&set(SwitchMode::NoCreations)).contains("No new uploads"));
    }

    #[test]
    fn at_rest_it_is_spelled_so() {
        let switch = Switch {
            mode: SwitchMode::NoCreations,
            reason: Some("ü".to_owned()),
            expires_at: Some(UnixMs(7)),
            changed_at: UnixMs(5),
            changed_by: "ops".to_owned(),
            version: 2,
        };
        let json = r#"{"mode":"no-creations","reason":"ü","expiresAt":7,"changedAt":5,"changedBy":"ops","version":2}"#;
        assert_eq!(serde_json::to_string(&switch).unwrap(), json);
        assert_eq!(serde_json::from_str::<Switch>(json).unwrap(), switch);
    }
}
