//! What has happened to one upload, for whoever asks later: a ring of at most [`MAX_ENTRIES`] entries. What happens again and
//! again is one entry that counts, so that ten thousand chunks do not push out the one takeover among them. Parts that are
//! signed and recorded by turns are two.
//!
//! The history decides nothing, and but for direct uploads no row is ever written for its sake: it is stored in rows that are
//! written anyway. What happens without one of them (a part, a chunk of a parallel upload, a refusal) is stored with the next,
//! and may be lost with the object's memory before.

use serde::{Deserialize, Serialize};

use crate::units::{ByteCount, UnixMs};

/// So many entries are kept, the newest: some 6 KB.
pub const MAX_ENTRIES: usize = 48;

/// So much of a reason is kept, in characters.
const MAX_DETAIL_CHARACTERS: usize = 120;

/// The right to store a part was given to the client.
pub const SIGNED: &str = "signed";

/// A part that the client has stored counts.
pub const RECORDED: &str = "recorded";

/// An attempt at telling a receiver: several that are down take turns.
pub const DELIVERY_ATTEMPT: &str = "delivery_attempt";

/// Something that happened, once or several times in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When, for the first time.
    pub at: UnixMs,
    /// When, for the last time.
    pub until: UnixMs,
    /// How often in a row.
    pub times: u32,
    /// What: `created`, `attempt`, `takeover`, `signed`, `recorded`, `reopened`, `repair`, `refused`, `declared`, the name of a phase, `held`, `released`, `taken`,
    /// `delivery_attempt`, `delivered`, `delivery_failed`, `redelivery`.
    pub event: String,
    /// How many bytes counted then.
    pub uploaded_bytes: ByteCount,
    /// Why, which refusal, or which event of the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What has happened, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// How many things were ever noted.
    pub noted: u64,
    /// The newest of them.
    pub entries: Vec<Entry>,
}

impl History {
    /// Adds an entry, or counts the last one up where it says the same.
    pub fn note(&mut self, now: UnixMs, event: &str, uploaded_bytes: ByteCount, detail: Option<String>) {
        let detail = detail.map(|text| text.chars().take(MAX_DETAIL_CHARACTERS).collect());
        self.noted += 1;
        let takes_turns = |event: &str| [SIGNED, RECORDED, DELIVERY_ATTEMPT].contains(&event);
        let is_the_same = |entry: &&mut Entry| entry.event == event && entry.detail == detail;
        // The last one, or, of what comes by turns, one of the turn.
        let turn = self.entries.iter().rev().take_while(|entry| takes_turns(&entry.event)).count();
        let compared = if takes_turns(event) { turn.max(1) } else { 1 };
        let same = self.entries.iter_mut().rev().take(compared).find(is_the_same);
        if let Some(same) = same {
            same.until = now;
            same.times = same.times.saturating_add(1);
            same.uploaded_bytes = uploaded_bytes;
            return;
        }
        if self.entries.len() >= MAX_ENTRIES {
            self.entries.remove(0);
        }
        let event = event.to_owned();
        self.entries.push(Entry { at: now, until: now, times: 1, event, uploaded_bytes, detail });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_counts_and_what_is_old_goes() {
        let mut history = History::default();
        history.note(UnixMs(1), "created", 0.into(), None);
        for n in 0..10_000 {
            history.note(UnixMs(2 + n), "attempt", n.try_into().unwrap(), None);
        }
        assert_eq!(history.entries.len(), 2);
        let attempts = &history.entries[1];
        assert_eq!((attempts.at, attempts.until, attempts.times), (UnixMs(2), UnixMs(10_001), 10_000));
        for n in 0..1000 {
            history.note(UnixMs(n), "refused", 0.into(), Some(format!("reason {n}")));
        }
        assert_eq!(history.entries.len(), MAX_ENTRIES);
        assert_eq!(history.entries.last().unwrap().detail.as_deref(), Some("reason 999"));
        assert_eq!(history.noted, 11_001);
    }

    #[test]
    fn receivers_that_are_down_take_turns_and_push_nothing_out() {
        let mut history = History::default();
        history.note(UnixMs(1), "created", 0.into(), None);
        for _ in 0..100 {
            for receiver in ["search", "audit", "billing"] {
                history.note(UnixMs(2), DELIVERY_ATTEMPT, 0.into(), Some(receiver.to_owned()));
            }
        }
        let seen: Vec<_> = history.entries.iter().map(|entry| entry.times).collect();
        assert_eq!((seen, history.noted), (vec![1, 100, 100, 100], 301));
    }

    #[test]
    fn parts_that_are_signed_and_recorded_by_turns_are_two_entries() {
        let mut history = History::default();
        history.note(UnixMs(1), "created", 0.into(), None);
        for n in 0..100 {
            history.note(UnixMs(10 * n + 2), SIGNED, 0.into(), None);
            history.note(UnixMs(10 * n + 3), RECORDED, 5.into(), None);
        }
        history.note(UnixMs(2_000), "reopened", 0.into(), None);
        history.note(UnixMs(2_001), RECORDED, 5.into(), None);
        let seen: Vec<_> = history.entries.iter().map(|entry| (entry.event.as_str(), entry.times)).collect();
        assert_eq!(seen, [("created", 1), (SIGNED, 100), (RECORDED, 100), ("reopened", 1), (RECORDED, 1)]);
        assert_eq!((history.entries[1].at, history.entries[1].until), (UnixMs(2), UnixMs(992)));
    }

    #[test]
    fn a_stored_trail_is_small_and_goes_on() {
        let mut old = History::default();
        for n in 0..100_u64 {
            old.note(
                UnixMs(1_800_000_000_000 + n),
                "refused",
                n.try_into().unwrap(),
                Some(format!("{n}{}", "x".repeat(500))),
            );
        }
        let json = serde_json::to_string(&old).unwrap();
        assert!(json.len() < 16_000, "{} bytes", json.len());
        let mut new: History = serde_json::from_str(&json).unwrap();
        assert_eq!(new, old);
        new.note(UnixMs(5), "delivered", 0.into(), None);
        assert_eq!(new.noted, old.noted + 1);
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let mut history = History::default();
        history.note(UnixMs(7), "takeover", 5.into(), None);
        assert_eq!(
            serde_json::to_string(&history).unwrap(),
            r#"{"noted":1,"entries":[{"at":7,"until":7,"times":1,"event":"takeover","uploadedBytes":5}]}"#
        );
    }
}
