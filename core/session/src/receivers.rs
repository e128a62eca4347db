//! Who hears of an upload: the origin, and up to [`MAX_RECEIVERS`] further receivers, each with the kinds of event that it wants. They are
//! fixed when the upload is created, and stored with it: so the event and all its deliveries become true in one row, whatever the settings
//! say by then. How each is reached is no fact of an upload: whoever carries an event asks the settings for its name.

use serde::{Deserialize, Serialize};

pub use crate::receiver_index::ReceiverIndex;

use crate::event::EventKind;

/// So many receivers beside the origin and the scanner. With those they have at most 46 events (five that follow each other: created, held,
/// in whose place one on the way is before, released, completed, deleted), of some 300 bytes with the longest error: an outbox of 14 KB, in a
/// row of at most 2 MB.
pub const MAX_RECEIVERS: usize = 8;

/// The longest name of a receiver, in bytes.
pub const MAX_NAME_BYTES: usize = 32;

/// The name of the origin, which no other receiver has.
pub const ORIGIN_NAME: &str = "origin";

/// The name of whoever looks at what is held, which no other receiver has.
pub const SCANNER_NAME: &str = "scanner";

/// One that hears beside the origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// What the settings call it.
    pub name: String,
    /// What it hears of.
    pub kinds: Vec<EventKind>,
}

/// All that hear beside the origin, in the order of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receivers(Vec<Receiver>);

impl Receivers {
    /// These: no more than [`MAX_RECEIVERS`] and the scanner are taken.
    pub fn new(mut all: Vec<Receiver>) -> Self {
        all.truncate(MAX_RECEIVERS + 1);
        Self(all)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = (ReceiverIndex, &Receiver)> {
        (1..).map(ReceiverIndex::nth).zip(&self.0)
    }

    /// The one with this name, or the origin.
    pub fn named(&self, name: &str) -> Option<ReceiverIndex> {
        if name == ORIGIN_NAME {
            return Some(ReceiverIndex::ORIGIN);
        }
        self.iter().find(|(_, receiver)| receiver.name == name).map(|(index, _)| index)
    }

    /// What it is called; nothing where there is none.
    pub fn name_of(&self, index: ReceiverIndex) -> &str {
        match index.number().checked_sub(1) {
            None => ORIGIN_NAME,
            Some(at) => self.0.get(at).map_or("", |receiver| receiver.name.as_str()),
        }
    }

    /// Those that hear of this.
    pub fn hearing(&self, kind: EventKind) -> Vec<ReceiverIndex> {
        self.iter().filter(|(_, receiver)| receiver.kinds.contains(&kind)).map(|(index, _)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers() -> Receivers {
        let receiver = |name: &str, kinds: &[EventKind]| Receiver { name: name.to_owned(), kinds: kinds.to_vec() };
        Receivers::new(vec![
            receiver("search", &[EventKind::Completed, EventKind::Deleted]),
            receiver("audit", &[EventKind::Created, EventKind::Completed]),
        ])
    }

    #[test]
    fn each_is_found_by_its_name_and_named_by_its_place() {
        let receivers = receivers();
        for name in ["origin", "search", "audit"] {
            assert_eq!(receivers.named(name).map(|index| receivers.name_of(index)), Some(name));
        }
        assert_eq!((receivers.named("nobody"), receivers.name_of(ReceiverIndex::nth(7))), (None, ""));
    }

    #[test]
    fn each_hears_what_it_has_asked_for() {
        let hearing = |kind| receivers().hearing(kind).into_iter().map(ReceiverIndex::number).collect::<Vec<_>>();
        assert_eq!(hearing(EventKind::Completed), [1, 2]);
        assert_eq!(hearing(EventKind::Created), [2]);
        assert_eq!(hearing(EventKind::Failed), [] as [usize; 0]);
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let written = serde_json::to_string(&Receivers::new(vec![receivers().0[0].clone()])).unwrap();
        assert_eq!(written, r#"[{"name":"search","kinds":["completed","deleted"]}]"#);
    }
}
